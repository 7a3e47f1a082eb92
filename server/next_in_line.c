/* server/next_in_line.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See next_in_line.h.
 */
#include "server/next_in_line.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

void *next_in_line(const char *name, void **kept)
{
    void *next = __atomic_load_n(kept, __ATOMIC_ACQUIRE);

    if (next)
        return next;
    next = dlsym(RTLD_NEXT, name);
    if (!next) {
        fprintf(stderr, "gantry: there is no %s\n", name);
        abort();
    }
    __atomic_store_n(kept, next, __ATOMIC_RELEASE);
    return next;
}
