/* server/transport_mhd.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * libmicrohttpd 0.9.75, and what it demands:
 *
 * - polling threads: its epoll mode burns a core on a stalled TLS handshake;
 * - no bodies from file descriptors under TLS (4 KiB at a time); one buffer, or a callback with blocks of 64
 * KiB, sent in one call (record_send.h);
 * - pause only on the connection's own thread, in the access handler or the content reader, before a worker
 * is told;
 * - upload bytes are taken whole, or the connection is paused and they are offered again; most go past the
 * library, which sees a body in chunks where the client said a length (record_guard.h);
 * - paused connections neither time out nor notice the client leaving, and must all be woken before stopping;
 * - an answer in the first call of a request closes the connection, nothing more is read, and no 100 is sent:
 * right for a body that is refused and for messages whose end is in doubt (framing.h). All else is answered
 * in the last call. What the client goes on sending then is farewell.h's.
 */
#include "server/transport_mhd.h"

#include <assert.h>
#include <gnutls/abstract.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "server/dispatcher.h"
#include "server/framing.h"
#include "server/no_delay.h"
#include "server/record_guard.h"
#include "server/record_pull.h"
#include "server/record_send.h"
#include "server/farewell.h"
#include "server/clients.h"
#include "server/tls_context.h"
#include "server/watch.h"

enum {
    CONNECTION_MEMORY_BYTES = 32 * 1024, /* more costs on each request */
    FIELD_BYTES = 64,                    /* that the library notes down for each header field */
    ANSWER_HEAD_BYTES = 4096,
    BODY_BLOCK_BYTES = 64 * 1024,
    VALUE_ROOM_BYTES = 1024
};

struct transport_mhd {
    struct MHD_Daemon *daemon;
    struct dispatcher *dispatcher;
    struct tls_context *tls;
    struct farewell *farewell;
    struct framing_limits limits;
    struct watch *watch;
    pthread_mutex_t lock;
    struct connection *arriving; /* lock */
    pthread_cond_t arrived;      /* the last of those has */
};

/* The library keeps a pointer to it as the socket's context. */
struct connection {
    int fd;
    struct seat *seat;
    struct watched watched;
    struct connection *next;    /* of those that are arriving */
    struct tls_session *tls;    /* NULL without TLS */
    struct record_guard *guard; /* NULL without TLS */
    struct record_pull pull;
    uint64_t requests; /* begun so far */
    bool linger;       /* its last answer was sent before all of the request had come */
    bool waits;        /* for 100-continue */
};

static struct connection *connection_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

/* Whose turn it is from now on; see watch.h. */
static void set_turn(struct MHD_Connection *connection, enum watch_turn turn)
{
    struct connection *own = connection_of(connection);

    if (own)
        watch_set(&own->watched, turn);
}

static void pause_connection(struct exchange *exchange)
{
    set_turn(exchange->carrier, WATCH_SERVER);
    MHD_suspend_connection(exchange->carrier);
}

static void wake_connection(struct exchange *exchange)
{
    MHD_resume_connection(exchange->carrier);
}

static int socket_of(const struct exchange *exchange)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(exchange->carrier, MHD_CONNECTION_INFO_CONNECTION_FD);

    return info ? info->connect_fd : -1;
}

static const struct transport_kind transport_mhd_kind = { "HTTP/1.1", pause_connection, wake_connection,
                                                          socket_of };

/* exchange->carrier_state */
enum { FIRST_CALL, LATER_CALL, ANSWERED_EARLY };

/* ── the request ── */

/* The request line is in; the target as it came, before the library decodes anything. What comes back is the
 * exchange in every later call. */
static void *begin_request(void *context, const char *target, struct MHD_Connection *connection)
{
    struct transport_mhd *transport = context;
    struct exchange *exchange = dispatcher_exchange(transport->dispatcher, &transport_mhd_kind, connection);

    exchange->request.target = arena_copy(&exchange->arena, bytes_of_text(target));
    set_turn(connection, WATCH_HEAD);
    return exchange;
}

static enum MHD_Result add_field(void *context, enum MHD_ValueKind kind, const char *name, size_t name_size,
                                 const char *value, size_t value_size)
{
    struct exchange *exchange = context;
    struct arena *arena = &exchange->arena;

    (void)kind;
    /* Copied: a worker may look at them when the connection is no more. */
    fields_add(&exchange->request.headers, arena, arena_copy(arena, bytes_of(name, name_size)),
               arena_copy(arena, bytes_of(value, value ? value_size : 0)));
    return MHD_YES;
}

static void lower_names(struct fields *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        uint8_t *name =
            (uint8_t *)(uintptr_t)fields->list[i].name.data; /* the arena's copy, ours to change */
        for (size_t k = 0; k < fields->list[i].name.size; k++)
            if (name[k] >= 'A' && name[k] <= 'Z')
                name[k] = (uint8_t)(name[k] + 32);
    }
}

/* Who is at the other end, by its client certificate, or NULL. */
static const struct tls_peer *peer_of(struct MHD_Connection *connection)
{
    const struct connection *own = connection_of(connection);

    return own && own->tls ? tls_session_peer(own->tls) : NULL;
}

/* Of a head that has both, the coding is the guard's, and the last field: it refuses clients who say both. */
static void drop_own_coding(struct fields *fields)
{
    static const char *const names[] = { "content-length", "transfer-encoding" };
    bool found[COUNT_OF(names)] = { false };

    for (size_t i = 0; i < fields->count; i++)
        for (size_t n = 0; n < COUNT_OF(names); n++)
            found[n] |= bytes_equal_nocase(fields->list[i].name, bytes_of_text(names[n]));
    if (found[0] && found[1])
        fields->count--;
}

static uint8_t *room_of_pump(void *exchange, size_t *ret_size)
{
    return body_pump_room(&((struct exchange *)exchange)->pump, ret_size);
}

static void fill_pump(void *exchange, size_t size)
{
    body_pump_filled(&((struct exchange *)exchange)->pump, size);
}

static enum dispatched begin(struct exchange *exchange, struct MHD_Connection *connection, const char *method,
                             const char *version)
{
    const struct record_sink sink = { room_of_pump, fill_pump, exchange };
    struct request *request = &exchange->request;
    struct connection *own = connection_of(connection);

    request->method = method_parse(bytes_of_text(method));
    own->requests++;
    exchange->peer = peer_of(connection);
    exchange_sit(exchange, own->seat);
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, add_field, exchange);
    if (own->guard)
        drop_own_coding(&request->headers);
    if ((own->guard && !record_guard_check(own->guard, own->requests, &exchange->error)) ||
        !framing_check(bytes_of_text(version), &request->headers, &request->content_length,
                       &exchange->error)) {
        exchange->close = true;
        request->content_length = BODY_SIZE_UNKNOWN;
    }
    lower_names(&request->headers);
    const enum dispatched next = dispatcher_begin(exchange);
    if (next == DISPATCH_BODY && own->guard)
        record_guard_begin_lane(own->guard, own->requests, &sink);
    return next;
}

/* ── the answer ── */

static ssize_t read_body(void *context, uint64_t position, char *into, size_t capacity)
{
    struct exchange *exchange = context;
    size_t size = 0;

    (void)position;
    switch (body_pump_out(&exchange->pump, into, capacity, &size)) {
    case PUMP_BYTES:
        set_turn(exchange->carrier, WATCH_ANSWER);
        return (ssize_t)size;
    case PUMP_LATER:
        return 0;
    case PUMP_END:
        return MHD_CONTENT_READER_END_OF_STREAM;
    case PUMP_FAILED:
        break;
    }
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

static ssize_t read_nothing(void *context, uint64_t position, char *into, size_t capacity)
{
    (void)context, (void)position, (void)into, (void)capacity;
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

static struct MHD_Response *response_of(struct bytes body)
{
    return MHD_create_response_from_buffer(body.size, (void *)(uintptr_t)body.data, MHD_RESPMEM_PERSISTENT);
}

/* Headers alone, which tell of a body of `size` bytes. */
static struct MHD_Response *response_without_body(uint64_t size)
{
    struct MHD_Response *response = MHD_create_response_from_callback(size, 1024, read_nothing, NULL, NULL);

    /* In chunks the library sends the last one even if there is no body: so neither chunks nor another
     * request. */
    if (response && size == BODY_SIZE_UNKNOWN)
        MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    return response;
}

/* *ret_whole: all of the body is in memory and goes out behind the head. */
static struct MHD_Response *make_response(struct exchange *exchange, bool *ret_whole)
{
    const struct body_source *source = exchange->response.body;
    const int status = exchange->response.status;

    static_assert(BODY_SIZE_UNKNOWN == MHD_SIZE_UNKNOWN, "sizes agree");
    /* The library says Content-Length: 0 in a 304, which is not the length of what the client has; caches are
     * told not to believe a length there (RFC 9111 3.2), and there is no way to leave it out and keep the
     * connection. */
    if (!source || source->size == 0 || status == 204 || status == 304)
        return response_of(bytes_of(NULL, 0));
    if (exchange->request.method == METHOD_HEAD)
        return response_without_body(source->size);
    const struct bytes whole = body_pump_whole(&exchange->pump);
    *ret_whole = whole.data != NULL;
    if (*ret_whole)
        return response_of(whole);
    return MHD_create_response_from_callback(source->size, BODY_BLOCK_BYTES, read_body, exchange, NULL);
}

static bool add_header(struct MHD_Response *response, struct arena *arena, const struct field *field)
{
    char name[64], room[VALUE_ROOM_BYTES];
    const char *value = room;

    if (field->name.size >= sizeof name)
        return false;
    memcpy(name, field->name.data, field->name.size);
    name[field->name.size] = '\0';
    if (field->value.size < sizeof room) {
        memcpy(room, field->value.data, field->value.size);
        room[field->value.size] = '\0';
    } else {
        value = arena_text(arena, field->value);
    }
    return MHD_add_response_header(response, name, value) == MHD_YES;
}

static void expect_body(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);

    if (info && info->tls_session)
        record_send_expect_body(info->tls_session);
}

static enum MHD_Result send_answer(struct exchange *exchange, struct MHD_Connection *connection)
{
    bool whole = false;
    struct MHD_Response *response = make_response(exchange, &whole);

    if (!response)
        return MHD_NO;
    for (size_t i = 0; i < exchange->response.headers.count; i++)
        if (!add_header(response, &exchange->arena, &exchange->response.headers.list[i]))
            log_line(LOG_ERROR, "a header field cannot be sent: %.*s",
                     BYTES_ARG(exchange->response.headers.list[i].name));
    if (exchange->close || dispatcher_draining(exchange->dispatcher))
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    const enum MHD_Result queued =
        MHD_queue_response(connection, (unsigned)exchange->response.status, response);
    if (whole && queued == MHD_YES)
        expect_body(connection);
    MHD_destroy_response(response);
    set_turn(connection, WATCH_ANSWER);
    return queued;
}

static enum dispatched end_body(struct exchange *exchange, const struct connection *own)
{
    struct error error = { 0 };

    if (own->guard)
        record_guard_end_lane(own->guard);
    if (own->guard && !record_guard_check_body(own->guard, own->requests, &error)) {
        exchange->close = true;
        body_pump_break(&exchange->pump, &error);
    }
    return dispatcher_body_in(exchange);
}

static void take_note(struct connection *own, size_t size)
{
    if (own->guard)
        record_guard_taken(own->guard, size);
}

/* Called when the headers are in, for each piece of the body, once behind it, and whenever a paused one goes
 * on. */
static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **of_request)
{
    struct exchange *exchange = *of_request;
    enum dispatched next = DISPATCH_ANSWER;

    (void)context, (void)url;
    if (exchange->carrier_state == FIRST_CALL) {
        if (!exchange->begun && begin(exchange, connection, method, version) == DISPATCH_LATER)
            return MHD_YES; /* the first call will be repeated */
        exchange->carrier_state = LATER_CALL;
        set_turn(connection, WATCH_BODY);
        /* Nothing but the message's end is still to come: an answer now would cost the connection. */
        if (exchange->request.content_length == 0 || !exchange->answered)
            return MHD_YES;
        exchange->carrier_state = ANSWERED_EARLY;
    } else if (!exchange->answered && *upload_size) {
        switch (body_pump_in(&exchange->pump, bytes_of(upload, *upload_size))) {
        case PUMP_BYTES:
            take_note(connection_of(connection), *upload_size);
            *upload_size = 0;
            set_turn(connection, WATCH_BODY);
            return MHD_YES;
        case PUMP_LATER:
            return MHD_YES;
        case PUMP_END:
        case PUMP_FAILED:
            return MHD_NO;
        }
    } else if (!exchange->answered) {
        next = end_body(exchange, connection_of(connection));
    }
    return next == DISPATCH_ANSWER ? send_answer(exchange, connection) : MHD_YES;
}

static void end_request(void *context, struct MHD_Connection *connection, void **of_request,
                        enum MHD_RequestTerminationCode how)
{
    struct exchange *exchange = *of_request;
    struct connection *own = connection_of(connection);

    (void)context;
    *of_request = NULL;
    if (!exchange)
        return;
    set_turn(connection, WATCH_IDLE);
    if (own && own->guard)
        record_guard_end_lane(own->guard);
    if (own && how == MHD_REQUEST_TERMINATED_COMPLETED_OK && exchange->carrier_state == ANSWERED_EARLY) {
        own->linger = true;
        own->waits = request_header(&exchange->request, "expect").data != NULL;
    }
    dispatcher_finish(exchange, how == MHD_REQUEST_TERMINATED_COMPLETED_OK);
}

/* ── connections ── */

/* Is there something to read and drop? A client that waits for 100-continue has sent nothing, unless it lost
 * patience. */
static bool wants_to_linger(const struct connection *own, int fd)
{
    int unread = 0;

    if (own->guard && record_guard_refused(own->guard))
        return true;
    return own->linger && (!own->waits || (ioctl(fd, FIONREAD, &unread) == 0 && unread > 0));
}

static void close_connection(struct transport_mhd *transport, struct MHD_Connection *connection,
                             struct connection *own)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    watch_remove(transport->watch, &own->watched); /* its socket is closed next */
    if (info && transport->farewell && wants_to_linger(own, info->connect_fd))
        farewell_take(transport->farewell, info->connect_fd);
    tls_session_done(own->tls);
    record_guard_free(own->guard);
    clients_leave(own->seat);
    free(own);
}

/* The library passes nothing of ours on from transport_mhd_add to here but the socket's number. */
static struct connection *take_arriving(struct transport_mhd *transport, int fd)
{
    pthread_mutex_lock(&transport->lock);
    struct connection **at = &transport->arriving;
    while (*at && (*at)->fd != fd)
        at = &(*at)->next;
    struct connection *own = *at;
    if (own)
        *at = own->next;
    if (!transport->arriving)
        pthread_cond_signal(&transport->arrived);
    pthread_mutex_unlock(&transport->lock);
    return own;
}

static void forget_arriving(struct transport_mhd *transport, int fd)
{
    struct connection *own = take_arriving(transport, fd);

    if (own)
        clients_leave(own->seat);
    free(own);
}

static void notify_connection(void *context, struct MHD_Connection *connection, void **of_connection,
                              enum MHD_ConnectionNotificationCode what)
{
    static const char *const protocols[] = { "http/1.1" };
    struct transport_mhd *transport = context;

    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        close_connection(transport, connection, *of_connection);
        *of_connection = NULL;
        return;
    }
    const union MHD_ConnectionInfo *socket =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct connection *own = take_arriving(transport, socket->connect_fd);
    assert(own);
    *of_connection = own;
    watch_add(transport->watch, &own->watched, own->fd);
    if (!transport->tls)
        return;
    no_delay_keep(own->fd);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (info && info->tls_session)
        own->tls = tls_session_ready(transport->tls, info->tls_session, protocols, 1);
    if (info && info->tls_session)
        own->guard = record_guard_new(info->tls_session, &transport->limits);
    if (info && info->tls_session) {
        record_pull_prepare(&own->pull, info->tls_session, own->fd);
        record_send_prepare(info->tls_session);
    }
    if (!own->guard)
        abort();
}

/* The library wants a source of certificates before it speaks TLS. tls_session_ready puts the real
 * credentials in the place of the library's; where it could not, the handshake fails here. */
static gnutls_certificate_retrieve_function3 have_no_certificate;
static int have_no_certificate(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
                               gnutls_pcert_st **certs, unsigned int *certs_length,
                               gnutls_ocsp_data_st **ocsp, unsigned int *ocsp_length,
                               gnutls_privkey_t *privkey, unsigned int *flags)
{
    (void)session, (void)info, (void)certs, (void)certs_length, (void)ocsp, (void)ocsp_length, (void)privkey,
        (void)flags;
    return GNUTLS_E_NO_CERTIFICATE_FOUND;
}

/* Decoding is http/uri.h's business: the library's would cut at %00. */
static size_t leave_alone(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context, (void)connection;
    return strlen(text);
}

static void PRINTF_LIKE(2, 0) log_message(void *context, const char *format, va_list args)
{
    char text[400];

    (void)context;
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\n")] = '\0';
    log_line(LOG_DEBUG, "libmicrohttpd: %s", text);
}

/* All that record_guard lets through must fit, and the head of the answer with it. */
static size_t connection_memory(const struct framing_limits *limits)
{
    const size_t needed = limits->target_bytes + limits->header_bytes +
                          (size_t)limits->header_fields * FIELD_BYTES + ANSWER_HEAD_BYTES;

    return needed > CONNECTION_MEMORY_BYTES ? needed : CONNECTION_MEMORY_BYTES;
}

static struct MHD_Daemon *start_daemon(struct transport_mhd *transport,
                                       const struct transport_mhd_options *options)
{
    unsigned flags = MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC |
                     MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    struct MHD_OptionItem tls[] = {
        { MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, (void *)(uintptr_t)have_no_certificate },
        { MHD_OPTION_END, 0, NULL },
    };
    struct MHD_OptionItem none[] = { { MHD_OPTION_END, 0, NULL } };

    if (options->tls)
        flags |= MHD_USE_TLS;
    return MHD_start_daemon(
        flags, 0, NULL, NULL, handle, transport, MHD_OPTION_EXTERNAL_LOGGER, log_message, NULL,
        MHD_OPTION_THREAD_POOL_SIZE, options->io_threads, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        connection_memory(&transport->limits), MHD_OPTION_CONNECTION_LIMIT, options->connections,
        MHD_OPTION_CONNECTION_TIMEOUT, (options->idle_timeout_ms + 999) / 1000, MHD_OPTION_STRICT_FOR_CLIENT,
        1, MHD_OPTION_URI_LOG_CALLBACK, begin_request, transport, MHD_OPTION_UNESCAPE_CALLBACK, leave_alone,
        NULL, MHD_OPTION_NOTIFY_COMPLETED, end_request, transport, MHD_OPTION_NOTIFY_CONNECTION,
        notify_connection, transport, MHD_OPTION_ARRAY, options->tls ? tls : none, MHD_OPTION_END);
}

bool transport_mhd_start(const struct transport_mhd_options *options, struct transport_mhd **ret,
                         struct error *err)
{
    if (options->tls && !record_guard_works(err))
        return false;
    struct transport_mhd *transport = calloc(1, sizeof *transport);
    if (!transport)
        return error_set(err, FAULT_BUSY, "no memory for the HTTP/1.1 transport");
    transport->dispatcher = options->dispatcher;
    transport->tls = options->tls;
    transport->farewell = options->farewell;
    transport->limits = options->limits;
    const struct watch_limits watch = { .head_timeout_ms = options->head_timeout_ms,
                                        .idle_timeout_ms = options->idle_timeout_ms,
                                        .pace = options->pace };
    if (!watch_open(&watch, &transport->watch, err)) {
        free(transport);
        return false;
    }
    pthread_mutex_init(&transport->lock, NULL);
    pthread_cond_init(&transport->arrived, NULL);
    transport->daemon = start_daemon(transport, options);
    if (!transport->daemon) {
        watch_close(transport->watch);
        pthread_cond_destroy(&transport->arrived);
        pthread_mutex_destroy(&transport->lock);
        free(transport);
        return error_set(err, FAULT_INTERNAL,
                         "libmicrohttpd did not start with %u threads and %u connections",
                         options->io_threads, options->connections);
    }
    *ret = transport;
    return true;
}

bool transport_mhd_add(struct transport_mhd *transport, int fd, const struct sockaddr *address,
                       socklen_t size, struct seat *seat, struct error *err)
{
    struct connection *own = calloc(1, sizeof *own);

    if (!own)
        abort();
    /* Should the library have dropped an earlier one with this number without a word. */
    forget_arriving(transport, fd);
    own->fd = fd;
    own->seat = seat;
    pthread_mutex_lock(&transport->lock);
    own->next = transport->arriving;
    transport->arriving = own;
    pthread_mutex_unlock(&transport->lock);
    /* It closes the socket when it fails. */
    if (MHD_add_connection(transport->daemon, fd, address, size) != MHD_YES) {
        forget_arriving(transport, fd);
        return error_set(err, FAULT_BUSY, "connections: no room for one more");
    }
    return true;
}

unsigned transport_mhd_connections(struct transport_mhd *transport)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(transport->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

    return info ? info->num_connections : 0;
}

/* libmicrohttpd 0.9.75 closes what it was handed and has not looked at without the lock of that list, in the
 * thread that sees the end first. So its threads take it all up before they are stopped. Not for ever: what
 * the library has dropped without a word never arrives. */
static void await_arriving(struct transport_mhd *transport)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 5;
    pthread_mutex_lock(&transport->lock);
    while (transport->arriving &&
           !pthread_cond_clockwait(&transport->arrived, &transport->lock, CLOCK_MONOTONIC, &until))
        ;
    pthread_mutex_unlock(&transport->lock);
}

void transport_mhd_stop(struct transport_mhd *transport)
{
    if (!transport)
        return;
    await_arriving(transport);
    MHD_stop_daemon(transport->daemon);
    while (transport->arriving)
        forget_arriving(transport, transport->arriving->fd);
    watch_close(transport->watch);
    pthread_cond_destroy(&transport->arrived);
    pthread_mutex_destroy(&transport->lock);
    free(transport);
}
