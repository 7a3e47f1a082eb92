/* server/record_send.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * All records of a buffer in one call; see record_send.h.
 *
 * A record that the socket did not take stays encrypted within GnuTLS, which goes on with it whatever the
 * next call offers; and what the next call offers begins where that record does, since nothing of it was
 * counted as sent.
 */
#include "server/record_send.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/attributes.h"

enum { RECORD_BYTES = 16384 };

typedef ssize_t send_fn(gnutls_session_t session, const void *data, size_t size);

static _Thread_local bool more_follows;

static send_fn *next_in_line(void)
{
    static send_fn *found;
    send_fn *next = __atomic_load_n(&found, __ATOMIC_ACQUIRE);

    if (next)
        return next;
    next = (send_fn *)(uintptr_t)dlsym(RTLD_NEXT, "gnutls_record_send");
    if (!next) {
        fputs("gantry: GnuTLS has no gnutls_record_send\n", stderr);
        abort();
    }
    __atomic_store_n(&found, next, __ATOMIC_RELEASE);
    return next;
}

ssize_t gnutls_record_send(gnutls_session_t session, const void *data, size_t size)
{
    send_fn *const next = next_in_line();
    size_t sent = 0;

    if (!data || size <= RECORD_BYTES)
        return next(session, data, size);
    while (sent < size) {
        const size_t left = size - sent, piece = left < RECORD_BYTES ? left : RECORD_BYTES;

        more_follows = left > piece;
        const ssize_t outcome = next(session, (const uint8_t *)data + sent, piece);
        more_follows = false;
        if (outcome < 0)
            return sent > 0 ? (ssize_t)sent : outcome; /* it will say so again */
        sent += (size_t)outcome;
    }
    return (ssize_t)sent;
}

static ssize_t push(gnutls_transport_ptr_t socket, const giovec_t *pieces, int count)
{
    const struct msghdr message = {
        .msg_iov = (struct iovec *)(uintptr_t)pieces,
        .msg_iovlen = (size_t)count,
    };

    return sendmsg((int)(intptr_t)socket, &message, MSG_NOSIGNAL | (more_follows ? MSG_MORE : 0));
}

void record_send_prepare(gnutls_session_t session)
{
    gnutls_transport_set_vec_push_function(session, push);
}
