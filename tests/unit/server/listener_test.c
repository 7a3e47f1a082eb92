/* tests/unit/server/listener_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The owner of the port, with gates that only collect what they are handed.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"
#include "server/clients.h"
#include "server/listener.h"
#include "tests/support/expect.h"

/* ── gates ── */

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t more;
    int handed[64];
    struct seat *seats[64];
    unsigned count; /* ever handed over */
    bool refuse;
};
static struct gate one = { .lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER };
static struct gate two = { .lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER };

static bool take(void *transport, int fd, const struct sockaddr *address, socklen_t size, struct seat *seat,
                 struct error *err)
{
    struct gate *gate = transport;

    EXPECT(address->sa_family == AF_INET && size == sizeof(struct sockaddr_in), "family %d",
           address->sa_family);
    if (gate->refuse) {
        file_close(fd);
        clients_leave(seat);
        return error_set(err, FAULT_BUSY, "the gate is shut");
    }
    pthread_mutex_lock(&gate->lock);
    if (gate->count < COUNT_OF(gate->handed)) {
        gate->seats[gate->count] = seat;
        gate->handed[gate->count++] = fd;
    }
    pthread_cond_broadcast(&gate->more);
    pthread_mutex_unlock(&gate->lock);
    return true;
}

static unsigned connections(void *transport)
{
    struct gate *gate = transport;

    pthread_mutex_lock(&gate->lock);
    const unsigned count = gate->count;
    pthread_mutex_unlock(&gate->lock);
    return count;
}

static void wait_for(struct gate *gate, unsigned count)
{
    pthread_mutex_lock(&gate->lock);
    while (gate->count < count)
        pthread_cond_wait(&gate->more, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static void empty(struct gate *gate)
{
    for (unsigned i = 0; i < gate->count; i++) {
        close(gate->handed[i]);
        clients_leave(gate->seats[i]);
    }
    gate->count = 0;
    gate->refuse = false;
}

static struct clients *clients;

static struct clients *clients_of(unsigned most)
{
    struct error err = { 0 };

    if (!clients_open(most, &clients, &err))
        abort();
    return clients;
}

static struct listener *begin_with(unsigned all, unsigned peeked, unsigned timeout_ms, unsigned of_one)
{
    const struct listener_gate gates[] = { { "h2", &two, take, connections },
                                           { "http/1.1", &one, take, connections } };
    const struct listener_options options = { .addresses = "127.0.0.1:0",
                                              .connections = all,
                                              .peek_connections = peeked,
                                              .peek_timeout_ms = timeout_ms,
                                              .clients = clients_of(of_one) };
    struct listener *listener = NULL;
    struct error err = { 0 };

    if (!listener_open(&options, &listener, &err) ||
        !listener_start(listener, gates, COUNT_OF(gates), &err)) {
        EXPECT(false, "%s", err.detail);
        abort();
    }
    return listener;
}

static struct listener *begin(unsigned all, unsigned peeked, unsigned timeout_ms)
{
    return begin_with(all, peeked, timeout_ms, 1000);
}

static void end(struct listener *listener)
{
    listener_close(listener);
    empty(&one);
    empty(&two);
    clients_close(clients); /* asserts that everyone has left */
}

/* ── clients ── */

static int call(const struct listener *listener)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)listener_port(listener)) };
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        abort();
    return fd;
}

static void say(int fd, const void *what, size_t size)
{
    if (send(fd, what, size, MSG_NOSIGNAL) != (ssize_t)size)
        EXPECT(false, "could not say %zu bytes", size);
}

/* What the other side says until it closes (-1: with a reset). */
static ssize_t hear_all(int fd, char *into, size_t size)
{
    size_t heard = 0;

    for (;;) {
        const ssize_t got = recv(fd, into + heard, size - heard - 1, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        heard += (size_t)got;
    }
    into[heard] = '\0';
    return (ssize_t)heard;
}

static void put(struct buffer *into, size_t number, size_t bytes)
{
    while (bytes-- > 0)
        buffer_append_byte(into, (uint8_t)(number >> (8 * bytes)));
}

/* A hello that offers this ALPN list (as on the wire, NULL: none), in two records. */
static void make_hello(struct buffer *into, const char *alpn)
{
    const size_t alpn_size = alpn ? strlen(alpn) + 6 : 0;
    struct buffer message;

    buffer_init(into, 65536);
    buffer_init(&message, 65536);
    put(&message, 1, 1);
    put(&message, 2 + 32 + 1 + 4 + 2 + 2 + alpn_size + 404, 3);
    put(&message, 0x0303, 2);
    for (unsigned i = 0; i < 32; i++)
        put(&message, i, 1);
    put(&message, 0, 1);
    put(&message, 2, 2);
    put(&message, 0x1301, 2);
    put(&message, 0x0100, 2);
    put(&message, alpn_size + 404, 2);
    put(&message, 21, 2);
    put(&message, 400, 2);
    for (unsigned i = 0; i < 400; i++)
        put(&message, 0, 1);
    if (alpn) {
        put(&message, 16, 2);
        put(&message, strlen(alpn) + 2, 2);
        put(&message, strlen(alpn), 2);
        buffer_append_text(&message, alpn);
    }
    for (size_t at = 0; at < message.size; at += 300) {
        const size_t size = message.size - at < 300 ? message.size - at : 300;
        put(into, 22, 1);
        put(into, 0x0301, 2);
        put(into, size, 2);
        buffer_append(into, bytes_of(message.data + at, size));
    }
    buffer_done(&message);
}

/* ── addresses ── */

TEST(the_setting_listen_is_read)
{
    static const struct {
        const char *list;
        unsigned count; /* 0: refused */
    } cases[] = {
        { "127.0.0.1:443", 1 },
        { "[::1]:443", 1 },
        { "*:8443", 1 },
        { "localhost:1", 1 },
        { "0.0.0.0:0 , [::]:0", 2 },
        { "", 0 },
        { "127.0.0.1", 0 },
        { "443", 0 },
        { "127.0.0.1:65536", 0 },
        { "127.0.0.1:-1", 0 },
        { "127.0.0.1:", 0 },
        { "::1:443", 0 },
        { "[127.0.0.1]:443", 0 },
        { "[::1:443", 0 },
        { "example.org:443", 0 },
        { "127.0.0.1:443,", 0 },
        { "1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1,1:1", 0 },
        { "[aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]:443", 0 },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct listener_address addresses[LISTENER_ADDRESSES_MOST];
        struct error err = { 0 };
        unsigned count = 0;
        const bool read = listener_parse(cases[i].list, addresses, &count, &err);
        EXPECT(read == (cases[i].count > 0) && count == cases[i].count, "\"%s\" gave %u: %s", cases[i].list,
               count, err.detail);
        EXPECT(read || strstr(err.detail, "listen: "), "\"%s\": %s", cases[i].list, err.detail);
    }
}

TEST(a_taken_port_and_a_foreign_address_are_told)
{
    struct listener *listener = begin(8, 8, 60000), *second = NULL;
    struct error err = { 0 };
    char taken[64];

    EXPECT(listener_port(listener) != 0 && strstr(listener_address_text(listener, 0), "127.0.0.1:"),
           "no port");
    EXPECT(listener_address_text(listener, 1) == NULL, "a second address");
    snprintf(taken, sizeof taken, "127.0.0.1:0,127.0.0.1:%u", listener_port(listener));
    const struct listener_options options = { taken, 8, 8, 1000, clients };
    const struct listener_options foreign = { "192.0.2.1:0", 8, 8, 1000, clients };
    EXPECT(!listener_open(&options, &second, &err) && strstr(err.detail, "taken by another program"), "%s",
           err.detail);
    EXPECT(!listener_open(&foreign, &second, &err) && strstr(err.detail, "no address of this machine"), "%s",
           err.detail);
    end(listener);
}

/* ── connections ── */

TEST(TLS_11_each_protocol_goes_through_its_gate)
{
    static const struct {
        const char *alpn;
        struct gate *gate;
    } cases[] = {
        { "\x02h2", &two },
        { "\x08http/1.1", &one },
        { "\x08http/1.1\x02h2", &two }, /* our order, not theirs */
        { NULL, &one },
    };
    struct listener *listener = begin(64, 64, 60000);

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buffer hello, seen;
        int least = 0;
        socklen_t size = sizeof least;
        make_hello(&hello, cases[i].alpn);
        const unsigned before = connections(cases[i].gate);
        const int fd = call(listener);
        say(fd, hello.data, hello.size);
        wait_for(cases[i].gate, before + 1);

        /* Nothing was taken out of the socket, and it is as if freshly accepted. */
        const int theirs = cases[i].gate->handed[before];
        buffer_init(&seen, 65536);
        uint8_t *room = buffer_reserve(&seen, 4096);
        const ssize_t got = recv(theirs, room, 4096, MSG_DONTWAIT);
        EXPECT(got == (ssize_t)hello.size && memcmp(room, hello.data, hello.size) == 0,
               "case %zu: %zd of %zu bytes", i, got, hello.size);
        getsockopt(theirs, SOL_SOCKET, SO_RCVLOWAT, &least, &size);
        EXPECT(least == 1, "SO_RCVLOWAT %d", least);
        buffer_done(&seen);
        buffer_done(&hello);
        close(fd);
    }
    end(listener);
}

TEST(TLS_01_TLS_11_who_speaks_nothing_of_ours_is_told_by_an_alert)
{
    static const struct {
        const char *alpn;
        size_t version_at; /* in the first record: set to TLS 1.1 */
        uint8_t alert;
    } cases[] = {
        { "\x02zz", 0, 120 },
        { "\x08http/1.1", 5 + 4 + 1, 70 },
    };
    struct listener *listener = begin(64, 64, 60000);

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buffer hello;
        char heard[64];
        make_hello(&hello, cases[i].alpn);
        if (cases[i].version_at)
            hello.data[cases[i].version_at] = 2;
        const int fd = call(listener);
        say(fd, hello.data, hello.size);
        const ssize_t size = hear_all(fd, heard, sizeof heard);
        EXPECT(size == 7 && heard[0] == 21 && (uint8_t)heard[6] == cases[i].alert,
               "case %zu: %zd bytes, alert %d", i, size, size == 7 ? heard[6] : 0);
        close(fd);
        buffer_done(&hello);
    }
    EXPECT(connections(&one) == 0 && connections(&two) == 0, "handed over");
    end(listener);
}

TEST(TLS_13_a_hello_byte_by_byte_wakes_the_thread_a_few_times_only)
{
    struct listener *listener = begin(8, 8, 60000);
    const uint64_t before = listener_wakeups(listener);
    struct buffer hello;

    make_hello(&hello, "\x08http/1.1");
    const int fd = call(listener);
    for (size_t i = 0; i < hello.size; i++) {
        say(fd, hello.data + i, 1);
        sched_yield();
    }
    wait_for(&one, 1);
    const uint64_t turns = listener_wakeups(listener) - before;
    EXPECT(turns <= 16, "%zu turns for %zu bytes", (size_t)turns, hello.size);
    close(fd);
    buffer_done(&hello);
    end(listener);
}

/* Also when half a hello is there, and when the client has closed its side: the classical ways to spin. */
TEST(TLS_13_sockets_that_wait_cost_no_turns)
{
    struct listener *listener = begin(64, 64, 3600000);
    struct buffer hello;
    int silent[16], half[16];
    char heard[16];

    make_hello(&hello, "\x08http/1.1");
    for (unsigned i = 0; i < 16; i++) {
        silent[i] = call(listener);
        half[i] = call(listener);
        say(half[i], hello.data, 20 + i);
    }
    const int last = call(listener); /* behind them all in the queue */
    say(last, hello.data, hello.size);
    wait_for(&one, 1);

    /* Each of those sockets wakes it a few times at most; a spinning one would do so for as long as we look.
     */
    const uint64_t before = listener_wakeups(listener);
    poll(NULL, 0, 200);
    const uint64_t turns = listener_wakeups(listener) - before;
    EXPECT(turns <= 64, "%zu turns while nothing happened", (size_t)turns);

    for (unsigned i = 0; i < 16; i++) {
        shutdown(half[i], SHUT_WR);
        hear_all(half[i], heard, sizeof heard); /* it is closed: half a hello and an end */
        close(half[i]);
        close(silent[i]);
    }
    close(last);
    buffer_done(&hello);
    end(listener);
}

TEST(TLS_13_plain_http_gets_a_sentence_and_a_clean_close)
{
    struct listener *listener = begin(8, 8, 60000);
    char heard[1024];

    for (unsigned i = 0; i < 3; i++) {
        const int fd = call(listener);
        static const char ask[] = "GET /dicom-web/studies HTTP/1.1\r\nHost: localhost\r\n\r\n";
        say(fd, ask, sizeof ask - 1);
        const ssize_t size = hear_all(fd, heard, sizeof heard);
        EXPECT(size > 0 && strncmp(heard, "HTTP/1.1 400 ", 13) == 0, "%zd bytes", size);
        const char *body = strstr(heard, "\r\n\r\n");
        EXPECT(body && strstr(heard, "Content-Length: 48") && strlen(body + 4) == 48, "%s", heard);
        close(fd);
    }
    EXPECT(connections(&one) == 0, "handed over");
    end(listener);
}

TEST(TLS_13_noise_is_closed)
{
    static const char zeros[100] = { 0 };
    struct listener *listener = begin(8, 8, 60000);
    char heard[64];

    const int fd = call(listener);
    say(fd, zeros, sizeof zeros);
    EXPECT(hear_all(fd, heard, sizeof heard) == 0, "an answer, or a reset");
    close(fd);
    end(listener);
}

TEST(TLS_13_who_says_nothing_is_closed_in_the_end)
{
    struct listener *listener = begin(8, 8, 60000);
    char heard[64];

    const int fd = call(listener), half = call(listener);
    say(half, "\x16\x03\x01", 3);
    listener_set_peek_timeout(listener, 1); /* a reload does so */
    EXPECT(hear_all(fd, heard, sizeof heard) == 0, "an answer, or a reset");
    EXPECT(hear_all(half, heard, sizeof heard) <= 0, "an answer");
    close(fd);
    close(half);
    end(listener);
}

TEST(TLS_13_when_too_many_say_nothing_the_oldest_goes)
{
    struct listener *listener = begin(64, 4, 3600000);
    struct buffer hello;
    char heard[64];
    int fds[6];

    make_hello(&hello, NULL);
    for (unsigned i = 0; i < 6; i++)
        fds[i] = call(listener);
    EXPECT(hear_all(fds[0], heard, sizeof heard) == 0, "the oldest stays");
    EXPECT(hear_all(fds[1], heard, sizeof heard) == 0, "the second oldest stays");
    for (unsigned i = 2; i < 6; i++)
        say(fds[i], hello.data, hello.size);
    wait_for(&one, 4);
    for (unsigned i = 0; i < 6; i++)
        close(fds[i]);
    buffer_done(&hello);
    end(listener);
}

TEST(HTP_15_an_address_has_only_so_many_connections_and_gets_a_place_back)
{
    struct listener *listener = begin_with(64, 64, 3600000, 2);
    struct buffer hello;
    char heard[64];
    int fds[3];

    make_hello(&hello, NULL);
    for (unsigned i = 0; i < 2; i++) {
        fds[i] = call(listener);
        say(fds[i], hello.data, hello.size);
        wait_for(&one, i + 1);
    }
    const int more = call(listener);
    EXPECT(hear_all(more, heard, sizeof heard) == 0, "a third one of two");
    close(more);
    pthread_mutex_lock(&one.lock);
    clients_leave(one.seats[0]);
    one.seats[0] = NULL;
    pthread_mutex_unlock(&one.lock);
    fds[2] = call(listener);
    say(fds[2], hello.data, hello.size);
    wait_for(&one, 3);
    for (unsigned i = 0; i < 3; i++)
        close(fds[i]);
    buffer_done(&hello);
    end(listener);
}

TEST(more_connections_than_the_setting_says_are_closed_at_once)
{
    struct listener *listener = begin(3, 8, 3600000);
    struct buffer hello;
    char heard[64];
    int fds[3];

    make_hello(&hello, NULL);
    for (unsigned i = 0; i < 3; i++) {
        fds[i] = call(listener);
        say(fds[i], hello.data, hello.size);
        wait_for(&one, i + 1);
    }
    const int more = call(listener);
    EXPECT(hear_all(more, heard, sizeof heard) == 0, "one more than three");
    close(more);
    for (unsigned i = 0; i < 3; i++)
        close(fds[i]);
    buffer_done(&hello);
    end(listener);
}

/* The connection that cannot be accepted stays in the backlog, so the listening socket is ready all the time.
 */
TEST(without_descriptors_the_thread_does_not_spin_and_goes_on_later)
{
    struct listener *listener = begin(8, 8, 60000);
    struct rlimit before, none;
    struct buffer hello;

    make_hello(&hello, NULL);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)listener_port(listener)) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = 0;
    if (setrlimit(RLIMIT_NOFILE, &none) != 0)
        abort();
    const uint64_t turns_before = listener_wakeups(listener), from_ms = clock_monotonic_ms();
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        abort();
    say(fd, hello.data, hello.size);
    for (unsigned i = 0; i < 2000 && listener_wakeups(listener) == turns_before; i++)
        poll(NULL, 0, 10);
    poll(NULL, 0, 300);
    const uint64_t turns = listener_wakeups(listener) - turns_before;
    const uint64_t most = 32 + (clock_monotonic_ms() - from_ms) / 20;
    EXPECT(turns >= 1 && turns <= most, "%zu turns", (size_t)turns);
    EXPECT(connections(&one) == 0, "accepted without a descriptor");
    setrlimit(RLIMIT_NOFILE, &before);
    wait_for(&one, 1);
    close(fd);
    buffer_done(&hello);
    end(listener);
}

TEST(a_gate_that_refuses_stops_nobody_else)
{
    struct listener *listener = begin(8, 8, 60000);
    struct buffer hello, for_two;
    char heard[64];

    make_hello(&hello, NULL);
    make_hello(&for_two, "\x02h2");
    one.refuse = true;
    const int fd = call(listener);
    say(fd, hello.data, hello.size);
    hear_all(fd, heard, sizeof heard);
    const int other = call(listener);
    say(other, for_two.data, for_two.size);
    wait_for(&two, 1);
    close(fd);
    close(other);
    buffer_done(&hello);
    buffer_done(&for_two);
    end(listener);
}

TEST(closing_lets_go_of_those_being_peeked_at)
{
    struct listener *listener = begin(8, 8, 3600000);
    char heard[64];
    const int fd = call(listener), other = call(listener);

    say(other, "\x16", 1);
    end(listener);
    EXPECT(hear_all(fd, heard, sizeof heard) <= 0, "an answer");
    EXPECT(hear_all(other, heard, sizeof heard) <= 0, "an answer");
    close(fd);
    close(other);
    listener_close(NULL);
}
