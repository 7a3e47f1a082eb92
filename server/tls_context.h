/* server/tls_context.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Which TLS is spoken (a profile of tls_profile.def), with which certificates, and who is at the other end.
 * All of it is one immutable, counted snapshot, swapped whole by a reload: a handshake sees the old set or
 * the new one, never a mixture. Any thread.
 *
 * Every transport does the same three things with each of its connections:
 *
 *   gnutls_init ─► tls_session_ready ─► gnutls_handshake ─► tls_session_peer (each request) ─►
 * tls_session_done
 */
#ifndef GANTRY_SERVER_TLS_CONTEXT_H
#define GANTRY_SERVER_TLS_CONTEXT_H

#include <gnutls/gnutls.h>

#include "base/attributes.h"
#include "base/error.h"
#include "server/tls_certificate.h"
#include "server/tls_peer.h"
#include "server/tls_trust.h"

struct tls_context;
struct tls_session;

enum client_certificates {
    CLIENT_CERTIFICATES_OFF,
    CLIENT_CERTIFICATES_OPTIONAL,
    CLIENT_CERTIFICATES_REQUIRED
};

enum { TLS_CERTIFICATES_MOST = 64 };

struct tls_options {
    const char *profile;           /* a name of tls_profile.def */
    const struct tls_files *files; /* the first is for clients that name no server */
    unsigned file_count;           /* 1 to TLS_CERTIFICATES_MOST */
    bool refuse_unknown_names; /* a server name that no certificate has: unrecognized_name, or the first */
    enum client_certificates client_certificates;
    struct tls_trust_options trust; /* unless client_certificates are off */
    unsigned ticket_lifetime_s;     /* 0: no session tickets */
    unsigned ticket_rotation_s;     /* after that long, a new key: older tickets are void */
};

/* MALFORMED, DISK. */
MUST_USE bool tls_context_open(const struct tls_options *options, struct tls_context **ret,
                               struct error *err);
/* Checks, then swaps. On failure the old set stays in use. */
MUST_USE bool tls_context_reload(struct tls_context *context, const struct tls_options *options,
                                 struct error *err);
void tls_context_close(struct tls_context *context); /* after the last session; NULL is fine */

/* The certificates in use, for as long as it is held: each_ is called with each of them, and may wait. */
void tls_context_each(struct tls_context *context,
                      void (*each)(void *with, struct tls_certificate *certificate), void *with);

/* Readies a server session before its handshake: priorities, credentials, ALPN, session tickets, the request
 * for a client certificate and its verification. What a transport had set of these before is replaced;
 * gnutls_session_ticket_*, gnutls_db_*, gnutls_credentials_set, gnutls_priority_set and the handshake hooks
 * are not its business. `protocols` are the ALPN names that the transport speaks, best first; a client that
 * offers only others gets no_application_protocol.
 *
 * When gnutls_handshake fails, the alert that says why has been sent. NULL: no
 * memory, close the connection. */
struct tls_session *tls_session_ready(struct tls_context *context, gnutls_session_t session,
                                      const char *const *protocols, unsigned protocol_count);
/* Who is at the other end, verified; NULL: the client showed no certificate. Once the handshake is done; on
 * the session's own thread. Lives until tls_session_done. */
const struct tls_peer *tls_session_peer(const struct tls_session *session);
/* Once the gnutls session is gone or can no longer handshake. NULL is fine. */
void tls_session_done(struct tls_session *session);

#endif
