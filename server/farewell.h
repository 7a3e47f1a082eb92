/* server/farewell.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Lingering close (RFC 9112 9.6): who refuses a body before it has arrived closes with unread bytes, TCP
 * answers the rest with a reset, and the reset takes the refusal away from a client that sends first and
 * reads later. So the sending half is closed, and one thread reads and drops what still comes, until the
 * client closes or a bound is met.
 */
#ifndef GANTRY_SERVER_FAREWELL_H
#define GANTRY_SERVER_FAREWELL_H

#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"

struct farewell;

struct farewell_options {
    unsigned connections; /* at once; more are closed right away */
    uint64_t bytes;       /* dropped for one connection at most; then it is cut */
    unsigned timeout_ms;  /* from the answer to the cut */
};

MUST_USE bool farewell_open(const struct farewell_options *options, struct farewell **ret, struct error *err);
/* Lingers on a duplicate of `fd`, which stays the caller's to close; what the caller has sent goes out, then
 * FIN. Without room nothing happens. Never waits; any thread. */
void farewell_take(struct farewell *farewell, int fd);
unsigned farewell_connections(struct farewell *farewell); /* now */
/* Cuts what is left. NULL is fine. */
void farewell_close(struct farewell *farewell);

#endif
