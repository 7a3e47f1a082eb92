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

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/attributes.h"
#include "server/next_in_line.h"
#include "server/record_guard.h"

enum { RECORD_BYTES = 16384, HEAD_BYTES_MOST = RECORD_BYTES / 2 };

typedef ssize_t send_fn(gnutls_session_t session, const void *data, size_t size);

static _Thread_local bool more_follows;

static send_fn *real(void)
{
    static void *kept;

    return (send_fn *)(uintptr_t)next_in_line("gnutls_record_send", &kept);
}

static ssize_t send_record(gnutls_session_t session, const void *data, size_t size, bool more)
{
    more_follows = more;
    const ssize_t outcome = real()(session, data, size);
    more_follows = false;
    return outcome;
}

/* The head that waits and the beginning of `data` as one record. How many bytes of `data` that were. */
static ssize_t send_with_head(gnutls_session_t session, struct record_waiting *waiting, const uint8_t *data,
                              size_t size)
{
    static _Thread_local uint8_t joined[RECORD_BYTES];
    const size_t room = RECORD_BYTES - waiting->head_bytes, piece = size < room ? size : room;

    memcpy(joined, waiting->head, waiting->head_bytes);
    memcpy(joined + waiting->head_bytes, data, piece);
    const ssize_t outcome = send_record(session, joined, waiting->head_bytes + piece, size > piece);
    if (outcome < 0)
        return outcome; /* the head waits on: what GnuTLS says it has sent at last will have it in it */
    const ssize_t of_data = outcome - (ssize_t)waiting->head_bytes;
    record_waiting_done(waiting);
    return of_data;
}

static bool take_head(struct record_waiting *waiting, const void *data, size_t size)
{
    waiting->expected = false;
    if (size > HEAD_BYTES_MOST || !(waiting->head = malloc(size)))
        return false;
    memcpy(waiting->head, data, size);
    waiting->head_bytes = size;
    return true;
}

ssize_t gnutls_record_send(gnutls_session_t session, const void *data, size_t size)
{
    struct record_waiting *waiting = record_guard_waiting(session);
    size_t sent = 0;

    if (!data || size == 0)
        return real()(session, data, size);
    if (waiting && waiting->expected && take_head(waiting, data, size))
        return (ssize_t)size;
    while (sent < size) {
        const uint8_t *from = (const uint8_t *)data + sent;
        const size_t left = size - sent, piece = left < RECORD_BYTES ? left : RECORD_BYTES;
        const ssize_t outcome = waiting && waiting->head ? send_with_head(session, waiting, from, left)
                                                         : send_record(session, from, piece, left > piece);
        if (outcome < 0)
            return sent > 0 ? (ssize_t)sent : outcome; /* it will say so again */
        sent += (size_t)outcome;
    }
    return (ssize_t)sent;
}

void record_send_expect_body(gnutls_session_t session)
{
    struct record_waiting *waiting = record_guard_waiting(session);

    if (waiting)
        waiting->expected = true;
}

void record_waiting_done(struct record_waiting *waiting)
{
    free(waiting->head);
    *waiting = (struct record_waiting){ 0 };
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
