/* dicom/dicom_json_value.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Values as JSON; see dicom_json_value.h.
 */
#include "dicom/dicom_json_value.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>

#include "base/number.h"
#include "bridge/shortest.h"

/* Integers that every JSON reader holds exactly (JSN-23). */
#define SAFE_INTEGER ((INT64_C(1) << 53) - 1)

void json_value_begin(struct buffer *into, uint32_t tag, const char *vr)
{
    static const char hex[] = "0123456789ABCDEF";
    uint8_t *room = buffer_reserve(into, 20);

    if (!room)
        return;
    room[0] = '"';
    for (unsigned i = 0; i < 8; i++)
        room[1 + i] = (uint8_t)hex[tag >> (28 - 4 * i) & 0xF];
    memcpy(room + 9, "\":{\"vr\":\"", 9);
    room[18] = (uint8_t)vr[0];
    room[19] = (uint8_t)vr[1];
    buffer_grew(into, 20);
    buffer_append_byte(into, '"');
}

/* ---- numbers as text ---- */

enum { DIGITS = 48 };

/* 0.d1d2d3... x 10^exponent, without leading and trailing zeros; zero has no digits. */
struct decimal {
    bool negative;
    char digits[DIGITS];
    size_t count;
    int64_t exponent;
};

static bool decimal_parse(struct bytes text, struct decimal *ret)
{
    struct decimal number = { 0 };
    int64_t written = 0;
    bool any = false, behind_point = false;
    size_t i = 0;

    if (i < text.size && (text.data[i] == '+' || text.data[i] == '-'))
        number.negative = text.data[i++] == '-';
    for (; i < text.size; i++) {
        const uint8_t c = text.data[i];
        if (c == '.' && !behind_point) {
            behind_point = true;
            continue;
        }
        if (c < '0' || c > '9')
            break;
        any = true;
        if (number.count == 0 && c == '0') {
            number.exponent -= behind_point;
            continue;
        }
        if (number.count == DIGITS)
            return false;
        number.digits[number.count++] = (char)c;
        number.exponent += !behind_point;
    }
    if (!any)
        return false;
    if (i < text.size) {
        if ((text.data[i] != 'e' && text.data[i] != 'E') ||
            !number_parse_signed(bytes_from(text, i + 1), -9999, 9999, &written))
            return false;
    }
    number.exponent += written;
    while (number.count > 0 && number.digits[number.count - 1] == '0')
        number.count--;
    *ret = number;
    return true;
}

/* A legal JSON number that says what the text says. */
static void append_decimal(struct buffer *into, const struct decimal *number)
{
    const struct bytes digits = bytes_of(number->digits, number->count);

    if (number->negative)
        buffer_append_byte(into, '-');
    if (number->count == 0) {
        buffer_append_byte(into, '0');
    } else if (number->exponent > 21 || number->exponent < -6) {
        buffer_append(into, bytes_of(digits.data, 1));
        if (digits.size > 1)
            buffer_append_byte(into, '.');
        buffer_append(into, bytes_from(digits, 1));
        buffer_printf(into, "e%" PRId64, number->exponent - 1);
    } else if (number->exponent <= 0) {
        buffer_append_text(into, "0.");
        for (int64_t zero = number->exponent; zero < 0; zero++)
            buffer_append_byte(into, '0');
        buffer_append(into, digits);
    } else {
        const size_t whole = (size_t)number->exponent;
        buffer_append(into, bytes_of(digits.data, whole < digits.size ? whole : digits.size));
        for (size_t zero = digits.size; zero < whole; zero++)
            buffer_append_byte(into, '0');
        if (whole < digits.size) {
            buffer_append_byte(into, '.');
            buffer_append(into, bytes_from(digits, whole));
        }
    }
}

enum { SURE_DIGITS = 15, SURE_EXPONENT = 290 }; /* neither rounded nor out of range: nothing to try */

/* Does a double hold all of it (JSN-20)? Fifteen digits always fit; of more only some. */
static bool fits_double(struct bytes text, const struct decimal *number)
{
    double value;
    char shortest[SHORTEST_ROOM];
    struct decimal back;

    if (number->count == 0)
        return true;
    if (number->count <= SURE_DIGITS && text.size < NUMBER_REAL_MOST && number->exponent > -SURE_EXPONENT &&
        number->exponent < SURE_EXPONENT)
        return true;
    if (!number_parse_real(text, &value) || fabs(value) < DBL_MIN)
        return false;
    if (number->count <= SURE_DIGITS)
        return true;
    return decimal_parse(bytes_of(shortest, shortest_double(value, shortest)), &back) &&
           back.count == number->count && back.exponent == number->exponent &&
           memcmp(back.digits, number->digits, back.count) == 0;
}

static bool append_real(struct buffer *into, struct bytes text)
{
    struct decimal number;

    if (!decimal_parse(text, &number) || !fits_double(text, &number))
        return false;
    append_decimal(into, &number);
    return true;
}

static bool append_integer(struct buffer *into, struct bytes text, int64_t least, int64_t most)
{
    int64_t value;

    if (!number_parse_signed(text, least, most, &value))
        return false;
    buffer_append_number(into, value);
    return true;
}

static bool append_number(struct buffer *into, const struct vr_info *vr, struct bytes text)
{
    if (vr->class == VR_DECIMAL)
        return vr->name[0] == 'D' ? append_real(into, text)
                                  : append_integer(into, text, INT32_MIN, INT32_MAX);
    if (vr->class != VR_NUMBER)
        return false;
    return vr->name[0] == 'F' ? append_real(into, text)
                              : append_integer(into, text, -SAFE_INTEGER, SAFE_INTEGER);
}

/* ---- text ---- */

static void append_name(struct buffer *into, const struct vr_info *vr, struct bytes name)
{
    static const char *const groups[] = { "\"Alphabetic\":", "\"Ideographic\":", "\"Phonetic\":" };
    bool any = false;

    buffer_append_byte(into, '{');
    for (size_t i = 0; i < COUNT_OF(groups) && name.data; i++) {
        /* A third '=' is against the rules; it must not appear in a string, so the rest goes. */
        const struct bytes group = vr_trim(vr, bytes_cut(&name, '='));
        if (group.size == 0)
            continue;
        if (any)
            buffer_append_byte(into, ',');
        buffer_append_text(into, groups[i]);
        buffer_append_json_string(into, group);
        any = true;
    }
    buffer_append_byte(into, '}');
}

static bool is_empty_name(struct bytes name)
{
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] != '=' && name.data[i] != ' ')
            return false;
    return true;
}

static void append_value(struct buffer *into, const struct vr_info *vr, struct bytes value)
{
    if (value.size == 0 || (vr->class == VR_NAMES && is_empty_name(value)))
        buffer_append_text(into, "null");
    else if (vr->class == VR_NAMES)
        append_name(into, vr, value);
    else if (!append_number(into, vr, value))
        buffer_append_json_string(into, value);
}

void json_value_text(struct buffer *into, const struct vr_info *vr, struct bytes utf8)
{
    struct bytes rest = utf8;
    bool first = true;

    if (vr->class == VR_TEXT) {
        rest = vr_trim(vr, utf8);
        if (rest.size == 0)
            return;
        buffer_append_text(into, ",\"Value\":[");
        buffer_append_json_string(into, rest);
        buffer_append_byte(into, ']');
        return;
    }
    /* Padding behind the last value is no value: "A\ " has two, " " has none (JSN-08, JSN-09). */
    const struct bytes all = vr_trim(vr, utf8);
    if (all.size == 0 || (vr->class == VR_NAMES && is_empty_name(all)))
        return;
    buffer_append_text(into, ",\"Value\":[");
    do {
        if (!first)
            buffer_append_byte(into, ',');
        first = false;
        append_value(into, vr, vr_trim(vr, bytes_cut(&rest, '\\')));
    } while (rest.data);
    buffer_append_byte(into, ']');
}

/* ---- binary ---- */

static uint64_t little_endian(const uint8_t *at, size_t width)
{
    uint64_t value = 0;

    for (size_t i = 0; i < width; i++)
        value |= (uint64_t)at[i] << 8 * i;
    return value;
}

static double real_of(const uint8_t *at, size_t width)
{
    const uint64_t raw = little_endian(at, width);
    const uint32_t half = (uint32_t)raw;
    double value;
    float narrow;

    if (width == 8) {
        memcpy(&value, &raw, sizeof value);
        return value;
    }
    memcpy(&narrow, &half, sizeof narrow);
    return (double)narrow;
}

static void append_real_binary(struct buffer *into, const uint8_t *at, size_t width)
{
    char text[SHORTEST_ROOM];
    const double value = real_of(at, width);
    const size_t size = width == 8 ? shortest_double(value, text) : shortest_float((float)value, text);

    buffer_append(into, bytes_of(text, size));
}

static void append_integer_binary(struct buffer *into, const struct vr_info *vr, const uint8_t *at)
{
    const uint64_t raw = little_endian(at, vr->width);
    const bool is_signed = vr->name[0] == 'S';
    const unsigned spare = 64 - 8u * vr->width;
    const int64_t value = is_signed ? (int64_t)(raw << spare) >> spare : (int64_t)raw;

    if (vr->width < 8)
        buffer_append_number(into, value);
    else if (is_signed)
        buffer_printf(into, value < -SAFE_INTEGER || value > SAFE_INTEGER ? "\"%" PRId64 "\"" : "%" PRId64,
                      value);
    else
        buffer_printf(into, raw > (uint64_t)SAFE_INTEGER ? "\"%" PRIu64 "\"" : "%" PRIu64, raw);
}

void json_value_binary(struct buffer *into, const struct vr_info *vr, struct bytes values)
{
    if (values.size < vr->width)
        return;
    buffer_append_text(into, ",\"Value\":[");
    for (size_t i = 0; i + vr->width <= values.size; i += vr->width) {
        const uint8_t *at = values.data + i;
        if (i > 0)
            buffer_append_byte(into, ',');
        if (vr->class == VR_TAG)
            buffer_printf(into, "\"%04X%04X\"", (unsigned)little_endian(at, 2),
                          (unsigned)little_endian(at + 2, 2));
        else if (vr->name[0] == 'F')
            append_real_binary(into, at, vr->width);
        else
            append_integer_binary(into, vr, at);
    }
    buffer_append_byte(into, ']');
}

bool json_value_is_unspeakable(const struct vr_info *vr, struct bytes values)
{
    if (vr->class != VR_NUMBER || vr->name[0] != 'F')
        return false;
    for (size_t i = 0; i + vr->width <= values.size; i += vr->width)
        if (!isfinite(real_of(values.data + i, vr->width)))
            return true;
    return false;
}

void json_value_inline_binary(struct buffer *into, struct bytes value)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const size_t size = (value.size + 2) / 3 * 4;

    buffer_append_text(into, ",\"InlineBinary\":\"");
    uint8_t *room = buffer_reserve(into, size);
    if (!room)
        return;
    for (size_t i = 0, o = 0; i < value.size; i += 3, o += 4) {
        const size_t left = value.size - i;
        const uint32_t three = (uint32_t)value.data[i] << 16 |
                               (left > 1 ? (uint32_t)value.data[i + 1] << 8 : 0) |
                               (left > 2 ? (uint32_t)value.data[i + 2] : 0);
        room[o] = (uint8_t)letters[three >> 18];
        room[o + 1] = (uint8_t)letters[three >> 12 & 63];
        room[o + 2] = (uint8_t)(left > 1 ? letters[three >> 6 & 63] : '=');
        room[o + 3] = (uint8_t)(left > 2 ? letters[three & 63] : '=');
    }
    buffer_grew(into, size);
    buffer_append_byte(into, '"');
}
