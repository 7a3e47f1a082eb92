/* server/tls_profile.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The table of profiles; see tls_profile.h. What all have in common: AEAD alone, the curves X25519, P-256 and
 * P-384, signatures with SHA-256 and longer, no compression, our order. GnuTLS 3.7 has no other
 * renegotiation than the one a server asks for, which this one never does.
 */
#include "server/tls_profile.h"

#include <stdio.h>
#include <string.h>

static const struct tls_profile profiles[] = {
#define PROFILE(name, versions, key_exchanges, ciphers, groups, meaning) \
    { name, versions, key_exchanges, ciphers, groups, meaning },
#include "server/tls_profile.def"
#undef PROFILE
};

static const char signatures[] = "+SIGN-ECDSA-SHA256:+SIGN-ECDSA-SHA384:+SIGN-ECDSA-SHA512:"
                                 "+SIGN-ECDSA-SECP256R1-SHA256:+SIGN-ECDSA-SECP384R1-SHA384:"
                                 "+SIGN-ECDSA-SECP521R1-SHA512:+SIGN-EDDSA-ED25519:+SIGN-EDDSA-ED448:"
                                 "+SIGN-RSA-PSS-SHA256:+SIGN-RSA-PSS-SHA384:+SIGN-RSA-PSS-SHA512:"
                                 "+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-RSA-PSS-RSAE-SHA384:+SIGN-RSA-PSS-RSAE-"
                                 "SHA512:+SIGN-RSA-SHA256:+SIGN-RSA-SHA384:+SIGN-RSA-SHA512";

const struct tls_profile *tls_profile_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(profiles); i++)
        if (strcmp(profiles[i].name, name) == 0)
            return &profiles[i];
    return NULL;
}

const struct tls_profile *tls_profile_at(size_t n)
{
    return n < COUNT_OF(profiles) ? &profiles[n] : NULL;
}

bool tls_profile_has_1_2(const struct tls_profile *profile)
{
    return strstr(profile->versions, "+VERS-TLS1.2") != NULL;
}

bool tls_profile_priorities(const struct tls_profile *profile, gnutls_priority_t *ret, struct error *err)
{
    char text[1600];
    const char *where = NULL;

    const int size = snprintf(
        text, sizeof text,
        "NONE:%s:%s:%s:+AEAD:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1%s:%s:+COMP-NULL:+CTYPE-X509:"
        "%%SERVER_PRECEDENCE",
        profile->versions, profile->key_exchanges, profile->ciphers, profile->groups, signatures);
    if (size < 0 || (size_t)size >= sizeof text)
        return error_set(err, FAULT_INTERNAL, "tls_profile %s: too long", profile->name);
    const int outcome = gnutls_priority_init(ret, text, &where);
    if (outcome < 0)
        return error_set(err, FAULT_INTERNAL, "tls_profile %s: %s at \"%.40s\"", profile->name,
                         gnutls_strerror(outcome), where ? where : "");
    return true;
}
