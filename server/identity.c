/* server/identity.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Who asks; see identity.h.
 */
#include "server/identity.h"

bool identity_find(const struct request *request, const struct tls_peer *peer, const char **ret_principal,
                   struct error *err)
{
    unsigned credentials = 0;

    for (size_t i = 0; i < request->headers.count; i++)
        credentials += bytes_equal_text(request->headers.list[i].name, "authorization");
    if (credentials > 1)
        return error_tell(err, FAULT_MALFORMED, "There are several Authorization fields.");
    *ret_principal = peer ? arena_text(request->arena, bytes_of_text(peer->principal)) : NULL;
    return true;
}
