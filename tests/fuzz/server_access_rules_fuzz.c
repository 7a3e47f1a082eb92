/* tests/fuzz/server_access_rules_fuzz.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The rules of access: any text is either refused or gives roles that exist, the same each time, and nothing
 * to whom no rule names.
 */
#include <stdlib.h>

#include "server/access_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dns[] = "a.example", uri[] = "urn:a", email[] = "a@example";
static const struct tls_peer peer = {
    .principal = uri,
    .subject = uri,
    .ca = uri,
    .ca_subject = uri,
    .names = { { TLS_NAME_DNS, dns }, { TLS_NAME_URI, uri }, { TLS_NAME_EMAIL, email } },
    .name_count = 3
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct access_rules *rules = NULL, *again = NULL;
    struct error err = { 0 };

    if (!access_rules_parse(bytes_of(data, size), &rules, &err)) {
        if (err.fault == FAULT_NONE)
            abort();
        return 0;
    }
    const unsigned roles = access_rules_roles(rules, &peer);
    if (roles & ~(0xFu | ROLE_ADMIN_BIT) || roles != access_rules_roles(rules, &peer))
        abort();
    if (access_rules_roles(rules, NULL) && !memmem(data, size, "anonymous", 9))
        abort();
    if (!access_rules_parse(bytes_of(data, size), &again, &err) || !access_rules_same(rules, again))
        abort();
    access_rules_free(again);
    access_rules_free(rules);
    return 0;
}
