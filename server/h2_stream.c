/* server/h2_stream.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Exchanges over streams; see h2_stream.h. The window that a client may fill is opened as the pump takes what
 * has come, so a slow disk slows down its own upload and no other stream of the connection.
 */
#include "server/h2_stream.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <nghttp2/nghttp2.h>

#include "base/log.h"
#include "server/dispatcher.h"
#include "server/h2_connection.h"
#include "server/h2_loop.h"

enum { RESET_AFTER_MS = 1000 };

/* ── to and from workers ── */

static void pause_stream(struct exchange *exchange)
{
    struct h2_stream *stream = exchange->carrier;

    stream->paused = true;
}

static void wake_stream(struct exchange *exchange)
{
    struct h2_stream *stream = exchange->carrier;

    h2_loop_wake(stream->connection->loop, stream);
}

static int socket_of(const struct exchange *exchange)
{
    const struct h2_stream *stream = exchange->carrier;

    return stream->connection->fd;
}

const struct transport_kind h2_stream_kind = { "HTTP/2", pause_stream, wake_stream, socket_of };

static nghttp2_session *session_of(const struct h2_stream *stream)
{
    return stream->connection->session;
}

static void reset(struct h2_stream *stream, uint32_t why)
{
    nghttp2_submit_rst_stream(session_of(stream), NGHTTP2_FLAG_NONE, stream->id, why);
}

/* ── birth and death ── */

struct h2_stream *h2_stream_new(struct h2_connection *connection, int32_t id)
{
    struct h2_stream *stream = calloc(1, sizeof *stream);

    if (!stream)
        abort();
    stream->connection = connection;
    stream->id = id;
    stream->exchange = dispatcher_exchange(connection->loop->options.dispatcher, &h2_stream_kind, stream);
    exchange_sit(stream->exchange, connection->seat);
    stream->exchange->peer = connection->tls ? tls_session_peer(connection->tls) : NULL;
    pace_restart(&stream->pace, 0, connection->loop->now_ms);
    stream->next = connection->streams;
    if (stream->next)
        stream->next->previous = stream;
    connection->streams = stream;
    connection->stream_count++;
    return stream;
}

static void drop_held(struct h2_stream *stream)
{
    h2_connection_hold(stream->connection, 0, stream->held_capacity);
    free(stream->held);
    stream->held = NULL;
    stream->held_size = stream->held_taken = stream->held_capacity = 0;
}

static void end(struct h2_stream *stream)
{
    struct h2_connection *connection = stream->connection;

    drop_held(stream);
    dispatcher_finish(stream->exchange, stream->answer_ended && !stream->cut);
    *(stream->previous ? &stream->previous->next : &connection->streams) = stream->next;
    if (stream->next)
        stream->next->previous = stream->previous;
    connection->stream_count--;
    connection->since_ms = connection->loop->now_ms; /* idle from now on, if this was the last */
    free(stream);
}

void h2_stream_closed(struct h2_stream *stream, bool whole)
{
    if (!whole && !stream->answer_ended)
        stream->cut = true;
    /* What was not handed on gives its part of the connection's window back; where the connection itself is
     * closing, there is nothing to give back to. */
    if (session_of(stream) && stream->held_size > stream->held_taken)
        nghttp2_session_consume_connection(session_of(stream), stream->held_size - stream->held_taken);
    if (!stream->paused) {
        end(stream);
        return;
    }
    /* A worker has the exchange: it is told to stop early, and the rest happens when it wakes us. */
    drop_held(stream);
    stream->state = H2_GONE;
    atomic_store(&stream->exchange->gone, true);
}

/* ── the answer ── */

/* What differs from answer to answer would only push out of the client's table what does not. */
static bool is_volatile(struct bytes lower_case_name)
{
    static const char *const names[] = { "x-request-id", "content-location", "server-timing",
                                         "content-range" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (bytes_equal_text(lower_case_name, names[i]))
            return true;
    return false;
}

static nghttp2_nv field_of(struct bytes name, struct bytes value)
{
    nghttp2_nv nv = { (uint8_t *)(uintptr_t)name.data, (uint8_t *)(uintptr_t)value.data, name.size,
                      value.size, NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE };

    if (is_volatile(name))
        nv.flags |= NGHTTP2_NV_FLAG_NO_INDEX;
    return nv;
}

static struct bytes lower(struct arena *arena, struct bytes name)
{
    uint8_t *text = arena_alloc(arena, name.size + 1);

    for (size_t i = 0; i < name.size; i++)
        text[i] = (uint8_t)(name.data[i] >= 'A' && name.data[i] <= 'Z' ? name.data[i] + 32 : name.data[i]);
    return bytes_of(text, name.size);
}

/* Belongs to HTTP/1.1 alone (RFC 9113 8.2.2). */
static bool is_of_the_connection(struct bytes lower_case_name)
{
    return bytes_equal_text(lower_case_name, "connection") ||
           bytes_equal_text(lower_case_name, "keep-alive") ||
           bytes_equal_text(lower_case_name, "transfer-encoding");
}

static ssize_t read_data(nghttp2_session *session, int32_t id, uint8_t *into, size_t capacity,
                         uint32_t *flags, nghttp2_data_source *source, void *context)
{
    (void)session, (void)id, (void)into;
    return h2_connection_load(context, source->ptr, capacity, flags);
}

static void submit_answer(struct h2_stream *stream)
{
    struct exchange *exchange = stream->exchange;
    const struct response *response = &exchange->response;
    const struct body_source *source = response->body;
    struct arena *arena = &exchange->arena;
    const bool may_have_body = response->status != 204 && response->status != 304;
    nghttp2_nv *nv = arena_array(arena, response->headers.count + 3, sizeof *nv);
    size_t count = 0;

    nv[count++] =
        field_of(bytes_of_text(":status"), bytes_of_text(arena_printf(arena, "%d", response->status)));
    for (size_t i = 0; i < response->headers.count; i++) {
        const struct bytes name = lower(arena, response->headers.list[i].name);
        if (!is_of_the_connection(name))
            nv[count++] = field_of(name, response->headers.list[i].value);
    }
    nv[count++] = field_of(bytes_of_text("date"), arena_copy(arena, h2_loop_date(stream->connection->loop)));
    const uint64_t size = !source                                   ? 0
                          : exchange->request.method == METHOD_HEAD ? source->size
                                                                    : body_pump_size(&exchange->pump);
    if (may_have_body && size != BODY_SIZE_UNKNOWN)
        nv[count++] =
            field_of(bytes_of_text("content-length"), bytes_of_text(arena_printf(arena, "%" PRIu64, size)));

    stream->answer_size = size;
    const nghttp2_data_provider body = { .source.ptr = stream, .read_callback = read_data };
    const bool has_body =
        may_have_body && source && source->size != 0 && exchange->request.method != METHOD_HEAD;
    stream->state = H2_ANSWER;
    if (nghttp2_submit_response(session_of(stream), stream->id, nv, count, has_body ? &body : NULL) != 0)
        reset(stream, NGHTTP2_INTERNAL_ERROR);
}

ssize_t h2_stream_read(struct h2_stream *stream, uint8_t *into, size_t capacity, bool *ret_end)
{
    struct body_pump *pump = &stream->exchange->pump;
    size_t got = 0;

    *ret_end = false;
    if (stream->cut)
        return -1;
    while (got < capacity && !stream->paused) {
        size_t size = 0;
        const enum pumped pumped = body_pump_out(pump, into + got, capacity - got, &size);
        if (pumped == PUMP_BYTES) {
            got += size;
            stream->sent += size;
            *ret_end = stream->sent == stream->answer_size;
        } else if (pumped == PUMP_END) {
            *ret_end = true;
        } else if (pumped == PUMP_FAILED) {
            /* What was read before goes out first. */
            stream->cut = true;
            return got ? (ssize_t)got : -1;
        }
        if (*ret_end)
            break;
    }
    return (ssize_t)got;
}

void h2_stream_answer_ended(struct h2_stream *stream)
{
    stream->answer_ended = true;
    stream->ended_ms = stream->connection->loop->now_ms;
}

/* ── the request ── */

bool h2_stream_field(struct h2_stream *stream, struct bytes name, struct bytes value)
{
    struct exchange *exchange = stream->exchange;
    struct error none = { 0 };
    const bool trailer = stream->state != H2_HEAD;

    return h2_head_add(&stream->head, &stream->connection->loop->options.head, name, value,
                       trailer ? NULL : &exchange->request, trailer ? &none : &exchange->error);
}

static void submit_continue(struct h2_stream *stream)
{
    const nghttp2_nv nv = { (uint8_t *)(uintptr_t) ":status", (uint8_t *)(uintptr_t) "100", 7, 3,
                            NGHTTP2_NV_FLAG_NONE };

    nghttp2_submit_headers(session_of(stream), NGHTTP2_FLAG_NONE, stream->id, NULL, &nv, 1, NULL);
}

/* All of the body is in the pump, or it is known already that it is refused. */
static void end_body(struct h2_stream *stream)
{
    stream->state = H2_THINKING;
    if (dispatcher_body_in(stream->exchange) == DISPATCH_ANSWER)
        submit_answer(stream);
}

void h2_stream_head_end(struct h2_stream *stream, bool request_ended)
{
    struct exchange *exchange = stream->exchange;

    stream->request_ended = request_ended;
    if (!h2_head_end(&stream->head, !request_ended, &exchange->request, &exchange->error))
        exchange->close = true;
    switch (dispatcher_begin(exchange)) {
    case DISPATCH_ANSWER:
        submit_answer(stream);
        break;
    case DISPATCH_LATER:
        stream->state = H2_THINKING;
        break;
    case DISPATCH_BODY:
        stream->state = H2_BODY;
        if (request_ended)
            end_body(stream);
        else if (request_header(&exchange->request, "expect").data)
            submit_continue(stream);
        break;
    }
}

/* Hands on what fits, and says how much that was. */
static size_t push(struct h2_stream *stream, struct bytes data)
{
    const size_t before = data.size;

    while (data.size && !stream->paused) {
        const struct bytes piece =
            bytes_of(data.data, data.size < PUMP_PIECE_BYTES ? data.size : PUMP_PIECE_BYTES);
        switch (body_pump_in(&stream->exchange->pump, piece)) {
        case PUMP_BYTES:
            data = bytes_from(data, piece.size);
            break;
        case PUMP_LATER:
            break;
        case PUMP_END:
        case PUMP_FAILED:
            /* The server is ending, or the client goes on and on with what was refused. */
            stream->cut = true;
            reset(stream, NGHTTP2_CANCEL);
            return before;
        }
    }
    nghttp2_session_consume(session_of(stream), stream->id, before - data.size);
    return before - data.size;
}

static void hold(struct h2_stream *stream, struct bytes data)
{
    if (stream->held_capacity - stream->held_size < data.size) {
        const size_t capacity = 2 * stream->held_capacity + data.size;
        uint8_t *larger = realloc(stream->held, capacity);
        if (!larger)
            abort();
        h2_connection_hold(stream->connection, capacity, stream->held_capacity);
        stream->held = larger;
        stream->held_capacity = capacity;
    }
    memcpy(stream->held + stream->held_size, data.data, data.size);
    stream->held_size += data.size;
}

/* The sink has refused the body: the client is told at once and need not send the rest. */
static bool refused_half_way(struct h2_stream *stream)
{
    return !stream->paused && !stream->cut && body_pump_in_failed(&stream->exchange->pump);
}

void h2_stream_body(struct h2_stream *stream, struct bytes data)
{
    stream->received += data.size;
    if (stream->state != H2_BODY || stream->cut) {
        /* Nobody reads it: the connection's window opens, the stream's does not. */
        nghttp2_session_consume_connection(session_of(stream), data.size);
        return;
    }
    if (!stream->paused)
        data = bytes_from(data, push(stream, data));
    if (data.size)
        hold(stream, data);
    else if (refused_half_way(stream))
        end_body(stream);
}

void h2_stream_request_end(struct h2_stream *stream)
{
    stream->request_ended = true;
    if (stream->state == H2_BODY && !stream->paused && !stream->cut)
        end_body(stream);
}

static void go_on_with_body(struct h2_stream *stream)
{
    stream->held_taken +=
        push(stream, bytes_of(stream->held + stream->held_taken, stream->held_size - stream->held_taken));
    if (stream->paused || stream->cut)
        return;
    drop_held(stream);
    if (stream->request_ended || refused_half_way(stream))
        end_body(stream);
}

void h2_stream_woken(struct h2_stream *stream)
{
    stream->paused = false;
    switch (stream->state) {
    case H2_GONE:
        end(stream);
        break;
    case H2_BODY:
        go_on_with_body(stream);
        break;
    case H2_THINKING:
        submit_answer(stream);
        break;
    case H2_ANSWER:
        nghttp2_session_resume_data(session_of(stream), stream->id);
        break;
    case H2_HEAD:
        assert(stream->state != H2_HEAD); /* nothing of a head waits for a worker */
    }
}

static bool is_stalled(struct h2_stream *stream, uint64_t now_ms)
{
    nghttp2_session *session = session_of(stream);
    const bool sends = stream->state == H2_BODY && !stream->request_ended;
    const bool reads = stream->state == H2_ANSWER && !stream->answer_ended &&
                       (nghttp2_session_get_stream_remote_window_size(session, stream->id) <= 0 ||
                        nghttp2_session_get_remote_window_size(session) <= 0);

    if (stream->paused || !(sends || reads)) {
        pace_restart(&stream->pace, stream->received + stream->sent, now_ms);
        return false;
    }
    return pace_is_too_slow(&stream->pace, &stream->connection->loop->options.pace,
                            stream->received + stream->sent, now_ms);
}

void h2_stream_look(struct h2_stream *stream, uint64_t now_ms)
{
    if (stream->state == H2_GONE)
        return;
    if (stream->answer_ended) {
        /* The answer did not wait for the rest of the request, which nobody wants (RFC 9113 8.1). Its sender
         * has been held up by the window since; the reset waits a little, because curl forgets an answer that
         * it gets together with one. */
        if (!stream->request_ended && now_ms - stream->ended_ms >= RESET_AFTER_MS)
            reset(stream, NGHTTP2_NO_ERROR);
    } else if (is_stalled(stream, now_ms)) {
        log_line(LOG_INFO, "HTTP/2: a stream is reset: its client is slower than least_rate id=%" PRIu64,
                 stream->exchange->request.id);
        reset(stream, NGHTTP2_CANCEL);
    }
}
