/* server/record_send.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Stands between libmicrohttpd and GnuTLS, on the way out: defines gnutls_record_send in front of GnuTLS'
 * own, which it calls. GnuTLS sends one record of 16 KiB a call, and the library polls between calls: with
 * several connections it goes round, and each record wakes a client alone. Here one call sends all that it is
 * given, record by record, and the kernel is told which of them others follow (MSG_MORE), so it makes few and
 * full segments of them.
 *
 * The library sends the head of an answer by itself, too: a record, a segment, and a client that wakes for
 * it. Where the body is at hand, the head waits for it, and both go out as one record.
 */
#ifndef GANTRY_SERVER_RECORD_SEND_H
#define GANTRY_SERVER_RECORD_SEND_H

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stdint.h>

/* Lets `session`, whose transport pointer is its socket, say MSG_MORE. Before the first byte, on its thread.
 */
void record_send_prepare(gnutls_session_t session);

/* What `session`, which record_guard_new has seen, sends next is the head of an answer whose body is in
 * memory: the head is taken, and goes out with the beginning of what comes behind it. Its thread. */
void record_send_expect_body(gnutls_session_t session);

/* A head that waits; part of a session's record_guard. Zeros: none. */
struct record_waiting {
    bool expected; /* the next bytes are a head */
    uint8_t *head;
    size_t head_bytes;
};
void record_waiting_done(struct record_waiting *waiting);

#endif
