/* http/token.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The letters of HTTP's grammar (RFC 9110 5.6.2). Any thread.
 */
#ifndef GANTRY_HTTP_TOKEN_H
#define GANTRY_HTTP_TOKEN_H

#include "base/bytes.h"

static inline uint8_t token_lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

static inline bool token_has(uint8_t c)
{
    const uint8_t lower = token_lower(c);

    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* At least one character and nothing but token characters? */
static inline bool token_is(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (!token_has(text.data[i]))
            return false;
    return text.size > 0;
}

/* May it stand in a field value (RFC 9110 5.5)? */
static inline bool token_is_field_byte(uint8_t c)
{
    return (c >= 0x20 && c != 0x7F) || c == '\t';
}

#endif
