/* server/authorize.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * What the caller may do; see authorize.h.
 */
#include "server/authorize.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/access_rules.h"

struct access {
    struct access_rules *rules;
};

static const struct need {
    enum scope scope;
    const char *role, *doing;
} needs[] = {
#define ROLE(name, scope, doing) { SCOPE_##scope, #name, doing },
#include "server/role.def"
#undef ROLE
};

bool access_load(const struct settings *settings, struct access **ret, struct error *err)
{
    struct access_rules *rules = NULL;

    *ret = NULL;
    if (strcmp(settings->auth, "none") == 0 || strcmp(settings->client_certificates, "off") == 0)
        return true;
    /* Without a file nobody is given anything: check_config says so. */
    if (settings->access_rules[0] ? !access_rules_load(settings->access_rules, &rules, err)
                                  : !access_rules_parse(bytes_of(NULL, 0), &rules, err))
        return false;
    struct access *access = calloc(1, sizeof *access);
    if (!access) {
        access_rules_free(rules);
        return error_set(err, FAULT_BUSY, "no memory for the rules");
    }
    access->rules = rules;
    *ret = access;
    return true;
}

void access_free(struct access *access)
{
    if (!access)
        return;
    access_rules_free(access->rules);
    free(access);
}

bool access_same(const struct access *a, const struct access *b)
{
    return a && b ? access_rules_same(a->rules, b->rules) : a == b;
}

bool authorize(const struct access *access, const struct tls_peer *peer, enum scope scope, struct error *err)
{
    if (!access || scope == SCOPE_NONE)
        return true;
    /* A connection can outlive the certificate that opened it. */
    if (peer && time(NULL) >= peer->expires_unix_s)
        return error_tell(err, FAULT_FORBIDDEN, "The client certificate has expired.");
    const unsigned given = access_rules_roles(access->rules, peer);
    for (size_t i = 0; i < COUNT_OF(needs); i++) {
        if (needs[i].scope != scope)
            continue;
        if (given & (1u << i | ROLE_ADMIN_BIT))
            return true;
        return peer
                   ? error_tell(err, FAULT_FORBIDDEN,
                                "The role \"%s\", which %s needs, is not given to this client certificate.",
                                needs[i].role, needs[i].doing)
                   : error_tell(err, FAULT_FORBIDDEN,
                                "The role \"%s\", which %s needs, is not given without a client certificate.",
                                needs[i].role, needs[i].doing);
    }
    return error_set(err, FAULT_FORBIDDEN, "a scope that no role covers");
}
