/* http/body.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Bodies out of bytes, blocks, other bodies and parts of bodies; see body.h. Bodies out of files are
 * storage's.
 */
#include "http/body.h"

#include <assert.h>
#include <inttypes.h>

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

bool body_skip(struct body_source *source, uint64_t size, enum patience patience, uint64_t *ret_skipped,
               struct error *err)
{
    uint8_t dropped[8192];
    size_t got = 0;

    if (source->skip)
        return source->skip(source, size, patience, ret_skipped, err);
    if (!source->read(source, dropped, (size_t)least(size, sizeof dropped), patience, &got, err))
        return false;
    *ret_skipped = got;
    return true;
}

/* ── bytes and blocks ── */

struct bytes_source {
    struct body_source source;
    struct bytes left;
};

static bool read_bytes(struct body_source *source, void *into, size_t capacity, enum patience patience,
                       size_t *ret_size, struct error *err)
{
    struct bytes_source *self = (struct bytes_source *)source;
    const size_t size = self->left.size < capacity ? self->left.size : capacity;

    (void)patience;
    (void)err;
    if (size)
        memcpy(into, self->left.data, size);
    self->left = bytes_from(self->left, size);
    *ret_size = size;
    return true;
}

static bool skip_bytes(struct body_source *source, uint64_t size, enum patience patience,
                       uint64_t *ret_skipped, struct error *err)
{
    struct bytes_source *self = (struct bytes_source *)source;

    (void)patience;
    (void)err;
    size = least(size, self->left.size);
    self->left = bytes_from(self->left, (size_t)size);
    *ret_skipped = size;
    return true;
}

struct body_source *body_of_bytes(struct arena *arena, struct bytes borrowed)
{
    struct bytes_source *self = arena_alloc(arena, sizeof *self);

    self->source = (struct body_source){ borrowed.size, read_bytes, skip_bytes };
    self->left = borrowed;
    return &self->source;
}

static void unref_block(void *block)
{
    block_unref(block);
}

struct body_source *body_of_block(struct arena *arena, struct block *taken)
{
    arena_defer(arena, unref_block, taken);
    return body_of_bytes(arena, block_bytes(taken));
}

/* ── a chain ── */

struct chain_source {
    struct body_source source;
    struct body_source *const *parts;
    size_t count, at;
    uint64_t given; /* of the part at `at` */
};

/* The part at `at` has given `size` more bytes; none means its end. */
static bool count_part(struct chain_source *self, uint64_t size, struct error *err)
{
    const uint64_t promised = self->parts[self->at]->size;

    self->given += size;
    if (promised != BODY_SIZE_UNKNOWN && (self->given > promised || (size == 0 && self->given < promised)))
        return error_set(err, FAULT_INTERNAL, "body part %zu of %zu: %" PRIu64 " bytes of %" PRIu64, self->at,
                         self->count, self->given, promised);
    if (size == 0) {
        self->at++;
        self->given = 0;
    }
    return true;
}

/* Fills the room across parts, so that a small head does not cost a record of its own on the wire. */
static bool read_chain(struct body_source *source, void *into, size_t capacity, enum patience patience,
                       size_t *ret_size, struct error *err)
{
    struct chain_source *self = (struct chain_source *)source;
    size_t filled = 0;

    while (filled < capacity && self->at < self->count) {
        struct body_source *part = self->parts[self->at];
        size_t got = 0;

        if (!part->read(part, (uint8_t *)into + filled, capacity - filled, patience, &got, err)) {
            if (err->fault != FAULT_WOULD_WAIT || filled == 0)
                return false;
            error_clear(err); /* what is there goes out first; the next call asks again */
            break;
        }
        if (!count_part(self, got, err))
            return false;
        filled += got;
    }
    *ret_size = filled;
    return true;
}

static bool skip_chain(struct body_source *source, uint64_t size, enum patience patience,
                       uint64_t *ret_skipped, struct error *err)
{
    struct chain_source *self = (struct chain_source *)source;

    while (self->at < self->count) {
        uint64_t skipped = 0;

        if (!body_skip(self->parts[self->at], size, patience, &skipped, err) ||
            !count_part(self, skipped, err))
            return false;
        if (skipped > 0) {
            *ret_skipped = skipped;
            return true;
        }
    }
    *ret_skipped = 0;
    return true;
}

struct body_source *body_chain(struct arena *arena, struct body_source *const *parts, size_t count)
{
    struct chain_source *self = arena_alloc(arena, sizeof *self);
    struct body_source **copy = arena_array(arena, count ? count : 1, sizeof *copy);
    uint64_t size = 0;

    for (size_t i = 0; i < count; i++) {
        copy[i] = parts[i];
        if (size != BODY_SIZE_UNKNOWN &&
            (parts[i]->size == BODY_SIZE_UNKNOWN || __builtin_add_overflow(size, parts[i]->size, &size)))
            size = BODY_SIZE_UNKNOWN;
    }
    self->source = (struct body_source){ size, read_chain, skip_chain };
    self->parts = copy;
    self->count = count;
    return &self->source;
}

/* ── a slice ── */

struct slice_source {
    struct body_source source;
    struct body_source *of;
    uint64_t before, left; /* to be dropped, to be given */
};

static bool drop_before(struct slice_source *self, enum patience patience, struct error *err)
{
    while (self->before > 0) {
        uint64_t skipped = 0;

        if (!body_skip(self->of, self->before, patience, &skipped, err))
            return false;
        if (skipped == 0)
            return error_set(err, FAULT_INTERNAL, "body ends %" PRIu64 " bytes before a slice of it",
                             self->before);
        self->before -= skipped;
    }
    return true;
}

static bool read_slice(struct body_source *source, void *into, size_t capacity, enum patience patience,
                       size_t *ret_size, struct error *err)
{
    struct slice_source *self = (struct slice_source *)source;
    size_t got = 0;

    if (self->left == 0) {
        *ret_size = 0;
        return true;
    }
    if (!drop_before(self, patience, err) ||
        !self->of->read(self->of, into, (size_t)least(capacity, self->left), patience, &got, err))
        return false;
    if (got == 0)
        return error_set(err, FAULT_INTERNAL, "body ends %" PRIu64 " bytes short of a slice of it",
                         self->left);
    self->left -= got;
    *ret_size = got;
    return true;
}

static bool skip_slice(struct body_source *source, uint64_t size, enum patience patience,
                       uint64_t *ret_skipped, struct error *err)
{
    struct slice_source *self = (struct slice_source *)source;
    uint64_t skipped = 0;

    if (self->left == 0) {
        *ret_skipped = 0;
        return true;
    }
    if (!drop_before(self, patience, err) ||
        !body_skip(self->of, least(size, self->left), patience, &skipped, err))
        return false;
    if (skipped == 0)
        return error_set(err, FAULT_INTERNAL, "body ends %" PRIu64 " bytes short of a slice of it",
                         self->left);
    self->left -= skipped;
    *ret_skipped = skipped;
    return true;
}

struct body_source *body_slice(struct arena *arena, struct body_source *of, uint64_t offset, uint64_t size)
{
    struct slice_source *self = arena_alloc(arena, sizeof *self);

    assert(of->size != BODY_SIZE_UNKNOWN && offset <= of->size && size <= of->size - offset);
    self->source = (struct body_source){ size, read_slice, skip_slice };
    self->of = of;
    self->before = offset;
    self->left = size;
    return &self->source;
}
