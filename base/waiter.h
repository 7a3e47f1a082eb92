/* base/waiter.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Who waits for work that another has begun, without holding a thread: it gives its waiter away, says
 * FAULT_WOULD_WAIT although it may wait, and is begun again once it is woken.
 */
#ifndef GANTRY_BASE_WAITER_H
#define GANTRY_BASE_WAITER_H

#include <stdbool.h>
#include <stdint.h>

struct block;

enum { WAITER_KEY_BYTES = 40 };

struct waiter {
    /* Called by who is to wake it, while the waiting one runs: keeps it alive until `wake`. */
    void (*hold)(struct waiter *waiter);
    /* Begins the waiting one again, or will as soon as it has ended; lets go of it. Any thread, no locks
     * held. */
    void (*wake)(struct waiter *waiter);
    /* Of who is to wake it. */
    struct waiter *next;
    bool waiting;
    /* What it waited for, by the key of whoever woke it: nobody need keep it elsewhere until it comes. NULL:
     * none. Who owns the waiter unrefs it in the end. */
    struct block *result;
    uint8_t result_key[WAITER_KEY_BYTES];
};

#endif
