/* server/worker_pool.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Threads that may wait. Interactive work goes first; other work never holds the last quarter of them, so
 * that who reads what is stored waits for no codec. Clients take turns (fair_queue.h), and one address never
 * holds the last eighth.
 */
#ifndef GANTRY_SERVER_WORKER_POOL_H
#define GANTRY_SERVER_WORKER_POOL_H

#include "base/attributes.h"
#include "base/error.h"

/* Making is decoding and encoding for one who looks: by makers, or before bulk, and like it never on the last
 * quarter of the workers. */
enum urgency { URGENCY_INTERACTIVE, URGENCY_MAKING, URGENCY_BULK };

/* Lives inside its owner; in the queue at most once. The pool does not touch it after `run` has begun. */
struct job {
    void (*run)(struct job *job);
    struct job *next;
    struct seat
        *seat; /* of the connection for which it is; alive when the job is handed in. NULL: nobody's */
};

struct worker_pool;
struct seat;

MUST_USE bool worker_pool_start(unsigned workers, unsigned longest_queue, struct worker_pool **ret,
                                struct error *err);
/* So many more threads, at least one, that do all the making and nothing else, and leave the processor to
 * others who want it. Without them the workers make. Once, before anything is handed in; on a failure the
 * pool is only to be stopped. */
MUST_USE bool worker_pool_add_makers(struct worker_pool *pool, unsigned makers, struct error *err);
/* New work. BUSY at once: the queue is full, or the pool is stopping. Any thread. */
MUST_USE bool worker_pool_submit(struct worker_pool *pool, enum urgency urgency, struct job *job,
                                 struct error *err);
/* Would new work be taken now? BUSY as above: for whoever is about to admit what will need workers later. */
MUST_USE bool worker_pool_has_room(struct worker_pool *pool, struct error *err);
/* The next piece of work that was admitted before: not refused, so that what has begun can end. There is one
 * job in each exchange, so these are bounded by the connections. Any thread. */
void worker_pool_continue(struct worker_pool *pool, enum urgency urgency, struct job *job);
/* The same from the job's own `run`, which returns at once behind it: its worker takes what is next, so
 * nobody is woken. */
void worker_pool_again(struct worker_pool *pool, enum urgency urgency, struct job *job);
/* Finishes what is queued, ends the threads, frees. NULL is fine. */
void worker_pool_stop(struct worker_pool *pool);

#endif
