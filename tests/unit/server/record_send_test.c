/* tests/unit/server/record_send_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Two TLS sessions over a real socket pair with little room: what a sender offers in pieces of any size, and
 * goes on offering where it was told that it got to, arrives as it was.
 */
#include "server/record_send.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/record_guard.h"
#include "tests/support/expect.h"
#include "tests/support/tls_pair.h"

static void open_line(struct tls_pair *line)
{
    const int room = 8192;

    tls_pair_open(line);
    if (setsockopt(line->sockets[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room) != 0)
        abort();
    record_send_prepare(line->server);
    tls_pair_handshake(line);
}

/* Offers what is left, at most `piece` of it. False: something is wrong. */
static bool offer(struct tls_pair *line, const uint8_t *data, size_t size, size_t piece, size_t *sent)
{
    const size_t left = size - *sent, offered = left < piece ? left : piece;
    const ssize_t outcome = left > 0 ? gnutls_record_send(line->server, data + *sent, offered) : 0;

    if ((outcome < 0 && gnutls_error_is_fatal((int)outcome)) || outcome > (ssize_t)offered)
        return false;
    *sent += outcome > 0 ? (size_t)outcome : 0;
    return true;
}

static bool receive(struct tls_pair *line, uint8_t *got, size_t size, size_t *received)
{
    const ssize_t outcome = gnutls_record_recv(line->client, got + *received, size - *received);

    if (outcome < 0 && gnutls_error_is_fatal((int)outcome))
        return false;
    *received += outcome > 0 ? (size_t)outcome : 0;
    return true;
}

/* One call each way, so that the sender meets a full socket again and again. False: something is wrong. */
static bool step(struct tls_pair *line, const uint8_t *data, size_t size, size_t piece, size_t *sent,
                 uint8_t *got, size_t *received)
{
    return offer(line, data, size, piece, sent) && receive(line, got, size, received);
}

TEST(what_is_sent_in_many_records_over_a_full_socket_arrives_as_it_was)
{
    static const size_t pieces[] = { 100, 16384, 16385, 32768, 65536, 100000, 300000 };
    enum { BYTES = 300000, STEPS_MOST = 100000 };
    uint8_t *data = malloc(BYTES), *got = malloc(BYTES);

    for (size_t i = 0; i < BYTES; i++)
        data[i] = (uint8_t)(i * 31 + (i >> 8));
    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        struct tls_pair line = { 0 };
        size_t sent = 0, received = 0;
        unsigned steps = 0;

        open_line(&line);
        memset(got, 0, BYTES);
        while (received < BYTES && steps < STEPS_MOST &&
               step(&line, data, BYTES, pieces[i], &sent, got, &received))
            steps++;
        EXPECT(sent == BYTES && received == BYTES && memcmp(data, got, BYTES) == 0,
               "pieces of %zu: %zu sent, %zu received in %u steps", pieces[i], sent, received, steps);
        tls_pair_close(&line);
    }
    free(data);
    free(got);
}

/* The head is said to be sent at once; it comes with the beginning of the body, whatever the socket takes. */
TEST(a_head_whose_body_is_at_hand_goes_out_in_one_record_with_it)
{
    static const struct framing_limits limits;
    static const size_t bodies[] = { 1, 4659, 16383, 16384, 100000 };
    enum { HEAD = 839, MOST = HEAD + 100000, ANSWERS = 20, STEPS_MOST = 100000 };
    uint8_t *data = malloc(MOST), *got = malloc(ANSWERS * MOST);

    for (size_t i = 0; i < MOST; i++)
        data[i] = (uint8_t)(i * 31 + (i >> 8));
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        const size_t whole = HEAD + bodies[i];
        struct tls_pair line = { 0 };
        size_t received = 0, wrong = 0;

        open_line(&line);
        struct record_guard *guard = record_guard_new(line.server, &limits);
        for (unsigned answer = 0; answer < ANSWERS; answer++) {
            size_t sent = 0;
            record_send_expect_body(line.server);
            EXPECT(gnutls_record_send(line.server, data, HEAD) == HEAD, "the head waits");
            for (unsigned n = 0; sent < bodies[i] && n < STEPS_MOST; n++)
                if (!offer(&line, data + HEAD, bodies[i], bodies[i], &sent) ||
                    (n % 3 == 0 && !receive(&line, got, ANSWERS * whole, &received)))
                    break;
            EXPECT(sent == bodies[i], "%zu of %zu sent", sent, bodies[i]);
        }
        for (unsigned n = 0; received < ANSWERS * whole && n < STEPS_MOST; n++)
            if (!receive(&line, got, ANSWERS * whole, &received))
                break;
        EXPECT(received == ANSWERS * whole, "%zu received of %zu", received, ANSWERS * whole);
        for (unsigned answer = 0; answer < ANSWERS; answer++)
            wrong += memcmp(got + answer * whole, data, whole) != 0;
        EXPECT(wrong == 0, "%zu answers are not what was sent", wrong);
        tls_pair_close(&line);
        record_guard_free(guard);
    }
    free(data);
    free(got);
}

TEST(a_head_and_a_small_body_are_one_record)
{
    static const struct framing_limits limits;
    struct tls_pair line = { 0 };
    uint8_t data[5000] = { 1 }, got[16384];

    open_line(&line);
    struct record_guard *guard = record_guard_new(line.server, &limits);
    record_send_expect_body(line.server);
    EXPECT(gnutls_record_send(line.server, data, 800) == 800, "the head waits");
    EXPECT(gnutls_record_recv(line.client, got, sizeof got) == GNUTLS_E_AGAIN, "it did not wait");
    EXPECT(gnutls_record_send(line.server, data + 800, 4200) == 4200, "the body");
    EXPECT(gnutls_record_recv(line.client, got, sizeof got) == 5000 && memcmp(got, data, 5000) == 0,
           "more than a record");
    EXPECT(gnutls_record_send(line.server, data, 800) == 800 &&
               gnutls_record_recv(line.client, got, sizeof got) == 800,
           "what is no head waits too");
    tls_pair_close(&line);
    record_guard_free(guard);
}

TEST(a_client_that_has_gone_is_told_as_it_was_before)
{
    static uint8_t data[200000];
    struct tls_pair line = { 0 };
    ssize_t outcome = 0;

    open_line(&line);
    shutdown(line.sockets[0], SHUT_RDWR);
    for (unsigned i = 0; i < 10 && (outcome >= 0 || !gnutls_error_is_fatal((int)outcome)); i++)
        outcome = gnutls_record_send(line.server, data, sizeof data);
    EXPECT(outcome < 0 && gnutls_error_is_fatal((int)outcome), "%zd", outcome);
    tls_pair_close(&line);
}
