/* server/identity.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Who asks: the holder of a verified client certificate, or nobody in particular. Called after the route is
 * known, before anything of it is revealed.
 */
#ifndef GANTRY_SERVER_IDENTITY_H
#define GANTRY_SERVER_IDENTITY_H

#include "base/attributes.h"
#include "base/error.h"
#include "http/request.h"
#include "server/tls_peer.h"

/* Sets *ret_principal (in the request's arena), NULL for nobody in particular. UNAUTHENTICATED; MALFORMED for
 * two Authorization fields (ATH-09). Never waits. */
MUST_USE bool identity_find(const struct request *request, const struct tls_peer *peer_or_null,
                            const char **ret_principal, struct error *err);

#endif
