/* server/farewell.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Lingering close; see farewell.h. All connections get the same time, so the oldest one is the next to be
 * cut: they hang in one list in the order in which they came.
 *
 *   farewell_take ─► slot, epoll ─► thread: drop bytes ─► client's FIN, reset, too many bytes, too long ─►
 * close
 */
#include "server/farewell.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum { EVENTS_AT_ONCE = 64, DROP_AT_ONCE_BYTES = 1 << 20 };

struct lingering {
    int fd;
    uint64_t dropped, until_ms;
    struct lingering *newer, *older; /* lock; of a free one, `newer` is the next free one */
};

struct farewell {
    struct farewell_options options;
    int epoll, bell;
    pthread_t thread;
    atomic_bool ending;
    pthread_mutex_t lock;
    struct lingering *slots;
    struct lingering *free, *oldest, *newest; /* lock */
    unsigned count;                           /* lock */
};

static void append(struct farewell *farewell, struct lingering *one)
{
    one->newer = NULL;
    one->older = farewell->newest;
    if (farewell->newest)
        farewell->newest->newer = one;
    else
        farewell->oldest = one;
    farewell->newest = one;
    farewell->count++;
}

static void drop(struct farewell *farewell, struct lingering *one)
{
    pthread_mutex_lock(&farewell->lock);
    /* Closing would not do: the giver's descriptor may still hold the same socket open. */
    epoll_ctl(farewell->epoll, EPOLL_CTL_DEL, one->fd, NULL);
    close(one->fd);
    *(one->older ? &one->older->newer : &farewell->oldest) = one->newer;
    *(one->newer ? &one->newer->older : &farewell->newest) = one->older;
    one->newer = farewell->free;
    farewell->free = one;
    farewell->count--;
    pthread_mutex_unlock(&farewell->lock);
}

static void ring(const struct farewell *farewell)
{
    const uint64_t once = 1;

    if (write(farewell->bell, &once, sizeof once) < 0)
        log_line(LOG_ERROR, "the thread of lingering connections cannot be woken: %s",
                 strerrorname_np(errno));
}

void farewell_take(struct farewell *farewell, int fd)
{
    struct lingering *one = NULL;

    pthread_mutex_lock(&farewell->lock);
    if (farewell->free) {
        const int ours = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        one = ours >= 0 ? farewell->free : NULL;
        if (one) {
            farewell->free = one->newer;
            one->fd = ours;
            one->dropped = 0;
            one->until_ms = clock_monotonic_ms() + farewell->options.timeout_ms;
            append(farewell, one);
        }
    }
    if (one) {
        struct epoll_event wanted = { .events = EPOLLIN | EPOLLRDHUP, .data.ptr = one };
        /* Under the lock: the thread may drop it only once it is in the list. */
        shutdown(one->fd, SHUT_WR);
        if (epoll_ctl(farewell->epoll, EPOLL_CTL_ADD, one->fd, &wanted) != 0)
            one->until_ms = 0;
    }
    const bool first = one && farewell->count == 1;
    pthread_mutex_unlock(&farewell->lock);
    if (first)
        ring(farewell); /* it waits without an end while there is none */
}

/* True: it has ended, or it is to be cut. */
static bool drop_bytes(const struct farewell *farewell, struct lingering *one)
{
    /* With MSG_TRUNC the kernel drops TCP's bytes without copying them (tcp(7)). */
    const ssize_t size = recv(one->fd, NULL, DROP_AT_ONCE_BYTES, MSG_TRUNC | MSG_DONTWAIT);

    if (size < 0)
        return errno != EAGAIN && errno != EINTR;
    one->dropped += (uint64_t)size;
    return size == 0 || one->dropped > farewell->options.bytes;
}

/* Cuts those whose time is over; returns the milliseconds until the next one's, or -1. */
static int cut_old_ones(struct farewell *farewell)
{
    for (;;) {
        const uint64_t now = clock_monotonic_ms();
        pthread_mutex_lock(&farewell->lock);
        struct lingering *oldest = farewell->oldest;
        const uint64_t until = oldest ? oldest->until_ms : 0;
        pthread_mutex_unlock(&farewell->lock);
        if (!oldest)
            return -1;
        if (until > now)
            return (int)(until - now);
        drop(farewell, oldest);
    }
}

static void *run(void *context)
{
    struct farewell *farewell = context;
    struct epoll_event events[EVENTS_AT_ONCE];
    int wait_ms = -1;

    pthread_setname_np(pthread_self(), "linger");
    while (!atomic_load(&farewell->ending)) {
        const int count = epoll_wait(farewell->epoll, events, EVENTS_AT_ONCE, wait_ms);
        for (int i = 0; i < count; i++) {
            struct lingering *one = events[i].data.ptr;
            uint64_t rings;
            if (one == NULL) {
                if (read(farewell->bell, &rings, sizeof rings) < 0)
                    continue;
            } else if (drop_bytes(farewell, one)) {
                drop(farewell, one);
            }
        }
        wait_ms = cut_old_ones(farewell);
    }
    return NULL;
}

unsigned farewell_connections(struct farewell *farewell)
{
    pthread_mutex_lock(&farewell->lock);
    const unsigned count = farewell->count;
    pthread_mutex_unlock(&farewell->lock);
    return count;
}

static void discard(struct farewell *farewell)
{
    while (farewell->oldest)
        drop(farewell, farewell->oldest);
    if (farewell->epoll >= 0)
        close(farewell->epoll);
    if (farewell->bell >= 0)
        close(farewell->bell);
    pthread_mutex_destroy(&farewell->lock);
    free(farewell->slots);
    free(farewell);
}

bool farewell_open(const struct farewell_options *options, struct farewell **ret, struct error *err)
{
    struct farewell *farewell = calloc(1, sizeof *farewell);
    struct epoll_event bell = { .events = EPOLLIN };

    if (!farewell)
        return error_set(err, FAULT_BUSY, "no memory for lingering connections");
    farewell->options = *options;
    pthread_mutex_init(&farewell->lock, NULL);
    farewell->epoll = epoll_create1(EPOLL_CLOEXEC);
    farewell->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    farewell->slots = calloc(options->connections, sizeof *farewell->slots);
    for (unsigned i = 0; farewell->slots && i < options->connections; i++) {
        farewell->slots[i].newer = farewell->free;
        farewell->free = &farewell->slots[i];
    }
    if (farewell->epoll < 0 || farewell->bell < 0 || (options->connections && !farewell->slots) ||
        epoll_ctl(farewell->epoll, EPOLL_CTL_ADD, farewell->bell, &bell) != 0 ||
        pthread_create(&farewell->thread, NULL, run, farewell) != 0) {
        discard(farewell);
        return error_set(err, FAULT_INTERNAL, "lingering connections: %s", strerrorname_np(errno));
    }
    *ret = farewell;
    return true;
}

void farewell_close(struct farewell *farewell)
{
    if (!farewell)
        return;
    atomic_store(&farewell->ending, true);
    ring(farewell);
    pthread_join(farewell->thread, NULL);
    discard(farewell);
}
