/* http/accept.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Accept, read (RFC 9110 12.5.1, PS3.18 8.7): what a client would take, in the terms in which DICOMweb offers
 * things. A malformed element is dropped, not an error (NEG-01). Never waits; any thread.
 */
#ifndef GANTRY_HTTP_ACCEPT_H
#define GANTRY_HTTP_ACCEPT_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "http/media_type.h"

struct accept_range {
    bool multipart; /* multipart/related; type="..." (or multipart/ *): the rest says what the parts are */
    struct bytes type, subtype;   /* lower case, "*" for any; of the part when multipart */
    struct bytes transfer_syntax; /* empty: not named; "*": any */
    unsigned q;                   /* 0..1000 */
    uint32_t place;               /* in the list, from 0 */
    bool second; /* of the header while the query has an `accept`: counts where that matches nothing */
};
struct accept {
    struct accept_range *list;
    size_t count;
    bool absent; /* no header and no parameter: as if it were * / * (NEG-15) */
};

/* Reads the `accept` query parameter (raw query text; wins over the header, OHIF contradicts itself: NEG-05)
 * and the header. MALFORMED for a wildcard in the parameter (NEG-09) and for DICOM types mixed with rendered
 * ones (NEG-11). With a parameter the header's ranges stay in the list behind it, as `second`: a thing that
 * only they take gets at most 500, one that the parameter takes more than that, so the highest quality is the
 * choice of NEG-05. */
MUST_USE bool accept_read(const struct request *request, struct arena *arena, struct accept *ret,
                          struct error *err);
/* For tests and for the above: a header's value alone. */
void accept_parse(struct bytes header, struct arena *arena, struct accept *ret);

/* Which ranges mean a thing that they do not name, beside those that name its type and transfer syntax. */
enum accept_meant {
    ACCEPT_BY_TYPE =
        1, /* its type without a transfer syntax: it is in the default one of its type (NEG-31) */
    ACCEPT_BY_WILDCARD =
        2, /* a wildcard type without one: * / *, multipart/ *, type="* / *" (not image/ *) */
    ACCEPT_BY_ANY_SYNTAX = 4, /* transfer-syntax=* */
};
/* The best q (0..1000) with which `accept` takes a thing, by its most specific range (NEG-06); 0: not at all.
 * `multipart`: offered as parts of multipart/related. A single-part offer also meets * / *. `transfer_syntax`
 * is the UID offered or NULL where the notion does not apply. A fallback to what no range means (`meant_by`,
 * a set of enum accept_meant) is the caller's decision. *ret_place_or_null: of the deciding range. */
unsigned accept_quality_of(const struct accept *accept, bool multipart, const char *type_slash_subtype,
                           const char *transfer_syntax, unsigned meant_by, uint32_t *ret_place_or_null);
/* The same of what transfer-syntax=* means, and, if it is the default one, every other range of its type as
 * well. */
unsigned accept_quality(const struct accept *accept, bool multipart, const char *type_slash_subtype,
                        const char *transfer_syntax, bool is_default, uint32_t *ret_place_or_null);

#endif
