/* server/exchange.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * One request and its answer, from the first header to the last byte.
 *
 * Touched by one thread at a time: handed to a worker through the queue's lock, handed back by `wake`; only
 * the pump's pair of blocks is worked on by two, under its own lock. It has two possible holders, its
 * transport and a worker, and the last one ends it: a client can leave while a job runs.
 */
#ifndef GANTRY_SERVER_EXCHANGE_H
#define GANTRY_SERVER_EXCHANGE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/attributes.h"
#include "base/error.h"
#include "base/waiter.h"
#include "handlers/routes.h"
#include "http/request.h"
#include "http/response.h"
#include "server/body_pump.h"
#include "server/transport.h"
#include "server/worker_pool.h"

struct access_log;
struct dispatcher;
struct dispatcher_view;
struct tls_peer;

/* All exchanges of a dispatcher: how many, and the unused ones. */
struct exchanges {
    pthread_mutex_t lock;
    struct exchange *free; /* lock */
    unsigned free_count;   /* lock */
    atomic_uint active, paused;
    atomic_bool aborting; /* none is paused any more */
    atomic_uint_fast64_t next_id;
    struct access_log *access_log;
};

struct exchange {
    struct request request;
    struct response response;
    struct error error; /* why the answer is an error; logged once */
    struct arena arena;
    struct arena_mark start; /* of an unused exchange: the first chunk is kept for the next one */
    const struct route *route;
    const char *allow; /* the methods of the resource, or NULL */
    struct exchanges *all;
    struct dispatcher *dispatcher;
    const struct dispatcher_view *view; /* the settings as they were when it began */
    const struct transport_kind *transport;
    const struct tls_peer *peer; /* the transport's, for dispatcher_begin: the client certificate, or NULL */
    void *carrier;               /* the transport's */
    unsigned carrier_state;      /* the transport's, 0 at first */
    struct body_pump pump;
    struct job job;       /* its seat in the worker queue */
    struct waiter waiter; /* for work that another exchange has begun */
    bool awaits;          /* a worker's: the waiter was given away since the job began */
    atomic_int parking;   /* enum parking */
    struct job *parked;   /* the job that goes on when it is woken */
    atomic_uint holders;
    atomic_bool gone; /* the client left: long jobs stop early */
    bool begun;       /* dispatcher_begin was called: it is counted and gets an access line */
    bool shaped;      /* conditions and content coding have been applied to the response */
    bool answered;    /* the response is complete, but for the body's bytes */
    bool body_wanted; /* dispatcher_begin said DISPATCH_BODY */
    bool close;       /* the connection is to end with this answer */
    bool broken;      /* the body ended short, or the client left */
    uint64_t began_us;
    uint64_t body_bytes; /* sent */
    struct exchange *next_free;
};

void exchanges_init(struct exchanges *all, struct access_log *access_log_or_null);
void exchanges_done(struct exchanges *all); /* when none is active */

/* A fresh or recycled one, held once. Any thread. */
struct exchange *exchange_new(struct exchanges *all, const struct transport_kind *transport, void *carrier);
/* Whose turn its jobs take; before dispatcher_begin. The seat is the connection's, which holds it until after
 * dispatcher_finish. */
void exchange_sit(struct exchange *exchange, struct seat *seat);
void exchange_ref(struct exchange *exchange);
/* The last one writes the access line and recycles it. Any thread. */
void exchange_unref(struct exchange *exchange);

/* Of the work that its answer costs. */
enum urgency exchange_urgency(const struct exchange *exchange);
/* The job on this worker ends without an end: it said WOULD_WAIT though it may wait, having given the waiter
 * away. It is queued again once the waiter is woken, or was already. The job's hold on the exchange stays.
 * False: it has not given the waiter away, so nobody would wake it. */
MUST_USE bool exchange_park(struct exchange *exchange, struct job *job);
/* Pauses what carries it, on that thread. False when the server is ending: then nothing may be left paused,
 * and the exchange has to come to its end at once. */
MUST_USE bool exchange_pause(struct exchange *exchange);
/* The caller holds the exchange and no longer touches it but to unref it. */
void exchange_wake(struct exchange *exchange);

#endif
