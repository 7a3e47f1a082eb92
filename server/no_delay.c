/* server/no_delay.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See no_delay.h.
 */
#include "server/no_delay.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "server/next_in_line.h"

typedef int set_fn(int socket, int level, int option, const void *value, socklen_t size);

static _Thread_local bool kept;

static set_fn *real(void)
{
    static void *kept_here;

    return (set_fn *)(uintptr_t)next_in_line("setsockopt", &kept_here);
}

int setsockopt(int socket, int level, int option, const void *value, socklen_t size)
{
    if (kept && level == IPPROTO_TCP && (option == TCP_NODELAY || option == TCP_CORK))
        return 0;
    return real()(socket, level, option, value, size);
}

void no_delay_keep(int socket)
{
    const int on = 1;

    (void)real()(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    kept = true;
}
