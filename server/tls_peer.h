/* server/tls_peer.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Who is at the other end of a TLS connection, as its client certificate says (TLS-45). Immutable; lives as
 * long as the session.
 */
#ifndef GANTRY_SERVER_TLS_PEER_H
#define GANTRY_SERVER_TLS_PEER_H

#include <stdbool.h>
#include <stdint.h>

enum tls_name_kind { TLS_NAME_DNS, TLS_NAME_URI, TLS_NAME_EMAIL };
struct tls_name {
    enum tls_name_kind kind;
    const char *text; /* a dNSName in small letters */
};

enum { TLS_PEER_NAMES_MOST = 32 };
struct tls_peer {
    /* The first of SubjectAltName's URI, dNSName, rfc822Name with its kind, as in "dns:ct3.example.org", else
     * "subject:" and the subject. */
    const char *principal;
    const char *subject;    /* RFC 4514 */
    const char *ca;         /* the file of client_ca, without folder and suffix, with the CA that vouches */
    const char *ca_subject; /* RFC 4514 */
    struct tls_name names[TLS_PEER_NAMES_MOST];
    unsigned name_count;
    char fingerprint[65];   /* SHA-256 of the certificate, hex in small letters */
    int64_t expires_unix_s; /* the first to expire of the chain */
};

#endif
