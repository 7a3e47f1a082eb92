/* http/media_type.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Media types and their parameters (RFC 9110 8.3): tokens, quoted strings, any order, any case of names.
 */
#ifndef GANTRY_HTTP_MEDIA_TYPE_H
#define GANTRY_HTTP_MEDIA_TYPE_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "http/request.h"

struct media_type {
    struct bytes type, subtype; /* lower case, in the arena; "*" for wildcards */
    struct fields parameters;   /* names in lower case, values unquoted */
};

/* One media type. MALFORMED. */
MUST_USE bool media_type_parse(struct bytes text, struct arena *arena, struct media_type *ret,
                               struct error *err);
struct bytes media_type_parameter(const struct media_type *type, const char *name); /* data NULL: absent */
bool media_type_is(const struct media_type *type, const char *type_slash_subtype);

#endif
