/* server/transport_h2.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * HTTP/2; see transport_h2.h. Connections go round the loops.
 */
#include "server/transport_h2.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>

#include "base/file.h"
#include "server/clients.h"
#include "server/h2_connection.h"
#include "server/h2_loop.h"
#include "server/h2_session.h"

/* More than this in the kernel that the network has not taken yet, and an urgent answer waits behind it. Less
 * costs: with 256 KiB a frame of 512 KiB took a third more processor time over the loopback interface. */
enum { NOT_SENT_BYTES = 1024 * 1024 };

struct transport_h2 {
    struct tls_context *tls;
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *library_options;
    atomic_size_t held;
    atomic_uint open, turn;
    unsigned count;
    struct h2_loop loops[];
};

bool transport_h2_start(const struct transport_h2_options *options, struct transport_h2 **ret,
                        struct error *err)
{
    struct transport_h2 *transport =
        calloc(1, sizeof *transport + options->io_threads * sizeof transport->loops[0]);

    if (!transport)
        return error_set(err, FAULT_BUSY, "no memory for HTTP/2");
    transport->tls = options->tls;
    atomic_init(&transport->held, 0);
    atomic_init(&transport->open, 0);
    atomic_init(&transport->turn, 0);
    if (!h2_session_prepare(options, &transport->callbacks, &transport->library_options, err)) {
        free(transport);
        return false;
    }
    while (transport->count < options->io_threads) {
        struct h2_loop *loop = &transport->loops[transport->count++];
        loop->options = *options;
        loop->callbacks = transport->callbacks;
        loop->library_options = transport->library_options;
        loop->held = &transport->held;
        loop->open = &transport->open;
        if (!h2_loop_start(loop, err)) {
            transport_h2_stop(transport);
            return false;
        }
    }
    *ret = transport;
    return true;
}

bool transport_h2_add(struct transport_h2 *transport, int fd, struct seat *seat, struct error *err)
{
    static const char *const protocols[] = { "h2" };
    static const int not_sent = NOT_SENT_BYTES;
    gnutls_session_t gnutls;

    if (gnutls_init(&gnutls, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) != 0) {
        file_close(fd);
        clients_leave(seat);
        return error_set(err, FAULT_BUSY, "no memory for a connection");
    }
    struct tls_session *tls = tls_session_ready(transport->tls, gnutls, protocols, 1);
    if (!tls) {
        gnutls_deinit(gnutls);
        file_close(fd);
        clients_leave(seat);
        return error_set(err, FAULT_BUSY, "no memory for a connection");
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &not_sent, sizeof not_sent);
    struct h2_loop *loop =
        &transport
             ->loops[atomic_fetch_add_explicit(&transport->turn, 1, memory_order_relaxed) % transport->count];
    atomic_fetch_add_explicit(&transport->open, 1, memory_order_relaxed);
    h2_loop_add(loop, h2_connection_new(loop, fd, gnutls, tls, seat));
    return true;
}

unsigned transport_h2_connections(struct transport_h2 *transport)
{
    return atomic_load_explicit(&transport->open, memory_order_relaxed);
}

void transport_h2_drain(struct transport_h2 *transport)
{
    for (unsigned i = 0; i < transport->count; i++)
        h2_loop_drain(&transport->loops[i]);
}

void transport_h2_stop(struct transport_h2 *transport)
{
    if (!transport)
        return;
    for (unsigned i = 0; i < transport->count; i++)
        h2_loop_stop(&transport->loops[i]);
    nghttp2_session_callbacks_del(transport->callbacks);
    nghttp2_option_del(transport->library_options);
    free(transport);
}
