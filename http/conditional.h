/* http/conditional.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * ETags and what depends on them (RFC 9110 13).
 */
#ifndef GANTRY_HTTP_CONDITIONAL_H
#define GANTRY_HTTP_CONDITIONAL_H

#include "base/arena.h"
#include "base/bytes.h"
#include "http/request.h"

/* A strong, quoted tag over everything that decides the bytes: 128 bits of SHA-256 in hex. */
const char *etag_make(struct arena *arena, struct bytes what, const char *representation);
/* If-None-Match meets `etag` (list, *, weak comparison)? */
bool etag_none_match(const struct request *request, const char *etag);

#endif
