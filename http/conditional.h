/* http/conditional.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * ETags and what depends on them (RFC 9110 13).
 */
#ifndef GANTRY_HTTP_CONDITIONAL_H
#define GANTRY_HTTP_CONDITIONAL_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "http/request.h"
#include "http/response.h"

/* A strong, quoted tag over everything that decides the bytes: 128 bits of SHA-256 in hex. */
const char *etag_make(struct arena *arena, struct bytes what, const char *representation);
/* If-None-Match meets `etag` (list, *, weak comparison)? */
bool etag_none_match(const struct request *request, const char *etag);

/* If-Match and If-None-Match of a GET or HEAD against the ETag of its answer (RFC 9110 13.2.2), for answers
 * that were made without looking: 304 without a body, or PRECONDITION. A 304 gets the tag that the client
 * has, as it wrote it: weak where it was sent a coded body. */
MUST_USE bool conditional_apply(const struct request *request, struct response *response, struct error *err);

#endif
