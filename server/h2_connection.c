/* server/h2_connection.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Connections; see h2_connection.h.
 *
 * Frames are packed into full records of TLS: what nghttp2 has to say, and the bytes of bodies, are collected
 * in the loop's `out` and given to GnuTLS 16 KiB at a time; many small answers cost one record and one system
 * call. Bytes of bodies are read straight into their place there. Once GnuTLS has a record, `out` is free
 * again, also when the socket is full: the record then waits in the session.
 */
#include "server/h2_connection.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/log.h"
#include "server/clients.h"
#include "server/h2_loop.h"
#include "server/h2_session.h"

enum {
    FRAME_HEAD_BYTES = H2_FRAME_HEAD_BYTES,
    LEAST_ROOM_BYTES = 256, /* a DATA frame is not begun in less */
    RECORDS_A_TURN = 16,    /* each way; then the others have theirs */
    SECOND_GOAWAY_MS = 500, /* requests on their way when the first one went out have arrived by then */
    LINGER_MS = 3000,
    LINGER_BYTES = 16 << 20,
};

bool h2_allowance_take(struct h2_allowance *allowance, unsigned a_minute, double cost, uint64_t now_ms)
{
    allowance->left += (double)(now_ms - allowance->since_ms) * a_minute / 60000;
    allowance->since_ms = now_ms;
    if (allowance->left > a_minute)
        allowance->left = a_minute;
    if (allowance->left < cost)
        return false;
    allowance->left -= cost;
    return true;
}

struct h2_connection *h2_connection_new(struct h2_loop *loop, int fd, gnutls_session_t gnutls,
                                        struct tls_session *tls, struct seat *seat)
{
    struct h2_connection *connection = calloc(1, sizeof *connection);

    if (!connection)
        abort();
    connection->loop = loop;
    connection->fd = fd;
    connection->gnutls = gnutls;
    record_pull_prepare(&connection->pull, gnutls, fd);
    connection->tls = tls;
    connection->seat = seat;
    /* An edge tells of what comes from now on; the ClientHello is there already. */
    connection->readable = connection->writable = true;
    return connection;
}

void h2_connection_free(struct h2_connection *connection)
{
    assert(!connection->streams && connection->fd < 0);
    tls_session_done(connection->tls);
    clients_leave(connection->seat);
    free(connection);
}

void h2_connection_hold(struct h2_connection *connection, size_t more, size_t less)
{
    connection->held += more - less;
    atomic_fetch_add_explicit(connection->loop->held, more - less, memory_order_relaxed);
}

/* ── the end ── */

void h2_connection_cut(struct h2_connection *connection)
{
    struct h2_stream *next;

    if (connection->phase == H2_CLOSED)
        return;
    connection->phase = H2_CLOSED;
    if (connection->session)
        nghttp2_session_del(connection->session);
    connection->session = NULL;
    connection->rest = NULL;
    connection->rest_size = 0;
    for (struct h2_stream *stream = connection->streams; stream; stream = next) {
        next = stream->next;
        if (stream->state != H2_GONE)
            h2_stream_closed(stream, false);
    }
    gnutls_deinit(connection->gnutls);
    file_close(connection->fd);
    connection->fd = -1;
}

/* All is said: says so, and waits for the client to hear it, because unread bytes would make the kernel
 * answer with a reset that overtakes our last words. */
static void linger(struct h2_connection *connection)
{
    gnutls_bye(connection->gnutls, GNUTLS_SHUT_WR);
    shutdown(connection->fd, SHUT_WR);
    connection->phase = H2_LINGERING;
    connection->since_ms = connection->loop->now_ms;
}

static void drop_what_comes(struct h2_connection *connection)
{
    while (connection->readable && !connection->ended) {
        const ssize_t got =
            recv(connection->fd, connection->loop->in, sizeof connection->loop->in, MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            connection->readable = false;
        else if (got <= 0 || (connection->dropped += (size_t)got) > LINGER_BYTES)
            connection->ended = true;
    }
}

void h2_connection_condemn(struct h2_connection *connection, uint32_t error, const char *what)
{
    if (connection->condemned)
        return;
    connection->condemned = true;
    log_line(LOG_INFO, "HTTP/2: a connection is closed: %s", what);
    nghttp2_session_terminate_session(connection->session, error);
}

void h2_connection_drain(struct h2_connection *connection)
{
    if (connection->phase != H2_OPEN || connection->drained_ms)
        return;
    nghttp2_submit_shutdown_notice(connection->session);
    connection->drained_ms = connection->loop->now_ms;
}

static void drain_for_good(struct h2_connection *connection)
{
    nghttp2_submit_goaway(connection->session, NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(connection->session), NGHTTP2_NO_ERROR,
                          NULL, 0);
    connection->going_away = true;
}

/* ── the handshake ── */

static bool speaks_h2(const struct h2_connection *connection)
{
    gnutls_datum_t protocol = { 0 };

    return gnutls_alpn_get_selected_protocol(connection->gnutls, &protocol) == 0 &&
           bytes_equal_text(bytes_of(protocol.data, protocol.size), "h2");
}

static void shake_hands(struct h2_connection *connection)
{
    int outcome;

    do
        outcome = gnutls_handshake(connection->gnutls);
    while (outcome == GNUTLS_E_INTERRUPTED || outcome == GNUTLS_E_WARNING_ALERT_RECEIVED);
    if (outcome == GNUTLS_E_AGAIN) {
        connection->readable = connection->writable = false;
        return;
    }
    if (outcome != 0) {
        log_line(LOG_DEBUG, "HTTP/2: the handshake failed: %s", gnutls_strerror(outcome));
        linger(connection);
        return;
    }
    if (!speaks_h2(connection) || !h2_session_open(connection)) {
        connection->ended = true;
        return;
    }
    connection->phase = H2_OPEN;
    connection->since_ms = connection->loop->now_ms;
    pace_restart(&connection->pace, 0, connection->loop->now_ms);
    if (connection->loop->draining)
        h2_connection_drain(connection);
}

/* ── records in ── */

/* Bodies that no worker can take yet are kept, in all connections together only up to a bound: then those who
 * send them wait, whatever else they want. */
static bool must_hold_back(const struct h2_connection *connection)
{
    return connection->held && atomic_load_explicit(connection->loop->held, memory_order_relaxed) >
                                   connection->loop->options.held_bytes;
}

static void receive(struct h2_connection *connection)
{
    struct h2_loop *loop = connection->loop;

    for (unsigned i = 0; i < RECORDS_A_TURN && connection->readable && !must_hold_back(connection); i++) {
        const ssize_t got = gnutls_record_recv(connection->gnutls, loop->in, sizeof loop->in);
        if (got > 0) {
            h2_session_receive(connection, bytes_of(loop->in, (size_t)got));
        } else if (got == GNUTLS_E_AGAIN) {
            connection->readable = false;
        } else if (got != GNUTLS_E_INTERRUPTED && got != GNUTLS_E_WARNING_ALERT_RECEIVED) {
            connection->ended = true;
            return;
        }
        if (!nghttp2_session_want_read(connection->session))
            return;
    }
}

/* ── records out ── */

ssize_t h2_connection_load(struct h2_connection *connection, struct h2_stream *stream, size_t capacity,
                           uint32_t *flags)
{
    struct h2_loop *loop = connection->loop;
    const size_t room = loop->out_capacity - loop->out_size;
    bool end;

    if (loop->out_size && room < LEAST_ROOM_BYTES)
        return NGHTTP2_ERR_PAUSE; /* first the record goes out */
    if (capacity > room - FRAME_HEAD_BYTES)
        capacity = room - FRAME_HEAD_BYTES;
    const ssize_t got = h2_stream_read(stream, loop->out + loop->out_size + FRAME_HEAD_BYTES, capacity, &end);
    if (got < 0)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* RST_STREAM INTERNAL_ERROR */
    if (got == 0 && !end)
        return NGHTTP2_ERR_DEFERRED;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY | (end ? NGHTTP2_DATA_FLAG_EOF : 0);
    return got;
}

/* Collects frames until the record is full or there are no more. */
static void fill(struct h2_connection *connection)
{
    struct h2_loop *loop = connection->loop;

    while (loop->out_size < loop->out_capacity) {
        if (!connection->rest_size) {
            const ssize_t got = nghttp2_session_mem_send(connection->session, &connection->rest);
            if (got <= 0) {
                connection->ended |= got < 0;
                return;
            }
            connection->rest_size = (size_t)got;
        }
        const size_t room = loop->out_capacity - loop->out_size;
        const size_t size = connection->rest_size < room ? connection->rest_size : room;
        memcpy(loop->out + loop->out_size, connection->rest, size);
        loop->out_size += size;
        connection->rest += size;
        connection->rest_size -= size;
    }
}

/* False: not now, or never. */
static bool give_to_tls(struct h2_connection *connection, const uint8_t *data, size_t size)
{
    ssize_t sent;

    do
        sent = gnutls_record_send(connection->gnutls, data, size);
    while (sent == GNUTLS_E_INTERRUPTED);
    connection->blocked = sent == GNUTLS_E_AGAIN;
    if (connection->blocked)
        connection->writable = false;
    else if (sent < 0)
        connection->ended = true;
    return sent >= 0;
}

static void transmit(struct h2_connection *connection)
{
    struct h2_loop *loop = connection->loop;
    const size_t most = gnutls_record_get_max_size(connection->gnutls);

    if (connection->blocked && !give_to_tls(connection, NULL, 0))
        return;
    /* A client may have asked for smaller records. */
    loop->out_capacity = most < sizeof loop->out ? most : sizeof loop->out;
    for (unsigned i = 0; i < RECORDS_A_TURN && !connection->ended; i++) {
        loop->out_size = 0;
        fill(connection);
        if (!loop->out_size)
            return;
        connection->written += loop->out_size;
        if (!give_to_tls(connection, loop->out, loop->out_size))
            return;
    }
}

/* ── turns ── */

static bool has_more_to_do(const struct h2_connection *connection)
{
    return connection->phase == H2_OPEN &&
           ((connection->readable && !must_hold_back(connection)) ||
            (!connection->blocked &&
             (connection->rest_size || nghttp2_session_want_write(connection->session))));
}

bool h2_connection_turn(struct h2_connection *connection)
{
    if (connection->phase == H2_HANDSHAKE)
        shake_hands(connection);
    if (connection->phase == H2_OPEN) {
        if (!connection->ended)
            receive(connection);
        if (!connection->ended)
            transmit(connection);
        if (!connection->ended && !connection->blocked && !connection->rest_size &&
            !nghttp2_session_want_read(connection->session) &&
            !nghttp2_session_want_write(connection->session))
            linger(connection);
    }
    if (connection->phase == H2_LINGERING)
        drop_what_comes(connection);
    if (connection->ended) {
        h2_connection_cut(connection);
        return false;
    }
    if (has_more_to_do(connection))
        h2_loop_ready(connection->loop, connection);
    return true;
}

/* ── deadlines ── */

static bool overdue(const struct h2_connection *connection, uint64_t since_ms, unsigned allowed_ms)
{
    return connection->loop->now_ms - since_ms >= allowed_ms;
}

static void look_at_streams(struct h2_connection *connection)
{
    for (struct h2_stream *stream = connection->streams; stream; stream = stream->next)
        h2_stream_look(stream, connection->loop->now_ms);
}

static void look_at_open(struct h2_connection *connection)
{
    const struct transport_h2_options *options = &connection->loop->options;
    const uint64_t now_ms = connection->loop->now_ms;

    if (connection->blocked) {
        if (pace_is_too_slow(&connection->pace, &options->pace, connection->written, now_ms))
            connection->ended = true;
    } else {
        pace_restart(&connection->pace, connection->written, now_ms);
    }
    if (connection->head_since_ms && overdue(connection, connection->head_since_ms, options->head_timeout_ms))
        h2_connection_condemn(connection, NGHTTP2_ENHANCE_YOUR_CALM, "a header section took too long");
    else if (!connection->greeted && overdue(connection, connection->since_ms, options->head_timeout_ms))
        connection->ended = true;
    else if (!connection->streams && overdue(connection, connection->since_ms, options->idle_timeout_ms))
        nghttp2_session_terminate_session(connection->session, NGHTTP2_NO_ERROR);
    else if (connection->drained_ms && !connection->going_away &&
             overdue(connection, connection->drained_ms, SECOND_GOAWAY_MS))
        drain_for_good(connection);
    else
        look_at_streams(connection);
}

bool h2_connection_look(struct h2_connection *connection)
{
    switch (connection->phase) {
    case H2_HANDSHAKE:
        connection->ended |=
            overdue(connection, connection->since_ms, connection->loop->options.head_timeout_ms);
        return connection->ended;
    case H2_OPEN:
        look_at_open(connection);
        return connection->ended || nghttp2_session_want_write(connection->session) ||
               !nghttp2_session_want_read(connection->session);
    case H2_LINGERING:
        connection->ended |= overdue(connection, connection->since_ms, LINGER_MS);
        return connection->ended;
    case H2_CLOSED:
        break;
    }
    return false;
}
