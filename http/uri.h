/* http/uri.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Request targets (RFC 3986, GEN-06, HTP-10). Never waits; any thread.
 */
#ifndef GANTRY_HTTP_URI_H
#define GANTRY_HTTP_URI_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "http/request.h"

/* Percent-decoding once; *ret is `text` itself when there is nothing to decode. MALFORMED on a broken escape.
 * `plus_is_space` for query values. */
MUST_USE bool uri_decode(struct bytes text, bool plus_is_space, struct arena *arena, struct bytes *ret,
                         struct error *err);
/* Splits a target (origin form, or absolute form whose authority is ignored; HTP-20) into path and query
 * text. */
MUST_USE bool uri_split(struct bytes target, struct bytes *ret_path, struct bytes *ret_query,
                        struct error *err);
/* Splits the query on & and =, then decodes; MALFORMED when a name or value is not UTF-8 (SEA-16) or
 * holds a NUL, or when there are over URI_QUERY_PARAMETERS. */
enum { URI_QUERY_PARAMETERS = 1024 };
MUST_USE bool uri_query(struct bytes query_text, struct arena *arena, struct fields *ret, struct error *err);
/* Is it well-formed UTF-8? */
bool uri_is_utf8(struct bytes text);
/* MALFORMED for a path with "." or "..", empty segments inside, %2F, %5C, %00, control characters, backslash.
 * One trailing slash is fine. */
MUST_USE bool uri_check_path(struct bytes path, struct error *err);

#endif
