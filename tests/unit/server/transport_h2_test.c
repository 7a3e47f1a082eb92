/* tests/unit/server/transport_h2_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * HTTP/2 over TLS with routes of its own: many streams at once, bodies in both directions with a sink and
 * sources that make them wait, resets while a worker has the exchange, clients that vanish, and a stop in the
 * middle of it. Run under the thread sanitizer as well. What goes over the wire frame by frame is tested by
 * tests/web/test_http2_frames.py.
 */
#include <errno.h>
#include <gnutls/gnutls.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/number.h"
#include "server/clients.h"
#include "server/dispatcher.h"
#include "server/throwaway_certificate.h"
#include "server/tls_context.h"
#include "server/transport_h2.h"
#include "tests/support/expect.h"
#include "tests/support/fake_routes.h"
#include "tests/support/temp_folder.h"

static struct temp_folder folder;
static struct worker_pool *pool;
static struct dispatcher *dispatcher;
static struct tls_context *tls;
static struct transport_h2 *transport;
static struct clients *clients;

static void set_up(void)
{
    const struct dispatcher_choices choices = { .limits = { .request_ceiling_bytes = 10000000 },
                                                .cors_origins = "*" };
    char certificate[600], key[600];
    const struct tls_files files = { certificate, key };
    struct error err = { 0 };
    bool made;

    log_least(LOG_ERROR + 1);
    block_budget((size_t)64 << 20);
    folder = temp_folder_new();
    snprintf(certificate, sizeof certificate, "%s/tls/server.pem", folder.path);
    snprintf(key, sizeof key, "%s/tls/server.key", folder.path);
    char below[600];
    snprintf(below, sizeof below, "%s/tls", folder.path);
    const struct tls_options tls_options = { .profile = "bcp195", .files = &files, .file_count = 1 };
    const struct dispatcher_options options = { .base_path = "", .port = 443 };
    struct dispatcher_options with_pool = options;
    if (!throwaway_certificate_make(below, &made, &err) || !tls_context_open(&tls_options, &tls, &err) ||
        !worker_pool_start(3, 4096, &pool, &err) || !clients_open(100, &clients, &err)) {
        fprintf(stderr, "%s\n", err.detail);
        abort();
    }
    with_pool.pool = pool;
    if (!dispatcher_new(&with_pool, &choices, &dispatcher, &err))
        abort();
    const struct transport_h2_options h2 = { .dispatcher = dispatcher,
                                             .tls = tls,
                                             .io_threads = 2,
                                             .streams = 100,
                                             .stream_window_bytes = 300000,
                                             .connection_window_bytes = 1000000,
                                             .head = { 16384, 64 },
                                             .resets_a_minute = 100000,
                                             .controls_a_minute = 100000,
                                             .head_timeout_ms = 60000,
                                             .idle_timeout_ms = 60000,
                                             .pace = { 1, 60000 },
                                             .held_bytes = 200000 };
    if (!transport_h2_start(&h2, &transport, &err))
        abort();
}

static void stop(void)
{
    transport_h2_drain(transport);
    dispatcher_drain(dispatcher, 0);
    dispatcher_abort(dispatcher);
    transport_h2_stop(transport);
}

static void tear_down(void)
{
    stop();
    dispatcher_free(dispatcher);
    worker_pool_stop(pool);
    clients_close(clients); /* asserts that all have left */
    tls_context_close(tls);
    temp_folder_remove(&folder);
    EXPECT(block_in_use() == 0, "%zu bytes of blocks left", block_in_use());
    EXPECT(atomic_load(&fake_uploads_open) == 0, "%u uploads left open", atomic_load(&fake_uploads_open));
}

/* ── a client ── */

enum { STREAMS_MOST = 128 };

struct heard {
    int32_t id;
    const char *path;
    int status;
    uint64_t size, upload, uploaded; /* of the answer; to send, sent */
    bool right, closed;
    uint32_t error;
    char body[32];
};

struct client {
    int fd;
    gnutls_session_t tls;
    gnutls_certificate_credentials_t has;
    nghttp2_session *session;
    struct heard heard[STREAMS_MOST];
    unsigned count, open;
    uint64_t bytes;
    bool gone;
};

static struct heard *heard_of(struct client *client, int32_t id)
{
    for (unsigned i = 0; i < client->count; i++)
        if (client->heard[i].id == id)
            return &client->heard[i];
    abort();
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags, void *context)
{
    uint64_t status = 0;

    (void)session, (void)flags;
    if (bytes_equal_text(bytes_of(name, name_size), ":status") &&
        number_parse(bytes_of(value, value_size), 100, 599, &status))
        heard_of(context, frame->hd.stream_id)->status = (int)status;
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t size,
                   void *context)
{
    struct client *client = context;
    struct heard *heard = heard_of(client, id);

    (void)session, (void)flags;
    for (size_t i = 0; i < size; i++) {
        heard->right &= data[i] == byte_at(heard->size + i);
        if (heard->size + i < sizeof heard->body - 1)
            heard->body[heard->size + i] = (char)data[i];
    }
    heard->size += size;
    client->bytes += size;
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t error, void *context)
{
    struct client *client = context;
    struct heard *heard = heard_of(client, id);

    (void)session;
    heard->closed = true;
    heard->error = error;
    client->open--;
    return 0;
}

static ssize_t send_bytes(nghttp2_session *session, const uint8_t *data, size_t size, int flags,
                          void *context)
{
    struct client *client = context;

    (void)session, (void)flags;
    const ssize_t sent = gnutls_record_send(client->tls, data, size);
    return sent == GNUTLS_E_AGAIN ? NGHTTP2_ERR_WOULDBLOCK : sent < 0 ? NGHTTP2_ERR_CALLBACK_FAILURE : sent;
}

static ssize_t read_upload(nghttp2_session *session, int32_t id, uint8_t *into, size_t capacity,
                           uint32_t *flags, nghttp2_data_source *source, void *context)
{
    struct heard *heard = heard_of(context, id);
    uint64_t size = heard->upload - heard->uploaded;

    (void)session, (void)source;
    size = size < capacity ? size : capacity;
    for (uint64_t i = 0; i < size; i++)
        into[i] = byte_at(heard->uploaded + i);
    heard->uploaded += size;
    if (heard->uploaded == heard->upload)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)size;
}

static bool shake_hands(struct client *client)
{
    for (;;) {
        struct pollfd poller = { .fd = client->fd, .events = POLLIN };
        const int outcome = gnutls_handshake(client->tls);
        if (outcome == 0)
            return true;
        if (gnutls_error_is_fatal(outcome) || poll(&poller, 1, 60000) != 1)
            return false;
    }
}

static void connect_client(struct client *client)
{
    static const gnutls_datum_t h2 = { (unsigned char *)(uintptr_t) "h2", 2 };
    const struct sockaddr nowhere = { .sa_family = AF_UNIX };
    nghttp2_session_callbacks *callbacks;
    struct error err = { 0 };
    int ends[2];

    memset(client, 0, sizeof *client);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
        abort();
    struct seat *seat = clients_enter(clients, &nowhere, sizeof nowhere);
    EXPECT(seat && transport_h2_add(transport, ends[0], seat, &err), "%s", err.detail);
    client->fd = ends[1];
    gnutls_init(&client->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
    gnutls_set_default_priority(client->tls);
    gnutls_certificate_allocate_credentials(&client->has);
    gnutls_credentials_set(client->tls, GNUTLS_CRD_CERTIFICATE, client->has);
    gnutls_alpn_set_protocols(client->tls, &h2, 1, GNUTLS_ALPN_MANDATORY);
    gnutls_transport_set_int(client->tls, client->fd);
    EXPECT(shake_hands(client), "no handshake");
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_session_callbacks_set_send_callback(callbacks, send_bytes);
    nghttp2_session_client_new(&client->session, callbacks, client);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(client->session, NGHTTP2_FLAG_NONE, NULL, 0);
}

static struct heard *ask(struct client *client, const char *path, uint64_t upload)
{
    const nghttp2_nv head[] = {
#define FIELD(name, text) \
    { (uint8_t *)(uintptr_t)(name), (uint8_t *)(uintptr_t)(text), strlen(name), strlen(text), \
      NGHTTP2_NV_FLAG_NONE }
        FIELD(":method", upload ? "POST" : "GET"),
        FIELD(":scheme", "https"),
        FIELD(":authority", "localhost"),
        FIELD(":path", path),
        FIELD("content-type", "application/octet-stream"),
#undef FIELD
    };
    const nghttp2_data_provider body = { .read_callback = read_upload };
    struct heard *heard = &client->heard[client->count++];

    *heard = (struct heard){ .path = path, .right = true, .upload = upload };
    heard->id =
        nghttp2_submit_request(client->session, NULL, head, COUNT_OF(head), upload ? &body : NULL, NULL);
    if (heard->id < 0)
        abort();
    client->open++;
    return heard;
}

/* Sends and receives until no stream is open, or so many bytes have come, or the connection has ended. */
static void work(struct client *client, uint64_t until_bytes)
{
    static _Thread_local uint8_t room[16384];

    while (client->open && !client->gone && client->bytes < until_bytes) {
        if (nghttp2_session_send(client->session) != 0) {
            client->gone = true;
            return;
        }
        const ssize_t got = gnutls_record_recv(client->tls, room, sizeof room);
        if (got == GNUTLS_E_AGAIN) {
            struct pollfd poller = {
                .fd = client->fd,
                .events = (short)(POLLIN | (nghttp2_session_want_write(client->session) ? POLLOUT : 0))
            };
            EXPECT(poll(&poller, 1, 60000) == 1, "nothing happens any more; %u streams are open",
                   client->open);
            if (!poller.revents)
                client->gone = true;
        } else if (got > 0) {
            client->gone = nghttp2_session_mem_recv(client->session, room, (size_t)got) < 0;
        } else if (got != GNUTLS_E_INTERRUPTED) {
            client->gone = true;
        }
    }
}

static void leave(struct client *client)
{
    nghttp2_session_del(client->session);
    gnutls_deinit(client->tls);
    gnutls_certificate_free_credentials(client->has);
    close(client->fd);
}

/* ── what is expected ── */

static const struct {
    const char *path;
    uint64_t upload;
    int status;
    uint64_t size; /* UINT64_MAX: see the text */
    const char *text;
} cases[] = {
    { "/quick", 0, 200, UINT64_MAX, "quick" },
    { "/slow", 0, 200, UINT64_MAX, "quick" },
    { "/hop", 0, 200, UINT64_MAX, "hop" },
    { "/late", 0, 200, 70000, NULL },
    { "/big", 0, 200, MADE_BYTES, NULL },
    { "/stream", 0, 200, MADE_BYTES, NULL },
    { "/none", 0, 204, 0, NULL },
    { "/same", 0, 304, 0, NULL },
    { "/upload", 1, 200, UINT64_MAX, "1 right" },
    { "/upload", 1500000, 200, UINT64_MAX, "1500000 right" },
};

static void check(const struct heard *heard, size_t n)
{
    EXPECT(heard->closed && heard->error == 0 && heard->status == cases[n].status,
           "%s: closed %d with %u, status %d", heard->path, heard->closed, heard->error, heard->status);
    if (cases[n].text)
        EXPECT(strcmp(heard->body, cases[n].text) == 0, "%s: \"%s\"", heard->path, heard->body);
    else
        EXPECT(heard->right && heard->size == cases[n].size, "%s: %llu bytes, right %d", heard->path,
               (unsigned long long)heard->size, heard->right);
}

static void *view(void *of)
{
    struct client *client = calloc(1, sizeof *client);

    (void)of;
    if (!client)
        abort();
    for (int turn = 0; turn < 2; turn++) {
        connect_client(client);
        for (size_t i = 0; i < 3 * COUNT_OF(cases); i++)
            ask(client, cases[i % COUNT_OF(cases)].path, cases[i % COUNT_OF(cases)].upload);
        work(client, UINT64_MAX);
        for (size_t i = 0; i < 3 * COUNT_OF(cases); i++)
            check(&client->heard[i], i % COUNT_OF(cases));
        leave(client);
    }
    free(client);
    return NULL;
}

TEST(many_streams_of_many_clients_are_answered_whole)
{
    pthread_t threads[4];

    set_up();
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_create(&threads[i], NULL, view, NULL);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
    tear_down();
}

TEST(an_answer_that_breaks_off_is_a_reset_and_the_others_go_on)
{
    struct client *client = calloc(1, sizeof *client);

    set_up();
    connect_client(client);
    struct heard *cut = ask(client, "/cut", 0), *none = ask(client, "/no-start", 0),
                 *whole = ask(client, "/big", 0);
    work(client, UINT64_MAX);
    EXPECT(cut->status == 200 && cut->error == NGHTTP2_INTERNAL_ERROR && cut->right && cut->size >= CUT_AT &&
               cut->size < MADE_BYTES,
           "status %d, error %u, %llu bytes", cut->status, cut->error, (unsigned long long)cut->size);
    EXPECT(none->status == 500 && none->error == 0, "status %d, error %u", none->status, none->error);
    EXPECT(whole->status == 200 && whole->error == 0 && whole->size == MADE_BYTES, "status %d",
           whole->status);
    leave(client);
    free(client);
    tear_down();
}

TEST(an_upload_that_its_sink_refuses_half_way_is_answered_and_stopped)
{
    struct client *client = calloc(1, sizeof *client);

    set_up();
    connect_client(client);
    struct heard *full = ask(client, "/upload?full=1", 9000000);
    work(client, UINT64_MAX);
    EXPECT(full->status == 503 && full->closed && full->error == 0, "status %d, error %u", full->status,
           full->error);
    EXPECT(full->uploaded < full->upload, "all %llu bytes were taken", (unsigned long long)full->uploaded);
    leave(client);
    free(client);
    tear_down();
}

static void *leave_early(void *of)
{
    struct client *client = calloc(1, sizeof *client);
    unsigned seed = (unsigned)(uintptr_t)of;

    if (!client)
        abort();
    for (int turn = 0; turn < 6; turn++) {
        connect_client(client);
        for (size_t i = 0; i < 2 * COUNT_OF(cases); i++) {
            ask(client, cases[i % COUNT_OF(cases)].path, cases[i % COUNT_OF(cases)].upload);
            if (i % 3 == 0) /* it changes its mind, whatever the server is at */
                nghttp2_submit_rst_stream(client->session, NGHTTP2_FLAG_NONE, client->heard[i / 2].id,
                                          NGHTTP2_CANCEL);
        }
        work(client, (uint64_t)rand_r(&seed) % 4000000);
        leave(client);
    }
    free(client);
    return NULL;
}

TEST(clients_that_reset_and_vanish_leave_nothing_behind)
{
    pthread_t threads[4];

    set_up();
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_create(&threads[i], NULL, leave_early, (void *)(i + 1));
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
    tear_down(); /* counts what is left */
}

static void *view_until_stopped(void *of)
{
    struct client *client = calloc(1, sizeof *client);

    if (!client)
        abort();
    connect_client(client);
    for (size_t i = 0; i < 4 * COUNT_OF(cases); i++)
        ask(client, cases[i % COUNT_OF(cases)].path, cases[i % COUNT_OF(cases)].upload);
    work(client, 200000);
    pthread_barrier_wait(of); /* now it is under way */
    work(client, UINT64_MAX);
    leave(client);
    free(client);
    return NULL;
}

TEST(a_stop_in_the_middle_of_everything_leaves_nobody_waiting)
{
    pthread_barrier_t under_way;
    pthread_t threads[3];

    set_up();
    pthread_barrier_init(&under_way, NULL, COUNT_OF(threads) + 1);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_create(&threads[i], NULL, view_until_stopped, &under_way);
    pthread_barrier_wait(&under_way);
    tear_down();
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&under_way);
}
