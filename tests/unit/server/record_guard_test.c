/* tests/unit/server/record_guard_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * A client and a guarded server session that talk through memory: whatever the records and whatever room the
 * reader has, it gets the same bytes, is never left with bytes at hand that nobody will tell it of, and sees
 * no head that is refused. The same with a library of our own and a sink, for bodies in the lane.
 */
#include "tests/support/expect.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

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
    gnutls_psk_client_credentials_t client_key;
    gnutls_psk_server_credentials_t server_key;
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

static const char *const versions[] = { "NORMAL:-VERS-ALL:+VERS-TLS1.2:+ANON-ECDH",
                                        "NORMAL:-VERS-ALL:+VERS-TLS1.3:-KX-ALL:+ECDHE-PSK" };

static int find_key(gnutls_session_t session, const char *name, gnutls_datum_t *ret)
{
    static const char key[] = "sixteen bytes...";

    (void)session, (void)name;
    ret->size = sizeof key - 1;
    ret->data = gnutls_malloc(ret->size);
    memcpy(ret->data, key, ret->size);
    return 0;
}

/* TLS 1.3 has no anonymous key exchange. */
static void share_key(struct line *line)
{
    gnutls_datum_t key;

    must(gnutls_psk_allocate_client_credentials(&line->client_key));
    must(gnutls_psk_allocate_server_credentials(&line->server_key));
    find_key(NULL, NULL, &key);
    must(gnutls_psk_set_client_credentials(line->client_key, "x", &key, GNUTLS_PSK_KEY_RAW));
    gnutls_free(key.data);
    gnutls_psk_set_server_credentials_function(line->server_key, find_key);
    must(gnutls_credentials_set(line->client, GNUTLS_CRD_PSK, line->client_key));
    must(gnutls_credentials_set(line->server, GNUTLS_CRD_PSK, line->server_key));
}

static struct line *open_line_of(const char *priorities)
{
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
    share_key(line);
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

static struct line *open_line(void)
{
    return open_line_of(versions[0]);
}

static void close_line(struct line *line)
{
    gnutls_deinit(line->client);
    gnutls_deinit(line->server);
    gnutls_anon_free_client_credentials(line->client_credentials);
    gnutls_anon_free_server_credentials(line->server_credentials);
    gnutls_psk_free_client_credentials(line->client_key);
    gnutls_psk_free_server_credentials(line->server_key);
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

/* ── bodies in the lane ── */

enum reader_state { IN_HEAD, IN_LENGTH, IN_SIZE, IN_CHUNK, IN_CHUNK_END, IN_LAST };

/* A reader of HTTP as the library is, with what it knows: it takes chunks before a length. */
struct reader {
    struct line *line;
    struct buffer came, heads, body; /* not understood yet; what each request was: heads, "body N\n" */
    enum reader_state state;
    uint64_t left, number, in_lane, shown;
    uint8_t room[64 * 1024];
    unsigned asked, room_every; /* the sink has no room every so many times, 0: always has */
    bool no_sink, ended;
};

static uint8_t *room_of_reader(void *of, size_t *ret_size)
{
    struct reader *reader = of;

    if (reader->room_every && reader->asked++ % reader->room_every == 0)
        return NULL;
    *ret_size = RECORD_SINK_LEAST_BYTES + reader->asked % 3 * 1000;
    return reader->room;
}

static void filled_of_reader(void *of, size_t size)
{
    struct reader *reader = of;

    buffer_append(&reader->body, bytes_of(reader->room, size));
    reader->in_lane += size;
}

static struct reader *reader_new(struct line *line)
{
    struct reader *reader = calloc(1, sizeof *reader);

    if (!reader)
        abort();
    reader->line = line;
    buffer_init(&reader->came, 1 << 20);
    buffer_init(&reader->heads, 1 << 20);
    buffer_init(&reader->body, 1 << 20);
    return reader;
}

static void reader_free(struct reader *reader)
{
    buffer_done(&reader->came);
    buffer_done(&reader->heads);
    buffer_done(&reader->body);
    free(reader);
}

/* The first `size` bytes have been understood. */
static void drop_came(struct reader *reader, size_t size)
{
    struct buffer rest;

    buffer_init(&rest, 1 << 20);
    buffer_append(&rest, bytes_from(buffer_bytes(&reader->came), size));
    buffer_done(&reader->came);
    reader->came = rest;
}

static void end_request(struct reader *reader)
{
    record_guard_end_lane(reader->line->guard);
    reader->state = IN_HEAD;
}

static void take_head(struct reader *reader, struct bytes head)
{
    const struct record_sink sink = { room_of_reader, filled_of_reader, reader };
    const char *length = memmem(head.data, head.size, "Content-Length: ", 16);

    reader->number++;
    buffer_append(&reader->heads, head);
    reader->state = IN_HEAD;
    if (memmem(head.data, head.size, "Transfer-Encoding: chunked", 26))
        reader->state = IN_SIZE;
    else if (length && (reader->left = strtoull(length + 16, NULL, 10)) > 0)
        reader->state = IN_LENGTH;
    if (!reader->no_sink && reader->state != IN_HEAD)
        record_guard_begin_lane(reader->line->guard, reader->number, &sink);
}

static size_t take_payload(struct reader *reader, struct bytes came, enum reader_state next)
{
    const size_t size = came.size < reader->left ? came.size : (size_t)reader->left;

    buffer_append(&reader->body, bytes_of(came.data, size));
    reader->shown += size;
    record_guard_taken(reader->line->guard, size);
    reader->left -= size;
    if (reader->left == 0)
        reader->state = next;
    if (reader->state == IN_HEAD)
        end_request(reader);
    return size;
}

/* One step; how many bytes it used. */
static size_t understand(struct reader *reader, struct bytes came)
{
    const char *end;

    switch (reader->state) {
    case IN_LENGTH:
        return take_payload(reader, came, IN_HEAD);
    case IN_CHUNK:
        return take_payload(reader, came, IN_CHUNK_END);
    case IN_CHUNK_END:
    case IN_LAST:
        if (came.size < 2 || memcmp(came.data, "\r\n", 2) != 0)
            return 0;
        if (reader->state == IN_LAST)
            end_request(reader);
        else
            reader->state = IN_SIZE;
        return 2;
    case IN_SIZE:
        end = memmem(came.data, came.size, "\r\n", 2);
        if (!end)
            return 0;
        reader->left = strtoull((const char *)came.data, NULL, 16);
        reader->state = reader->left ? IN_CHUNK : IN_LAST;
        return (size_t)(end + 2 - (const char *)came.data);
    case IN_HEAD:
        break;
    }
    end = memmem(came.data, came.size, "\r\n\r\n", 4);
    const size_t size = end ? (size_t)(end + 4 - (const char *)came.data) : 0;
    if (size)
        take_head(reader, bytes_of(came.data, size));
    return size;
}

/* Reads as the library does, until nothing more is said to be there. */
static void read_all(struct reader *reader, size_t room)
{
    uint8_t *bytes = malloc(room);
    struct line *line = reader->line;
    size_t used;

    for (;;) {
        const ssize_t got = gnutls_record_recv(line->server, bytes, room);
        if (got == 0 || (got < 0 && gnutls_error_is_fatal((int)got)))
            reader->ended = true;
        if (got == GNUTLS_E_AGAIN && line->to_server.begin != line->to_server.end)
            continue; /* others had their turn */
        if (got <= 0)
            break;
        buffer_append(&reader->came, bytes_of(bytes, (size_t)got));
        while (reader->came.size > 0 && (used = understand(reader, buffer_bytes(&reader->came))) > 0)
            drop_came(reader, used);
        if ((size_t)got == room && gnutls_record_check_pending(line->server) > 0)
            continue;
        if (line->to_server.begin == line->to_server.end)
            break;
    }
    free(bytes);
}

static void send_through(struct reader *reader, struct bytes input, size_t record, size_t room)
{
    for (unsigned n = 1; input.size > 0; n++) {
        const size_t size = record < input.size ? record : input.size;
        const ssize_t sent = gnutls_record_send(reader->line->client, input.data, size);
        must((int)sent);
        input = bytes_from(input, (size_t)sent);
        /* Sometimes several records have come before anybody looks. */
        if (n % 5 != 0 && input.size > 0 && reader->line->to_server.end < 300000)
            continue;
        read_all(reader, room);
    }
}

static void append_pattern(struct buffer *buffer, size_t size)
{
    uint8_t *bytes = malloc(size + 1);

    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    buffer_append(buffer, bytes_of(bytes, size));
    free(bytes);
}

enum { LARGE = 150001 };

/* A small request, an upload with a length, one in chunks, a small one behind it, an upload again. */
static void make_uploads(struct buffer *input, struct buffer *bodies)
{
    buffer_init(input, 1 << 22);
    buffer_init(bodies, 1 << 22);
    buffer_append_text(input, GET_HEAD);
    buffer_printf(input, "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", LARGE);
    append_pattern(input, LARGE);
    append_pattern(bodies, LARGE);
    buffer_append_text(input, CHUNKED_HEAD);
    for (size_t size = 1; size < 60000; size = size * 3 + 1) {
        buffer_printf(input, "%zx;x=y\r\n", size);
        append_pattern(input, size);
        append_pattern(bodies, size);
        buffer_append_text(input, "\r\n");
    }
    buffer_append_text(input, "0\r\nA: b\r\n\r\n" GET_HEAD);
    buffer_printf(input, "POST /b HTTP/1.1\r\nContent-Length: %d\r\nHost: x\r\n\r\n", LARGE + 1);
    append_pattern(input, LARGE + 1);
    append_pattern(bodies, LARGE + 1);
    buffer_append_text(input, GET_HEAD);
}

TEST(bodies_arrive_whole_and_in_order_whether_they_take_the_lane_or_the_library)
{
    static const size_t sizes[] = { 61, 1000, 5000, 16384 }, places[] = { 64, 1500, 16384, 40000 };
    static const unsigned rooms_every[] = { 0, 1, 2, 7 };
    struct buffer input, want;

    make_uploads(&input, &want);
    for (size_t v = 0; v < COUNT_OF(versions); v++)
        for (size_t i = 0; i < COUNT_OF(sizes); i++)
            for (size_t k = 0; k < COUNT_OF(places); k++)
                for (size_t e = 0; e < COUNT_OF(rooms_every); e++) {
                    struct reader *reader = reader_new(open_line_of(versions[v]));
                    struct error err = { 0 };
                    reader->room_every = rooms_every[e];
                    send_through(reader, buffer_bytes(&input), sizes[i], places[k]);
                    EXPECT(bytes_equal(buffer_bytes(&reader->body), buffer_bytes(&want)) &&
                               reader->number == 6 && reader->state == IN_HEAD && reader->came.size == 0,
                           "version %zu, records of %zu, room of %zu, full every %u: %zu of %zu bytes, "
                           "request %llu",
                           v, sizes[i], places[k], rooms_every[e], reader->body.size, want.size,
                           (unsigned long long)reader->number);
                    EXPECT(reader->in_lane + reader->shown == want.size &&
                               (rooms_every[e] == 1 ? reader->in_lane == 0 : reader->in_lane > LARGE / 4),
                           "%llu in the lane", (unsigned long long)reader->in_lane);
                    EXPECT(record_guard_check(reader->line->guard, 6, &err), "%s", err.detail);
                    close_line(reader->line);
                    reader_free(reader);
                }
    buffer_done(&input);
    buffer_done(&want);
}

TEST(an_upload_cut_at_any_byte_of_its_head_and_of_a_line_between_chunks_is_the_same)
{
    static const char *const heads[] = {
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 70005\r\n\r\nabcde",
        CHUNKED_HEAD "1\r\na\r\n0000004;x=y\r\nbcde\r\n11170\r\n",
    };

    for (size_t h = 0; h < COUNT_OF(heads); h++)
        for (size_t cut = 1; cut < strlen(heads[h]); cut++) {
            struct reader *reader = reader_new(open_line());
            struct buffer rest, want;

            buffer_init(&rest, 1 << 20);
            buffer_init(&want, 1 << 20);
            buffer_append_text(&want, "abcde");
            append_pattern(&want, 70000);
            buffer_append_text(&rest, heads[h] + cut);
            append_pattern(&rest, 70000);
            buffer_append_text(&rest, h ? "\r\n0\r\n\r\n" GET_HEAD : GET_HEAD);
            must((int)gnutls_record_send(reader->line->client, heads[h], cut));
            read_all(reader, 16384);
            send_through(reader, buffer_bytes(&rest), 16384, 16384);
            EXPECT(bytes_equal(buffer_bytes(&reader->body), buffer_bytes(&want)) && reader->number == 2,
                   "head %zu cut at %zu: %zu of %zu bytes", h, cut, reader->body.size, want.size);
            buffer_done(&rest);
            buffer_done(&want);
            close_line(reader->line);
            reader_free(reader);
        }
}

TEST(small_bodies_old_versions_and_those_without_a_sink_stay_with_the_library)
{
    static const struct {
        const char *head;
        size_t size;
        bool no_sink;
    } cases[] = {
        { "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n", 1000, false },
        { "POST / HTTP/1.0\r\nContent-Length: 100000\r\n\r\n", 100000, false },
        { "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", 100000, true },
    };

    for (size_t c = 0; c < COUNT_OF(cases); c++) {
        struct reader *reader = reader_new(open_line());
        struct buffer input, want;

        buffer_init(&input, 1 << 20);
        buffer_init(&want, 1 << 20);
        buffer_append_text(&input, cases[c].head);
        append_pattern(&input, cases[c].size);
        append_pattern(&want, cases[c].size);
        reader->no_sink = cases[c].no_sink;
        send_through(reader, buffer_bytes(&input), 16384, 16384);
        EXPECT(reader->in_lane == 0 && bytes_equal(buffer_bytes(&reader->body), buffer_bytes(&want)),
               "case %zu: %llu in the lane, %zu bytes", c, (unsigned long long)reader->in_lane,
               reader->body.size);
        if (!cases[c].no_sink)
            EXPECT_TEXT(buffer_bytes(&reader->heads), cases[c].head);
        buffer_done(&input);
        buffer_done(&want);
        close_line(reader->line);
        reader_free(reader);
    }
}

TEST(a_chunk_refused_in_the_lane_ends_the_body_there)
{
    for (size_t record = 100; record < 20000; record += 3000) {
        struct reader *reader = reader_new(open_line());
        struct error err = { 0 };
        struct buffer input, want;

        buffer_init(&input, 1 << 20);
        buffer_init(&want, 1 << 20);
        buffer_append_text(&input, CHUNKED_HEAD "1\r\na\r\n10000\r\n");
        append_pattern(&input, 65536);
        buffer_append_text(&input, "\r\nx\r\n" GET_HEAD);
        buffer_append_text(&want, "a");
        append_pattern(&want, 65536);
        send_through(reader, buffer_bytes(&input), record, 16384);
        EXPECT(bytes_equal(buffer_bytes(&reader->body), buffer_bytes(&want)), "%zu bytes", reader->body.size);
        EXPECT(reader->number == 1 && reader->state == IN_HEAD && reader->came.size == 0,
               "request %llu, state %d", (unsigned long long)reader->number, reader->state);
        EXPECT(record_guard_refused(reader->line->guard), "not refused");
        EXPECT(!record_guard_check_body(reader->line->guard, 1, &err) && err.fault == FAULT_MALFORMED,
               "fault %d", err.fault);
        buffer_done(&input);
        buffer_done(&want);
        close_line(reader->line);
        reader_free(reader);
    }
}

TEST(a_client_that_ends_within_a_body_is_seen_to)
{
    struct reader *reader = reader_new(open_line());
    struct buffer input;

    buffer_init(&input, 1 << 20);
    buffer_append_text(&input, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n");
    append_pattern(&input, 200000);
    send_through(reader, buffer_bytes(&input), 16384, 16384);
    EXPECT(!reader->ended && reader->body.size == 200000, "%zu bytes", reader->body.size);
    must(gnutls_bye(reader->line->client, GNUTLS_SHUT_WR));
    read_all(reader, 16384);
    EXPECT(reader->ended && reader->body.size == 200000 && reader->number == 1, "not ended");
    buffer_done(&input);
    close_line(reader->line);
    reader_free(reader);
}

TEST(new_keys_within_a_body_are_taken_and_a_new_handshake_is_not)
{
    for (size_t v = 0; v < COUNT_OF(versions); v++) {
        struct reader *reader = reader_new(open_line_of(versions[v]));
        struct buffer input;

        buffer_init(&input, 1 << 20);
        buffer_append_text(&input, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n");
        append_pattern(&input, 300000);
        send_through(reader, bytes_of(input.data, 100000), 16384, 16384);
        if (v == 1) {
            must(gnutls_session_key_update(reader->line->client, 0));
        } else {
            EXPECT(gnutls_handshake(reader->line->client) == GNUTLS_E_AGAIN, "no handshake begun");
            read_all(reader, 16384);
            EXPECT(gnutls_handshake(reader->line->client) == GNUTLS_E_WARNING_ALERT_RECEIVED &&
                       gnutls_alert_get(reader->line->client) == GNUTLS_A_NO_RENEGOTIATION,
                   "not refused");
        }
        if (v == 1)
            send_through(reader, bytes_from(buffer_bytes(&input), 100000), 16384, 16384);
        EXPECT(!reader->ended && reader->body.size == (v == 1 ? 300000 : reader->body.size), "%zu bytes",
               reader->body.size);
        buffer_done(&input);
        close_line(reader->line);
        reader_free(reader);
    }
}

/* Or it would take a client whose bytes it does not see for silent, and hang up. */
TEST(the_library_sees_some_bytes_of_a_long_upload_now_and_then)
{
    struct reader *reader = reader_new(open_line());
    const struct timespec pause = { .tv_nsec = 600 * 1000 * 1000 };
    struct buffer input;

    buffer_init(&input, 1 << 20);
    buffer_append_text(&input, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n");
    append_pattern(&input, 300000);
    send_through(reader, bytes_of(input.data, 200000), 16384, 16384);
    const uint64_t shown = reader->shown;
    nanosleep(&pause, NULL);
    send_through(reader, bytes_from(buffer_bytes(&input), 200000), 16384, 16384);
    EXPECT(reader->shown > shown, "%llu bytes, none behind the pause", (unsigned long long)shown);
    EXPECT(reader->body.size == 300000, "%zu bytes", reader->body.size);
    buffer_done(&input);
    close_line(reader->line);
    reader_free(reader);
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
