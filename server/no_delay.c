/* server/no_delay.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See no_delay.h.
 */
#include "server/no_delay.h"

#include <dlfcn.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

typedef int set_fn(int socket, int level, int option, const void *value, socklen_t size);

static _Thread_local bool kept;

static set_fn *next_in_line(void)
{
    static set_fn *found;
    set_fn *next = __atomic_load_n(&found, __ATOMIC_ACQUIRE);

    if (next)
        return next;
    next = (set_fn *)(uintptr_t)dlsym(RTLD_NEXT, "setsockopt");
    if (!next) {
        fputs("gantry: there is no setsockopt\n", stderr);
        abort();
    }
    __atomic_store_n(&found, next, __ATOMIC_RELEASE);
    return next;
}

int setsockopt(int socket, int level, int option, const void *value, socklen_t size)
{
    if (kept && level == IPPROTO_TCP && (option == TCP_NODELAY || option == TCP_CORK))
        return 0;
    return next_in_line()(socket, level, option, value, size);
}

void no_delay_keep(int socket)
{
    const int on = 1;

    (void)next_in_line()(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    kept = true;
}
