/* dicom/utf8.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * RFC 3629.
 */
#include "dicom/utf8.h"

static size_t size_by_first(uint8_t first)
{
    if (first < 0x80)
        return 1;
    if (first < 0xC2) /* a continuation, or the overlong C0 and C1 */
        return 0;
    return first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
}

size_t utf8_read(struct bytes text, uint32_t *ret)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    const uint8_t first = text.data[0];
    const size_t size = size_by_first(first);
    uint32_t character = size == 1 ? first : first & (0x7Fu >> size);

    *ret = UTF8_BROKEN;
    if (size == 0 || size > text.size)
        return 1;
    for (size_t i = 1; i < size; i++) {
        if ((text.data[i] & 0xC0) != 0x80)
            return 1;
        character = character << 6 | (text.data[i] & 0x3Fu);
    }
    if (character < least[size] || character > 0x10FFFF || (character >= 0xD800 && character <= 0xDFFF))
        return 1;
    *ret = character;
    return size;
}

size_t utf8_put(uint32_t character, uint8_t into[UTF8_MOST])
{
    if (character < 0x80) {
        into[0] = (uint8_t)character;
        return 1;
    }
    const size_t size = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    for (size_t i = size; --i > 0; character >>= 6)
        into[i] = (uint8_t)(0x80 | (character & 0x3F));
    into[0] = (uint8_t)((0xF00u >> size & 0xFFu) | character);
    return size;
}
