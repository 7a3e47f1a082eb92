/* server/authorize.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * What the caller may do; see authorize.h.
 */
#include "server/authorize.h"

bool authorize(const struct request *request, enum scope scope, struct error *err)
{
    (void)request;
    (void)scope;
    (void)err;
    return true;
}
