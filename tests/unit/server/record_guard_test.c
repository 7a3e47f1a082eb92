/* tests/unit/server/record_guard_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * A client and a guarded server session that talk through memory: whatever the records and whatever room the
 * reader has, it gets the same bytes, is never left with bytes at hand that nobody will tell it of, and sees
 * no head that is refused.
 */
#include "tests/support/expect.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "server/record_guard.h"

static const struct framing_limits limits = { .target_bytes = 8192,
                                              .header_bytes = 12288,
                                              .header_fields = 100 };

/* One direction of the line. */
struct pipe {
    uint8_t bytes[1 << 20];
    size_t begin, end;
};
struct line {
    struct pipe to_server, to_client;
    gnutls_session_t client, server;
    gnutls_anon_client_credentials_t client_credentials;
    gnutls_anon_server_credentials_t server_credentials;
    struct record_guard *guard;
};

static ssize_t push(struct pipe *pipe, const void *data, size_t size)
{
    if (pipe->begin == pipe->end)
        pipe->begin = pipe->end = 0;
    if (size > sizeof pipe->bytes - pipe->end)
        abort();
    memcpy(pipe->bytes + pipe->end, data, size);
    pipe->end += size;
    return (ssize_t)size;
}

static ssize_t pull(gnutls_session_t session, struct pipe *pipe, void *data, size_t size)
{
    const size_t left = pipe->end - pipe->begin;

    if (left == 0) {
        gnutls_transport_set_errno(session, EAGAIN);
        return -1;
    }
    size = size < left ? size : left;
    memcpy(data, pipe->bytes + pipe->begin, size);
    pipe->begin += size;
    return (ssize_t)size;
}

static ssize_t push_of_client(gnutls_transport_ptr_t line, const void *data, size_t size)
{
    return push(&((struct line *)line)->to_server, data, size);
}

static ssize_t push_of_server(gnutls_transport_ptr_t line, const void *data, size_t size)
{
    return push(&((struct line *)line)->to_client, data, size);
}

static ssize_t pull_of_client(gnutls_transport_ptr_t at, void *data, size_t size)
{
    struct line *line = at;
    return pull(line->client, &line->to_client, data, size);
}

static ssize_t pull_of_server(gnutls_transport_ptr_t at, void *data, size_t size)
{
    struct line *line = at;
    return pull(line->server, &line->to_server, data, size);
}

static void must(int status)
{
    if (status < 0) {
        fprintf(stderr, "%s\n", gnutls_strerror(status));
        abort();
    }
}

static struct line *open_line(void)
{
    static const char priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.2:+ANON-ECDH";
    struct line *line = calloc(1, sizeof *line);
    int client = GNUTLS_E_AGAIN, server = GNUTLS_E_AGAIN;

    if (!line)
        abort();
    must(gnutls_anon_allocate_client_credentials(&line->client_credentials));
    must(gnutls_anon_allocate_server_credentials(&line->server_credentials));
    must(gnutls_init(&line->client, GNUTLS_CLIENT | GNUTLS_NONBLOCK));
    must(gnutls_init(&line->server, GNUTLS_SERVER | GNUTLS_NONBLOCK));
    must(gnutls_priority_set_direct(line->client, priorities, NULL));
    must(gnutls_priority_set_direct(line->server, priorities, NULL));
    must(gnutls_credentials_set(line->client, GNUTLS_CRD_ANON, line->client_credentials));
    must(gnutls_credentials_set(line->server, GNUTLS_CRD_ANON, line->server_credentials));
    gnutls_transport_set_ptr(line->client, line);
    gnutls_transport_set_ptr(line->server, line);
    gnutls_transport_set_push_function(line->client, push_of_client);
    gnutls_transport_set_push_function(line->server, push_of_server);
    gnutls_transport_set_pull_function(line->client, pull_of_client);
    gnutls_transport_set_pull_function(line->server, pull_of_server);
    line->guard = record_guard_new(line->server, &limits);
    for (int i = 0; i < 20 && (client || server); i++) {
        if (client)
            client = gnutls_handshake(line->client);
        if (server)
            server = gnutls_handshake(line->server);
    }
    must(client);
    must(server);
    return line;
}

static void close_line(struct line *line)
{
    gnutls_deinit(line->client);
    gnutls_deinit(line->server);
    gnutls_anon_free_client_credentials(line->client_credentials);
    gnutls_anon_free_server_credentials(line->server_credentials);
    record_guard_free(line->guard);
    free(line);
}

/* Reads as libmicrohttpd does: again at once only when the room was filled and bytes are said to be pending,
 * else after something has come on the line. */
static void read_like_the_library(struct line *line, size_t room, struct buffer *into)
{
    uint8_t *bytes = malloc(room);

    for (;;) {
        const ssize_t got = gnutls_record_recv(line->server, bytes, room);
        if (got <= 0)
            break;
        buffer_append(into, bytes_of(bytes, (size_t)got));
        if ((size_t)got == room && gnutls_record_check_pending(line->server) > 0)
            continue;
        if (line->to_server.begin == line->to_server.end)
            break;
    }
    free(bytes);
}

/* Sends `input` in records of `record` bytes, reading behind each. */
static void carry(struct line *line, struct bytes input, size_t record, size_t room, struct buffer *into)
{
    while (input.size > 0) {
        const size_t size = record < input.size ? record : input.size;
        const ssize_t sent = gnutls_record_send(line->client, input.data, size);
        must((int)sent);
        input = bytes_from(input, (size_t)sent);
        read_like_the_library(line, room, into);
    }
}

static const size_t records[] = { 1, 2, 3, 61, 1000, 16000 };
static const size_t rooms[] = { 1, 7, 64, 1500, 16384 };

#define GET_HEAD "GET /studies HTTP/1.1\r\nHost: x\r\n\r\n"
#define CHUNKED_HEAD "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

TEST(this_program_has_the_guard_in_front)
{
    struct error err = { 0 };

    EXPECT(record_guard_works(&err), "%s", err.detail);
}

TEST(every_record_size_and_every_room_gives_the_same_bytes)
{
    struct buffer input, want;

    buffer_init(&input, 1 << 20);
    buffer_init(&want, 1 << 20);
    for (unsigned i = 0; i < 40; i++) {
        buffer_append_text(&input, "\r\n" GET_HEAD CHUNKED_HEAD
                                   "5;x=y\r\nabcde\r\n10\r\n0123456789abcdef\r\n0\r\nA: b\r\n\r\n");
        buffer_append_text(&want, GET_HEAD CHUNKED_HEAD "5\r\nabcde\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n");
    }
    for (size_t i = 0; i < COUNT_OF(records); i++)
        for (size_t k = 0; k < COUNT_OF(rooms); k++) {
            struct line *line = open_line();
            struct error err = { 0 };
            struct buffer got;

            buffer_init(&got, 1 << 20);
            carry(line, buffer_bytes(&input), records[i], rooms[k], &got);
            EXPECT(bytes_equal(buffer_bytes(&got), buffer_bytes(&want)),
                   "records of %zu, room of %zu: %zu of %zu bytes", records[i], rooms[k], got.size,
                   want.size);
            EXPECT(record_guard_check(line->guard, 80, &err), "%s", err.detail);
            EXPECT(!record_guard_check(line->guard, 81, &err) && err.fault == FAULT_INTERNAL, "fault %d",
                   err.fault);
            EXPECT(record_guard_check_body(line->guard, 80, &err), "%s", err.detail);
            EXPECT(!record_guard_refused(line->guard), "refused");
            buffer_done(&got);
            close_line(line);
        }
    buffer_done(&input);
    buffer_done(&want);
}

TEST(a_refused_head_is_replaced_and_nothing_follows)
{
    static const char input[] =
        GET_HEAD "HEAD / HTTP/1.1\r\nHost: x\r\nOrigin: https://viewer.example\r\nX: a\r\n b\r\n"
                 "accept: text/html\r\n\r\n" GET_HEAD;
    static const char want[] =
        GET_HEAD "HEAD / HTTP/1.1\r\nHost: refused\r\nOrigin: https://viewer.example\r\n"
                 "accept: text/html\r\n\r\n";

    for (size_t i = 0; i < COUNT_OF(records); i++)
        for (size_t k = 0; k < COUNT_OF(rooms); k++) {
            struct line *line = open_line();
            struct error err = { 0 };
            struct buffer got;

            buffer_init(&got, 1 << 20);
            carry(line, bytes_of_text(input), records[i], rooms[k], &got);
            EXPECT_TEXT(buffer_bytes(&got), want);
            EXPECT(record_guard_check(line->guard, 1, &err), "%s", err.detail);
            EXPECT(!record_guard_check(line->guard, 2, &err) && err.fault == FAULT_MALFORMED, "fault %d",
                   err.fault);
            EXPECT(record_guard_refused(line->guard), "not refused");
            buffer_done(&got);
            close_line(line);
        }
}

TEST(a_refused_body_ends_there)
{
    static const struct {
        const char *chunks, *want;
    } cases[] = {
        { "3\r\nabc\r\nx\r\n", "3\r\nabc\r\n0\r\n\r\n" },
        { "3\r\nabcd\r\n0\r\n\r\n", "3\r\nabc\r\n0\r\n\r\n" },
        { "3\r\nabc\r\n0\r\nA: b\n\r\n", "3\r\nabc\r\n0\r\n\r\n" },
    };

    for (size_t c = 0; c < COUNT_OF(cases); c++)
        for (size_t i = 0; i < COUNT_OF(records); i++)
            for (size_t k = 0; k < COUNT_OF(rooms); k++) {
                struct line *line = open_line();
                struct error err = { 0 };
                struct buffer input, got, want;

                buffer_init(&input, 4096);
                buffer_init(&got, 4096);
                buffer_init(&want, 4096);
                buffer_printf(&input, CHUNKED_HEAD "%s" GET_HEAD, cases[c].chunks);
                buffer_printf(&want, CHUNKED_HEAD "%s", cases[c].want);
                carry(line, buffer_bytes(&input), records[i], rooms[k], &got);
                EXPECT(bytes_equal(buffer_bytes(&got), buffer_bytes(&want)), "case %zu: \"%.*s\"", c,
                       BYTES_ARG(buffer_bytes(&got)));
                EXPECT(record_guard_check(line->guard, 1, &err), "%s", err.detail);
                EXPECT(!record_guard_check_body(line->guard, 1, &err) && err.fault == FAULT_MALFORMED,
                       "fault %d", err.fault);
                buffer_done(&input);
                buffer_done(&got);
                buffer_done(&want);
                close_line(line);
            }
}

TEST(other_sessions_are_left_alone)
{
    struct line *line = open_line();
    uint8_t got[64];

    gnutls_session_set_ptr(line->server, line); /* as a session of another transport has its own */
    must((int)gnutls_record_send(line->client, "\n\n", 2));
    EXPECT(gnutls_record_recv(line->server, got, sizeof got) == 2 && got[0] == '\n', "not passed on");
    must((int)gnutls_record_send(line->server, "GET", 3));
    EXPECT(gnutls_record_recv(line->client, got, sizeof got) == 3, "not passed on");
    close_line(line);
}
