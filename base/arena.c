/* base/arena.c
 * SPDX-License-Identifier: Apache-2.0
 *
 *   arena.chunks ─► newest chunk ─► older chunk ─► NULL        (each: header, then bytes handed out upwards)
 *   arena.duties ─► newest duty ─► older duty ─► NULL          (the duties lie in the chunks themselves)
 */
#include "base/arena.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arena_chunk {
    struct arena_chunk *older;
    size_t used, capacity;
    _Alignas(max_align_t) uint8_t bytes[];
};

struct arena_duty {
    struct arena_duty *older;
    void (*duty)(void *);
    void *of;
};

enum { CHUNK_BYTES = 4096 - sizeof(struct arena_chunk) };

static struct arena_chunk *new_chunk(size_t capacity)
{
    struct arena_chunk *chunk = malloc(sizeof *chunk + capacity);

    if (!chunk) {
        fputs("gantry: out of memory\n", stderr);
        abort();
    }
    chunk->older = NULL;
    chunk->used = 0;
    chunk->capacity = capacity;
    return chunk;
}

static size_t rounded(size_t size)
{
    const size_t step = _Alignof(max_align_t);

    return (size + step - 1) / step * step;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    assert(size < SIZE_MAX / 2);
    size = rounded(size);
    struct arena_chunk *chunk = arena->chunks;
    if (!chunk || chunk->capacity - chunk->used < size) {
        struct arena_chunk *fresh = new_chunk(size > CHUNK_BYTES ? size : CHUNK_BYTES);
        fresh->older = chunk;
        arena->chunks = chunk = fresh;
    }
    void *at = chunk->bytes + chunk->used;
    chunk->used += size;
    return memset(at, 0, size);
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
    size_t total;

    const bool overflow = __builtin_mul_overflow(count, size, &total);
    assert(!overflow);
    return arena_alloc(arena, overflow ? SIZE_MAX : total);
}

char *arena_vprintf(struct arena *arena, const char *format, va_list args)
{
    struct arena_chunk *chunk = arena->chunks;
    const size_t room = chunk ? chunk->capacity - chunk->used : 0;
    char *here = chunk ? (char *)chunk->bytes + chunk->used : NULL;
    va_list again;

    /* Nearly always there is room: then it is printed once, where it will lie. */
    va_copy(again, args);
    const int length = vsnprintf(here, room, format, again);
    va_end(again);
    assert(length >= 0);
    if (rounded((size_t)length + 1) <= room) {
        chunk->used += rounded((size_t)length + 1);
        return here;
    }
    char *text = arena_alloc(arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, args);
    return text;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    char *text = arena_vprintf(arena, format, args);
    va_end(args);
    return text;
}

char *arena_text(struct arena *arena, struct bytes text)
{
    char *copy = arena_alloc(arena, text.size + 1);

    if (text.size)
        memcpy(copy, text.data, text.size);
    return copy;
}

struct bytes arena_copy(struct arena *arena, struct bytes data)
{
    return bytes_of(arena_text(arena, data), data.size);
}

void arena_defer(struct arena *arena, void (*duty)(void *), void *of)
{
    struct arena_duty *entry = arena_alloc(arena, sizeof *entry);

    entry->older = arena->duties;
    entry->duty = duty;
    entry->of = of;
    arena->duties = entry;
}

struct arena_mark arena_mark(const struct arena *arena)
{
    return (struct arena_mark){ arena->chunks, arena->chunks ? arena->chunks->used : 0, arena->duties };
}

void arena_rewind(struct arena *arena, struct arena_mark to)
{
    while (arena->duties != to.duty) {
        struct arena_duty *newest = arena->duties;
        arena->duties = newest->older;
        newest->duty(newest->of);
    }
    while (arena->chunks != to.chunk) {
        struct arena_chunk *newest = arena->chunks;
        arena->chunks = newest->older;
        free(newest);
    }
    if (arena->chunks)
        arena->chunks->used = to.used;
}

void arena_release(struct arena *arena)
{
    arena_rewind(arena, (struct arena_mark){ NULL, 0, NULL });
}
