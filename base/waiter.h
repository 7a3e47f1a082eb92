/* base/waiter.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Who waits for work that another has begun, without holding a thread: it gives its waiter away, says
 * FAULT_WOULD_WAIT although it may wait, and is begun again once it is woken.
 */
#ifndef GANTRY_BASE_WAITER_H
#define GANTRY_BASE_WAITER_H

#include <stdbool.h>

struct waiter {
    /* Called by who is to wake it, while the waiting one runs: keeps it alive until `wake`. */
    void (*hold)(struct waiter *waiter);
    /* Begins the waiting one again, or will as soon as it has ended; lets go of it. Any thread, no locks
     * held. */
    void (*wake)(struct waiter *waiter);
    /* Of who is to wake it. */
    struct waiter *next;
    bool waiting;
};

#endif
