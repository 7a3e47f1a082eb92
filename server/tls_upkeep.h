/* server/tls_upkeep.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Keeps what tls_context.h serves up to date: from the settings, when files change, and with fresh staples;
 * and says in time when a certificate is about to expire. The main thread's, but for what says otherwise.
 */
#ifndef GANTRY_SERVER_TLS_UPKEEP_H
#define GANTRY_SERVER_TLS_UPKEEP_H

#include "base/attributes.h"
#include "base/error.h"
#include "config/settings.h"
#include "server/tls_context.h"

struct tls_upkeep;

/* Loads the configured certificates, or makes the throwaway ones in tls/ of the data folder. `files_changed`
 * (may be NULL) is called on a thread of its own when it is time for tls_upkeep_reload; nothing is watched
 * without it. Waits for OCSP responders only if a certificate demands a staple. */
MUST_USE bool tls_upkeep_open(const struct settings *settings, void (*files_changed)(void),
                              struct tls_upkeep **ret, struct error *err);
/* Checks, then swaps; on failure the old set stays in use. */
MUST_USE bool tls_upkeep_reload(struct tls_upkeep *upkeep, const struct settings *settings,
                                struct error *err);
struct tls_context *tls_upkeep_context(const struct tls_upkeep *upkeep);
/* Why the server is not ready, or NULL: a certificate that demands a staple lacks it, and must_staple =
 * refuse. Any thread. */
const char *tls_upkeep_not_ready(const struct tls_upkeep *upkeep);
/* The CA of the throwaway certificate; false: there is none. */
bool tls_upkeep_throwaway_ca(const struct tls_upkeep *upkeep, char *into, size_t size);
void tls_upkeep_close(struct tls_upkeep *upkeep); /* after the last session; NULL is fine */

#endif
