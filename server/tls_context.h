/* server/tls_context.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Which TLS is spoken (BCP 195: PS3.15 B.12, RFC 9325) and with which certificate. Certificate and key are
 * one immutable, counted snapshot, swapped whole by a reload: a handshake sees the old pair or the new one,
 * never a mixture. Any thread.
 */
#ifndef GANTRY_SERVER_TLS_CONTEXT_H
#define GANTRY_SERVER_TLS_CONTEXT_H

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

#include "base/attributes.h"
#include "base/error.h"

struct tls_context;
struct tls_snapshot;

/* GnuTLS priority string: TLS 1.2 and 1.3, ECDHE, AEAD, no SHA-1; for MHD_OPTION_HTTPS_PRIORITIES. */
extern const char tls_priorities[];

struct tls_options {
    const char *certificate; /* path of a PEM chain, leaf first */
    const char *key;         /* path of a PEM private key */
};

/* What is worth a line in the log though it works; `remedy` says what to do. */
typedef void tls_warning_fn(void *context, const char *what, const char *remedy);

/* Everything that the server demands of a certificate and its key, without serving them: they parse, belong
 * together, are strong enough, valid now, in order, readable by their owner alone. `warn` may be NULL.
 * MALFORMED, DISK. */
MUST_USE bool tls_check(const struct tls_options *options, tls_warning_fn *warn, void *context,
                        struct error *err);

MUST_USE bool tls_context_open(const struct tls_options *options, struct tls_context **ret,
                               struct error *err);
/* Checks, then swaps. On failure the old pair stays in use. */
MUST_USE bool tls_context_reload(struct tls_context *context, const struct tls_options *options,
                                 struct error *err);
/* The certificates of now; tls_context_release gives them back. */
const struct tls_snapshot *tls_context_hold(struct tls_context *context);
void tls_context_release(const struct tls_snapshot *snapshot); /* NULL is fine */
void tls_context_close(struct tls_context *context);           /* after the last session; NULL is fine */

/* Readies a server session before its handshake (from MHD: MHD_CONNECTION_NOTIFY_STARTED, with the session of
 * MHD_CONNECTION_INFO_GNUTLS_SESSION): ALPN, session tickets, and the certificates that it will use.
 * `protocols` are the ALPN names that the transport speaks; a client that offers only others gets
 * no_application_protocol. What comes back is held for the session (its gnutls_db_ptr): release it once the
 * session is gone or can no longer handshake. */
const struct tls_snapshot *tls_context_ready_session(struct tls_context *context, gnutls_session_t session,
                                                     const char *const *protocols, unsigned protocol_count);
/* For gnutls_certificate_set_retrieve_function3 and MHD_OPTION_HTTPS_CERT_CALLBACK2; wants a readied session.
 */
gnutls_certificate_retrieve_function3 tls_context_retrieve;

#endif
