/* server/h2_connection.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * One connection of HTTP/2: TLS below, nghttp2 above, streams beside. The loop's thread alone, but for
 * h2_connection_new.
 *
 *   HANDSHAKE ─► OPEN ─► LINGERING (all is said; what still comes is dropped) ─► CLOSED (a worker may still
 * have a stream)
 */
#ifndef GANTRY_SERVER_H2_CONNECTION_H
#define GANTRY_SERVER_H2_CONNECTION_H

#include <gnutls/gnutls.h>
#include <nghttp2/nghttp2.h>

#include "server/h2_stream.h"
#include "server/pace.h"
#include "server/record_pull.h"
#include "server/tls_context.h"

struct h2_loop;
struct seat;

enum h2_phase { H2_HANDSHAKE, H2_OPEN, H2_LINGERING, H2_CLOSED };

enum { H2_RESETS_REMEMBERED = 64, H2_FRAME_HEAD_BYTES = 9 };

/* So many at once, and so many a minute. */
struct h2_allowance {
    double left;
    uint64_t since_ms;
};

struct h2_connection {
    struct h2_loop *loop;
    int fd;
    enum h2_phase phase;
    gnutls_session_t gnutls;
    struct record_pull pull;
    struct tls_session *tls;
    struct seat *seat;
    nghttp2_session *session;
    struct h2_stream *streams;
    unsigned stream_count;                 /* those included that are GONE */
    struct h2_connection *previous, *next; /* of the loop */
    struct h2_connection *next_ready;
    bool is_ready;
    bool readable, writable; /* as far as is known */
    bool blocked;            /* GnuTLS has a record that the socket would not take */
    bool ended;              /* the client has closed its side, or the socket is broken */
    bool condemned;          /* its GOAWAY for cause is in the queue */
    bool greeted;            /* the client's first frame has begun */
    bool going_away;         /* the last GOAWAY is out */
    const uint8_t
        *rest; /* of a frame that did not fit the last record; nghttp2's, until it is asked for more */
    size_t rest_size;
    uint64_t since_ms;      /* in this phase; in OPEN: without a stream */
    uint64_t head_since_ms; /* a header section is under way, 0: none */
    uint64_t drained_ms;    /* the first GOAWAY went out, 0: not yet */
    uint64_t written;       /* bytes given to TLS */
    struct pace pace;
    size_t held, dropped;              /* bytes of request bodies that wait; dropped while lingering */
    size_t skip;                       /* bytes of the client's until its next frame begins */
    uint8_t head[H2_FRAME_HEAD_BYTES]; /* of that frame, as far as it has come */
    size_t head_size;
    struct h2_allowance resets, controls;
    int32_t last_id;                         /* of the client's streams */
    int32_t reset_ids[H2_RESETS_REMEMBERED]; /* streams that we have reset; 0: none */
    unsigned reset_count;
    uint64_t forgot_ms; /* when one fell out of the list, 0: never */
};

/* `fd`, `gnutls`, `tls` and `seat` become its own; not yet the loop's. Any thread. */
struct h2_connection *h2_connection_new(struct h2_loop *loop, int fd, gnutls_session_t gnutls,
                                        struct tls_session *tls, struct seat *seat);
/* Reads, works, writes, within bounds. False: it is no more. */
MUST_USE bool h2_connection_turn(struct h2_connection *connection);
/* Deadlines; to be called now and then, followed by a turn when it returns true. */
MUST_USE bool h2_connection_look(struct h2_connection *connection);
/* Asks the client to go elsewhere; to be followed by a turn. */
void h2_connection_drain(struct h2_connection *connection);
/* At once, whatever is under way; a stream that a worker has keeps it in memory. */
void h2_connection_cut(struct h2_connection *connection);
/* When the last stream of a CLOSED one has ended. */
void h2_connection_free(struct h2_connection *connection);

/* ── for sessions and streams ── */

/* The connection's fault: GOAWAY with `error`, a line in the log; `setting`: the limit that was met, or NULL.
 */
void h2_connection_condemn(struct h2_connection *connection, uint32_t error, const char *what);
/* Puts the next DATA frame of the stream into the record that is being filled; a read callback of nghttp2. */
ssize_t h2_connection_load(struct h2_connection *connection, struct h2_stream *stream, size_t capacity,
                           uint32_t *flags);
/* Bytes of bodies that wait: `more` instead of `less`. */
void h2_connection_hold(struct h2_connection *connection, size_t more, size_t less);

/* Takes `cost` of what is left; false: there was not as much. */
MUST_USE bool h2_allowance_take(struct h2_allowance *allowance, unsigned a_minute, double cost,
                                uint64_t now_ms);

#endif
