/* server/h2_loop.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * A thread of HTTP/2; see h2_loop.h. Sockets are edge-triggered: an event only says that a turn is worth
 * while, and the turn goes on until the socket has nothing more or its share is used up. Then the connection
 * is at the end of the line again, so that one client with much to fetch costs the others one turn of
 * waiting.
 */
#include "server/h2_loop.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "server/h2_connection.h"

enum { EVENTS_AT_ONCE = 128, LOOK_LEAST_MS = 50, LOOK_MOST_MS = 1000 };

/* ── from other threads ── */

static void nudge(struct h2_loop *loop)
{
    eventfd_write(loop->wake, 1);
}

void h2_loop_add(struct h2_loop *loop, struct h2_connection *connection)
{
    pthread_mutex_lock(&loop->lock);
    connection->next = loop->arrived;
    loop->arrived = connection;
    pthread_mutex_unlock(&loop->lock);
    nudge(loop);
}

void h2_loop_wake(struct h2_loop *loop, struct h2_stream *stream)
{
    pthread_mutex_lock(&loop->lock);
    const bool first = !loop->woken;
    stream->next_woken = loop->woken;
    loop->woken = stream;
    pthread_mutex_unlock(&loop->lock);
    if (first)
        nudge(loop);
}

void h2_loop_drain(struct h2_loop *loop)
{
    atomic_store(&loop->drain, true);
    nudge(loop);
}

/* ── connections ── */

void h2_loop_ready(struct h2_loop *loop, struct h2_connection *connection)
{
    if (connection->is_ready)
        return;
    connection->is_ready = true;
    connection->next_ready = NULL;
    *loop->ready_end = connection;
    loop->ready_end = &connection->next_ready;
}

static void let_go(struct h2_loop *loop, struct h2_connection *connection)
{
    *(connection->previous ? &connection->previous->next : &loop->connections) = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    h2_connection_free(connection);
    atomic_fetch_sub_explicit(loop->open, 1, memory_order_relaxed);
}

static void give_turn(struct h2_loop *loop, struct h2_connection *connection)
{
    if (connection->phase != H2_CLOSED && h2_connection_turn(connection))
        return;
    if (!connection->stream_count && !connection->is_ready)
        let_go(loop, connection);
}

static void give_turns(struct h2_loop *loop)
{
    struct h2_connection *ready = loop->ready, *next;

    loop->ready = NULL;
    loop->ready_end = &loop->ready;
    for (; ready; ready = next) {
        next = ready->next_ready;
        ready->is_ready = false;
        give_turn(loop, ready);
    }
}

static void welcome(struct h2_loop *loop)
{
    struct h2_connection *next;

    pthread_mutex_lock(&loop->lock);
    struct h2_connection *arrived = loop->arrived;
    loop->arrived = NULL;
    pthread_mutex_unlock(&loop->lock);
    for (; arrived; arrived = next) {
        struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                     .data.ptr = arrived };
        next = arrived->next;
        arrived->since_ms = loop->now_ms;
        arrived->next = loop->connections;
        if (arrived->next)
            arrived->next->previous = arrived;
        loop->connections = arrived;
        if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, arrived->fd, &event) != 0)
            arrived->ended = true;
        h2_loop_ready(loop, arrived);
    }
}

static void take_woken(struct h2_loop *loop)
{
    struct h2_stream *next;

    pthread_mutex_lock(&loop->lock);
    struct h2_stream *woken = loop->woken;
    loop->woken = NULL;
    pthread_mutex_unlock(&loop->lock);
    for (; woken; woken = next) {
        struct h2_connection *connection = woken->connection;
        next = woken->next_woken;
        h2_stream_woken(woken);
        h2_loop_ready(loop, connection);
    }
}

static void look_at_deadlines(struct h2_loop *loop)
{
    struct h2_connection *next;

    for (struct h2_connection *connection = loop->connections; connection; connection = next) {
        next = connection->next;
        if (h2_connection_look(connection))
            h2_loop_ready(loop, connection);
    }
}

static void begin_draining(struct h2_loop *loop)
{
    loop->draining = true;
    for (struct h2_connection *connection = loop->connections; connection; connection = connection->next) {
        h2_connection_drain(connection);
        h2_loop_ready(loop, connection);
    }
}

/* ── the thread ── */

static unsigned look_every_ms(const struct h2_loop *loop)
{
    const struct transport_h2_options *options = &loop->options;
    unsigned least = options->head_timeout_ms;

    if (options->idle_timeout_ms < least)
        least = options->idle_timeout_ms;
    if (options->pace.period_ms < least)
        least = options->pace.period_ms;
    least /= 4;
    return least < LOOK_LEAST_MS ? LOOK_LEAST_MS : least > LOOK_MOST_MS ? LOOK_MOST_MS : least;
}

static int wait_ms(const struct h2_loop *loop)
{
    if (loop->ready)
        return 0;
    if (!loop->connections)
        return -1;
    const uint64_t now_ms = clock_monotonic_ms();
    return now_ms >= loop->next_look_ms ? 0 : (int)(loop->next_look_ms - now_ms);
}

static void note_event(struct h2_loop *loop, const struct epoll_event *event)
{
    struct h2_connection *connection = event->data.ptr;
    eventfd_t count;

    if (!connection) {
        eventfd_read(loop->wake, &count);
        return;
    }
    if (event->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        connection->readable = true;
    if (event->events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        connection->writable = true;
    h2_loop_ready(loop, connection);
}

static void *run(void *context)
{
    struct h2_loop *loop = context;
    struct epoll_event events[EVENTS_AT_ONCE];

    while (!atomic_load(&loop->stop)) {
        const int count = epoll_wait(loop->epoll, events, EVENTS_AT_ONCE, wait_ms(loop));
        loop->now_ms = clock_monotonic_ms();
        for (int i = 0; i < count; i++)
            note_event(loop, &events[i]);
        welcome(loop);
        take_woken(loop);
        if (!loop->draining && atomic_load(&loop->drain))
            begin_draining(loop);
        if (loop->now_ms >= loop->next_look_ms) {
            look_at_deadlines(loop);
            loop->next_look_ms = loop->now_ms + look_every_ms(loop);
        }
        give_turns(loop);
    }
    /* Nothing is paused any more, so whoever was has been woken. */
    welcome(loop);
    take_woken(loop);
    while (loop->connections) {
        h2_connection_cut(loop->connections);
        let_go(loop, loop->connections);
    }
    return NULL;
}

struct bytes h2_loop_date(struct h2_loop *loop)
{
    static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    const uint64_t now_s = clock_unix_ms() / 1000;

    if (now_s != loop->date_s) {
        const time_t seconds = (time_t)now_s;
        struct tm tm = { 0 };
        gmtime_r(&seconds, &tm);
        snprintf(loop->date, sizeof loop->date, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday % 7],
                 tm.tm_mday % 100, months[tm.tm_mon % 12], (tm.tm_year + 1900) % 10000, tm.tm_hour % 100,
                 tm.tm_min % 100, tm.tm_sec % 100);
        loop->date_s = now_s;
    }
    return bytes_of_text(loop->date);
}

bool h2_loop_start(struct h2_loop *loop, struct error *err)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };

    loop->ready_end = &loop->ready;
    pthread_mutex_init(&loop->lock, NULL);
    atomic_init(&loop->stop, false);
    atomic_init(&loop->drain, false);
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->epoll < 0 || loop->wake < 0 || epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->wake, &event) != 0)
        return error_errno(err, errno, "HTTP/2: epoll");
    const int why = pthread_create(&loop->thread, NULL, run, loop);
    if (why != 0)
        return error_errno(err, why, "starting a thread of HTTP/2");
    pthread_setname_np(loop->thread, "h2");
    loop->running = true;
    return true;
}

void h2_loop_stop(struct h2_loop *loop)
{
    if (loop->running) {
        atomic_store(&loop->stop, true);
        nudge(loop);
        pthread_join(loop->thread, NULL);
    }
    file_close(loop->epoll);
    file_close(loop->wake);
    pthread_mutex_destroy(&loop->lock);
}
