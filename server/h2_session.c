/* server/h2_session.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Frames; see h2_session.h.
 */
#include "server/h2_session.h"

#include <string.h>

#include "base/log.h"
#include "server/h2_connection.h"
#include "server/h2_loop.h"

enum {
    FRAME_HEAD_BYTES = H2_FRAME_HEAD_BYTES,
    SMALL_DATA_BYTES = 64, /* DATA below this counts as a frame that carries nothing */
    FRAMES_FOR_A_REQUEST = 2,
    FRAMES_FOR_A_DATA = 2, /* WINDOW_UPDATE of the stream and of the connection */
    UNDER_WAY_MS = 30000,
    QUEUE_MOST = 2000 /* frames that a client makes us owe it */
};

static struct h2_stream *stream_of(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

/* ── floods ── */

static void allow_controls(struct h2_connection *connection, unsigned count)
{
    connection->controls.left += count;
}

static void charge_reset(struct h2_connection *connection)
{
    const struct h2_loop *loop = connection->loop;

    if (!h2_allowance_take(&connection->resets, loop->options.resets_a_minute, 1, loop->now_ms))
        h2_connection_condemn(connection, NGHTTP2_ENHANCE_YOUR_CALM, "too many resets (http2_resets)");
}

/* Frames that cost us work and carry nothing. */
static void charge_frame(struct h2_connection *connection, const nghttp2_frame_hd *head)
{
    const struct h2_loop *loop = connection->loop;

    switch (head->type) {
    case NGHTTP2_HEADERS:
        allow_controls(connection, FRAMES_FOR_A_REQUEST);
        return;
    case NGHTTP2_RST_STREAM:
        charge_reset(connection);
        return;
    case NGHTTP2_DATA:
        if (head->length >= SMALL_DATA_BYTES || (head->flags & NGHTTP2_FLAG_END_STREAM))
            return;
        break;
    default:
        break;
    }
    if (!h2_allowance_take(&connection->controls, loop->options.controls_a_minute, 1, loop->now_ms))
        h2_connection_condemn(connection, NGHTTP2_ENHANCE_YOUR_CALM,
                              "too many frames that carry nothing (http2_control_frames)");
}

/* ── what nghttp2 lets pass ── */

/* Frames that were under way when we reset a stream are no fault of the client's (RFC 9113 5.1). */
static void remember_reset(struct h2_connection *connection, int32_t id)
{
    int32_t *place = &connection->reset_ids[connection->reset_count++ % H2_RESETS_REMEMBERED];

    if (*place)
        connection->forgot_ms = connection->loop->now_ms;
    *place = id;
}

static bool may_have_been_under_way(const struct h2_connection *connection, int32_t id)
{
    for (unsigned i = 0; i < H2_RESETS_REMEMBERED; i++)
        if (connection->reset_ids[i] == id)
            return true;
    return connection->forgot_ms && connection->loop->now_ms - connection->forgot_ms < UNDER_WAY_MS;
}

/* The library ignores HEADERS and DATA on streams that are no more, and all of PRIORITY but its size. */
static void check_stream(struct h2_connection *connection, const nghttp2_frame_hd *head)
{
    if (head->type == NGHTTP2_PRIORITY && head->stream_id == 0) {
        h2_connection_condemn(connection, NGHTTP2_PROTOCOL_ERROR, "PRIORITY of no stream");
        return;
    }
    if (head->type != NGHTTP2_HEADERS && head->type != NGHTTP2_DATA)
        return;
    if (head->stream_id % 2 == 0)
        return;
    if (head->stream_id > connection->last_id) {
        connection->last_id = head->type == NGHTTP2_HEADERS ? head->stream_id : connection->last_id;
    } else if (!nghttp2_session_find_stream(connection->session, head->stream_id) &&
               !may_have_been_under_way(connection, head->stream_id)) {
        h2_connection_condemn(connection, NGHTTP2_STREAM_CLOSED, "a frame on a stream that is closed");
    }
}

/* ── what comes ── */

static int begin_head(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct h2_connection *connection = context;
    const int32_t id = frame->hd.stream_id;

    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    /* nghttp2 counts the streams that are open; those that the client has reset while a worker has them count
     * here, too, or a client could reset and ask again for ever. */
    if (connection->stream_count >= connection->loop->options.streams) {
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
        return 0;
    }
    nghttp2_session_set_stream_user_data(session, id, h2_stream_new(connection, id));
    return 0;
}

static int take_field(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                      size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags, void *context)
{
    struct h2_stream *stream = stream_of(session, frame->hd.stream_id);

    (void)flags;
    if (!stream || h2_stream_field(stream, bytes_of(name, name_size), bytes_of(value, value_size)))
        return 0;
    h2_connection_condemn(context, NGHTTP2_ENHANCE_YOUR_CALM,
                          "a header section of many times http2_header_bytes");
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int take_invalid_field(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                              size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                              void *context)
{
    struct h2_stream *stream = stream_of(session, frame->hd.stream_id);

    (void)name, (void)name_size, (void)value, (void)value_size, (void)flags, (void)context;
    if (!stream)
        return 0;
    if (stream->state != H2_HEAD)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* a trailer: the stream is reset */
    h2_head_add_invalid(&stream->exchange->error);
    return 0;
}

static int end_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct h2_connection *connection = context;
    const bool end_stream = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    struct h2_stream *stream;

    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        connection->head_since_ms = 0;
        stream = stream_of(session, frame->hd.stream_id);
        if (stream && stream->state == H2_HEAD)
            h2_stream_head_end(stream, end_stream);
        else if (stream && end_stream)
            h2_stream_request_end(stream);
        break;
    case NGHTTP2_DATA:
        stream = stream_of(session, frame->hd.stream_id);
        if (stream && end_stream)
            h2_stream_request_end(stream);
        break;
    default:
        break;
    }
    return 0;
}

static int take_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t size,
                     void *context)
{
    struct h2_stream *stream = stream_of(session, id);

    (void)flags, (void)context;
    if (stream)
        h2_stream_body(stream, bytes_of(data, size));
    else
        nghttp2_session_consume_connection(session, size);
    return 0;
}

static int close_stream(nghttp2_session *session, int32_t id, uint32_t error, void *context)
{
    struct h2_stream *stream = stream_of(session, id);

    (void)context;
    if (stream)
        h2_stream_closed(stream, error == NGHTTP2_NO_ERROR);
    return 0;
}

/* ── what goes ── */

static int sent_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct h2_connection *connection = context;

    switch (frame->hd.type) {
    case NGHTTP2_DATA:
        allow_controls(connection, FRAMES_FOR_A_DATA);
        __attribute__((fallthrough));
    case NGHTTP2_HEADERS:
        if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
            struct h2_stream *stream = stream_of(session, frame->hd.stream_id);
            if (stream)
                h2_stream_answer_ended(stream);
        }
        break;
    case NGHTTP2_RST_STREAM:
        remember_reset(connection, frame->hd.stream_id);
        /* Also a change of SETTINGS can make a window overflow, and then it is the connection's error (RFC
         * 9113 6.9.2). */
        if (frame->rst_stream.error_code == NGHTTP2_FLOW_CONTROL_ERROR)
            h2_connection_condemn(connection, NGHTTP2_FLOW_CONTROL_ERROR, "a window overflows");
        /* A client can make us reset streams as well as do it itself. */
        if (frame->rst_stream.error_code != NGHTTP2_NO_ERROR &&
            frame->rst_stream.error_code != NGHTTP2_INTERNAL_ERROR)
            charge_reset(connection);
        break;
    default:
        break;
    }
    return 0;
}

/* The payload lies in the record already, behind the room for its head; see h2_connection_load. */
static int place_frame_head(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t size,
                            nghttp2_data_source *source, void *context)
{
    struct h2_loop *loop = ((struct h2_connection *)context)->loop;

    (void)session, (void)frame, (void)source;
    memcpy(loop->out + loop->out_size, head, FRAME_HEAD_BYTES);
    loop->out_size += FRAME_HEAD_BYTES + size;
    return 0;
}

static int note_error(nghttp2_session *session, int code, const char *message, size_t size, void *context)
{
    (void)session, (void)context;
    log_line(LOG_DEBUG, "HTTP/2: %s: %.*s", nghttp2_strerror(code), (int)size, message);
    return 0;
}

/* ── sessions ── */

bool h2_session_prepare(const struct transport_h2_options *options, nghttp2_session_callbacks **ret_callbacks,
                        nghttp2_option **ret_option, struct error *err)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;

    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        return error_set(err, FAULT_BUSY, "no memory for HTTP/2");
    if (nghttp2_option_new(&option) != 0) {
        nghttp2_session_callbacks_del(callbacks);
        return error_set(err, FAULT_BUSY, "no memory for HTTP/2");
    }
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, begin_head);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, take_field);
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, take_invalid_field);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, end_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, take_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, close_stream);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, sent_frame);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, place_frame_head);
    nghttp2_session_callbacks_set_error_callback2(callbacks, note_error);

    nghttp2_option_set_no_auto_window_update(option, 1); /* a window opens as the pump empties */
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_builtin_recv_extension_type(option, NGHTTP2_PRIORITY_UPDATE);
    /* Ours is the limit that is met first, so that the client hears of it (ENHANCE_YOUR_CALM). */
    nghttp2_option_set_stream_reset_rate_limit(option, 2 * (uint64_t)options->resets_a_minute,
                                               1 + options->resets_a_minute / 30);
    *ret_callbacks = callbacks;
    *ret_option = option;
    return true;
}

bool h2_session_open(struct h2_connection *connection)
{
    struct h2_loop *loop = connection->loop;
    const struct transport_h2_options *options = &loop->options;
    const nghttp2_settings_entry settings[] = {
        { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, options->streams },
        { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, options->stream_window_bytes },
        { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)options->head.bytes },
        { NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 }, /* RFC 9218's instead */
    };

    connection->resets = (struct h2_allowance){ options->resets_a_minute, loop->now_ms };
    connection->skip = NGHTTP2_CLIENT_MAGIC_LEN;
    connection->controls = (struct h2_allowance){ options->controls_a_minute, loop->now_ms };
    return nghttp2_session_server_new2(&connection->session, loop->callbacks, connection,
                                       loop->library_options) == 0 &&
           nghttp2_submit_settings(connection->session, NGHTTP2_FLAG_NONE, settings,
                                   sizeof settings / sizeof settings[0]) == 0 &&
           nghttp2_session_set_local_window_size(connection->session, NGHTTP2_FLAG_NONE, 0,
                                                 (int32_t)options->connection_window_bytes) == 0;
}

/* ── frames, one by one ── */

static void feed(struct h2_connection *connection, struct bytes data)
{
    if (!data.size || connection->condemned)
        return;
    const ssize_t taken = nghttp2_session_mem_recv(connection->session, data.data, data.size);
    if (connection->condemned)
        return;
    if (taken == NGHTTP2_ERR_BAD_CLIENT_MAGIC)
        h2_connection_condemn(connection, NGHTTP2_PROTOCOL_ERROR, "no preface of HTTP/2");
    else if (taken < 0)
        h2_connection_condemn(connection, NGHTTP2_ENHANCE_YOUR_CALM, nghttp2_strerror((int)taken));
}

/* A frame is about to begin, and the library knows all that came before. */
static void look_at_frame(struct h2_connection *connection, const uint8_t head[FRAME_HEAD_BYTES])
{
    const nghttp2_frame_hd frame = {
        .length = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2],
        .type = head[3],
        .flags = head[4],
        .stream_id = (int32_t)(((uint32_t)head[5] & 0x7F) << 24 | (uint32_t)head[6] << 16 |
                               (uint32_t)head[7] << 8 | head[8]),
    };

    connection->skip = frame.length;
    connection->greeted = true;
    /* CONTINUATION belongs to the section that HEADERS began. */
    if (frame.type == NGHTTP2_HEADERS)
        connection->head_since_ms = connection->loop->now_ms;
    charge_frame(connection, &frame);
    check_stream(connection, &frame);
}

/* The library tells nothing of frames that it ignores, so their heads are looked at here, where each of them
 * begins. */
void h2_session_receive(struct h2_connection *connection, struct bytes record)
{
    size_t fed = 0, at = 0;

    while (at < record.size && !connection->condemned) {
        const size_t left = record.size - at;
        if (connection->skip) {
            const size_t step = connection->skip < left ? connection->skip : left;
            connection->skip -= step;
            at += step;
            continue;
        }
        const size_t begins = at, lacks = FRAME_HEAD_BYTES - connection->head_size;
        const size_t step = lacks < left ? lacks : left;
        memcpy(connection->head + connection->head_size, record.data + at, step);
        connection->head_size += step;
        at += step;
        if (connection->head_size < FRAME_HEAD_BYTES)
            break;
        connection->head_size = 0;
        feed(connection, bytes_of(record.data + fed, begins - fed));
        fed = begins;
        if (!connection->condemned)
            look_at_frame(connection, connection->head);
    }
    feed(connection, bytes_from(record, fed));
    if (!connection->condemned && nghttp2_session_get_outbound_queue_size(connection->session) > QUEUE_MOST)
        h2_connection_condemn(connection, NGHTTP2_ENHANCE_YOUR_CALM, "it asks and does not read");
}
