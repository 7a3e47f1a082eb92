/* server/tls_trust.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Whose client certificates are believed: the CAs of client_ca, the revocation lists of client_crl, and what
 * follows when a list is missing or has expired (TLS-44, TLS-46). Immutable once loaded; any thread.
 */
#ifndef GANTRY_SERVER_TLS_TRUST_H
#define GANTRY_SERVER_TLS_TRUST_H

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/attributes.h"
#include "base/error.h"
#include "server/tls_certificate.h"
#include "server/tls_peer.h"

struct tls_trust;

struct tls_trust_options {
    const char *ca;      /* a PEM or DER file, or a folder of such (*.pem, *.crt, *.cer, *.der) */
    const char *crl;     /* a PEM or DER file, or a folder of such (also *.crl); "": no revocation lists */
    bool crl_is_advised; /* without a fresh list a certificate is taken; else refused */
};

/* MALFORMED: a file that is none, a CA that is no CA, a list that none of the CAs signed. `warn` (may be
 * NULL) hears of CAs and lists that have expired or will soon. May wait for the disk. */
MUST_USE bool tls_trust_load(const struct tls_trust_options *options, tls_warning_fn *warn, void *context,
                             struct tls_trust **ret, struct error *err);
void tls_trust_free(struct tls_trust *trust); /* NULL is fine */

/* The CAs, for the request that clients get. */
const gnutls_x509_crt_t *tls_trust_authorities(const struct tls_trust *trust, unsigned *ret_count);

/* `chain`: what the client sent, DER, its own first. On success *ret is the caller's (tls_peer_free).
 * FORBIDDEN: err->detail says why, *ret_alert is what to tell the client. Never waits. */
MUST_USE bool tls_trust_verify(const struct tls_trust *trust, const gnutls_datum_t *chain,
                               unsigned chain_size, int64_t now_unix_s, struct tls_peer **ret,
                               gnutls_alert_description_t *ret_alert, struct error *err);

#endif
