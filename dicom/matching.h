/* dicom/matching.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Attribute matching of PS3.4 C.2.2.2: the forms that a key's value can have, by its VR. Any thread, never
 * waits.
 */
#ifndef GANTRY_DICOM_MATCHING_H
#define GANTRY_DICOM_MATCHING_H

#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"

enum match_kind {
    MATCH_UNIVERSAL, /* empty, or only stars */
    MATCH_SINGLE,    /* equal */
    MATCH_LIST,      /* any of `list` (UIDs; CS where SEA-15 says so) */
    MATCH_WILDCARD,  /* `text` with * and ? */
    MATCH_RANGE,     /* from..to inclusive, either may be empty: open */
    MATCH_NUMBER     /* IS, DS, US: equal as numbers */
};

struct match {
    enum match_kind kind;
    char vr[3];
    struct bytes text;  /* UTF-8, trimmed; normalised by matching_fold for PN */
    struct bytes *list; /* in the arena */
    size_t list_count;
    struct bytes from, to; /* DA: YYYYMMDD; TM: HHMMSS.FFFFFF; DT: YYYYMMDDHHMMSS.FFFFFF */
    double number;
};

/* Reads a key's value as its VR allows. MALFORMED tells what is wrong with it (SEA-06, SEA-46, SEA-48 to 50);
 * `keyword` is for that sentence. `any_of`: a comma or backslash list means any of its values (SEA-15). */
MUST_USE bool matching_parse(const char *keyword, const char *vr, struct bytes value, bool any_of,
                             struct arena *arena, struct match *ret, struct error *err);
/* Does a stored value (UTF-8, several separated by backslash) match? An empty one is "unknown" and matches
 * when `unknown_matches` (SEA-41). No exponential time (SEA-44). */
bool matching_test(const struct match *match, struct bytes stored, bool unknown_matches);
/* * and ? over UTF-8 characters; linear in practice, at worst text.size * pattern.size. */
bool matching_wildcard(struct bytes pattern, struct bytes text);
/* A stored date or time in the canonical form that ranges compare: DA YYYYMMDD (also from YYYY.MM.DD), TM
 * HHMMSS.FFFFFF with missing parts as zero. Empty when it is none. */
struct bytes matching_canonical(const char *vr, struct bytes stored, struct arena *arena);
/* What PN is compared by: NFC, letters folded to lower case without accents, trailing ^ and spaces removed,
 * per component group, groups joined by '='. */
struct bytes matching_fold(struct bytes person_name, struct arena *arena);

#endif
