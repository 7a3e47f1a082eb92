/* http/uri.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Request targets, taken apart; see uri.h.
 *
 *   https://host:port /dicom-web/studies ? limit=5&PatientName=A%2CB
 *   └── ignored ────┘ └── path ────────┘   └── query: split at & and =, then decoded ──┘
 */
#include "http/uri.h"

#include "http/token.h"

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = token_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that the escape at `at` stands for, -1 for a broken one. */
static int escaped(struct bytes text, size_t at)
{
    if (text.size - at < 3)
        return -1;
    const int high = hex_digit(text.data[at + 1]), low = hex_digit(text.data[at + 2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

bool uri_decode(struct bytes text, bool plus_is_space, struct arena *arena, struct bytes *ret,
                struct error *err)
{
    if (text.size == 0) {
        *ret = bytes_of("", 0);
        return true;
    }
    if (!memchr(text.data, '%', text.size) && !(plus_is_space && memchr(text.data, '+', text.size))) {
        *ret = text;
        return true;
    }
    uint8_t *decoded = arena_alloc(arena, text.size);
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        const uint8_t c = text.data[i];
        if (c == '%') {
            const int byte = escaped(text, i);
            if (byte < 0)
                return error_tell(err, FAULT_MALFORMED, "A percent escape in the URL is broken.");
            decoded[size++] = (uint8_t)byte;
            i += 2;
        } else {
            decoded[size++] = plus_is_space && c == '+' ? ' ' : c;
        }
    }
    *ret = bytes_of(decoded, size);
    return true;
}

/* What stands behind `scheme`:// without regard to case, data NULL: another scheme. */
static struct bytes behind_scheme(struct bytes target, const char *scheme)
{
    const struct bytes prefix = bytes_of_text(scheme);

    if (target.size < prefix.size || !bytes_equal_nocase(bytes_of(target.data, prefix.size), prefix))
        return bytes_of(NULL, 0);
    return bytes_from(target, prefix.size);
}

bool uri_split(struct bytes target, struct bytes *ret_path, struct bytes *ret_query, struct error *err)
{
    static const char root[] = "/";

    for (size_t i = 0; i < target.size; i++)
        if (target.data[i] <= 0x20 || target.data[i] == 0x7F || target.data[i] == '#')
            return error_tell(err, FAULT_MALFORMED,
                              "The request target has a character that may not stand there.");

    struct bytes rest = behind_scheme(target, "https://");
    if (!rest.data)
        rest = behind_scheme(target, "http://");
    if (rest.data) {
        size_t authority = 0;
        while (authority < rest.size && rest.data[authority] != '/' && rest.data[authority] != '?')
            authority++;
        if (authority == 0)
            return error_tell(err, FAULT_MALFORMED, "The request target has no host.");
        rest = bytes_from(rest, authority);
    } else {
        rest = target;
        if (rest.size == 0 || (rest.data[0] != '/' && !bytes_equal_text(rest, "*")))
            return error_tell(err, FAULT_MALFORMED, "The request target is not a path.");
    }

    const uint8_t *mark = rest.size ? memchr(rest.data, '?', rest.size) : NULL;
    const size_t path = mark ? (size_t)(mark - rest.data) : rest.size;
    *ret_path = path ? bytes_of(rest.data, path) : bytes_of(root, 1);
    *ret_query = mark ? bytes_from(rest, path + 1) : bytes_of("", 0);
    return true;
}

static bool decode_query_text(struct bytes text, struct arena *arena, struct bytes *ret, struct error *err)
{
    if (!uri_decode(text, true, arena, ret, err))
        return false;
    if (!uri_is_utf8(*ret))
        return error_tell(err, FAULT_MALFORMED, "The query is not UTF-8.");
    if (ret->size && memchr(ret->data, '\0', ret->size))
        return error_tell(err, FAULT_MALFORMED, "The query holds a NUL.");
    return true;
}

bool uri_query(struct bytes query_text, struct arena *arena, struct fields *ret, struct error *err)
{
    struct fields fields = { 0 };
    struct bytes rest = query_text;

    while (rest.size > 0) {
        struct bytes value = bytes_cut(&rest, '&');
        if (value.size == 0)
            continue;
        struct bytes name = bytes_cut(&value, '=');
        if (fields.count == URI_QUERY_PARAMETERS)
            return error_tell(err, FAULT_MALFORMED, "The query has over %d parameters.",
                              URI_QUERY_PARAMETERS);
        if (!decode_query_text(name, arena, &name, err) || !decode_query_text(value, arena, &value, err))
            return false;
        fields_add(&fields, arena, name, value);
    }
    *ret = fields;
    return true;
}

bool uri_is_utf8(struct bytes text)
{
    for (size_t i = 0; i < text.size;) {
        const uint8_t lead = text.data[i++];
        size_t more;
        /* The second byte's bounds, Unicode 15 table 3-7: no surrogates, nothing over-long, nothing over
         * U+10FFFF. */
        uint8_t least = 0x80, most = 0xBF;

        if (lead < 0x80)
            continue;
        if (lead >= 0xC2 && lead <= 0xDF)
            more = 1;
        else if (lead >= 0xE0 && lead <= 0xEF)
            more = 2;
        else if (lead >= 0xF0 && lead <= 0xF4)
            more = 3;
        else
            return false;
        if (lead == 0xE0)
            least = 0xA0;
        else if (lead == 0xED)
            most = 0x9F;
        else if (lead == 0xF0)
            least = 0x90;
        else if (lead == 0xF4)
            most = 0x8F;
        for (; more > 0; more--, i++) {
            if (i >= text.size || text.data[i] < least || text.data[i] > most)
                return false;
            least = 0x80;
            most = 0xBF;
        }
    }
    return true;
}

/* One segment, still encoded. *ret_dots: it decodes to "." or "..". */
static bool check_segment(struct bytes segment, bool *ret_dots, struct error *err)
{
    size_t length = 0;
    bool dots = true;

    for (size_t i = 0; i < segment.size; i++, length++) {
        int c = segment.data[i];
        const bool coded = c == '%';
        if (coded) {
            c = escaped(segment, i);
            if (c < 0)
                return error_tell(err, FAULT_MALFORMED, "A percent escape in the URL is broken.");
            i += 2;
        }
        if (c < 0x20 || c == 0x7F || c == '\\' || (coded && c == '/'))
            return error_tell(err, FAULT_MALFORMED, "The path has a character that may not stand there.");
        dots = dots && c == '.';
    }
    *ret_dots = dots && (length == 1 || length == 2);
    return true;
}

bool uri_check_path(struct bytes path, struct error *err)
{
    if (path.size == 0 || path.data[0] != '/')
        return error_tell(err, FAULT_MALFORMED, "The request target is not a path.");
    for (struct bytes rest = bytes_from(path, 1); rest.size > 0;) {
        const struct bytes segment = bytes_cut(&rest, '/');
        bool dots = false;

        if (segment.size == 0)
            return error_tell(err, FAULT_MALFORMED, "The path has an empty segment.");
        if (!check_segment(segment, &dots, err))
            return false;
        if (dots)
            return error_tell(err, FAULT_MALFORMED, "The path has a segment of dots.");
    }
    return true;
}
