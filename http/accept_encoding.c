/* http/accept_encoding.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Accept-Encoding, weighed; see accept_encoding.h.
 *
 *   gzip;q=0.5, zstd, identity; q=0, *;q=0.1
 *
 * What the list does not name has the q of "*"; identity without either is taken, if only as the last resort.
 */
#include "http/accept_encoding.h"

#include "base/attributes.h"
#include "http/quality.h"

enum { NOT_NAMED = 1001, LAST_RESORT = 1 };

static const struct {
    const char *name;
    enum content_coding coding;
} names[] = {
    { "identity", CODING_IDENTITY },
    { "gzip", CODING_GZIP },
    { "x-gzip", CODING_GZIP }, /* RFC 9110 8.4.1.3 */
    { "zstd", CODING_ZSTD },
};

struct weights {
    unsigned of[CONTENT_CODINGS], any; /* q, or NOT_NAMED */
};

/* coding [ ; q=0.5 ] */
static void read_element(struct bytes element, struct weights *weights)
{
    const struct bytes name = bytes_trim(bytes_cut(&element, ';'));
    unsigned q = 1000;

    if (element.data) {
        const struct bytes weight = bytes_trim(bytes_cut(&element, '='));
        if (!bytes_equal_nocase(weight, bytes_of_text("q")) || !quality_read(bytes_trim(element), &q))
            return;
    }
    if (bytes_equal_text(name, "*"))
        weights->any = q;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (bytes_equal_nocase(name, bytes_of_text(names[i].name)))
            weights->of[names[i].coding] = q;
}

static unsigned weight_of(const struct weights *weights, enum content_coding coding)
{
    if (weights->of[coding] != NOT_NAMED)
        return weights->of[coding];
    if (weights->any != NOT_NAMED)
        return weights->any;
    return coding == CODING_IDENTITY ? LAST_RESORT : 0;
}

bool accept_encoding_choose(struct bytes header, unsigned offered, enum content_coding *ret)
{
    static const enum content_coding by_preference[] = { CODING_ZSTD, CODING_GZIP, CODING_IDENTITY };
    struct weights weights = { .any = NOT_NAMED };
    unsigned best = 0;

    for (size_t i = 0; i < CONTENT_CODINGS; i++)
        weights.of[i] = NOT_NAMED;
    for (struct bytes rest = header; rest.size > 0;)
        read_element(bytes_cut(&rest, ','), &weights);
    for (size_t i = 0; i < COUNT_OF(by_preference); i++) {
        const enum content_coding coding = by_preference[i];
        const unsigned weight = weight_of(&weights, coding);
        if (weight > best && (coding == CODING_IDENTITY || (offered & 1u << coding))) {
            best = weight;
            *ret = coding;
        }
    }
    return best > 0;
}

const char *content_coding_name(enum content_coding coding)
{
    switch (coding) {
    case CODING_GZIP:
        return "gzip";
    case CODING_ZSTD:
        return "zstd";
    case CODING_IDENTITY:
        break;
    }
    return NULL;
}
