/* server/record_pull.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * How GnuTLS gets bytes from its socket. By itself it asks the kernel twice for each record: for the five
 * bytes that begin it, then for what they announce. Here the second call brings along the beginning of the
 * next:
 *
 *   │ begin │ record ............ │ begin │ record ............ │ begin │
 *   └ 1st ──┘└─────────── 2nd ────────────┘└─────────── 3rd ────────────┘
 *
 * What is held back is never a whole record, so whoever polls the socket still hears of each one that has
 * come.
 */
#ifndef GANTRY_SERVER_RECORD_PULL_H
#define GANTRY_SERVER_RECORD_PULL_H

#include <gnutls/gnutls.h>
#include <stdint.h>

enum { RECORD_PULL_AHEAD_BYTES = 5 }; /* RFC 8446 5.1 */

/* Of one session; as long as it. */
struct record_pull {
    int socket;
    uint8_t held, ahead[RECORD_PULL_AHEAD_BYTES]; /* what is held lies at the end */
};

/* `session` reads from `socket` by `pull`. Before its first byte, on its thread, which all of it stays on. */
void record_pull_prepare(struct record_pull *pull, gnutls_session_t session, int socket);

#endif
