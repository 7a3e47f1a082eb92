/* server/h2_stream.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * One stream of HTTP/2 carries one exchange.
 *
 *   HEAD ─► BODY ─► THINKING ─► ANSWER ─► closed            a worker at it when it closes: GONE until it
 * wakes └───────────────┴───────────┘ (what is not needed is left out)
 *
 * The thread of the connection's loop alone, but for h2_stream_kind's wake.
 */
#ifndef GANTRY_SERVER_H2_STREAM_H
#define GANTRY_SERVER_H2_STREAM_H

#include <sys/types.h>

#include "server/exchange.h"
#include "server/h2_head.h"
#include "server/pace.h"

struct h2_connection;

enum h2_stream_state {
    H2_HEAD,     /* header fields are coming */
    H2_BODY,     /* the request's body goes to the pump */
    H2_THINKING, /* a worker makes the answer */
    H2_ANSWER,   /* it is going out */
    H2_GONE,     /* closed; kept until its worker is done with it */
};

struct h2_stream {
    struct h2_connection *connection;
    struct exchange *exchange;
    struct h2_head head;
    int32_t id;
    enum h2_stream_state state;
    bool paused;             /* until woken */
    bool request_ended;      /* END_STREAM came */
    bool answer_ended;       /* END_STREAM went */
    bool cut;                /* the answer's body ended short */
    uint64_t ended_ms;       /* when END_STREAM went, ahead of the request's */
    uint64_t received, sent; /* of bodies */
    uint64_t answer_size;    /* of its body, or BODY_SIZE_UNKNOWN */
    struct pace pace;
    /* Bytes of the body that came while the pump was full: as many as the stream's window allows. */
    uint8_t *held;
    size_t held_size, held_taken, held_capacity;
    struct h2_stream *previous, *next; /* of the connection */
    struct h2_stream *next_woken;      /* of the loop, under its lock */
};

extern const struct transport_kind h2_stream_kind;

/* Stands in the connection's list and is its stream's user data. */
struct h2_stream *h2_stream_new(struct h2_connection *connection, int32_t id);
/* False: the connection is to end (see h2_head_add). */
MUST_USE bool h2_stream_field(struct h2_stream *stream, struct bytes name, struct bytes value);
void h2_stream_head_end(struct h2_stream *stream, bool request_ended);
/* Bytes of the body, 16 KiB at most. */
void h2_stream_body(struct h2_stream *stream, struct bytes data);
void h2_stream_request_end(struct h2_stream *stream);
/* Its worker is done. A GONE one is freed here. */
void h2_stream_woken(struct h2_stream *stream);
/* nghttp2 has closed it. `whole`: without an error. */
void h2_stream_closed(struct h2_stream *stream, bool whole);
/* Bytes of the answer: at most `capacity`; *ret_end: there is no more. 0 bytes and no end: later,
 * h2_stream_woken will tell. -1: it ends short. */
ssize_t h2_stream_read(struct h2_stream *stream, uint8_t *into, size_t capacity, bool *ret_end);
/* END_STREAM has gone out. */
void h2_stream_answer_ended(struct h2_stream *stream);
/* Deadlines; to be called now and then. */
void h2_stream_look(struct h2_stream *stream, uint64_t now_ms);

#endif
