/* tests/support/made_body.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Bodies for unit tests of server/: bytes that tell their position, from a source that can be slow, short or
 * broken.
 */
#ifndef GANTRY_TESTS_MADE_BODY_H
#define GANTRY_TESTS_MADE_BODY_H

#include "http/body.h"

static inline uint8_t byte_at(uint64_t position)
{
    return (uint8_t)((position * 2654435761u) >> 13);
}

struct made_source {
    struct body_source source;
    uint64_t size, at;
    uint64_t fails_at;    /* UINT64_MAX: never */
    unsigned waits_every; /* this many reads; 0: never, 1: always */
    unsigned reads;
};

static inline bool made_read(struct body_source *base, void *into, size_t capacity, enum patience patience,
                             size_t *ret_size, struct error *err)
{
    struct made_source *made = (struct made_source *)base;
    uint8_t *bytes = into;

    if (made->waits_every && patience == MUST_NOT_WAIT && made->reads++ % made->waits_every == 0)
        return error_set(err, FAULT_WOULD_WAIT, "would wait");
    if (made->at >= made->fails_at)
        return error_set(err, FAULT_DISK, "the disk is gone");
    if (capacity > made->size - made->at)
        capacity = (size_t)(made->size - made->at);
    if (capacity > 5000)
        capacity = 5000; /* short reads are allowed */
    for (size_t i = 0; i < capacity; i++)
        bytes[i] = byte_at(made->at + i);
    made->at += capacity;
    *ret_size = capacity;
    return true;
}

static inline struct made_source made_source(uint64_t size, unsigned waits_every)
{
    return (struct made_source){ .source = { .size = size, .read = made_read },
                                 .size = size,
                                 .fails_at = UINT64_MAX,
                                 .waits_every = waits_every };
}

#endif
