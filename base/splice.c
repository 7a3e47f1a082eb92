/* base/splice.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Texts are kept with a mark where the public base belongs, so that a changed base needs no rewriting; see
 * splice.h.
 */
#include "base/splice.h"

void splice_text(struct buffer *into, struct bytes text, uint8_t mark, struct bytes base)
{
    while (text.size > 0) {
        const uint8_t *at = memchr(text.data, mark, text.size);
        const size_t before = at ? (size_t)(at - text.data) : text.size;

        buffer_append(into, bytes_of(text.data, before));
        if (at)
            buffer_append(into, base);
        text = bytes_from(text, at ? before + 1 : before);
    }
}
