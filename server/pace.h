/* server/pace.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Is a client too slow? While a transport waits for one, bytes have to move: so many in each period. A byte
 * now and then is a stall like any other. One thread at a time.
 */
#ifndef GANTRY_SERVER_PACE_H
#define GANTRY_SERVER_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pace_limits {
    uint64_t least_rate; /* bytes per second */
    unsigned period_ms;
};

struct pace {
    uint64_t marked; /* bytes moved when the period began */
    uint64_t since_ms;
};

/* It is not the client's turn, or it has just become so. */
static inline void pace_restart(struct pace *pace, uint64_t moved, uint64_t now_ms)
{
    pace->marked = moved;
    pace->since_ms = now_ms;
}

/* `moved`: bytes in all, so far. To be asked now and then while it is the client's turn. */
static inline bool pace_is_too_slow(struct pace *pace, const struct pace_limits *limits, uint64_t moved,
                                    uint64_t now_ms)
{
    if (now_ms - pace->since_ms < limits->period_ms)
        return false;
    const bool slow = (moved - pace->marked) * 1000 < limits->least_rate * (now_ms - pace->since_ms) ||
                      moved == pace->marked;
    pace_restart(pace, moved, now_ms);
    return slow;
}

#endif
