/* server/listener.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Owns the port: one thread accepts, waits until each connection has said its whole ClientHello, and hands it
 * to the transport that speaks the protocol it asks for. A connection that says nothing costs a descriptor
 * and no CPU, and only until its deadline, or until there are too many of its kind and it is the oldest.
 *
 *   accept ─► peek (nothing is taken out of the socket) ─► ALPN ─► gate.take(fd)
 *
 * A client that speaks no TLS of today, or none of our protocols, is told so from here, before a transport
 * has any cost of it.
 */
#ifndef GANTRY_SERVER_LISTENER_H
#define GANTRY_SERVER_LISTENER_H

#include <stdint.h>
#include <sys/socket.h>

#include "base/attributes.h"
#include "base/error.h"

struct clients;
struct seat;

/* A way in: what the listener knows of a transport. */
struct listener_gate {
    const char *alpn; /* "http/1.1" */
    void *transport;
    /* Takes `fd` and `seat` over in any case, also on failure: clients_leave when the connection is closed.
     */
    bool (*take)(void *transport, int fd, const struct sockaddr *address, socklen_t size, struct seat *seat,
                 struct error *err);
    unsigned (*connections)(void *transport); /* open now */
};

struct listener_options {
    const char *addresses;     /* the setting `listen` */
    unsigned connections;      /* over all gates, and those being peeked at */
    unsigned peek_connections; /* at most; never more than `connections` */
    unsigned peek_timeout_ms;
    struct clients *clients; /* outlives the listener and what it hands over */
};

enum { LISTENER_ADDRESSES_MOST = 16 };
struct listener_address {
    struct sockaddr_storage address;
    socklen_t size;
    bool any; /* "*": IPv6 and IPv4 alike */
};
/* Reads "127.0.0.1:443,[::1]:443,*:8443"; addresses in figures, `localhost` or `*`. MALFORMED names the bad
 * one. */
MUST_USE bool listener_parse(const char *list, struct listener_address ret[LISTENER_ADDRESSES_MOST],
                             unsigned *ret_count, struct error *err);

struct listener;

/* Takes the ports, so that whoever cannot have them learns it early; clients are still turned away.
 * FORBIDDEN: a port for the privileged; BUSY: taken; both say what to do. */
MUST_USE bool listener_open(const struct listener_options *options, struct listener **ret, struct error *err);
/* The port of the first address, also when 0 was asked for. */
unsigned listener_port(const struct listener *listener);
/* "127.0.0.1:443" of the n-th address, with its real port; NULL behind the last. */
const char *listener_address_text(const struct listener *listener, unsigned n);
/* Opens the door. `gates`, best first, are copied; the last one gets who names no protocol. */
MUST_USE bool listener_start(struct listener *listener, const struct listener_gate *gates,
                             unsigned gate_count, struct error *err);
void listener_set_peek_timeout(struct listener *listener, unsigned timeout_ms); /* any thread */
/* Clients that speak no version from this one on (VERSION_TLS_1_2, which it is at first, or VERSION_TLS_1_3
 * of client_hello.h) get the alert protocol_version. Any thread. */
void listener_set_least_version(struct listener *listener, unsigned version);
/* How often the thread has woken up; so a test can see that waiting is free. Any thread. */
uint64_t listener_wakeups(const struct listener *listener);
/* Accepts no more, closes what is being peeked at, ends the thread, frees. NULL is fine. */
void listener_close(struct listener *listener);

#endif
