/* dicom/data_set.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Head, structure, elements: three looks at a file, each guarded by the one before; see data_set.h.
 *
 *   part10_read ── transfer syntax ─→ element_scan ── depth, count, end ─→ dataset_parse (DCMTK)
 */
#include "dicom/data_set.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ZLIB_CONST
#include <zlib.h>

#include "base/file.h"

enum {
    INFLATED_CEILING = 64 * 1024 * 1024, /* of a deflated data set; what lies beyond can only be pixels */
    INFLATE_PIECE = 64 * 1024
};

static bool read_head(const char *path, struct data_set *into, struct error *err)
{
    struct stat status;

    into->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (into->fd < 0)
        return error_errno(err, errno, "opening an instance");
    if (fstat(into->fd, &status) != 0)
        return error_errno(err, errno, "looking at an instance");
    into->file_size = (uint64_t)status.st_size;

    const size_t size = into->file_size < PART10_HEAD_BYTES ? (size_t)into->file_size : PART10_HEAD_BYTES;
    if (!(into->head = malloc(size ? size : 1)))
        return error_set(err, FAULT_BUSY, "no memory for the head of a file");
    if (!file_read_at(into->fd, into->head, size, 0, err))
        return false;
    into->source = (struct element_source){ into->head, size, into->fd, into->file_size };
    return part10_read(bytes_of(into->head, size), &into->part10, err);
}

/* One piece of the file through zlib. False: nothing more to come, for whatever reason. */
static bool inflate_piece(z_stream *zlib, struct data_set *data_set, uint64_t *at, uint8_t *piece)
{
    struct error ignored = { 0 };

    if (zlib->avail_in == 0) {
        const uint64_t left = data_set->file_size - *at;
        const size_t size = left < INFLATE_PIECE ? (size_t)left : INFLATE_PIECE;
        if (size == 0 || !file_read_at(data_set->fd, piece, size, *at, &ignored))
            return false;
        *at += size;
        zlib->next_in = piece;
        zlib->avail_in = (uInt)size;
    }
    uint8_t *room = buffer_reserve(&data_set->inflated, INFLATE_PIECE);
    if (!room)
        return false;
    zlib->next_out = room;
    zlib->avail_out = INFLATE_PIECE;
    const int outcome = inflate(zlib, Z_NO_FLUSH);
    buffer_grew(&data_set->inflated, INFLATE_PIECE - zlib->avail_out);
    return outcome == Z_OK || (outcome == Z_BUF_ERROR && zlib->avail_in == 0);
}

/* PS3.5 A.5: the data set is one raw deflate stream. A stream that breaks, or grows beyond the ceiling, is
 * taken up to there: whether that is enough is for the scan to say. */
static bool inflate_elements(struct data_set *data_set, int window_bits, struct error *err)
{
    z_stream zlib = { 0 };
    uint64_t at = data_set->part10.data_set;
    uint8_t *piece = malloc(INFLATE_PIECE);

    if (!piece || inflateInit2(&zlib, window_bits) != Z_OK) {
        free(piece);
        return error_set(err, FAULT_BUSY, "no memory to inflate a data set");
    }
    buffer_init(&data_set->inflated, INFLATED_CEILING);
    while (inflate_piece(&zlib, data_set, &at, piece))
        ;
    inflateEnd(&zlib);
    free(piece);
    data_set->source = (struct element_source){ data_set->inflated.data, data_set->inflated.size, -1,
                                                data_set->inflated.size };
    return true;
}

static bool inflate_data_set(struct data_set *data_set, struct error *err)
{
    data_set->deflated = true;
    if (!inflate_elements(data_set, -MAX_WBITS, err))
        return false;
    if (data_set->inflated.size > 0)
        return true;
    buffer_done(&data_set->inflated);
    return inflate_elements(data_set, MAX_WBITS, err); /* some wrap it as zlib does */
}

static enum dataset_encoding encoding_of(enum transfer_syntax syntax)
{
    if (syntax == SYNTAX_IMPLICIT_LE)
        return DATASET_IMPLICIT_LE;
    if (syntax == SYNTAX_EXPLICIT_BE)
        return DATASET_EXPLICIT_BE;
    return DATASET_EXPLICIT_LE; /* private ones too (STO-20) */
}

static bool parse(const struct data_set *data_set, uint64_t from, uint64_t end, struct dataset **ret,
                  struct error *err)
{
    const struct dataset_source source = { data_set->source.memory, data_set->source.memory_size,
                                           data_set->source.fd, from, end };
    const bool encapsulated = data_set->encoding == DATASET_EXPLICIT_LE &&
                              data_set->skeleton.has_pixel_data &&
                              data_set->skeleton.pixel_size == UINT32_MAX;

    return dataset_parse(&source, encapsulated ? DATASET_ENCAPSULATED : data_set->encoding, ret, err);
}

bool data_set_open(const char *path, struct data_set *ret, struct error *err)
{
    *ret = (struct data_set){ .fd = -1 };
    if (!read_head(path, ret, err))
        return false;

    const enum transfer_syntax syntax = ret->part10.transfer_syntax;
    uint64_t from = ret->part10.data_set;
    if (syntax == SYNTAX_DEFLATED_LE || syntax == SYNTAX_JPIP_DEFLATE) {
        if (!inflate_data_set(ret, err))
            return false;
        from = 0;
    }
    ret->encoding = encoding_of(syntax);
    return element_scan(&ret->source, from, ret->encoding, &ret->skeleton, err) &&
           parse(ret, from, ret->skeleton.end, &ret->elements, err);
}

void data_set_read_tail(struct data_set *data_set, uint64_t pixels_end)
{
    struct error ignored = { 0 };
    uint64_t from, end;

    if (element_scan_tail(&data_set->source, &data_set->skeleton, pixels_end, data_set->encoding, &from,
                          &end) &&
        !parse(data_set, from, end, &data_set->tail, &ignored))
        data_set->tail = NULL;
}

void data_set_close(struct data_set *data_set)
{
    dataset_free(data_set->elements);
    dataset_free(data_set->tail);
    buffer_done(&data_set->inflated);
    free(data_set->head);
    if (data_set->fd >= 0)
        file_close(data_set->fd);
    *data_set = (struct data_set){ .fd = -1 };
}

void data_set_drop(struct data_set **data_set)
{
    data_set_close(*data_set);
}
