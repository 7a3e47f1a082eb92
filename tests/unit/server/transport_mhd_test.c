/* tests/unit/server/transport_mhd_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * HTTP/1.1 on the wire, without TLS: what libmicrohttpd lets through is refused, answers are framed, clients
 * may leave at any moment, and stopping does not leave anybody paused. With routes of its own. Run under the
 * thread sanitizer as well.
 */
#include "tests/support/expect.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/number.h"
#include "server/dispatcher.h"
#include "server/transport_mhd.h"
#include "tests/support/fake_routes.h"

static struct worker_pool *pool;
static struct dispatcher *dispatcher;
static struct transport_mhd *transport;
static int listener = -1;
static struct sockaddr_in address;

static void set_up(void)
{
    const struct dispatcher_choices choices = { .limits = { .request_ceiling_bytes = 10000000 },
                                                .cors_origins = "*" };
    socklen_t size = sizeof address;
    struct error err = { 0 };

    log_least(LOG_ERROR + 1);
    block_budget((size_t)64 << 20);
    if (!worker_pool_start(3, 256, &pool, &err))
        abort();
    const struct dispatcher_options options = { .pool = pool, .base_path = "", .port = 443 };
    if (!dispatcher_new(&options, &choices, &dispatcher, &err))
        abort();
    const struct transport_mhd_options transport_options = { .dispatcher = dispatcher,
                                                             .io_threads = 2,
                                                             .idle_timeout_ms = 60000,
                                                             .head_timeout_ms = 60000,
                                                             .pace = { 1, 60000 },
                                                             .connections = 128 };
    if (!transport_mhd_start(&transport_options, &transport, &err)) {
        fprintf(stderr, "%s\n", err.detail);
        abort();
    }
    address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 64) ||
        getsockname(listener, (struct sockaddr *)&address, &size))
        abort();
}

static void tear_down(void)
{
    dispatcher_drain(dispatcher, 0);
    dispatcher_abort(dispatcher);
    transport_mhd_stop(transport);
    dispatcher_free(dispatcher);
    worker_pool_stop(pool);
    close(listener);
    EXPECT(block_in_use() == 0, "%zu bytes of blocks left", block_in_use());
    EXPECT(atomic_load(&fake_uploads_open) == 0, "%u uploads left open", atomic_load(&fake_uploads_open));
}

static pthread_mutex_t dialling = PTHREAD_MUTEX_INITIALIZER;

/* A connection, the other end of which the transport has. */
static int dial(void)
{
    const struct timeval patience = { 20, 0 };
    struct error err = { 0 };

    pthread_mutex_lock(&dialling);
    const int ours = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(ours, (struct sockaddr *)&address, sizeof address))
        abort();
    const int theirs = accept(listener, NULL, NULL);
    pthread_mutex_unlock(&dialling);
    /* Only so that a broken server fails a test and does not hang it. */
    setsockopt(ours, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (!transport_mhd_add(transport, theirs, (struct sockaddr *)&address, sizeof address, NULL, &err))
        abort();
    return ours;
}

static bool say(int fd, struct bytes data)
{
    while (data.size) {
        const ssize_t sent = send(fd, data.data, data.size, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        data = bytes_from(data, (size_t)sent);
    }
    return true;
}

static bool say_text(int fd, const char *text)
{
    return say(fd, bytes_of_text(text));
}

struct heard {
    int status;
    bool whole, right, closed;
    uint64_t body_size, content_length; /* UINT64_MAX: none */
    bool chunked, close;
    char head[2048], body[256];
};

/* Reads one byte at a time until the head is there. */
static bool hear_head(int fd, struct heard *heard)
{
    size_t size = 0;

    heard->content_length = UINT64_MAX;
    while (size < sizeof heard->head - 1) {
        if (recv(fd, heard->head + size, 1, 0) != 1) {
            heard->closed = true;
            return false;
        }
        heard->head[++size] = '\0';
        if (size >= 4 && memcmp(heard->head + size - 4, "\r\n\r\n", 4) == 0)
            break;
    }
    uint64_t status = 0;
    if (size < 12 || !number_parse(bytes_of(heard->head + 9, 3), 100, 599, &status))
        return false;
    heard->status = (int)status;
    struct bytes rest = bytes_of_text(heard->head);
    while (rest.size) {
        struct bytes line = bytes_cut(&rest, '\n');
        const struct bytes name = bytes_cut(&line, ':');
        if (line.size)
            line.size--; /* CR */
        line = bytes_trim(line);
        if (bytes_equal_nocase(name, bytes_of_text("content-length")) &&
            !number_parse(line, 0, INT64_MAX, &heard->content_length))
            return false;
        heard->chunked |= bytes_equal_nocase(name, bytes_of_text("transfer-encoding"));
        heard->close |= bytes_equal_nocase(name, bytes_of_text("connection")) &&
                        bytes_equal_nocase(line, bytes_of_text("close"));
    }
    return true;
}

static bool hear_bytes(int fd, struct heard *heard, uint64_t size)
{
    uint8_t room[16384];

    while (size) {
        const ssize_t got = recv(fd, room, size < sizeof room ? (size_t)size : sizeof room, 0);
        if (got <= 0)
            return false;
        for (size_t i = 0; i < (size_t)got; i++) {
            heard->right &= room[i] == byte_at(heard->body_size + i);
            if (heard->body_size + i < sizeof heard->body - 1)
                heard->body[heard->body_size + i] = (char)room[i];
        }
        heard->body_size += (uint64_t)got;
        size -= (uint64_t)got;
    }
    return true;
}

static bool hear_chunks(int fd, struct heard *heard)
{
    for (;;) {
        char line[32];
        size_t size = 0;
        uint64_t chunk;
        do {
            if (size == sizeof line || recv(fd, line + size, 1, 0) != 1)
                return false;
        } while (line[size++] != '\n');
        if (size < 3 || !number_parse_hex(bytes_of(line, size - 2), UINT32_MAX, &chunk))
            return false;
        if (!hear_bytes(fd, heard, chunk) || recv(fd, line, 2, MSG_WAITALL) != 2)
            return false;
        if (!chunk)
            return true;
    }
}

static struct heard hear(int fd, bool head_only)
{
    struct heard heard = { .right = true };

    if (!hear_head(fd, &heard))
        return heard;
    if (head_only || heard.status == 204 || heard.status == 304 || heard.status < 200)
        heard.whole = true;
    else if (heard.chunked)
        heard.whole = hear_chunks(fd, &heard);
    else
        heard.whole = heard.content_length != UINT64_MAX && hear_bytes(fd, &heard, heard.content_length);
    return heard;
}

static bool is_closed(int fd)
{
    char byte;

    return recv(fd, &byte, 1, 0) <= 0;
}

static struct heard get(const char *target)
{
    const int fd = dial();
    char text[256];

    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", target);
    say_text(fd, text);
    const struct heard heard = hear(fd, false);
    close(fd);
    return heard;
}

TEST(answers_have_a_length_or_chunks_and_arrive_whole)
{
    static const struct {
        const char *target;
        uint64_t size;
        bool chunked;
    } cases[] = { { "/late", 70000, false }, { "/big", MADE_BYTES, false }, { "/stream", MADE_BYTES, true } };

    set_up();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct heard heard = get(cases[i].target);
        EXPECT(heard.status == 200 && heard.whole && heard.right && heard.body_size == cases[i].size &&
                   heard.chunked == cases[i].chunked,
               "%s: %d, %llu bytes, right %d, chunked %d", cases[i].target, heard.status,
               (unsigned long long)heard.body_size, heard.right, heard.chunked);
    }
    tear_down();
}

TEST(HTP_06_every_answer_has_its_date_and_headers_and_does_not_say_by_what)
{
    set_up();
    const struct heard heard = get("/quick");
    EXPECT(strstr(heard.head, "\r\nDate: ") && strstr(heard.head, "\r\nX-Request-Id: ") &&
               strstr(heard.head, "\r\nStrict-Transport-Security: ") &&
               strstr(heard.head, "\r\nX-Content-Type-Options: nosniff") &&
               !strstr(heard.head, "\r\nServer:"),
           "%s", heard.head);
    tear_down();
}

TEST(HTP_07_pipelined_requests_are_answered_in_order)
{
    static const char *const want[] = { "quick", "hop", "quick" };

    set_up();
    const int fd = dial();
    say_text(fd, "GET /quick HTTP/1.1\r\nHost: a\r\n\r\nGET /hop HTTP/1.1\r\nHost: a\r\n\r\n"
                 "GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    for (size_t i = 0; i < COUNT_OF(want); i++) {
        const struct heard heard = hear(fd, false);
        EXPECT(heard.status == 200 && strcmp(heard.body, want[i]) == 0, "%d %s", heard.status, heard.body);
    }
    EXPECT(is_closed(fd), "still open");
    close(fd);
    tear_down();
}

TEST(HTP_01_HTP_08_bodyless_answers_are_framed_right)
{
    set_up();
    const int fd = dial();
    say_text(fd, "HEAD /big HTTP/1.1\r\nHost: a\r\n\r\n");
    struct heard heard = hear(fd, true);
    EXPECT(heard.status == 200 && heard.content_length == MADE_BYTES, "%s", heard.head);
    say_text(fd, "GET /none HTTP/1.1\r\nHost: a\r\n\r\n");
    heard = hear(fd, false);
    EXPECT(heard.status == 204 && heard.content_length == UINT64_MAX && !heard.chunked, "%s", heard.head);
    say_text(fd, "GET /same HTTP/1.1\r\nHost: a\r\n\r\n");
    heard = hear(fd, false);
    EXPECT(heard.status == 304 && !heard.chunked, "%s", heard.head);
    say_text(fd, "HEAD /nothing HTTP/1.1\r\nHost: a\r\n\r\n");
    heard = hear(fd, true);
    EXPECT(heard.status == 404 && heard.content_length > 0, "%s", heard.head);
    /* Whatever was left over of these would be taken for the head of this answer. */
    say_text(fd, "GET /quick HTTP/1.1\r\nHost: a\r\n\r\n");
    heard = hear(fd, false);
    EXPECT(heard.status == 200 && strcmp(heard.body, "quick") == 0, "%s", heard.head);
    close(fd);

    const int other = dial();
    say_text(other, "HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n");
    heard = hear(other, true);
    EXPECT(heard.status == 200 && heard.content_length == UINT64_MAX && heard.close, "%s", heard.head);
    EXPECT(is_closed(other), "something follows the head");
    close(other);
    tear_down();
}

TEST(a_body_that_fails_half_way_ends_the_connection)
{
    set_up();
    struct heard heard = get("/cut");
    EXPECT(heard.status == 200 && !heard.whole && heard.right, "%d", heard.status);
    heard = get("/no-start");
    EXPECT(heard.status == 500 && heard.whole, "%d", heard.status);
    tear_down();
}

TEST(HTP_18_HTP_30_to_HTP_38_doubtful_messages_are_refused_and_the_connection_closed)
{
#define REST "\r\n\r\nGET /quick HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Type: application/octet-stream\r\n"
    static const struct {
        const char *name, *text;
        int status; /* 0: any 4xx, or closed without an answer */
    } cases[] = {
        { "length and coding", POST "Content-Length: 5\r\nTransfer-Encoding: chunked" REST, 400 },
        { "two lengths", POST "Content-Length: 5\r\nContent-Length: 6" REST, 400 },
        { "two equal lengths", POST "Content-Length: 5\r\nContent-Length: 5" REST, 400 },
        { "list of lengths", POST "Content-Length: 3, 3" REST, 0 },
        { "signed length", POST "Content-Length: +3" REST, 0 },
        { "hex length", POST "Content-Length: 0x3" REST, 0 },
        { "huge length", POST "Content-Length: 99999999999999999999" REST, 0 },
        { "identity", POST "Transfer-Encoding: identity" REST, 501 },
        { "gzip, chunked", POST "Transfer-Encoding: gzip, chunked" REST, 501 },
        { "xchunked", POST "Transfer-Encoding: xchunked" REST, 501 },
        { "coding twice", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked" REST, 400 },
        { "space before the colon", POST "Transfer-Encoding : chunked" REST, 400 },
        { "two hosts", "GET /quick HTTP/1.1\r\nHost: a\r\nHost: b" REST, 400 },
        { "no host", "GET /quick HTTP/1.1\r\nX: y" REST, 400 },
        { "empty host", "GET /quick HTTP/1.1\r\nHost: " REST, 400 },
        { "host with a path", "GET /quick HTTP/1.1\r\nHost: a/b" REST, 400 },
        { "carriage return inside a value", "GET /quick HTTP/1.1\r\nHost: a\r\nX: a\rb" REST, 0 },
        { "control character", "GET /quick HTTP/1.1\r\nHost: a\r\nX: a\001b" REST, 400 },
        { "coding in HTTP/1.0", "POST /upload HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked" REST, 400 },
        { "space in the target", "GET /quick x HTTP/1.1\r\nHost: a" REST, 0 },
    };

    set_up();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const int fd = dial();
        say_text(fd, cases[i].text);
        const unsigned before = atomic_load(&fake_calls);
        const struct heard heard = hear(fd, false);
        EXPECT(cases[i].status ? heard.status == cases[i].status && heard.close
                               : heard.closed || (heard.status >= 400 && heard.status < 500),
               "%s: %d\n%s", cases[i].name, heard.status, heard.head);
        /* libmicrohttpd may write a page of its own behind ours; it must not serve the next request. */
        char more[4096];
        ssize_t got;
        while ((got = recv(fd, more, sizeof more - 1, 0)) > 0) {
            more[got] = '\0';
            EXPECT(!strstr(more, "HTTP/1.1 200"), "%s: the bytes behind it were served", cases[i].name);
        }
        EXPECT(atomic_load(&fake_calls) == before, "%s: a handler was called", cases[i].name);
        close(fd);
    }
    tear_down();
}

TEST(HTP_02_HTP_10_targets_and_methods_reach_us_as_they_came)
{
    set_up();
    struct heard heard = get("/%71uick");
    EXPECT(heard.status == 404, "the fake table does not decode, so it must see the escape: %d",
           heard.status);
    heard = get("/quick?a=%00b");
    EXPECT(heard.status == 200 || heard.status == 400, "%d", heard.status);
    heard = get("/quick%00");
    EXPECT(heard.status == 404, "cut at the NUL: %d", heard.status);
    const int fd = dial();
    say_text(fd, "TRACE /quick HTTP/1.1\r\nHost: a\r\n\r\n");
    heard = hear(fd, false);
    EXPECT(heard.status == 501, "%d", heard.status);
    close(fd);
    tear_down();
}

static bool send_upload(int fd, uint64_t size, bool chunked)
{
    uint8_t piece[20000];

    for (uint64_t at = 0; at < size;) {
        const size_t now = size - at < sizeof piece ? (size_t)(size - at) : sizeof piece;
        char head[32];
        for (size_t i = 0; i < now; i++)
            piece[i] = byte_at(at + i);
        snprintf(head, sizeof head, "%zx\r\n", now);
        if ((chunked && !say_text(fd, head)) || !say(fd, bytes_of(piece, now)) ||
            (chunked && !say_text(fd, "\r\n")))
            return false;
        at += now;
    }
    return !chunked || say_text(fd, "0\r\n\r\n");
}

TEST(uploads_arrive_whole_with_a_length_and_in_chunks)
{
    static const uint64_t sizes[] = { 0, 1, 20000, 300000, 5000000 };

    set_up();
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        for (int chunked = 0; chunked < 2; chunked++) {
            const int fd = dial();
            char text[256], want[64];
            snprintf(text, sizeof text, POST "%s%llu\r\n\r\n",
                     chunked ? "Transfer-Encoding: chunked\r\nX-Size: " : "Content-Length: ",
                     (unsigned long long)sizes[i]);
            snprintf(want, sizeof want, "%llu right", (unsigned long long)sizes[i]);
            say_text(fd, text);
            send_upload(fd, sizes[i], chunked);
            struct heard heard = hear(fd, false);
            EXPECT(heard.status == 200 && strcmp(heard.body, want) == 0, "%s, chunked %d: %d %s", want,
                   chunked, heard.status, heard.body);
            say_text(fd, "GET /quick HTTP/1.1\r\nHost: a\r\n\r\n");
            heard = hear(fd, false);
            EXPECT(heard.status == 200, "the connection goes on: %d", heard.status);
            close(fd);
        }
    tear_down();
}

TEST(HTP_13_100_continue_comes_only_when_the_body_is_wanted)
{
    set_up();
    int fd = dial();
    say_text(fd, POST "Content-Length: 20000\r\nExpect: 100-continue\r\n\r\n");
    struct heard heard = hear(fd, false);
    EXPECT(heard.status == 100, "%d", heard.status);
    send_upload(fd, 20000, false);
    heard = hear(fd, false);
    EXPECT(heard.status == 200 && strcmp(heard.body, "20000 right") == 0, "%d %s", heard.status, heard.body);
    close(fd);

    fd = dial();
    say_text(fd, "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 20000\r\n"
                 "Expect: 100-continue\r\n\r\n");
    heard = hear(fd, false);
    EXPECT(heard.status == 415 && heard.close, "%d", heard.status);
    EXPECT(is_closed(fd), "still open");
    close(fd);

    fd = dial();
    say_text(fd, POST "Content-Length: 20000000000\r\nExpect: 100-continue\r\n\r\n");
    heard = hear(fd, false);
    EXPECT(heard.status == 413 && heard.close, "%d", heard.status);
    close(fd);
    tear_down();
}

TEST(a_sink_that_fails_half_way_is_answered_when_the_body_has_been_read_off)
{
    set_up();
    const int fd = dial();
    say_text(fd, "POST /upload?full=1 HTTP/1.1\r\nHost: a\r\nContent-Type: application/octet-stream\r\n"
                 "Content-Length: 4000000\r\n\r\n");
    send_upload(fd, 4000000, false);
    const struct heard heard = hear(fd, false);
    EXPECT(heard.status == 503 && heard.whole, "%d", heard.status);
    close(fd);
    tear_down();
}

TEST(clients_that_leave_at_any_moment_leave_nothing_behind)
{
    set_up();
    for (unsigned i = 0; i < 40; i++) {
        char some[1000];
        int fd = dial();
        say_text(fd,
                 i % 2 ? "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n" : "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
        if (i % 3)
            (void)!recv(fd, some, sizeof some, 0);
        close(fd);

        fd = dial();
        say_text(fd, POST "Content-Length: 5000000\r\n\r\n");
        send_upload(fd, i * 20000, false);
        close(fd);

        fd = dial();
        say_text(fd, "GET /quick HTTP/1.1\r\nHos");
        close(fd);
    }
    EXPECT(dispatcher_drain(dispatcher, 60000) == 0, "exchanges are left");
    tear_down();
}

TEST(HTP_05_a_GET_with_a_body_is_answered_and_the_body_never_taken_for_a_request)
{
    static const char *const targets[] = { "/quick", "/slow", "/hop" };

    set_up();
    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        const int fd = dial();
        char text[300];
        snprintf(text, sizeof text,
                 "GET %s HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\n"
                 "GET /quick HTTP/1.1\r\nHost: smuggled\r\n\r\n",
                 targets[i]);
        say_text(fd, text);
        const struct heard heard = hear(fd, false);
        EXPECT(heard.status == 200 && heard.close, "%s: %d", targets[i], heard.status);
        EXPECT(is_closed(fd), "%s: still open", targets[i]);
        close(fd);
    }
    tear_down();
}

TEST(HTP_16_stopping_with_transfers_under_way_comes_back)
{
    int fds[12];

    set_up();
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        fds[i] = dial();
        say_text(fds[i], i % 3 == 0   ? "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n"
                         : i % 3 == 1 ? POST "Content-Length: 900000\r\n\r\n"
                                      : "GET /hop HTTP/1.1\r\nHost: a\r\n\r\n");
        if (i % 3 == 1)
            send_upload(fds[i], 600000, false);
    }
    tear_down();
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        close(fds[i]);
}

/* Those that the library's threads have not looked at yet. ThreadSanitizer sees whether they are closed by a
 * thread that has not been told of them. */
TEST(stopping_closes_those_that_were_handed_over_a_moment_ago)
{
    int fds[24];

    for (unsigned round = 0; round < 10; round++) {
        set_up();
        for (size_t i = 0; i < COUNT_OF(fds); i++)
            fds[i] = dial();
        tear_down();
        for (size_t i = 0; i < COUNT_OF(fds); i++) {
            EXPECT(is_closed(fds[i]), "round %u: connection %zu is still open", round, i);
            close(fds[i]);
        }
    }
}

static void *call_many(void *context)
{
    unsigned *wrong = context;

    for (unsigned i = 0; i < 15; i++) {
        const int fd = dial();
        for (unsigned k = 0; k < 3; k++) {
            say_text(fd, "GET /hop HTTP/1.1\r\nHost: a\r\n\r\n");
            *wrong += strcmp(hear(fd, false).body, "hop") != 0;
            say_text(fd, "GET /late HTTP/1.1\r\nHost: a\r\n\r\n");
            const struct heard late = hear(fd, false);
            *wrong += !late.whole || !late.right || late.body_size != 70000;
        }
        say_text(fd, POST "Content-Length: 400000\r\n\r\n");
        send_upload(fd, 400000, false);
        *wrong += strcmp(hear(fd, false).body, "400000 right") != 0;
        say_text(fd, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
        const struct heard stream = hear(fd, false);
        *wrong += !stream.whole || !stream.right || stream.body_size != MADE_BYTES;
        close(fd);
    }
    return NULL;
}

TEST(many_clients_at_once_each_get_their_own_answers)
{
    pthread_t threads[6];
    unsigned wrong[COUNT_OF(threads)] = { 0 };

    set_up();
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_create(&threads[i], NULL, call_many, &wrong[i]);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        pthread_join(threads[i], NULL);
        EXPECT(wrong[i] == 0, "%u wrong answers", wrong[i]);
    }
    tear_down();
}
