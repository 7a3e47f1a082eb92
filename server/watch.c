/* server/watch.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The watchman; see watch.h. Cutting off is a shutdown of the socket: the library finds the connection ended
 * and does the rest on its own thread.
 */
#include "server/watch.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/condition.h"
#include "base/log.h"

enum { TURN_BITS = 3, LOOK_LEAST_MS = 50, LOOK_MOST_MS = 1000 };

struct watch {
    struct watch_limits limits;
    unsigned look_every_ms;
    pthread_mutex_t lock;
    pthread_cond_t change;
    struct watched *first; /* lock */
    bool stop;             /* lock */
    pthread_t thread;
};

static uint64_t pack(enum watch_turn turn, uint64_t now_ms)
{
    return now_ms << TURN_BITS | turn;
}

static enum watch_turn turn_of(uint64_t packed)
{
    return (enum watch_turn)(packed & ((1u << TURN_BITS) - 1));
}

void watch_set(struct watched *watched, enum watch_turn turn)
{
    /* Only the connection's own thread sets it, but for the worker that hands it back, which does not. */
    if (turn_of(atomic_load_explicit(&watched->turn, memory_order_relaxed)) != turn)
        atomic_store_explicit(&watched->turn, pack(turn, clock_monotonic_ms()), memory_order_relaxed);
}

/* Bytes that the client has sent, or taken. */
static bool count_moved(const struct watched *watched, enum watch_turn turn, uint64_t *ret)
{
    struct tcp_info info = { 0 };
    socklen_t size = sizeof info;

    if (getsockopt(watched->fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
        size < offsetof(struct tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received)
        return false;
    *ret = turn == WATCH_BODY ? info.tcpi_bytes_received : info.tcpi_bytes_acked;
    return true;
}

static bool is_too_slow(const struct watch *watch, struct watched *watched, uint64_t packed, uint64_t now_ms)
{
    uint64_t moved;

    if (!count_moved(watched, turn_of(packed), &moved))
        return false;
    now_ms =
        clock_monotonic_ms(); /* of the count: who was kept waiting in between must not shorten the next */
    if (watched->seen == packed)
        return pace_is_too_slow(&watched->pace, &watch->limits.pace, moved, now_ms);
    watched->seen = packed;
    pace_restart(&watched->pace, moved, now_ms);
    return false;
}

/* NULL, or what it is cut off for. */
static const char *look_at(const struct watch *watch, struct watched *watched, uint64_t now_ms)
{
    const uint64_t packed = atomic_load_explicit(&watched->turn, memory_order_relaxed);
    const uint64_t since_ms = packed >> TURN_BITS;
    const uint64_t waited_ms = now_ms > since_ms ? now_ms - since_ms : 0;

    switch (turn_of(packed)) {
    case WATCH_HEAD:
        return waited_ms >= watch->limits.head_timeout_ms ? "its header fields took too long (header_timeout)"
                                                          : NULL;
    case WATCH_IDLE:
        return waited_ms >= watch->limits.idle_timeout_ms ? "it asked for nothing more (idle_timeout)" : NULL;
    case WATCH_BODY:
        return is_too_slow(watch, watched, packed, now_ms) ? "its body came too slowly (least_rate)" : NULL;
    case WATCH_ANSWER:
        return is_too_slow(watch, watched, packed, now_ms) ? "it read too slowly (least_rate)" : NULL;
    case WATCH_SERVER:
        break;
    }
    return NULL;
}

static void look_at_all(struct watch *watch)
{
    const uint64_t now_ms = clock_monotonic_ms();

    for (struct watched *watched = watch->first; watched; watched = watched->next) {
        const char *why = watched->cut ? NULL : look_at(watch, watched, now_ms);
        if (!why)
            continue;
        log_line(LOG_DEBUG, "HTTP/1.1: a connection is cut off: %s", why);
        watched->cut = true;
        shutdown(watched->fd, SHUT_RDWR);
    }
}

static void *keep_watch(void *context)
{
    struct watch *watch = context;

    pthread_mutex_lock(&watch->lock);
    while (!watch->stop) {
        if (watch->first) {
            struct timespec until;
            clock_gettime(CLOCK_MONOTONIC, &until);
            const long nanoseconds = until.tv_nsec + (long)(watch->look_every_ms % 1000) * 1000000;
            until.tv_sec += (time_t)(watch->look_every_ms / 1000) + nanoseconds / 1000000000;
            until.tv_nsec = nanoseconds % 1000000000;
            pthread_cond_timedwait(&watch->change, &watch->lock, &until);
            look_at_all(watch);
        } else {
            condition_wait(&watch->change, &watch->lock);
        }
    }
    pthread_mutex_unlock(&watch->lock);
    return NULL;
}

static unsigned look_every(const struct watch_limits *limits)
{
    unsigned least = limits->head_timeout_ms;

    if (limits->idle_timeout_ms < least)
        least = limits->idle_timeout_ms;
    if (limits->pace.period_ms < least)
        least = limits->pace.period_ms;
    least /= 4;
    return least < LOOK_LEAST_MS ? LOOK_LEAST_MS : least > LOOK_MOST_MS ? LOOK_MOST_MS : least;
}

bool watch_open(const struct watch_limits *limits, struct watch **ret, struct error *err)
{
    struct watch *watch = calloc(1, sizeof *watch);
    pthread_condattr_t attributes;

    if (!watch)
        return error_set(err, FAULT_BUSY, "no memory for the watch over slow clients");
    watch->limits = *limits;
    watch->look_every_ms = look_every(limits);
    pthread_mutex_init(&watch->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&watch->change, &attributes);
    pthread_condattr_destroy(&attributes);
    const int why = pthread_create(&watch->thread, NULL, keep_watch, watch);
    if (why != 0) {
        pthread_cond_destroy(&watch->change);
        pthread_mutex_destroy(&watch->lock);
        free(watch);
        return error_errno(err, why, "starting the watch over slow clients");
    }
    pthread_setname_np(watch->thread, "watch");
    *ret = watch;
    return true;
}

void watch_close(struct watch *watch)
{
    if (!watch)
        return;
    pthread_mutex_lock(&watch->lock);
    watch->stop = true;
    pthread_cond_signal(&watch->change);
    pthread_mutex_unlock(&watch->lock);
    pthread_join(watch->thread, NULL);
    pthread_cond_destroy(&watch->change);
    pthread_mutex_destroy(&watch->lock);
    free(watch);
}

void watch_add(struct watch *watch, struct watched *watched, int fd)
{
    watched->fd = fd;
    atomic_init(&watched->turn, pack(WATCH_HEAD, clock_monotonic_ms()));
    pthread_mutex_lock(&watch->lock);
    watched->previous = NULL;
    watched->next = watch->first;
    if (watched->next)
        watched->next->previous = watched;
    else
        pthread_cond_signal(&watch->change);
    watch->first = watched;
    pthread_mutex_unlock(&watch->lock);
}

void watch_remove(struct watch *watch, struct watched *watched)
{
    pthread_mutex_lock(&watch->lock);
    *(watched->previous ? &watched->previous->next : &watch->first) = watched->next;
    if (watched->next)
        watched->next->previous = watched->previous;
    pthread_mutex_unlock(&watch->lock);
}
