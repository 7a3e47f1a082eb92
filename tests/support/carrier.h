/* tests/support/carrier.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The least transport there can be, for unit tests of server/: the calling thread sleeps where a connection
 * would be paused.
 */
#ifndef GANTRY_TESTS_CARRIER_H
#define GANTRY_TESTS_CARRIER_H

#include <pthread.h>

#include "server/exchange.h"

struct carrier {
    pthread_mutex_t lock;
    pthread_cond_t woken;
    bool paused;
    unsigned pauses;
};

static void carrier_pause(struct exchange *exchange)
{
    struct carrier *carrier = exchange->carrier;

    pthread_mutex_lock(&carrier->lock);
    carrier->paused = true;
    carrier->pauses++;
    pthread_mutex_unlock(&carrier->lock);
}

static void carrier_wake(struct exchange *exchange)
{
    struct carrier *carrier = exchange->carrier;

    pthread_mutex_lock(&carrier->lock);
    carrier->paused = false;
    pthread_cond_signal(&carrier->woken);
    pthread_mutex_unlock(&carrier->lock);
}

static const struct transport_kind carrier_kind = { "carrier", carrier_pause, carrier_wake, NULL };

static void carrier_end(void *of)
{
    struct carrier *carrier = of;

    pthread_cond_destroy(&carrier->woken);
    pthread_mutex_destroy(&carrier->lock);
}

/* In the exchange's arena, so that it lives until its last holder has left. */
static struct carrier *carrier_new(struct exchange *exchange)
{
    struct carrier *carrier = arena_alloc(&exchange->arena, sizeof *carrier);

    pthread_mutex_init(&carrier->lock, NULL);
    pthread_cond_init(&carrier->woken, NULL);
    arena_defer(&exchange->arena, carrier_end, carrier);
    exchange->carrier = carrier;
    return carrier;
}

static void carrier_wait(struct carrier *carrier)
{
    pthread_mutex_lock(&carrier->lock);
    while (carrier->paused)
        pthread_cond_wait(&carrier->woken, &carrier->lock);
    pthread_mutex_unlock(&carrier->lock);
}

#endif
