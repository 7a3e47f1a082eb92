/* base/condition.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Waiting for a condition variable that others signal one at a time.
 */
#ifndef GANTRY_BASE_CONDITION_H
#define GANTRY_BASE_CONDITION_H

#include <pthread.h>
#include <time.h>

/* As pthread_cond_wait, for callers that look at what they wait for in a loop, as all have to; but it comes
 * back after a second at the latest. In glibc before 2.41 a signal can be lost, once in millions (its bug
 * 25847): then the one who should have gone on is late by that second instead of waiting for ever. */
static inline void condition_wait(pthread_cond_t *condition, pthread_mutex_t *lock)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec++;
    (void)pthread_cond_clockwait(condition, lock, CLOCK_MONOTONIC, &until);
}

#endif
