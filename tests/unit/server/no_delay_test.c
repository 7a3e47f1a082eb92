/* tests/unit/server/no_delay_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "server/no_delay.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/expect.h"

static int option_of(int socket, int level, int option)
{
    int value = -1;
    socklen_t size = sizeof value;

    (void)getsockopt(socket, level, option, &value, &size);
    return value;
}

static bool set(int socket, int level, int option, int value)
{
    return setsockopt(socket, level, option, &value, sizeof value) == 0;
}

static void *keep_and_change(void *of)
{
    const int socket = *(int *)of;

    no_delay_keep(socket);
    EXPECT(option_of(socket, IPPROTO_TCP, TCP_NODELAY) > 0, "delay");
    EXPECT(set(socket, IPPROTO_TCP, TCP_NODELAY, 0), "refused");
    EXPECT(option_of(socket, IPPROTO_TCP, TCP_NODELAY) > 0, "the thread has turned it off");
    EXPECT(set(socket, IPPROTO_TCP, TCP_CORK, 1) && option_of(socket, IPPROTO_TCP, TCP_CORK) == 0,
           "a cork that nobody draws");
    EXPECT(set(socket, IPPROTO_TCP, TCP_KEEPCNT, 3) && option_of(socket, IPPROTO_TCP, TCP_KEEPCNT) == 3 &&
               set(socket, SOL_SOCKET, SO_KEEPALIVE, 1) && option_of(socket, SOL_SOCKET, SO_KEEPALIVE) > 0,
           "other options are left out");
    return NULL;
}

TEST(a_thread_that_keeps_no_delay_cannot_turn_it_off_others_can)
{
    int socket_of_both = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pthread_t thread;

    pthread_create(&thread, NULL, keep_and_change, &socket_of_both);
    pthread_join(thread, NULL);
    EXPECT(set(socket_of_both, IPPROTO_TCP, TCP_NODELAY, 0) &&
               option_of(socket_of_both, IPPROTO_TCP, TCP_NODELAY) == 0,
           "this thread never asked for it");
    close(socket_of_both);
}
