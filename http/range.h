/* http/range.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Range requests (RFC 9110 14) on bodies whose size is known.
 */
#ifndef GANTRY_HTTP_RANGE_H
#define GANTRY_HTTP_RANGE_H

#include "http/request.h"
#include "http/response.h"

/* Applies Range and If-Range to a 200 answer of a GET whose body has a known size and whose ETag header is
 * set: 206 with Content-Range, or RANGE (416, Content-Range in the response), or unchanged. Several ranges:
 * the whole body. An answer to which ranges could be applied gets Accept-Ranges (HEAD too). */
MUST_USE bool range_apply(const struct request *request, struct response *response, struct error *err);

#endif
