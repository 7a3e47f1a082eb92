/* server/exchange.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Exchanges come and go with each request, so used ones are kept: the next one finds its memory warm.
 */
#include "server/exchange.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/access_log.h"

enum { MOST_KEPT = 256 };

void exchanges_init(struct exchanges *all, struct access_log *access_log_or_null)
{
    uint64_t first = 0;

    memset(all, 0, sizeof *all);
    pthread_mutex_init(&all->lock, NULL);
    atomic_init(&all->active, 0);
    atomic_init(&all->paused, 0);
    atomic_init(&all->aborting, false);
    /* Ids of one run do not meet those of another in the logs. Should the kernel have no randomness, the
     * clock does. */
    if (getrandom(&first, sizeof first, GRND_NONBLOCK) != (ssize_t)sizeof first)
        first = clock_unix_ms() << 20;
    atomic_init(&all->next_id, first);
    all->access_log = access_log_or_null;
}

static void destroy(struct exchange *exchange)
{
    arena_release(&exchange->arena);
    body_pump_done(&exchange->pump);
    free(exchange);
}

void exchanges_done(struct exchanges *all)
{
    assert(atomic_load(&all->active) == 0);
    while (all->free) {
        struct exchange *exchange = all->free;
        all->free = exchange->next_free;
        destroy(exchange);
    }
    pthread_mutex_destroy(&all->lock);
}

/* ── waiting for another's work ── */

enum parking { RUNNING, PARKED, WOKEN };

static struct exchange *exchange_of_waiter(struct waiter *waiter)
{
    return (struct exchange *)((char *)waiter - offsetof(struct exchange, waiter));
}

enum urgency exchange_urgency(const struct exchange *exchange)
{
    static const enum urgency urgencies[] = {
        [WORK_READS] = URGENCY_INTERACTIVE, [WORK_MAKES] = URGENCY_MAKING, [WORK_COLLECTS] = URGENCY_BULK
    };

    return urgencies[exchange->response.work];
}

static void go_on(struct exchange *exchange)
{
    atomic_store(&exchange->parking, RUNNING);
    worker_pool_continue(exchange->pump.pool, exchange_urgency(exchange), exchange->parked);
}

static void hold_waiter(struct waiter *waiter)
{
    struct exchange *exchange = exchange_of_waiter(waiter);

    exchange->awaits = true;
    exchange_ref(exchange);
}

/* Either sees the other: who comes second lets the job go on. A wake that comes when the job is past waiting
 * is found by its next wait, which then looks once too often. */
static void wake_waiter(struct waiter *waiter)
{
    struct exchange *exchange = exchange_of_waiter(waiter);

    if (atomic_exchange(&exchange->parking, WOKEN) == PARKED)
        go_on(exchange);
    exchange_unref(exchange);
}

bool exchange_park(struct exchange *exchange, struct job *job)
{
    if (!exchange->awaits)
        return false;
    exchange->awaits = false;
    exchange->parked = job;
    if (atomic_exchange(&exchange->parking, PARKED) == WOKEN)
        go_on(exchange);
    return true;
}

static struct exchange *make(struct exchanges *all)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);

    if (!exchange) {
        fputs("gantry: out of memory\n", stderr);
        abort();
    }
    exchange->all = all;
    body_pump_init(&exchange->pump, exchange);
    exchange->waiter = (struct waiter){ .hold = hold_waiter, .wake = wake_waiter };
    /* So that the first chunk stays when the arena is rewound to its start. */
    (void)arena_alloc(&exchange->arena, 1);
    exchange->start = arena_mark(&exchange->arena);
    return exchange;
}

struct exchange *exchange_new(struct exchanges *all, const struct transport_kind *transport, void *carrier)
{
    pthread_mutex_lock(&all->lock);
    struct exchange *exchange = all->free;
    if (exchange) {
        all->free = exchange->next_free;
        all->free_count--;
    }
    pthread_mutex_unlock(&all->lock);
    if (!exchange)
        exchange = make(all);
    atomic_fetch_add_explicit(&all->active, 1, memory_order_relaxed);

    memset(&exchange->request, 0, sizeof exchange->request);
    memset(&exchange->response, 0, sizeof exchange->response);
    error_clear(&exchange->error);
    exchange->request.arena = &exchange->arena;
    exchange->awaits = false;
    atomic_init(&exchange->parking, RUNNING);
    exchange->request.id = atomic_fetch_add_explicit(&all->next_id, 1, memory_order_relaxed);
    exchange->route = NULL;
    exchange->allow = NULL;
    exchange->dispatcher = NULL;
    exchange->view = NULL;
    exchange->transport = transport;
    exchange->peer = NULL;
    exchange->carrier = carrier;
    exchange->carrier_state = 0;
    exchange->job.seat = exchange->pump.job.seat = NULL;
    atomic_init(&exchange->holders, 1);
    atomic_init(&exchange->gone, false);
    exchange->begun = exchange->shaped = exchange->answered = exchange->body_wanted = exchange->close =
        exchange->broken = false;
    exchange->began_us = clock_monotonic_us();
    exchange->body_bytes = 0;
    exchange->next_free = NULL;
    return exchange;
}

void exchange_sit(struct exchange *exchange, struct seat *seat)
{
    exchange->job.seat = exchange->pump.job.seat = seat;
}

void exchange_ref(struct exchange *exchange)
{
    atomic_fetch_add_explicit(&exchange->holders, 1, memory_order_relaxed);
}

/* A failure behind the status line: the client sees the connection end, the log says why. */
static void log_short_body(const struct exchange *exchange)
{
    const struct body_pump *pump = &exchange->pump;

    if (exchange->answered && pump->source && pump->failed && pump->error.fault != FAULT_CLIENT_GONE)
        log_line(LOG_ERROR, "%s: the answer ended short: %s id=%" PRIu64, fault_info(pump->error.fault)->name,
                 pump->error.detail, exchange->request.id);
}

static void write_access_line(const struct exchange *exchange)
{
    const struct access_entry entry = {
        .method = method_text(exchange->request.method),
        .pattern = exchange->route ? exchange->route->pattern : "-",
        .status = exchange->answered ? exchange->response.status : 0,
        .body_bytes = exchange->body_bytes,
        .microseconds = clock_monotonic_us() - exchange->began_us,
        .id = exchange->request.id,
        .broken = exchange->broken,
    };
    access_log_write(exchange->all->access_log, &entry);
}

void exchange_unref(struct exchange *exchange)
{
    struct exchanges *all = exchange->all;

    if (atomic_fetch_sub_explicit(&exchange->holders, 1, memory_order_acq_rel) != 1)
        return;
    if (exchange->begun) {
        log_short_body(exchange);
        write_access_line(exchange);
    }
    block_unref(TAKE(exchange->waiter.result)); /* that nobody came for */
    arena_rewind(&exchange->arena, exchange->start);
    body_pump_reset(&exchange->pump);

    pthread_mutex_lock(&all->lock);
    const bool keep = all->free_count < MOST_KEPT;
    if (keep) {
        exchange->next_free = all->free;
        all->free = exchange;
        all->free_count++;
    }
    pthread_mutex_unlock(&all->lock);
    if (!keep)
        destroy(exchange);
    atomic_fetch_sub_explicit(&all->active, 1, memory_order_release);
}

bool exchange_pause(struct exchange *exchange)
{
    /* Counted before the flag is looked at, and the other way round in dispatcher_abort: one of the two sees
     * the other. */
    atomic_fetch_add(&exchange->all->paused, 1);
    if (atomic_load(&exchange->all->aborting)) {
        atomic_fetch_sub(&exchange->all->paused, 1);
        return false;
    }
    exchange->transport->pause(exchange);
    return true;
}

void exchange_wake(struct exchange *exchange)
{
    struct exchanges *all = exchange->all;

    exchange->transport->wake(exchange);
    atomic_fetch_sub(&all->paused, 1);
}
