/* dicom/inflated.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * One raw deflate stream; some writers wrap it as zlib does, which shows at its first bytes.
 */
#include "dicom/inflated.h"

#include <inttypes.h>
#include <stdlib.h>

#define ZLIB_CONST
#include <zlib.h>

enum { PIECE_BYTES = 64 * 1024 };

struct inflated {
    bool (*read)(void *reader, uint64_t offset, void *into, size_t size, struct error *err);
    void *reader;
    uint64_t from, at, file_size;
    z_stream zlib;
    bool wrapped, ended;
    uint8_t piece[PIECE_BYTES];
};

bool inflated_open(bool (*read)(void *reader, uint64_t offset, void *into, size_t size, struct error *err),
                   void *reader, uint64_t from, uint64_t file_size, struct inflated **ret, struct error *err)
{
    struct inflated *inflated = malloc(sizeof *inflated);

    if (!inflated)
        return error_set(err, FAULT_BUSY, "no memory to inflate");
    inflated->read = read;
    inflated->reader = reader;
    inflated->from = inflated->at = from;
    inflated->file_size = file_size;
    inflated->wrapped = inflated->ended = false;
    inflated->zlib = (z_stream){ 0 };
    if (inflateInit2(&inflated->zlib, -MAX_WBITS) != Z_OK) {
        free(inflated);
        return error_set(err, FAULT_BUSY, "no memory to inflate");
    }
    *ret = inflated;
    return true;
}

static bool broken(struct inflated *inflated, struct error *err)
{
    return error_tell(err, FAULT_NOT_DICOM, "The deflated data set breaks off near byte %" PRIu64,
                      inflated->at);
}

static bool fetch(struct inflated *inflated, struct error *err)
{
    const uint64_t left = inflated->file_size - inflated->at;
    const size_t size = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;

    if (size == 0)
        return broken(inflated, err);
    if (!inflated->read(inflated->reader, inflated->at, inflated->piece, size, err))
        return false;
    inflated->at += size;
    inflated->zlib.next_in = inflated->piece;
    inflated->zlib.avail_in = (uInt)size;
    return true;
}

/* Nothing came out of it as it should be: from the start as zlib wraps it. */
static bool try_wrapped(struct inflated *inflated)
{
    if (inflated->wrapped || inflated->zlib.total_out > 0 ||
        inflateReset2(&inflated->zlib, MAX_WBITS) != Z_OK)
        return false;
    inflated->wrapped = true;
    inflated->at = inflated->from;
    inflated->zlib.avail_in = 0;
    return true;
}

bool inflated_read(struct inflated *inflated, void *into, size_t capacity, size_t *ret_size,
                   struct error *err)
{
    z_stream *const zlib = &inflated->zlib;
    const size_t room = capacity < PIECE_BYTES ? capacity : PIECE_BYTES;

    *ret_size = 0;
    if (room == 0)
        return true;
    while (!inflated->ended) {
        if (zlib->avail_in == 0 && !fetch(inflated, err))
            return false;
        zlib->next_out = into;
        zlib->avail_out = (uInt)room;
        const int outcome = inflate(zlib, Z_NO_FLUSH);
        inflated->ended = outcome == Z_STREAM_END;
        *ret_size = room - zlib->avail_out;
        if (*ret_size > 0 || inflated->ended)
            return true;
        if (outcome != Z_OK && outcome != Z_BUF_ERROR && !try_wrapped(inflated))
            return broken(inflated, err);
    }
    return true;
}

void inflated_close(struct inflated *inflated)
{
    if (!inflated)
        return;
    inflateEnd(&inflated->zlib);
    free(inflated);
}
