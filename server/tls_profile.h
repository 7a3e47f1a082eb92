/* server/tls_profile.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Which versions, suites, groups and signatures are spoken, under a name (PS3.15 Annex B, RFC 9325): the
 * setting tls_profile. The list is tls_profile.def. Never waits; any thread.
 */
#ifndef GANTRY_SERVER_TLS_PROFILE_H
#define GANTRY_SERVER_TLS_PROFILE_H

#include <gnutls/gnutls.h>

#include "base/attributes.h"
#include "base/error.h"

struct tls_profile {
    const char *name;
    const char *versions, *key_exchanges, *ciphers, *groups; /* pieces of a priority string */
    const char *meaning;
};

const struct tls_profile *tls_profile_find(const char *name); /* NULL: there is none of that name */
const struct tls_profile *tls_profile_at(size_t n);           /* NULL behind the last */
bool tls_profile_has_1_2(const struct tls_profile *profile);
/* For gnutls_priority_set; gnutls_priority_deinit gives it back. */
MUST_USE bool tls_profile_priorities(const struct tls_profile *profile, gnutls_priority_t *ret,
                                     struct error *err);

#endif
