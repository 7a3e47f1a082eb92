/* base/arena.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Memory and duties that end together. Never returns NULL: aborts when the kernel has none. What a
 * client can make large does not belong here but in blocks (base/block.h), which can refuse.
 * One thread at a time.
 */
#ifndef GANTRY_BASE_ARENA_H
#define GANTRY_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

#include "base/attributes.h"
#include "base/bytes.h"

GANTRY_C_BEGIN

struct arena_chunk;
struct arena_duty;
/* All zero is an empty arena, ready for use. */
struct arena {
    struct arena_chunk *chunks;
    struct arena_duty *duties;
};
struct arena_mark {
    struct arena_chunk *chunk;
    size_t used;
    struct arena_duty *duty;
};

void *arena_alloc(struct arena *arena, size_t size); /* zeroed, aligned for any type */
void *arena_array(struct arena *arena, size_t count, size_t size);
char *arena_printf(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);
char *arena_vprintf(struct arena *arena, const char *format, va_list args);
/* A copy that ends with a NUL behind its last byte. */
char *arena_text(struct arena *arena, struct bytes text);
struct bytes arena_copy(struct arena *arena, struct bytes data);
/* `duty(of)` runs when the arena is rewound past this point or released; newest first. */
void arena_defer(struct arena *arena, void (*duty)(void *), void *of);
struct arena_mark arena_mark(const struct arena *arena);
void arena_rewind(struct arena *arena, struct arena_mark to); /* runs the newer duties */
void arena_release(struct arena *arena);                      /* runs all, newest first; usable again */

GANTRY_C_END

#endif
