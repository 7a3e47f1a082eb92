/* server/record_pull.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * One call for a record and the beginning of the next; see record_pull.h.
 */
#include "server/record_pull.h"

#include <string.h>
#include <sys/socket.h>

static ssize_t give_held(struct record_pull *pull, void *data, size_t size)
{
    const size_t given = size < pull->held ? size : pull->held;

    memcpy(data, pull->ahead + sizeof pull->ahead - pull->held, given);
    pull->held = (uint8_t)(pull->held - given);
    return (ssize_t)given;
}

static ssize_t take(gnutls_transport_ptr_t of, void *data, size_t size)
{
    struct record_pull *pull = of;

    if (pull->held > 0)
        return give_held(pull, data, size);
    if (size <= sizeof pull->ahead)
        return recv(pull->socket, data, size, 0);

    struct iovec pieces[] = { { data, size }, { pull->ahead, sizeof pull->ahead } };
    struct msghdr message = { .msg_iov = pieces, .msg_iovlen = 2 };
    const ssize_t got = recvmsg(pull->socket, &message, 0);
    if (got <= 0 || (size_t)got <= size)
        return got;
    const size_t held = (size_t)got - size;
    memmove(pull->ahead + sizeof pull->ahead - held, pull->ahead, held);
    pull->held = (uint8_t)held;
    return (ssize_t)size;
}

void record_pull_prepare(struct record_pull *pull, gnutls_session_t session, int socket)
{
    *pull = (struct record_pull){ .socket = socket };
    gnutls_transport_set_ptr2(session, pull, (gnutls_transport_ptr_t)(intptr_t)socket);
    gnutls_transport_set_pull_function(session, take);
}
