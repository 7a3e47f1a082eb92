/* server/record_guard.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Stands between GnuTLS and libmicrohttpd: what a guarded session receives goes through framing_machine.h
 * before the library sees it. The library takes messages that two readers would cut differently, and most of
 * them cannot be told from its callbacks (docs/decisions/0009-smuggling.md), but it reads every byte by
 * gnutls_record_recv: this file defines that function, in front of GnuTLS' own, which it calls.
 *
 *   GnuTLS ─► gnutls_record_recv (here) ─► framing_machine ─► libmicrohttpd ─► handler: record_guard_check
 *
 * A head that is refused never reaches the library; it gets a request of ours in its place, for which
 * record_guard_check gives the handler the reason: so the refusal is an answer like any other. A body that is
 * refused ends there for the library. Behind either nothing more comes.
 *
 * Bodies of some size have a lane of their own, past the library, which would copy each record and poll
 * behind it:
 *
 *   GnuTLS ─► gnutls_record_recv (here) ─► framing_machine ─► record_sink
 *
 * So that the library need not have seen all bytes that a length announced, such a body is chunked in its
 * eyes: the head gets a line of Transfer-Encoding from us, what does take the way through the library comes
 * in chunks of ours, in its place among the rest, and the last one ends the body. Why, and what it saves:
 * docs/decisions/0019-bodies-in-a-lane.md.
 */
#ifndef GANTRY_SERVER_RECORD_GUARD_H
#define GANTRY_SERVER_RECORD_GUARD_H

#include <gnutls/gnutls.h>

#include "base/attributes.h"
#include "base/error.h"
#include "server/framing_machine.h"

struct record_guard;

/* Where the bytes of a body go. */
struct record_sink {
    /* Room for bytes, at least RECORD_SINK_LEAST_BYTES. NULL: not now; the next bytes go through the library.
     */
    uint8_t *(*room)(void *of, size_t *ret_size);
    /* So many have been put there. */
    void (*filled)(void *of, size_t size);
    void *of;
};
enum { RECORD_SINK_LEAST_BYTES = 32 * 1024 };

/* Is this file's function the one that the library calls? Else the transport must not start. */
MUST_USE bool record_guard_works(struct error *err);
/* Guards `session` from now on, by its gnutls_session_set_ptr. `limits` outlive it. NULL: no memory. */
struct record_guard *record_guard_new(gnutls_session_t session, const struct framing_limits *limits);
/* When the session is gone. NULL is fine. */
void record_guard_free(struct record_guard *guard);

/* The handler sees the head of the `number`-th request of the session, from 1. False: it is refused;
 * INTERNAL: it has not come through here. On the session's thread, as below. */
MUST_USE bool record_guard_check(const struct record_guard *guard, uint64_t number, struct error *err);
/* The same for its body, when all of that has come. */
MUST_USE bool record_guard_check_body(const struct record_guard *guard, uint64_t number, struct error *err);
/* The body of the `number`-th request goes to `sink`, as far as it can. Until record_guard_end_lane, and not
 * behind the body's end. */
void record_guard_begin_lane(struct record_guard *guard, uint64_t number, const struct record_sink *sink);
void record_guard_end_lane(struct record_guard *guard);
/* So many bytes of a body came through the library and are where they belong. */
void record_guard_taken(struct record_guard *guard, size_t size);
bool record_guard_refused(const struct record_guard *guard); /* anything on this connection */

/* Where record_send.h keeps what it holds back of the session; NULL: the session is not guarded. */
struct record_waiting;
struct record_waiting *record_guard_waiting(gnutls_session_t session);

#endif
