/* tests/support/tls_pair.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * A client and a server over a socket pair, in TLS 1.2 without certificates: for tests of what lies between
 * records and sockets. Nothing waits.
 */
#ifndef GANTRY_TESTS_TLS_PAIR_H
#define GANTRY_TESTS_TLS_PAIR_H

#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct tls_pair {
    int sockets[2]; /* the client's, the server's */
    gnutls_session_t client, server;
    gnutls_anon_client_credentials_t client_credentials;
    gnutls_anon_server_credentials_t server_credentials;
};

static inline void tls_pair_must(int status)
{
    if (status < 0) {
        fprintf(stderr, "%s\n", gnutls_strerror(status));
        abort();
    }
}

static inline void tls_pair_session(gnutls_session_t *ret, unsigned kind, void *credentials, int socket)
{
    tls_pair_must(gnutls_init(ret, kind | GNUTLS_NONBLOCK));
    tls_pair_must(gnutls_priority_set_direct(*ret, "NORMAL:-VERS-ALL:+VERS-TLS1.2:+ANON-ECDH", NULL));
    tls_pair_must(gnutls_credentials_set(*ret, GNUTLS_CRD_ANON, credentials));
    gnutls_transport_set_int(*ret, socket);
}

/* Both sessions, before their handshake: the test may still put something of its own between. */
static inline void tls_pair_open(struct tls_pair *pair)
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair->sockets) != 0)
        abort();
    tls_pair_must(gnutls_anon_allocate_client_credentials(&pair->client_credentials));
    tls_pair_must(gnutls_anon_allocate_server_credentials(&pair->server_credentials));
    tls_pair_session(&pair->client, GNUTLS_CLIENT, pair->client_credentials, pair->sockets[0]);
    tls_pair_session(&pair->server, GNUTLS_SERVER, pair->server_credentials, pair->sockets[1]);
}

static inline void tls_pair_handshake(struct tls_pair *pair)
{
    for (int client = -1, server = -1; client < 0 || server < 0;) {
        client = client < 0 ? gnutls_handshake(pair->client) : client;
        server = server < 0 ? gnutls_handshake(pair->server) : server;
        if (gnutls_error_is_fatal(client) || gnutls_error_is_fatal(server))
            abort();
    }
}

static inline void tls_pair_close(struct tls_pair *pair)
{
    gnutls_deinit(pair->client);
    gnutls_deinit(pair->server);
    gnutls_anon_free_client_credentials(pair->client_credentials);
    gnutls_anon_free_server_credentials(pair->server_credentials);
    close(pair->sockets[0]);
    close(pair->sockets[1]);
}

#endif
