/* server/fair_queue.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * A queue in which clients take turns, not jobs: addresses go round, of an address its connections, of a
 * connection its jobs in their order. So a connection with a hundred requests delays another by one job, and
 * an address with a thousand connections another address by one.
 *
 *   queue ─► address A ─► connection 1 ─► job ─► job ─► job
 *            │            connection 2 ─► job
 *            address B ─► connection 3 ─► job                     taken: A1, B3, A2, A1, A1
 *
 * All under its owner's lock.
 */
#ifndef GANTRY_SERVER_FAIR_QUEUE_H
#define GANTRY_SERVER_FAIR_QUEUE_H

#include <stdbool.h>

struct job;

/* All zero: nothing waits. */
struct fair_seat { /* of a connection, in one queue */
    struct job *first, *last;
    struct fair_seat *next;
};
struct fair_group { /* of an address, in one queue */
    struct fair_seat *first, *last;
    struct fair_group *next;
};
struct fair_queue {
    struct fair_group *first, *last;
};

void fair_queue_push(struct fair_queue *queue, struct fair_group *group, struct fair_seat *seat,
                     struct job *job);
/* The next job whose group `may` go, or NULL. */
struct job *fair_queue_pop(struct fair_queue *queue,
                           bool (*may)(const struct fair_group *group, void *context), void *context);

#endif
