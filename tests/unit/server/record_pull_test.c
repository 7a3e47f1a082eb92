/* tests/unit/server/record_pull_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * TLS sessions over a socket pair: whatever pieces the bytes of records come in, the reader gets what was
 * sent, and is never left with a record that no poll of the socket tells of.
 */
#include "server/record_pull.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/expect.h"
#include "tests/support/tls_pair.h"

struct line {
    struct tls_pair tls;
    struct record_pull pull;
    uint8_t wire[64 * 1024]; /* what the client would send */
    size_t wire_size;
    bool gather;
};

static ssize_t push(gnutls_transport_ptr_t of, const void *data, size_t size)
{
    struct line *line = of;

    if (!line->gather)
        return send(line->tls.sockets[0], data, size, MSG_NOSIGNAL);
    if (size > sizeof line->wire - line->wire_size)
        abort();
    memcpy(line->wire + line->wire_size, data, size);
    line->wire_size += size;
    return (ssize_t)size;
}

static struct line *open_line(void)
{
    struct line *line = calloc(1, sizeof *line);

    if (!line)
        abort();
    tls_pair_open(&line->tls);
    gnutls_transport_set_ptr2(line->tls.client, (gnutls_transport_ptr_t)(intptr_t)line->tls.sockets[0], line);
    gnutls_transport_set_push_function(line->tls.client, push);
    record_pull_prepare(&line->pull, line->tls.server, line->tls.sockets[1]);
    tls_pair_handshake(&line->tls);
    line->gather = true;
    return line;
}

static void close_line(struct line *line)
{
    tls_pair_close(&line->tls);
    free(line);
}

static bool is_readable(const struct line *line)
{
    struct pollfd poll_of = { .fd = line->tls.sockets[1], .events = POLLIN };

    return poll(&poll_of, 1, 0) == 1;
}

/* One record for each time that the socket is readable, as one who polls reads. */
static size_t read_while_readable(struct line *line, uint8_t *into, size_t room)
{
    size_t size = 0;

    while (is_readable(line)) {
        const ssize_t got = gnutls_record_recv(line->tls.server, into + size, room - size);
        if (got > 0)
            size += (size_t)got;
        else if (got != GNUTLS_E_AGAIN)
            break;
    }
    return size;
}

static void make_records(struct line *line, uint8_t *data)
{
    static const size_t sizes[] = { 1, 2, 300, 1, 1, 77, 5000, 3 };

    for (size_t i = 0, at = 0; i < COUNT_OF(sizes); at += sizes[i++]) {
        for (size_t k = 0; k < sizes[i]; k++)
            data[at + k] = (uint8_t)(at + k * 13);
        tls_pair_must((int)gnutls_record_send(line->tls.client, data + at, sizes[i]));
    }
}

enum { BYTES = 1 + 2 + 300 + 1 + 1 + 77 + 5000 + 3 };

TEST(records_cut_at_any_byte_arrive_each_as_soon_as_it_is_whole)
{
    struct line *measure = open_line();
    uint8_t data[BYTES], got[BYTES + 1];

    make_records(measure, data);
    const size_t whole = measure->wire_size;
    close_line(measure);
    for (size_t cut = 0; cut < whole; cut += cut < 700 || cut > whole - 200 ? 1 : 97) {
        struct line *line = open_line();
        make_records(line, data);
        tls_pair_must((int)send(line->tls.sockets[0], line->wire, cut, MSG_NOSIGNAL));
        size_t size = read_while_readable(line, got, sizeof got);
        tls_pair_must((int)send(line->tls.sockets[0], line->wire + cut, whole - cut, MSG_NOSIGNAL));
        size += read_while_readable(line, got + size, sizeof got - size);
        EXPECT(size == BYTES && memcmp(got, data, BYTES) == 0, "cut at %zu: %zu of %d bytes", cut, size,
               BYTES);
        close_line(line);
    }
}

TEST(bytes_that_come_one_by_one_are_records_in_the_end)
{
    struct line *line = open_line();
    uint8_t data[BYTES], got[BYTES + 1];
    size_t size = 0;

    make_records(line, data);
    for (size_t at = 0; at < line->wire_size; at++) {
        tls_pair_must((int)send(line->tls.sockets[0], line->wire + at, 1, MSG_NOSIGNAL));
        size += read_while_readable(line, got + size, sizeof got - size);
    }
    EXPECT(size == BYTES && memcmp(got, data, BYTES) == 0, "%zu of %d bytes", size, BYTES);
    close_line(line);
}

TEST(a_line_that_ends_behind_the_beginning_of_a_record_has_ended)
{
    struct line *line = open_line();
    uint8_t data[BYTES], got[BYTES + 1];

    tls_pair_must((int)gnutls_record_send(line->tls.client, "abc", 3));
    const size_t first = line->wire_size;
    make_records(line, data);
    tls_pair_must((int)send(line->tls.sockets[0], line->wire, first + RECORD_PULL_AHEAD_BYTES, MSG_NOSIGNAL));
    shutdown(line->tls.sockets[0], SHUT_WR);
    EXPECT(gnutls_record_recv(line->tls.server, got, sizeof got) == 3, "the first record");
    const ssize_t end = gnutls_record_recv(line->tls.server, got, sizeof got);
    EXPECT(end == 0 || (end < 0 && gnutls_error_is_fatal((int)end)), "%zd", end);
    close_line(line);
}

TEST(each_record_but_the_first_is_one_call)
{
    struct line *line = open_line();
    uint8_t data[BYTES], got[BYTES + 1];

    make_records(line, data);
    tls_pair_must((int)send(line->tls.sockets[0], line->wire, line->wire_size, MSG_NOSIGNAL));
    EXPECT(gnutls_record_recv(line->tls.server, got, sizeof got) == 1, "the first record");
    EXPECT(line->pull.held == RECORD_PULL_AHEAD_BYTES, "%u bytes of the next", line->pull.held);
    EXPECT(read_while_readable(line, got + 1, sizeof got - 1) == BYTES - 1, "the others");
    EXPECT(line->pull.held == 0 && memcmp(got, data, BYTES) == 0, "%u held", line->pull.held);
    close_line(line);
}
