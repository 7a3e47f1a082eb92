/* tests/unit/server/farewell_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Refused connections that are read off: the client hears the answer, and every bound holds. Run under the
 * thread sanitizer as well.
 */
#include "tests/support/expect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/farewell.h"

struct pair {
    int client, server;
};

static struct pair connect_pair(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const struct timeval patience = { 20, 0 };
    socklen_t size = sizeof address;
    const int port = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);

    if (bind(port, (struct sockaddr *)&address, sizeof address) || listen(port, 8) ||
        getsockname(port, (struct sockaddr *)&address, &size) ||
        connect(client, (struct sockaddr *)&address, sizeof address))
        abort();
    const int server = accept(port, NULL, NULL);
    close(port);
    /* Only so that a broken server fails a test and does not hang it. */
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return (struct pair){ client, server };
}

static struct farewell *open_farewell(unsigned connections, uint64_t bytes, unsigned timeout_ms)
{
    const struct farewell_options options = { connections, bytes, timeout_ms };
    struct farewell *farewell = NULL;
    struct error err = { 0 };

    if (!farewell_open(&options, &farewell, &err)) {
        fprintf(stderr, "%s\n", err.detail);
        abort();
    }
    return farewell;
}

/* The server's half of a refusal: an answer, and gone. */
static void refuse(struct farewell *farewell, int server)
{
    if (send(server, "no", 2, 0) != 2)
        abort();
    farewell_take(farewell, server);
    close(server);
}

/* Sends until `size` bytes are out; false when the connection was cut before. */
static bool send_much(int client, size_t size)
{
    static char bytes[1 << 16];

    while (size) {
        const ssize_t sent = send(client, bytes, size < sizeof bytes ? size : sizeof bytes, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        size -= (size_t)sent;
    }
    return true;
}

static bool wait_for_count(struct farewell *farewell, unsigned count)
{
    for (unsigned i = 0; i < 4000 && farewell_connections(farewell) != count; i++)
        poll(NULL, 0, 5);
    return farewell_connections(farewell) == count;
}

TEST(a_client_that_sends_first_and_reads_later_hears_the_answer)
{
    struct farewell *farewell = open_farewell(4, 1 << 30, 60000);
    const struct pair pair = connect_pair();
    char heard[8];

    send_much(pair.client, 100000);
    refuse(farewell, pair.server);
    EXPECT(send_much(pair.client, 20000000), "cut while sending: %s", strerrorname_np(errno));
    EXPECT(recv(pair.client, heard, sizeof heard, MSG_WAITALL) == 2 && memcmp(heard, "no", 2) == 0,
           "errno %d", errno);
    EXPECT(farewell_connections(farewell) == 1, "%u linger", farewell_connections(farewell));
    close(pair.client);
    EXPECT(wait_for_count(farewell, 0), "%u linger", farewell_connections(farewell));
    farewell_close(farewell);
}

TEST(too_many_bytes_are_cut)
{
    struct farewell *farewell = open_farewell(4, 1000000, 60000);
    const struct pair pair = connect_pair();

    refuse(farewell, pair.server);
    EXPECT(!send_much(pair.client, 1000000000), "a gigabyte was read");
    EXPECT(wait_for_count(farewell, 0), "%u linger", farewell_connections(farewell));
    close(pair.client);
    farewell_close(farewell);
}

TEST(a_silent_client_is_cut_after_the_time)
{
    struct farewell *farewell = open_farewell(4, 1 << 20, 50);
    const struct pair pair = connect_pair(), second = connect_pair();

    refuse(farewell, pair.server);
    refuse(farewell, second.server);
    EXPECT(wait_for_count(farewell, 0), "%u linger", farewell_connections(farewell));
    close(pair.client);
    close(second.client);
    farewell_close(farewell);
}

TEST(without_room_a_connection_is_simply_closed)
{
    struct farewell *farewell = open_farewell(1, 1 << 20, 60000);
    const struct pair first = connect_pair(), second = connect_pair();
    char heard[8];

    refuse(farewell, first.server);
    refuse(farewell, second.server);
    EXPECT(farewell_connections(farewell) == 1, "%u linger", farewell_connections(farewell));
    EXPECT(recv(second.client, heard, sizeof heard, 0) == 2, "errno %d", errno);
    EXPECT(recv(second.client, heard, sizeof heard, 0) == 0, "errno %d", errno);
    close(first.client);
    EXPECT(wait_for_count(farewell, 0), "%u linger", farewell_connections(farewell));
    const struct pair third = connect_pair();
    refuse(farewell, third.server); /* the room is there again */
    EXPECT(farewell_connections(farewell) == 1, "%u linger", farewell_connections(farewell));
    close(second.client);
    close(third.client);
    farewell_close(farewell);
}

TEST(a_client_that_is_gone_before_the_giver_closes_is_dropped_once)
{
    struct farewell *farewell = open_farewell(2, 1 << 20, 60000);

    for (unsigned i = 0; i < 50; i++) {
        const struct pair pair = connect_pair();
        farewell_take(farewell, pair.server);
        close(pair.client);
        EXPECT(wait_for_count(farewell, 0), "%u linger", farewell_connections(farewell));
        /* Were it dropped twice, this descriptor, which has the number of the first duplicate, would be
         * closed. */
        const int other = dup(pair.server);
        poll(NULL, 0, 1);
        EXPECT(fcntl(other, F_GETFD) >= 0, "round %u: %s", i, strerrorname_np(errno));
        close(other);
        close(pair.server);
    }
    farewell_close(farewell);
}

TEST(closing_cuts_what_lingers)
{
    struct farewell *farewell = open_farewell(64, 1 << 20, 60000);
    struct pair pairs[64];

    for (unsigned i = 0; i < COUNT_OF(pairs); i++) {
        pairs[i] = connect_pair();
        refuse(farewell, pairs[i].server);
    }
    farewell_close(farewell);
    for (unsigned i = 0; i < COUNT_OF(pairs); i++)
        close(pairs[i].client);
    farewell_close(NULL);
}
