/* server/h2_loop.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * One thread of the HTTP/2 transport and the connections that are its own. Each connection has its turn when
 * its socket or one of its workers has something for it; a turn is bounded, so that none keeps the others
 * waiting.
 */
#ifndef GANTRY_SERVER_H2_LOOP_H
#define GANTRY_SERVER_H2_LOOP_H

#include <pthread.h>
#include <stdatomic.h>

#include <nghttp2/nghttp2.h>

#include "base/bytes.h"
#include "server/transport_h2.h"

struct h2_connection;
struct h2_stream;

enum { H2_RECORD_BYTES = 16384 };

struct h2_loop {
    struct transport_h2_options options;
    nghttp2_session_callbacks *callbacks; /* the transport's */
    nghttp2_option *library_options;      /* the transport's */
    atomic_size_t *held;                  /* over all loops, see transport_h2_options */
    atomic_uint *open;                    /* connections, over all loops */
    int epoll, wake;
    pthread_t thread;
    bool running;
    atomic_bool stop, drain;

    pthread_mutex_t lock;
    struct h2_connection *arrived; /* lock */
    struct h2_stream *woken;       /* lock */

    /* The thread's own. */
    struct h2_connection *connections;
    struct h2_connection *ready, **ready_end;
    bool draining;
    uint64_t now_ms;       /* when this round began */
    uint64_t next_look_ms; /* at deadlines */
    uint64_t date_s;
    char date[32];
    /* Of whose turn it is: one record on its way out in clear text, one that came in. */
    uint8_t out[H2_RECORD_BYTES], in[H2_RECORD_BYTES];
    size_t out_size, out_capacity;
};

MUST_USE bool h2_loop_start(struct h2_loop *loop, struct error *err);
/* Any thread. */
void h2_loop_add(struct h2_loop *loop, struct h2_connection *connection);
void h2_loop_wake(struct h2_loop *loop, struct h2_stream *stream);
void h2_loop_drain(struct h2_loop *loop);
void h2_loop_stop(struct h2_loop *loop); /* and joins */
/* The loop's own thread. */
void h2_loop_ready(struct h2_loop *loop, struct h2_connection *connection); /* it wants a turn */
struct bytes h2_loop_date(struct h2_loop *loop);                            /* RFC 9110 5.6.7, of now */

#endif
