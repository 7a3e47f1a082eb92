/* http/body.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Bodies as values: a source is pulled, a sink is pushed, by whoever carries them.
 */
#ifndef GANTRY_HTTP_BODY_H
#define GANTRY_HTTP_BODY_H

#include "base/arena.h"
#include "base/block.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/patience.h"

#define BODY_SIZE_UNKNOWN UINT64_MAX

/* A response body. One thread at a time. */
struct body_source {
    uint64_t size; /* bytes, or BODY_SIZE_UNKNOWN */
    /* Writes up to `capacity` bytes; *ret_size == 0 is the end. WOULD_WAIT under MUST_NOT_WAIT: nothing was
     * consumed, ask again with MAY_WAIT. Any other failure ends the body short of its end. */
    bool (*read)(struct body_source *source, void *into, size_t capacity, enum patience patience,
                 size_t *ret_size, struct error *err);
    /* Optional, NULL where reading is all there is: moves on by up to `size` bytes without handing them out,
     * under the same rules; *ret_skipped == 0 is the end. */
    bool (*skip)(struct body_source *source, uint64_t size, enum patience patience, uint64_t *ret_skipped,
                 struct error *err);
};

/* Skips up to `size` bytes of any source: by its `skip`, or by reading and dropping. */
MUST_USE bool body_skip(struct body_source *source, uint64_t size, enum patience patience,
                        uint64_t *ret_skipped, struct error *err);
struct body_source *body_of_bytes(struct arena *arena, struct bytes borrowed);
struct body_source *body_of_block(struct arena *arena, struct block *taken);
/* One behind the other; the size is their sum, or unknown if one of theirs is. A part that ends elsewhere
 * than its size says is INTERNAL, so that an answer never looks complete when it is not. */
struct body_source *body_chain(struct arena *arena, struct body_source *const *parts, size_t count);
/* The bytes [offset, offset + size) of a source whose size is known; what lies before is read and dropped
 * unless the source can skip. */
struct body_source *body_slice(struct arena *arena, struct body_source *of, uint64_t offset, uint64_t size);

/* A request body: pushed on a worker, so it may wait. */
struct body_sink {
    bool (*write)(struct body_sink *sink, struct bytes chunk, struct error *err);
    bool (*end)(struct body_sink *sink, struct error *err); /* the whole body has arrived */
};

#endif
