/* server/authorize.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What the caller may do: everything, where the setting auth says so or no authentication is configured;
 * else what the rules of access give to the client's certificate, and nothing more.
 */
#ifndef GANTRY_SERVER_AUTHORIZE_H
#define GANTRY_SERVER_AUTHORIZE_H

#include "base/attributes.h"
#include "base/error.h"
#include "config/settings.h"
#include "handlers/routes.h"
#include "server/tls_peer.h"

/* Immutable. NULL stands for "everyone may do everything". */
struct access;

/* From the settings auth, client_certificates and access_rules. May wait for the disk. MALFORMED, DISK. */
MUST_USE bool access_load(const struct settings *settings, struct access **ret, struct error *err);
void access_free(struct access *access); /* NULL is fine */
/* Do both say the same? */
bool access_same(const struct access *a, const struct access *b);

/* FORBIDDEN, told. Never waits; any thread. */
MUST_USE bool authorize(const struct access *access_or_null, const struct tls_peer *peer_or_null,
                        enum scope scope, struct error *err);

#endif
