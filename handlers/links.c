/* handlers/links.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * URLs of what is stored. UIDs are digits and dots, so nothing needs escaping.
 */
#include "handlers/links.h"

const char *link_to(struct arena *arena, const char *base, const struct instance_key *key, const char *tail)
{
    const bool series = key->series.text[0], instance = key->instance.text[0];

    return arena_printf(arena, "%s/studies/%s%s%s%s%s%s", base, key->study.text, series ? "/series/" : "",
                        key->series.text, instance ? "/instances/" : "", key->instance.text, tail);
}
