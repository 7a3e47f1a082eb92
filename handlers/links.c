/* handlers/links.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * URLs of what is stored. UIDs are digits and dots, so nothing needs escaping.
 */
#include "handlers/links.h"

#include <string.h>

/* By hand, not by printf: a URL is made for every part of every answer. */
static char *append(char *at, const char *text)
{
    const size_t size = strlen(text);

    memcpy(at, text, size);
    return at + size;
}

const char *link_to(struct arena *arena, const char *base, const struct instance_key *key, const char *tail)
{
    static const char studies[] = "/studies/", series[] = "/series/", instances[] = "/instances/";
    char *link = arena_alloc(arena, strlen(base) + sizeof(studies) + sizeof(series) + sizeof(instances) +
                                        sizeof(*key) + strlen(tail));
    char *at = append(append(append(link, base), studies), key->study.text);

    if (key->series.text[0])
        at = append(append(at, series), key->series.text);
    if (key->instance.text[0])
        at = append(append(at, instances), key->instance.text);
    append(at, tail); /* the arena's bytes are zero: the text ends there */
    return link;
}
