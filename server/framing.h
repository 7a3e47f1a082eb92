/* server/framing.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Where an HTTP/1.1 message ends and whom it is for, checked before a byte of the body is believed (HTP-18,
 * HTP-30 to HTP-33, HTP-35): the library below takes messages that two readers would cut differently.
 */
#ifndef GANTRY_SERVER_FRAMING_H
#define GANTRY_SERVER_FRAMING_H

#include "base/attributes.h"
#include "base/error.h"
#include "http/request.h"

/* `headers` with their names as they came. *ret_length: BODY_SIZE_UNKNOWN for chunked, 0 for no body.
 * MALFORMED; NOT_IMPLEMENTED for transfer codings other than chunked; HTTP_VERSION. The connection is to be
 * closed then. */
MUST_USE bool framing_check(struct bytes version, const struct fields *headers, uint64_t *ret_length,
                            struct error *err);
/* uri-host [ ":" port ] of RFC 9110 7.2, not empty. */
bool framing_host_is_valid(struct bytes host);

#endif
