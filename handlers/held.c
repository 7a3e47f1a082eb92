/* handlers/held.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * What an answer holds until its last byte is out.
 */
#include "handlers/held.h"

static void unref_record(void *record)
{
    instance_record_unref(record);
}

static void free_listing(void *listing)
{
    catalog_listing_free(listing);
}

static void free_buffer(void *buffer)
{
    buffer_done(buffer);
}

void held_record(struct arena *arena, const struct instance_record *taken)
{
    arena_defer(arena, unref_record, (void *)(uintptr_t)taken);
}

void held_listing(struct arena *arena, struct catalog_listing *taken)
{
    arena_defer(arena, free_listing, taken);
}

struct buffer *held_buffer(struct arena *arena, size_t ceiling_bytes)
{
    struct buffer *buffer = arena_alloc(arena, sizeof(*buffer));

    buffer_init(buffer, ceiling_bytes);
    arena_defer(arena, free_buffer, buffer);
    return buffer;
}
