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
 */
#ifndef GANTRY_SERVER_RECORD_GUARD_H
#define GANTRY_SERVER_RECORD_GUARD_H

#include <gnutls/gnutls.h>

#include "base/attributes.h"
#include "base/error.h"
#include "server/framing_machine.h"

struct record_guard;

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
bool record_guard_refused(const struct record_guard *guard); /* anything on this connection */

#endif
