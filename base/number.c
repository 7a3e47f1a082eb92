/* base/number.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Numbers from foreign text; see number.h.
 */
#include "base/number.h"

#include <math.h>
#include <stdlib.h>

bool number_parse(struct bytes text, uint64_t least, uint64_t most, uint64_t *ret)
{
    uint64_t value = 0;

    if (text.size == 0)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        const uint8_t c = text.data[i];
        if (c < '0' || c > '9')
            return false;
        if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(c - '0'), &value))
            return false;
    }
    if (value < least || value > most)
        return false;
    *ret = value;
    return true;
}

bool number_parse_signed(struct bytes text, int64_t least, int64_t most, int64_t *ret)
{
    const bool negative = text.size > 0 && text.data[0] == '-';
    const bool sign = negative || (text.size > 0 && text.data[0] == '+');
    uint64_t magnitude;

    if (!number_parse(bytes_from(text, sign ? 1 : 0), 0, (uint64_t)INT64_MAX + negative, &magnitude))
        return false;
    /* The least has no positive twin. */
    const int64_t value =
        negative ? -(int64_t)(magnitude - (magnitude != 0)) - (magnitude != 0) : (int64_t)magnitude;
    if (value < least || value > most)
        return false;
    *ret = value;
    return true;
}

bool number_parse_real(struct bytes text, double *ret)
{
    char copy[NUMBER_REAL_MOST];
    char *end;

    if (text.size == 0 || text.size >= sizeof copy)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        const uint8_t c = text.data[i];
        const bool legal = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.' || c == 'e' || c == 'E';
        if (!legal)
            return false;
        copy[i] = (char)c;
    }
    copy[text.size] = '\0';
    /* The process keeps the C locale (server/main.c), so the point is a point. */
    const double value = strtod(copy, &end);
    if (*end != '\0' || end == copy || !isfinite(value))
        return false;
    *ret = value;
    return true;
}

bool number_parse_hex(struct bytes text, uint64_t most, uint64_t *ret)
{
    uint64_t value = 0;

    if (text.size == 0 || text.size > 16)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        const uint8_t c = text.data[i];
        unsigned digit;
        if (c >= '0' && c <= '9')
            digit = (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (unsigned)(c - 'a') + 10;
        else if (c >= 'A' && c <= 'F')
            digit = (unsigned)(c - 'A') + 10;
        else
            return false;
        value = value << 4 | digit;
    }
    if (value > most)
        return false;
    *ret = value;
    return true;
}
