/* http/accept.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Accept, read and weighed; see accept.h.
 *
 *   multipart/related; type="image/jls"; transfer-syntax="1.2.840.10008.1.2.4.80"; q=0.5
 *   └ multipart ────┘        └ type/subtype ┘               └ transfer_syntax ─┘     └ q ┘
 *   also: type="image/jls; transfer-syntax=..." (seen in the field), type=application/octet-stream without
 * quotes
 */
#include "http/accept.h"

#include "http/quality.h"
#include "http/token.h"
#include "http/uri.h"

enum { RANGE_CEILING = 256 }; /* what stands behind is not read */

static const struct bytes any = { (const uint8_t *)"*", 1 };

static bool is_any(struct bytes text)
{
    return bytes_equal(text, any);
}

/* A list of syntaxes in one parameter is not valid (NEG-30). */
static bool is_syntax(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (!token_has(text.data[i]))
            return false;
    return true;
}

static bool read_range(struct bytes element, struct arena *arena, struct accept_range *ret)
{
    struct error unread = { 0 };
    struct media_type outer, inner;
    struct accept_range range = { .q = 1000 };

    if (!media_type_parse(element, arena, &outer, &unread))
        return false;
    const struct bytes q = media_type_parameter(&outer, "q");
    if (q.data && !quality_read(q, &range.q))
        return false;
    range.type = outer.type;
    range.subtype = outer.subtype;
    range.transfer_syntax = bytes_trim(media_type_parameter(&outer, "transfer-syntax"));

    const bool related = bytes_equal_text(outer.subtype, "related") || is_any(outer.subtype);
    if (related && bytes_equal_text(outer.type, "multipart")) {
        const struct bytes of = media_type_parameter(&outer, "type");
        range.multipart = true;
        range.type = range.subtype = any;
        if (of.data) {
            if (!media_type_parse(bytes_trim(of), arena, &inner, &unread))
                return false;
            range.type = inner.type;
            range.subtype = inner.subtype;
            if (!range.transfer_syntax.size)
                range.transfer_syntax = bytes_trim(media_type_parameter(&inner, "transfer-syntax"));
        }
    }
    if ((is_any(range.type) && !is_any(range.subtype)) || !is_syntax(range.transfer_syntax))
        return false;
    *ret = range;
    return true;
}

/* Cuts at the first comma outside quotes. */
static struct bytes cut_element(struct bytes *rest)
{
    bool quoted = false;
    size_t at = 0;

    for (; at < rest->size; at++) {
        const uint8_t c = rest->data[at];
        if (quoted && c == '\\')
            at++;
        else if (c == '"')
            quoted = !quoted;
        else if (c == ',' && !quoted)
            break;
    }
    if (at > rest->size)
        at = rest->size;
    const struct bytes element = bytes_of(rest->data, at);
    *rest = bytes_from(*rest, at + 1);
    return element;
}

/* "1.2.840...": the second half of a bare list of transfer syntaxes, which the comma has cut (NEG-30). */
static bool is_stray_syntax(struct bytes element)
{
    for (size_t i = 0; i < element.size; i++)
        if (element.data[i] != '.' && (element.data[i] < '0' || element.data[i] > '9'))
            return false;
    return element.size > 0;
}

static size_t read_ranges(struct bytes text, bool second, struct arena *arena, struct accept_range *list,
                          size_t count)
{
    bool behind_syntax = false; /* the element before is the newest range and names a syntax */

    while (text.size > 0 && count < RANGE_CEILING) {
        const struct bytes element = bytes_trim(cut_element(&text));
        struct accept_range range;

        if (read_range(element, arena, &range)) {
            range.place = (uint32_t)count;
            range.second = second;
            behind_syntax = range.transfer_syntax.size > 0;
            list[count++] = range;
        } else if (behind_syntax && is_stray_syntax(element)) {
            behind_syntax = false;
            count--;
        } else if (!is_stray_syntax(element)) {
            behind_syntax = false;
        }
    }
    return count;
}

/* Room for the ranges of a text: one more than its commas. */
static size_t most_ranges(struct bytes text)
{
    size_t most = 1;

    for (size_t i = 0; i < text.size; i++)
        most += text.data[i] == ',';
    return most < RANGE_CEILING ? most : RANGE_CEILING;
}

void accept_parse(struct bytes header, struct arena *arena, struct accept *ret)
{
    header = bytes_trim(header);
    ret->absent = header.size == 0;
    ret->list = arena_array(arena, most_ranges(header), sizeof *ret->list);
    ret->count = read_ranges(header, false, arena, ret->list, 0);
}

/* ── the query parameter ── */

/* The first `accept`, decoded with '+' left alone: "application/dicom+json" comes raw and encoded (NEG-09).
 */
static bool find_parameter(const struct request *request, struct bytes *ret, struct error *err)
{
    struct bytes rest = request->query_text;

    *ret = bytes_of(NULL, 0);
    while (rest.size > 0) {
        struct bytes value = bytes_cut(&rest, '&');
        const struct bytes name = bytes_cut(&value, '=');
        if (bytes_equal_text(name, "accept"))
            return uri_decode(value, false, request->arena, ret, err);
    }
    return true;
}

/* Types that only rendered resources have, and those that only DICOM ones have (NEG-11). */
static bool is_rendered_type(const struct accept_range *range)
{
    return bytes_equal_text(range->type, "text") ||
           (bytes_equal_text(range->type, "application") && bytes_equal_text(range->subtype, "pdf")) ||
           (bytes_equal_text(range->type, "image") &&
            (bytes_equal_text(range->subtype, "png") || bytes_equal_text(range->subtype, "gif")));
}

static bool is_dicom_type(const struct accept_range *range)
{
    return bytes_equal_text(range->type, "application") &&
           bytes_starts_with(range->subtype, bytes_of_text("dicom")) &&
           (range->subtype.size == 5 || range->subtype.data[5] == '+');
}

static bool check_parameter(const struct accept *accept, struct error *err)
{
    bool rendered = false, dicom = false;

    for (size_t i = 0; i < accept->count; i++) {
        if (is_any(accept->list[i].type) || is_any(accept->list[i].subtype))
            return error_tell(err, FAULT_MALFORMED, "The query parameter \"accept\" has a wildcard.");
        rendered = rendered || is_rendered_type(&accept->list[i]);
        dicom = dicom || is_dicom_type(&accept->list[i]);
    }
    if (rendered && dicom)
        return error_tell(err, FAULT_MALFORMED,
                          "The query parameter \"accept\" mixes DICOM media types with rendered ones.");
    return true;
}

bool accept_read(const struct request *request, struct arena *arena, struct accept *ret, struct error *err)
{
    const struct bytes header = bytes_trim(request_header(request, "accept"));
    struct bytes parameter;
    struct accept first = { 0 };

    if (!find_parameter(request, &parameter, err))
        return false;
    accept_parse(parameter, arena, &first);
    if (!check_parameter(&first, err))
        return false;
    if (first.count == 0) {
        accept_parse(header, arena, ret);
        return true;
    }
    const size_t room = first.count + most_ranges(header);
    ret->absent = false;
    ret->list = arena_array(arena, room < RANGE_CEILING ? room : RANGE_CEILING, sizeof *ret->list);
    memcpy(ret->list, first.list, first.count * sizeof *ret->list);
    ret->count = read_ranges(header, true, arena, ret->list, first.count);
    return true;
}

/* ── weighing ── */

/* How closely `range` speaks of the thing, 0: not at all. The type weighs more than the syntax; a named
 * syntax more than none (the default one), none more than "*". */
static unsigned closeness(const struct accept_range *range, bool multipart, struct bytes type,
                          struct bytes subtype, const char *transfer_syntax, unsigned meant_by)
{
    enum { WILDCARD_MOST = 2 };
    unsigned by_type, by_syntax;

    if (is_any(range->type) && !range->multipart)
        by_type = 1; /* a plain wildcard takes parts as well */
    else if (range->multipart != multipart)
        return 0;
    else if (is_any(range->type))
        by_type = 2;
    else if (!bytes_equal_nocase(range->type, type))
        return 0;
    else if (is_any(range->subtype))
        by_type = 3;
    else if (bytes_equal_nocase(range->subtype, subtype))
        by_type = 4;
    else
        return 0;

    if (!range->transfer_syntax.size) {
        if (transfer_syntax && !(meant_by & (by_type <= WILDCARD_MOST ? ACCEPT_BY_WILDCARD : ACCEPT_BY_TYPE)))
            return 0;
        by_syntax = 1;
    } else if (is_any(range->transfer_syntax)) {
        if (transfer_syntax && !(meant_by & ACCEPT_BY_ANY_SYNTAX))
            return 0;
        by_syntax = 0;
    } else if (!transfer_syntax) {
        by_syntax = 0; /* the parameter means nothing there: as if it were not */
    } else if (bytes_equal_text(range->transfer_syntax, transfer_syntax)) {
        by_syntax = 2;
    } else {
        return 0;
    }
    return 4 * by_type + by_syntax;
}

/* The closest of the first or of the second ranges; the best q of equally close ones. */
static const struct accept_range *closest(const struct accept *accept, bool second, bool multipart,
                                          const char *type_slash_subtype, const char *transfer_syntax,
                                          unsigned meant_by)
{
    struct bytes subtype = bytes_of_text(type_slash_subtype);
    const struct bytes type = bytes_cut(&subtype, '/');
    const struct accept_range *best = NULL;
    unsigned best_closeness = 0;

    for (size_t i = 0; i < accept->count; i++) {
        const struct accept_range *range = &accept->list[i];
        if (range->second != second)
            continue;
        const unsigned close = closeness(range, multipart, type, subtype, transfer_syntax, meant_by);
        if (close > best_closeness || (close > 0 && close == best_closeness && range->q > best->q)) {
            best = range;
            best_closeness = close;
        }
    }
    return best;
}

unsigned accept_quality_of(const struct accept *accept, bool multipart, const char *type_slash_subtype,
                           const char *transfer_syntax, unsigned meant_by, uint32_t *ret_place_or_null)
{
    bool two_lists = accept->count > 0 && accept->list[accept->count - 1].second;
    unsigned q;

    if (ret_place_or_null)
        *ret_place_or_null = 0;
    if (accept->absent)
        return !transfer_syntax || (meant_by & ACCEPT_BY_WILDCARD) ? 1000 : 0;

    const struct accept_range *range =
        closest(accept, false, multipart, type_slash_subtype, transfer_syntax, meant_by);
    if (range)
        q = two_lists && range->q ? 500 + (range->q + 1) / 2 : range->q;
    else if ((range = closest(accept, true, multipart, type_slash_subtype, transfer_syntax, meant_by)))
        q = (range->q + 1) / 2;
    else
        return 0;
    if (ret_place_or_null)
        *ret_place_or_null = range->place;
    return q;
}

unsigned accept_quality(const struct accept *accept, bool multipart, const char *type_slash_subtype,
                        const char *transfer_syntax, bool is_default, uint32_t *ret_place_or_null)
{
    return accept_quality_of(accept, multipart, type_slash_subtype, transfer_syntax,
                             ACCEPT_BY_ANY_SYNTAX | (is_default ? ACCEPT_BY_TYPE | ACCEPT_BY_WILDCARD : 0u),
                             ret_place_or_null);
}
