/* server/ocsp_refresher.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Keeps the certificates' OCSP staples fresh (TLS-32, TLS-33): a thread that reads CERTIFICATE.ocsp, or asks
 * the responder that the certificate names, checks what it gets and puts it where handshakes take it. Asked
 * anew when half of a response's life is over; after a failure with growing pauses. What was fetched is kept
 * on disk, so that a restart has it at once. Once a day it says which certificates expire within 30 days.
 */
#ifndef GANTRY_SERVER_OCSP_REFRESHER_H
#define GANTRY_SERVER_OCSP_REFRESHER_H

#include "base/attributes.h"
#include "base/error.h"
#include "server/tls_context.h"

enum ocsp_mode { OCSP_OFF, OCSP_FILE, OCSP_FETCH };
struct ocsp_choices {
    enum ocsp_mode mode;
    unsigned timeout_ms;
};

struct ocsp_refresher;

/* `folder` is where fetched responses are kept. If a certificate demands a staple, the first round is done
 * before this returns; `refuse`: without a valid one for it this fails (MISMATCH), and
 * ocsp_refresher_lacks says so later. `context` must outlive it.
 */
MUST_USE bool ocsp_refresher_start(struct tls_context *context, const char *folder,
                                   const struct ocsp_choices *choices, bool refuse,
                                   struct ocsp_refresher **ret, struct error *err);
/* Certificates, files or choices may have changed: look again now. Any thread. */
void ocsp_refresher_poke(struct ocsp_refresher *refresher, const struct ocsp_choices *choices);
/* Does a certificate that demands a staple lack a valid one, and is that to be refused? Any thread. */
bool ocsp_refresher_lacks(const struct ocsp_refresher *refresher);
void ocsp_refresher_stop(struct ocsp_refresher *refresher); /* NULL is fine */

#endif
