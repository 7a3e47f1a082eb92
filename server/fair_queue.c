/* server/fair_queue.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Three rings in one another; see fair_queue.h. Whoever has had a turn and has more goes to the end of its
 * ring.
 */
#include "server/fair_queue.h"

#include <stddef.h>

#include "server/worker_pool.h"

static void append_seat(struct fair_group *group, struct fair_seat *seat)
{
    seat->next = NULL;
    *(group->first ? &group->last->next : &group->first) = seat;
    group->last = seat;
}

static void append_group(struct fair_queue *queue, struct fair_group *group)
{
    group->next = NULL;
    *(queue->first ? &queue->last->next : &queue->first) = group;
    queue->last = group;
}

void fair_queue_push(struct fair_queue *queue, struct fair_group *group, struct fair_seat *seat,
                     struct job *job)
{
    const bool seat_waits = seat->first != NULL, group_waits = group->first != NULL;

    job->next = NULL;
    *(seat_waits ? &seat->last->next : &seat->first) = job;
    seat->last = job;
    if (!seat_waits)
        append_seat(group, seat);
    if (!group_waits)
        append_group(queue, group);
}

/* The first job of the group's first seat. */
static struct job *take(struct fair_group *group)
{
    struct fair_seat *seat = group->first;
    struct job *job = seat->first;

    seat->first = job->next;
    group->first = seat->next;
    if (seat->first)
        append_seat(group, seat);
    return job;
}

struct job *fair_queue_pop(struct fair_queue *queue,
                           bool (*may)(const struct fair_group *group, void *context), void *context)
{
    struct fair_group *before = NULL;

    for (struct fair_group *group = queue->first; group; before = group, group = group->next) {
        if (!may(group, context))
            continue;
        *(before ? &before->next : &queue->first) = group->next;
        if (queue->last == group)
            queue->last = before;
        struct job *job = take(group);
        if (group->first)
            append_group(queue, group);
        return job;
    }
    return NULL;
}
