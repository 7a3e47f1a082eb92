/* server/access_rules.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The file access_rules: which roles whoever shows a client certificate has. One rule a line; the roles of
 * all rules that fit are given, what no rule gives is refused.
 *
 *   # roles            conditions, all of which must hold
 *   search,read        ca=hospital-a dns=*.viewers.hospital-a.example
 *   search,read,store  ca=hospital-b subject="CN=gateway,O=Hospital B"
 *   admin              fingerprint=0123...
 *
 * Immutable once parsed; any thread.
 */
#ifndef GANTRY_SERVER_ACCESS_RULES_H
#define GANTRY_SERVER_ACCESS_RULES_H

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/error.h"
#include "server/tls_peer.h"

/* Bits of role.def in its order, and the one that has them all. */
enum { ROLE_ADMIN_BIT = 1u << 31 };

struct access_rules;

/* MALFORMED names the line. Never waits. */
MUST_USE bool access_rules_parse(struct bytes text, struct access_rules **ret, struct error *err);
/* Of a file; may wait. */
MUST_USE bool access_rules_load(const char *path, struct access_rules **ret, struct error *err);
void access_rules_free(struct access_rules *rules); /* NULL is fine */
bool access_rules_same(const struct access_rules *a, const struct access_rules *b);
/* The roles of this client; of one without a certificate, when NULL. */
unsigned access_rules_roles(const struct access_rules *rules, const struct tls_peer *peer_or_null);

#endif
