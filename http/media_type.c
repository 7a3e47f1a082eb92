/* http/media_type.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Media types and their parameters; see media_type.h.
 *
 *   multipart/related ; type = application/octet-stream ; boundary="a \"b\""
 *
 * Wider than RFC 9110 in three points, for the sake of what clients send: a bare value may hold more than a
 * token (the slash above, written so by the viewers), spaces may stand around "=", and a parameter may be
 * empty.
 */
#include "http/media_type.h"

#include "http/token.h"

enum { PARAMETER_CEILING = 64 };

static struct bytes lower_copy(struct arena *arena, struct bytes text)
{
    uint8_t *copy = arena_alloc(arena, text.size);

    for (size_t i = 0; i < text.size; i++)
        copy[i] = token_lower(text.data[i]);
    return bytes_of(copy, text.size);
}

static bool malformed(struct error *err, const char *why)
{
    return error_set(err, FAULT_MALFORMED, "media type: %s", why);
}

/* `rest` begins at the quote; afterwards behind the closing one. */
static bool read_quoted(struct bytes *rest, struct arena *arena, struct bytes *ret, struct error *err)
{
    size_t end = 1;

    while (end < rest->size && rest->data[end] != '"')
        end += rest->data[end] == '\\' ? 2 : 1;
    if (end >= rest->size)
        return malformed(err, "a quote is not closed");

    uint8_t *value = arena_alloc(arena, end);
    size_t size = 0;
    for (size_t i = 1; i < end; i++) {
        if (rest->data[i] == '\\')
            i++;
        if (!token_is_field_byte(rest->data[i]))
            return malformed(err, "a control character in a quoted value");
        value[size++] = rest->data[i];
    }
    *rest = bytes_from(*rest, end + 1);
    *ret = bytes_of(value, size);
    return true;
}

/* Up to the next semicolon. */
static bool read_bare(struct bytes *rest, struct bytes *ret, struct error *err)
{
    size_t size = 0;

    while (size < rest->size && rest->data[size] != ';') {
        if (!token_is_field_byte(rest->data[size]) || rest->data[size] == '"')
            return malformed(err, "a character that may not stand in a bare value");
        size++;
    }
    *ret = bytes_trim(bytes_of(rest->data, size));
    *rest = bytes_from(*rest, size);
    return ret->size > 0 || malformed(err, "a parameter without a value");
}

/* `rest` begins behind the semicolon. */
static bool read_parameter(struct bytes *rest, struct arena *arena, struct fields *parameters,
                           struct error *err)
{
    *rest = bytes_trim(*rest);
    if (rest->size == 0 || rest->data[0] == ';')
        return true;

    size_t size = 0;
    while (size < rest->size && token_has(rest->data[size]))
        size++;
    const struct bytes name = bytes_of(rest->data, size);
    struct bytes value = { 0 };
    *rest = bytes_trim(bytes_from(*rest, size));
    if (name.size == 0 || rest->size == 0 || rest->data[0] != '=')
        return malformed(err, "a parameter without name or value");
    *rest = bytes_trim(bytes_from(*rest, 1));
    if (rest->size > 0 && rest->data[0] == '"') {
        if (!read_quoted(rest, arena, &value, err))
            return false;
        *rest = bytes_trim(*rest);
    } else if (!read_bare(rest, &value, err)) {
        return false;
    }
    if (parameters->count == PARAMETER_CEILING)
        return malformed(err, "too many parameters");
    fields_add(parameters, arena, lower_copy(arena, name), value);
    return true;
}

bool media_type_parse(struct bytes text, struct arena *arena, struct media_type *ret, struct error *err)
{
    struct fields parameters = { 0 };
    size_t head = 0;

    while (head < text.size && text.data[head] != ';')
        head++;
    struct bytes rest = bytes_from(text, head), subtype = bytes_of(text.data, head);
    const struct bytes type = bytes_trim(bytes_cut(&subtype, '/'));
    subtype = bytes_trim(subtype);
    if (!token_is(type) || !token_is(subtype))
        return malformed(err, "not of the form type/subtype");

    /* `rest` is empty or begins with a semicolon. */
    while (rest.size > 0) {
        if (rest.data[0] != ';')
            return malformed(err, "something other than a parameter behind a value");
        rest = bytes_from(rest, 1);
        if (!read_parameter(&rest, arena, &parameters, err))
            return false;
    }
    ret->type = lower_copy(arena, type);
    ret->subtype = lower_copy(arena, subtype);
    ret->parameters = parameters;
    return true;
}

struct bytes media_type_parameter(const struct media_type *type, const char *name)
{
    const struct field *found = fields_find(&type->parameters, name);

    return found ? found->value : bytes_of(NULL, 0);
}

bool media_type_is(const struct media_type *type, const char *type_slash_subtype)
{
    struct bytes subtype = bytes_of_text(type_slash_subtype);
    const struct bytes main_type = bytes_cut(&subtype, '/');

    return bytes_equal(type->type, main_type) && bytes_equal(type->subtype, subtype);
}
