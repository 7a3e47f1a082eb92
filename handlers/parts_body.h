/* handlers/parts_body.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Bytes of stored files as a response body: as the parts of multipart/related, or one of them alone. Heads of
 * parts are made while the body is sent, one file is open at a time, and the bytes go from the file straight
 * to whoever pulls: memory does not grow with the answer.
 */
#ifndef GANTRY_HANDLERS_PARTS_BODY_H
#define GANTRY_HANDLERS_PARTS_BODY_H

#include "dicom/frame_table.h"
#include "handlers/handler.h"

struct part {
    const char *media_type, *transfer_syntax; /* the latter may be NULL */
    const char *location;
    uint64_t generation; /* the file */
    uint64_t size;       /* bytes that are sent */
    uint32_t extents;    /* pieces of the file, in order */
    bool converted;      /* the pieces are not sent as they lie there: `convert` makes the bytes */
};

/* The parts of one answer. Embedded in what the callbacks need to know; lives in the exchange's arena. */
struct parts {
    size_t count;
    /* Texts may be made in `scratch`, which ends with the part. */
    void (*describe)(const struct parts *parts, size_t n, struct arena *scratch, struct part *ret);
    struct extent (*extent)(const struct parts *parts, size_t n, uint32_t extent_index);
    /* Makes part->size bytes; may wait. NULL where no part is `converted`. */
    bool (*convert)(const struct parts *parts, size_t n, struct store_reader *reader, struct block **ret,
                    struct error *err);
};

/* `boundary` data NULL: the only part alone, without head and tail. The size is known beforehand. The first
 * file is opened here, so that what is missing can still be told by a status: faults as of store_reader_open.
 */
MUST_USE bool parts_body(const struct service *service, const struct request *request,
                         const struct parts *parts, struct bytes boundary, struct body_source **ret,
                         struct error *err);
/* The extents of part `n`, one behind the other, in a block with exactly `size` bytes; for converters. */
MUST_USE bool parts_body_gather(const struct parts *parts, size_t n, uint32_t extents, uint64_t size,
                                struct store_reader *reader, struct block **ret, struct error *err);

#endif
