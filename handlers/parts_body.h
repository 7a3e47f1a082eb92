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
    uint64_t size; /* bytes that are sent; of a part that is made also BODY_SIZE_UNKNOWN: `make` will know */
    uint32_t extents; /* pieces of the file, in order */
    bool made;        /* the pieces are not sent as they lie there: `make` has the bytes */
};

/* The parts of one answer. Embedded in what the callbacks need to know; lives in the exchange's arena. */
struct parts {
    size_t count;
    /* Texts may be made in `scratch`, which ends with the part. */
    void (*describe)(const struct parts *parts, size_t n, struct arena *scratch, struct part *ret);
    struct extent (*extent)(const struct parts *parts, size_t n, uint32_t extent_index);
    /* The bytes of a part that is `made`, as a body whose size is part->size where that is known (itself it
     * may not know it: then the part's head names none). It and `reader` end with `scratch`. Where the size
     * is not known beforehand, `part` may be given another transfer_syntax: its head is not written yet.
     * WOULD_WAIT under MUST_NOT_WAIT, unless they are at hand; under MAY_WAIT too, with the request's waiter
     * given away. NULL where no part is made. */
    bool (*make)(const struct parts *parts, size_t n, struct store_reader *reader, enum patience patience,
                 struct arena *scratch, struct part *part, struct body_source **ret, struct error *err);
    struct store_reader *held; /* of the one file of all parts, by who outlives the body; NULL: opened here */
};

/* `boundary` data NULL: the only part alone, without head and tail. The size is known beforehand unless one
 * of several parts does not know its own. The first file is opened here, and a part alone is made here, so
 * that what is missing can still be told by a status: faults as of store_reader_open and `make`. */
MUST_USE bool parts_body(const struct service *service, const struct request *request,
                         const struct parts *parts, struct bytes boundary, struct body_source **ret,
                         struct error *err);

#endif
