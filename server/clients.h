/* server/clients.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Who is connected. Connections are counted by address, so that one cannot have them all, and each connection
 * has a seat, by which its jobs take turns with those of others (fair_queue.h). Any thread.
 */
#ifndef GANTRY_SERVER_CLIENTS_H
#define GANTRY_SERVER_CLIENTS_H

#include <stdatomic.h>
#include <sys/socket.h>

#include "base/attributes.h"
#include "base/error.h"
#include "server/fair_queue.h"

struct clients;

enum { SEAT_QUEUES = 3 }; /* one for each urgency of the worker pool */

struct address {
    struct clients *clients;
    uint8_t key[16]; /* IPv6, IPv4 mapped into it; of real IPv6 the network's half, which is what one client
                        has */
    struct address *next;
    unsigned connections;                  /* the lock of `clients` */
    unsigned seats;                        /* the same; with those of closed connections that a worker has */
    struct fair_group groups[SEAT_QUEUES]; /* the pool's lock, as all below */
    unsigned at_work, waiting;             /* jobs */
};
struct seat {
    struct address *address;
    atomic_uint holders;
    struct fair_seat places[SEAT_QUEUES]; /* the pool's lock */
};

MUST_USE bool clients_open(unsigned connections_per_address, struct clients **ret, struct error *err);
void clients_close(struct clients *clients); /* when all have left; NULL is fine */
/* A new connection; its seat is held once. NULL: this address has as many as it may. */
struct seat *clients_enter(struct clients *clients, const struct sockaddr *address, socklen_t size);
/* The connection is closed: it no longer counts, and the hold is given back. NULL is fine. */
void clients_leave(struct seat *seat);
void seat_ref(struct seat *seat);
void seat_unref(struct seat *seat);

#endif
