/* server/transport_mhd.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * HTTP/1.1 by libmicrohttpd: a pool of polling threads without a listening socket, fed with connections by
 * whoever owns the port.
 */
#ifndef GANTRY_SERVER_TRANSPORT_MHD_H
#define GANTRY_SERVER_TRANSPORT_MHD_H

#include <sys/socket.h>

#include "base/attributes.h"
#include "base/error.h"
#include "server/framing_machine.h"
#include "server/pace.h"

struct dispatcher;
struct farewell;
struct seat;
struct tls_context;
struct transport_mhd;

struct transport_mhd_options {
    struct dispatcher *dispatcher;
    unsigned io_threads;
    struct framing_limits limits; /* of a request's head; without TLS the library has its own */
    unsigned idle_timeout_ms;     /* rounded up to seconds */
    unsigned head_timeout_ms;     /* for the handshake, and for each header section */
    struct pace_limits pace;      /* of bodies, in both directions */
    unsigned connections;         /* open at once, over all threads */
    struct tls_context *tls;      /* outlives the transport; NULL: plain HTTP, for measuring only */
    struct farewell *farewell;    /* outlives it too; NULL: refused bodies end in a reset */
};

MUST_USE bool transport_mhd_start(const struct transport_mhd_options *options, struct transport_mhd **ret,
                                  struct error *err);
/* Takes `fd` and `seat` over in any case: on failure the one is closed, the other left. Any thread. */
MUST_USE bool transport_mhd_add(struct transport_mhd *transport, int fd, const struct sockaddr *address,
                                socklen_t size, struct seat *seat, struct error *err);
unsigned transport_mhd_connections(struct transport_mhd *transport); /* open now */
/* After dispatcher_abort. Closes what is open, ends the threads. NULL is fine. */
void transport_mhd_stop(struct transport_mhd *transport);

#endif
