/* server/ocsp_fetch.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Asks an OCSP responder about a certificate (RFC 6960 Appendix A: POST over plain HTTP; the answer is
 * signed).
 */
#ifndef GANTRY_SERVER_OCSP_FETCH_H
#define GANTRY_SERVER_OCSP_FETCH_H

#include <stdatomic.h>

#include <gnutls/x509.h>

#include "base/attributes.h"
#include "base/buffer.h"
#include "base/error.h"

/* Once, before any other thread. */
MUST_USE bool ocsp_fetch_prepare(struct error *err);
/* Appends the responder's answer, unchecked, to `into` (OCSP_CEILING_BYTES at most). Waits for at most
 * `timeout_ms`, less when *stop becomes true. The environment's http_proxy is honoured. MALFORMED, BUSY,
 * TOO_LARGE. */
MUST_USE bool ocsp_fetch(const char *url, gnutls_x509_crt_t leaf, gnutls_x509_crt_t issuer,
                         unsigned timeout_ms, const atomic_bool *stop, struct buffer *into,
                         struct error *err);

#endif
