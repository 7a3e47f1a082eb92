/* base/bytes.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * What is too long to be inline in bytes.h.
 */
#include "base/bytes.h"

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

bool bytes_equal_nocase(struct bytes a, struct bytes b)
{
    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++)
        if (lower(a.data[i]) != lower(b.data[i]))
            return false;
    return true;
}

struct bytes bytes_trim(struct bytes a)
{
    while (a.size > 0 && (a.data[0] == ' ' || a.data[0] == '\t')) {
        a.data++;
        a.size--;
    }
    while (a.size > 0 && (a.data[a.size - 1] == ' ' || a.data[a.size - 1] == '\t'))
        a.size--;
    return a;
}

struct bytes bytes_cut(struct bytes *rest, uint8_t separator)
{
    const struct bytes whole = *rest;
    const uint8_t *at = whole.size ? memchr(whole.data, separator, whole.size) : NULL;

    if (!at) {
        *rest = bytes_of(NULL, 0);
        return whole;
    }
    const size_t before = (size_t)(at - whole.data);
    *rest = bytes_from(whole, before + 1);
    return bytes_of(whole.data, before);
}
