/* base/buffer.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Growing bytes; see buffer.h.
 */
#include "base/buffer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buffer_init(struct buffer *buffer, size_t ceiling_bytes)
{
    *buffer = (struct buffer){ .ceiling = ceiling_bytes };
}

void buffer_done(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){ .ceiling = buffer->ceiling };
}

void buffer_drop(struct buffer *buffer)
{
    buffer_done(buffer);
}

uint8_t *buffer_reserve(struct buffer *buffer, size_t size)
{
    if (buffer->overflowed || size > buffer->ceiling - buffer->size) {
        buffer->overflowed = true;
        return NULL;
    }
    if (buffer->capacity - buffer->size < size) {
        size_t capacity = buffer->capacity ? buffer->capacity * 2 : 1024;
        while (capacity - buffer->size < size)
            capacity *= 2;
        uint8_t *grown = realloc(buffer->data, capacity);
        if (!grown) {
            buffer->overflowed = true;
            return NULL;
        }
        buffer->data = grown;
        buffer->capacity = capacity;
    }
    return buffer->data + buffer->size;
}

void buffer_grew(struct buffer *buffer, size_t size)
{
    assert(size <= buffer->capacity - buffer->size);
    buffer->size += size;
}

void buffer_cut(struct buffer *buffer, size_t size)
{
    assert(size <= buffer->size);
    buffer->size = size;
}

void buffer_append(struct buffer *buffer, struct bytes data)
{
    uint8_t *room = data.size ? buffer_reserve(buffer, data.size) : NULL;

    if (!room)
        return;
    memcpy(room, data.data, data.size);
    buffer->size += data.size;
}

void buffer_append_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, bytes_of_text(text));
}

void buffer_append_byte(struct buffer *buffer, uint8_t byte)
{
    if (!buffer->overflowed && buffer->size < buffer->capacity && buffer->size < buffer->ceiling)
        buffer->data[buffer->size++] = byte;
    else
        buffer_append(buffer, bytes_of(&byte, 1));
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list args;
    char small[256];

    va_start(args, format);
    const int length = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    assert(length >= 0);
    if ((size_t)length < sizeof small) {
        buffer_append(buffer, bytes_of(small, (size_t)length));
        return;
    }
    uint8_t *room = buffer_reserve(buffer, (size_t)length + 1);
    if (!room)
        return;
    va_start(args, format);
    vsnprintf((char *)room, (size_t)length + 1, format, args);
    va_end(args);
    buffer->size += (size_t)length;
}

void buffer_append_number(struct buffer *buffer, int64_t number)
{
    char digits[24];
    char *at = digits + sizeof digits;
    uint64_t left = number < 0 ? -(uint64_t)number : (uint64_t)number;

    do
        *--at = (char)('0' + left % 10);
    while (left /= 10);
    if (number < 0)
        *--at = '-';
    buffer_append(buffer, bytes_of(at, (size_t)(digits + sizeof digits - at)));
}

/* The length of the well-formed UTF-8 sequence at `at` (Unicode 15, table 3-7), or 0. */
static size_t utf8_length(const uint8_t *at, size_t left)
{
    const uint8_t lead = at[0];
    size_t length;

    if (lead < 0x80)
        return 1;
    if (lead >= 0xC2 && lead <= 0xDF)
        length = 2;
    else if (lead >= 0xE0 && lead <= 0xEF)
        length = 3;
    else if (lead >= 0xF0 && lead <= 0xF4)
        length = 4;
    else
        return 0;
    if (left < length)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    if ((lead == 0xE0 && at[1] < 0xA0) || (lead == 0xED && at[1] > 0x9F) || (lead == 0xF0 && at[1] < 0x90) ||
        (lead == 0xF4 && at[1] > 0x8F))
        return 0;
    return length;
}

static bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
}

void buffer_append_json_string(struct buffer *buffer, struct bytes text)
{
    buffer_append_byte(buffer, '"');
    for (size_t i = 0, plain_from = 0; i <= text.size;) {
        while (i < text.size && is_plain(text.data[i])) /* most of all text */
            i++;
        const size_t length = i < text.size ? utf8_length(text.data + i, text.size - i) : 0;
        const uint8_t c = i < text.size ? text.data[i] : 0;
        const bool plain = i < text.size && length > 0 && c >= 0x20 && c != '"' && c != '\\' && c != 0x7F;

        if (plain) {
            i += length;
            continue;
        }
        if (i > plain_from)
            buffer_append(buffer, bytes_of(text.data + plain_from, i - plain_from));
        if (i == text.size)
            break;
        if (length == 0)
            buffer_append_text(buffer, "\xEF\xBF\xBD");
        else if (c == '"' || c == '\\')
            buffer_printf(buffer, "\\%c", c);
        else if (c == '\n')
            buffer_append_text(buffer, "\\n");
        else if (c == '\r')
            buffer_append_text(buffer, "\\r");
        else if (c == '\t')
            buffer_append_text(buffer, "\\t");
        else
            buffer_printf(buffer, "\\u%04x", c);
        i++;
        plain_from = i;
    }
    buffer_append_byte(buffer, '"');
}

struct bytes buffer_bytes(const struct buffer *buffer)
{
    return bytes_of(buffer->data, buffer->size);
}

bool buffer_check(const struct buffer *buffer, const char *what, struct error *err)
{
    if (buffer->overflowed)
        return error_set(err, FAULT_TOO_LARGE, "%s: over %zu bytes", what, buffer->ceiling);
    return true;
}
