/* dicom/text_values.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "dicom/text_values.h"

#include <string.h>

size_t text_values_count(struct bytes own)
{
    size_t count = own.size > 0;

    for (size_t i = 0; i < own.size; i++)
        count += own.data[i] == '\\';
    return count;
}

void text_values_behind(struct bytes own, size_t least, const char *between, struct bytes added,
                        struct buffer *into)
{
    size_t count = text_values_count(own);

    buffer_append(into, own);
    for (; count < least; count++)
        if (count > 0)
            buffer_append(into, bytes_of_text("\\"));
    if (count > 0)
        buffer_append(into, bytes_of_text(between));
    buffer_append(into, added);
}

void text_values_first(struct bytes own, struct bytes first, const char *others, struct buffer *into)
{
    const uint8_t *rest = own.size ? memchr(own.data, '\\', own.size) : NULL;

    buffer_append(into, first);
    if (rest)
        buffer_append(into, bytes_from(own, (size_t)(rest - own.data)));
    else if (own.size == 0)
        buffer_append(into, bytes_of_text(others));
}
