/* server/tls_peer.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Who is at the other end of a TLS connection, as its client certificate says (TLS-45). Immutable; lives as
 * long as the session.
 */
#ifndef GANTRY_SERVER_TLS_PEER_H
#define GANTRY_SERVER_TLS_PEER_H

#include <stdint.h>

#include <gnutls/x509.h>

#include "base/attributes.h"
#include "base/error.h"

enum tls_name_kind { TLS_NAME_URI, TLS_NAME_DNS, TLS_NAME_EMAIL };
struct tls_name {
    enum tls_name_kind kind;
    char *text; /* a dNSName in small letters */
};

enum { TLS_PEER_NAMES_MOST = 32, TLS_PEER_TEXT_CEILING_BYTES = 1024 };
struct tls_peer {
    /* The first of SubjectAltName's URIs, else dNSNames, else rfc822Names, with its kind, as in
     * "dns:ct3.example.org"; without any, "subject:" and the subject. */
    char *principal;
    char *subject;    /* RFC 4514 */
    char *ca;         /* the file of client_ca, without folder and suffix, with the CA that vouches */
    char *ca_subject; /* RFC 4514 */
    struct tls_name names[TLS_PEER_NAMES_MOST];
    unsigned name_count;
    char fingerprint[65];   /* SHA-256 of the certificate, hex in small letters */
    int64_t expires_unix_s; /* the first to expire of the chain */
};

/* Of a verified certificate. FORBIDDEN: names that are too many, too long, or hold control characters. Never
 * waits; any thread. */
MUST_USE bool tls_peer_new(gnutls_x509_crt_t leaf, const char *ca, gnutls_x509_crt_t authority,
                           int64_t expires_unix_s, struct tls_peer **ret, struct error *err);
void tls_peer_free(struct tls_peer *peer); /* NULL is fine */

#endif
