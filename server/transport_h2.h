/* server/transport_h2.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * HTTP/2 (RFC 9113) by nghttp2 over GnuTLS: a few event-driven threads, fed with connections by whoever owns
 * the port.
 *
 *   transport_h2.c     start, stop, which thread gets a connection
 *   h2_loop.c          one thread: events, wakes from workers, turns, deadlines
 *   h2_connection.c    one connection: handshake, records in, records out
 *   h2_session.c       what nghttp2 tells and wants; floods
 *   h2_stream.c        one stream carries one exchange
 *   h2_head.c          a header section becomes a request
 */
#ifndef GANTRY_SERVER_TRANSPORT_H2_H
#define GANTRY_SERVER_TRANSPORT_H2_H

#include "base/attributes.h"
#include "base/error.h"
#include "server/h2_head.h"
#include "server/pace.h"

struct dispatcher;
struct seat;
struct tls_context;
struct transport_h2;

struct transport_h2_options {
    struct dispatcher *dispatcher;
    struct tls_context *tls; /* outlives the transport */
    unsigned io_threads;
    unsigned streams; /* at once on one connection, those included that a worker is not done with */
    unsigned stream_window_bytes; /* a request's body that may be under way to the server */
    unsigned connection_window_bytes;
    struct h2_head_limits head;
    unsigned resets_a_minute;   /* streams that end in a reset, by whose fault ever but the server's */
    unsigned controls_a_minute; /* frames that carry nothing: PING, SETTINGS, empty DATA, ... */
    unsigned head_timeout_ms;   /* for the handshake, and for each header section */
    unsigned idle_timeout_ms;   /* without a stream */
    struct pace_limits pace;    /* of bodies, in both directions */
    size_t held_bytes;          /* of request bodies that no worker could take yet, over all connections */
};

MUST_USE bool transport_h2_start(const struct transport_h2_options *options, struct transport_h2 **ret,
                                 struct error *err);
/* Takes `fd` and `seat` over in any case: on failure the one is closed, the other left. Any thread. */
MUST_USE bool transport_h2_add(struct transport_h2 *transport, int fd, struct seat *seat, struct error *err);
unsigned transport_h2_connections(struct transport_h2 *transport); /* open now; any thread */
/* Tells clients to open no more streams here (GOAWAY); what they have under way goes on. Before
 * dispatcher_drain. */
void transport_h2_drain(struct transport_h2 *transport);
/* After dispatcher_abort. Closes what is open, ends the threads. NULL is fine. */
void transport_h2_stop(struct transport_h2 *transport);

#endif
