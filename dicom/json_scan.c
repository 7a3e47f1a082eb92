/* dicom/json_scan.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Stepping over JSON values. Depth is counted, not recursed into.
 */
#include "dicom/json_scan.h"

#include <stdio.h>

#include "base/number.h"

/* Behind the string that starts at `at`, or the end of the text when it does not end. */
static size_t skip_string(struct bytes text, size_t at)
{
    for (at++; at < text.size; at++) {
        const uint8_t *quote = memchr(text.data + at, '"', text.size - at);
        if (!quote)
            return text.size;
        size_t escapes = 0;
        for (const uint8_t *before = quote; before > text.data + at && before[-1] == '\\'; before--)
            escapes++;
        at = (size_t)(quote - text.data);
        if (escapes % 2 == 0)
            return at + 1;
    }
    return text.size;
}

static size_t skip_value(struct bytes text, size_t at)
{
    unsigned depth = 0;

    while (at < text.size) {
        const uint8_t c = text.data[at];
        if (c == '"') {
            at = skip_string(text, at);
            if (!depth)
                return at;
            continue;
        }
        if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            if (!depth)
                return at; /* the end of a bare word */
            if (--depth == 0)
                return at + 1;
        } else if (c == ',' && !depth) {
            return at;
        }
        at++;
    }
    return at;
}

/* Over the opening bracket, or the comma between two members. */
static bool enter(struct bytes text, size_t *at, uint8_t opening)
{
    if (*at >= text.size || text.data[*at] != (*at ? ',' : opening))
        return false;
    ++*at;
    return *at < text.size;
}

bool json_object_next(struct bytes object, size_t *at, struct json_member *ret)
{
    if (!enter(object, at, '{') || object.data[*at] != '"')
        return false;
    const size_t name = *at;
    const size_t colon = skip_string(object, name);
    if (colon >= object.size || object.data[colon] != ':')
        return false;
    const size_t end = skip_value(object, colon + 1);
    if (end == colon + 1 || end >= object.size) /* the closing brace at least must follow */
        return false;
    ret->name = bytes_of(object.data + name + 1, colon - name - 2);
    ret->value = bytes_of(object.data + colon + 1, end - colon - 1);
    ret->whole = bytes_of(object.data + name, end - name);
    *at = end;
    return true;
}

bool json_array_next(struct bytes array, size_t *at, struct bytes *ret_value)
{
    if (!enter(array, at, '['))
        return false;
    const size_t start = *at;
    const size_t end = skip_value(array, start);
    if (end == start || end >= array.size)
        return false;
    *ret_value = bytes_of(array.data + start, end - start);
    *at = end;
    return true;
}

bool json_object_find(struct bytes object, const char *name, struct json_member *ret)
{
    struct json_member member;
    size_t at = 0;

    while (json_object_next(object, &at, &member))
        if (bytes_equal_text(member.name, name)) {
            *ret = member;
            return true;
        }
    return false;
}

bool json_attribute_tag(struct bytes name, uint32_t *ret)
{
    uint64_t tag;

    if (name.size != 8 || !number_parse_hex(name, UINT32_MAX, &tag))
        return false;
    *ret = (uint32_t)tag;
    return true;
}

bool json_attribute_find(struct bytes object, uint32_t tag, struct json_member *ret)
{
    char name[9];

    snprintf(name, sizeof name, "%08X", tag);
    return json_object_find(object, name, ret);
}

static size_t put_utf8(uint8_t *into, uint32_t code)
{
    if (code < 0x80) {
        into[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        into[0] = (uint8_t)(0xc0 | code >> 6);
        into[1] = (uint8_t)(0x80 | (code & 0x3f));
        return 2;
    }
    into[0] = (uint8_t)(0xe0 | code >> 12);
    into[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
    into[2] = (uint8_t)(0x80 | (code & 0x3f));
    return 3;
}

/* What stands behind a backslash; our writer escapes by \u only control characters, so no surrogates come. */
static size_t unescape(struct bytes text, size_t at, uint8_t *into, size_t *ret_written)
{
    static const char letters[] = "bfnrt", means[] = "\b\f\n\r\t";
    const char *letter = text.data[at] ? strchr(letters, text.data[at]) : NULL;
    uint64_t code;

    if (text.data[at] == 'u' && at + 4 < text.size &&
        number_parse_hex(bytes_of(text.data + at + 1, 4), 0xffff, &code)) {
        *ret_written = put_utf8(into, (uint32_t)code);
        return at + 5;
    }
    *into = letter ? (uint8_t)means[letter - letters] : text.data[at];
    *ret_written = 1;
    return at + 1;
}

bool json_text(struct bytes value, struct arena *arena, struct bytes *ret)
{
    if (!value.size || value.data[0] == '{' || value.data[0] == '[')
        return false;
    if (value.data[0] != '"') {
        *ret = value;
        return !bytes_equal_text(value, "null");
    }
    if (value.size < 2)
        return false;
    const struct bytes inner = bytes_of(value.data + 1, value.size - 2);
    if (!inner.size || !memchr(inner.data, '\\', inner.size)) {
        *ret = inner;
        return true;
    }
    uint8_t *text = arena_alloc(arena, inner.size + 1);
    size_t size = 0;
    for (size_t at = 0; at < inner.size;) {
        size_t written = 1;
        if (inner.data[at] == '\\' && at + 1 < inner.size)
            at = unescape(inner, at + 1, text + size, &written);
        else
            text[size] = inner.data[at++];
        size += written;
    }
    *ret = bytes_of(text, size);
    return true;
}
