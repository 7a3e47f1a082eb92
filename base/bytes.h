/* base/bytes.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * A borrowed view of bytes: never freed through, never outlives what it points into.
 */
#ifndef GANTRY_BASE_BYTES_H
#define GANTRY_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *data;
    size_t size;
};

/* For "%.*s": printf("%.*s", BYTES_ARG(name)). */
#define BYTES_ARG(b) (int)(b).size, (const char *)(b).data

static inline struct bytes bytes_of(const void *data, size_t size)
{
    struct bytes view = { (const uint8_t *)data, size };
    return view;
}

/* `text` may be NULL: an empty view. */
static inline struct bytes bytes_of_text(const char *text)
{
    return bytes_of(text, text ? strlen(text) : 0);
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool bytes_equal_text(struct bytes a, const char *text)
{
    return bytes_equal(a, bytes_of_text(text));
}

/* ASCII letters compare without regard to case; all else byte by byte. */
bool bytes_equal_nocase(struct bytes a, struct bytes b);

static inline bool bytes_starts_with(struct bytes a, struct bytes prefix)
{
    return a.size >= prefix.size && (prefix.size == 0 || memcmp(a.data, prefix.data, prefix.size) == 0);
}

/* The part from `from` on; empty when `from` lies beyond the end. */
static inline struct bytes bytes_from(struct bytes a, size_t from)
{
    return from >= a.size ? bytes_of(a.data ? a.data + a.size : NULL, 0)
                          : bytes_of(a.data + from, a.size - from);
}

/* Without spaces and tabs at both ends. */
struct bytes bytes_trim(struct bytes a);

/* Cuts *rest at the first `separator`: what stands before it is returned, *rest becomes what stands
 * behind it. Without a separator all is returned and *rest becomes empty with data NULL. */
struct bytes bytes_cut(struct bytes *rest, uint8_t separator);

#endif
