/* dicom/matching.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Which form of matching a key asks for, and whether a value fulfils it (PS3.4 C.2.2.2).
 *
 *   empty                                universal
 *   UI                                   one UID, or a list by comma or backslash
 *   DA TM DT                             one instant, or a range with a hyphen
 *   IS DS and binary numbers             one number
 *   AE CS LO LT PN SH ST UC UR UT        one value, or * and ?
 *   AS AT                                one value
 *   sequences and other binary           none
 *
 * Person names are compared as matching_fold makes them, group by group.
 */
#include "dicom/matching.h"

#include "base/number.h"
#include "dicom/date_time.h"
#include "dicom/letter_fold.h"
#include "dicom/normal_form.h"
#include "dicom/uid.h"
#include "dicom/utf8.h"

enum { VALUES_MOST = 4096 }; /* of one list; a URL holds fewer */

static bool is_vr(const char *vr, const char *list)
{
    for (; *list; list += 2)
        if (list[0] == vr[0] && list[1] == vr[1])
            return true;
    return false;
}

static bool takes_wildcards(const char *vr)
{
    return is_vr(vr, "AECSLOLTPNSHSTUCURUT");
}

static bool is_number(const char *vr)
{
    return is_vr(vr, "ISDSUSSSULSLUVSVFLFD");
}

/* In these a backslash is a character, and leading spaces count (PS3.5 6.2). */
static bool is_one_text(const char *vr)
{
    return is_vr(vr, "STLTUTUR");
}

static bool has_any(struct bytes text, const char *characters)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] && strchr(characters, text.data[i]))
            return true;
    return false;
}

static struct bytes trim_end(struct bytes text)
{
    while (text.size && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == 0))
        text.size--;
    return text;
}

static struct bytes trim(const char *vr, struct bytes text)
{
    text = trim_end(text);
    while (!is_one_text(vr) && text.size && text.data[0] == ' ')
        text = bytes_from(text, 1);
    return text;
}

static bool is_utf8(struct bytes text)
{
    while (text.size) {
        uint32_t character;
        text = bytes_from(text, utf8_read(text, &character));
        if (character == UTF8_BROKEN)
            return false;
    }
    return true;
}

/* ---- person names ---- */

/* Ends a component, a group or a value: spaces around the sign say nothing, nor do empty parts before = and
 * \. */
static size_t cut_name_end(const uint8_t *name, size_t size, uint8_t sign)
{
    for (;;) {
        const uint8_t last = size ? name[size - 1] : 0;
        const bool empty_part = (last == '^' && sign != '^') || (last == '=' && sign != '^' && sign != '=');
        if (last != ' ' && !empty_part)
            return size;
        size--;
    }
}

struct bytes matching_fold(struct bytes person_name, struct arena *arena)
{
    /* A broken byte takes most: it becomes U+FFFD, lest dropped accents between two of them make a letter. */
    uint8_t *const folded = arena_alloc(arena, person_name.size * 3 + 1);
    size_t size = 0;

    for (struct bytes rest = person_name; rest.size;) {
        uint32_t character, letters[2];
        const size_t used = utf8_read(rest, &character);
        const uint8_t sign = rest.data[0];
        if (sign == '^' || sign == '=' || sign == '\\')
            size = cut_name_end(folded, size, sign);
        const uint8_t last = size ? folded[size - 1] : '\\';
        const size_t count = letter_fold(character == UTF8_BROKEN ? 0xFFFD : character, letters);
        /* Looked for behind the folding: the iota of its own, U+037A, becomes a space too. */
        const bool leading_space =
            count == 1 && letters[0] == ' ' && (last == '^' || last == '=' || last == '\\');
        for (size_t i = 0; i < count && !leading_space; i++)
            size += utf8_put(letters[i], folded + size);
        rest = bytes_from(rest, used);
    }
    /* Accents are gone; what is left to compose is of other scripts. */
    return normal_form(bytes_of(folded, cut_name_end(folded, size, 0)), arena);
}

/* "smith^*" also finds "smith", whose empty components are not written. */
static bool wildcard_name(struct bytes pattern, struct bytes name)
{
    if (matching_wildcard(pattern, name))
        return true;
    while (pattern.size >= 2 && pattern.data[pattern.size - 1] == '*' &&
           pattern.data[pattern.size - 2] == '^') {
        pattern.size -= 2;
        if (matching_wildcard(pattern, name))
            return true;
    }
    return false;
}

static bool test_name(const struct match *match, struct bytes folded)
{
    const bool whole = has_any(match->text, "=");

    for (struct bytes rest = folded; rest.data;) {
        const struct bytes part = whole ? rest : bytes_cut(&rest, '=');
        if (match->kind == MATCH_WILDCARD ? wildcard_name(match->text, part) : bytes_equal(match->text, part))
            return true;
        if (whole)
            return false;
    }
    return false;
}

/* ---- wildcards ---- */

static size_t character_size(struct bytes text)
{
    uint32_t character;

    return utf8_read(text, &character);
}

/* Only the last star can need another try: what an earlier one swallowed as little as possible of stays
 * right. */
bool matching_wildcard(struct bytes pattern, struct bytes text)
{
    struct bytes star = { NULL, 0 }, behind_star = { NULL, 0 };

    for (;;) {
        if (pattern.size && pattern.data[0] == '*') {
            pattern = bytes_from(pattern, 1);
            star = pattern;
            behind_star = text;
            if (pattern.size == 0)
                return true;
            continue;
        }
        if (text.size == 0)
            return pattern.size == 0;
        const size_t size = character_size(text);
        if (pattern.size && pattern.data[0] == '?') {
            pattern = bytes_from(pattern, 1);
            text = bytes_from(text, size);
        } else if (pattern.size && bytes_starts_with(pattern, bytes_of(text.data, size))) {
            pattern = bytes_from(pattern, size);
            text = bytes_from(text, size);
        } else if (star.data) {
            behind_star = bytes_from(behind_star, character_size(behind_star));
            pattern = star;
            text = behind_star;
        } else {
            return false;
        }
    }
}

/* ---- keys ---- */

static bool malformed(const char *keyword, const char *what, struct error *err)
{
    return error_tell(err, FAULT_MALFORMED, "%.64s: %s.", keyword, what);
}

/* The parts of a list between commas or backslashes, trimmed, none of them empty. */
static bool split_list(const char *keyword, struct bytes value, struct arena *arena, struct match *ret,
                       struct error *err)
{
    size_t count = 1;

    for (size_t i = 0; i < value.size; i++)
        count += value.data[i] == ',' || value.data[i] == '\\';
    if (count > VALUES_MOST)
        return malformed(keyword, "too many values", err);
    ret->list = arena_array(arena, count, sizeof *ret->list);
    for (size_t from = 0, at = 0; at <= value.size; at++) {
        if (at < value.size && value.data[at] != ',' && value.data[at] != '\\')
            continue;
        const struct bytes one = trim(ret->vr, bytes_of(value.data + from, at - from));
        if (one.size == 0)
            return malformed(keyword, "an empty value in a list", err);
        ret->list[ret->list_count++] = one;
        from = at + 1;
    }
    ret->text = ret->list[0];
    ret->kind = ret->list_count > 1 ? MATCH_LIST : MATCH_SINGLE;
    return true;
}

static bool parse_uids(const char *keyword, struct bytes value, struct arena *arena, struct match *ret,
                       struct error *err)
{
    if (!split_list(keyword, value, arena, ret, err))
        return false;
    for (size_t i = 0; i < ret->list_count; i++) {
        struct uid uid;
        struct error why = { 0 };
        if (!uid_parse_padded(ret->list[i], &uid, &why))
            return malformed(keyword, "not a UID, or a list of them (no wildcards)", err);
    }
    return true;
}

static bool parse_number(const char *keyword, struct bytes value, struct match *ret, struct error *err)
{
    int64_t whole;

    if (is_vr(ret->vr, "DSFLFD") ? !number_parse_real(value, &ret->number)
                                 : !number_parse_signed(value, INT64_MIN + 1, INT64_MAX, &whole))
        return malformed(keyword, "not a number (no wildcards, no list)", err);
    if (!is_vr(ret->vr, "DSFLFD"))
        ret->number = (double)whole;
    ret->kind = MATCH_NUMBER;
    ret->text = value;
    return true;
}

/* One date or time in its canonical form; empty when it is none. */
static struct bytes canonical(const char *vr, struct bytes text, enum edge edge, struct arena *arena)
{
    char form[DATE_TIME_CHARACTERS + 1];

    if (is_vr(vr, "DA")   ? date_parse(text, form)
        : is_vr(vr, "TM") ? time_parse(text, edge, form)
                          : is_vr(vr, "DT") && date_time_parse(text, edge, form))
        return arena_copy(arena, bytes_of_text(form));
    return bytes_of(NULL, 0);
}

static int compare(struct bytes a, struct bytes b)
{
    const int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);

    return order ? order : (a.size > b.size) - (a.size < b.size);
}

enum range { RANGE_NONE, RANGE_REVERSED, RANGE_FOUND };

/* Reads `value` as a range whose hyphen stands at `at`. */
static enum range range_at(struct bytes value, size_t at, struct arena *arena, struct match *ret)
{
    const struct bytes before = bytes_trim(bytes_of(value.data, at)),
                       behind = bytes_trim(bytes_from(value, at + 1));
    const struct bytes from = canonical(ret->vr, before, EDGE_START, arena);
    const struct bytes to = canonical(ret->vr, behind, EDGE_END, arena);

    if ((before.size == 0 && behind.size == 0) || (before.size && !from.size) || (behind.size && !to.size))
        return RANGE_NONE;
    if (from.size && to.size && compare(from, to) > 0)
        return RANGE_REVERSED;
    ret->kind = MATCH_RANGE;
    ret->from = from;
    ret->to = to;
    ret->text = value;
    return RANGE_FOUND;
}

/* A hyphen may also begin an offset from UTC (DT): every reading is tried, and one as a range goes first. */
static bool parse_date_time(const char *keyword, struct bytes value, struct arena *arena, struct match *ret,
                            struct error *err)
{
    enum { LONGEST = 128 };
    bool reversed = false;

    for (size_t at = 0; value.size <= LONGEST && at < value.size; at++) {
        if (value.data[at] != '-')
            continue;
        const enum range range = range_at(value, at, arena, ret);
        if (range == RANGE_FOUND)
            return true;
        reversed = reversed || range == RANGE_REVERSED;
    }
    ret->text = canonical(ret->vr, value, EDGE_START, arena);
    if (ret->text.size) {
        ret->kind = MATCH_SINGLE;
        ret->from = ret->to = ret->text;
        return true;
    }
    return malformed(keyword,
                     reversed ? "a range whose end lies before its start"
                              : "not a date or time of its VR, or a range of two",
                     err);
}

static bool parse_text(const char *keyword, struct bytes value, bool any_of, struct arena *arena,
                       struct match *ret, struct error *err)
{
    const bool wildcard = has_any(value, "*?");

    /* A comma within a name is data. */
    if (any_of && !is_vr(ret->vr, "PN") && has_any(value, ",\\")) {
        if (wildcard)
            return malformed(keyword, "no wildcards in a list", err);
        return split_list(keyword, value, arena, ret, err);
    }
    if (!is_one_text(ret->vr) && has_any(value, "\\"))
        return malformed(keyword, "takes one value", err);
    ret->kind = wildcard ? MATCH_WILDCARD : MATCH_SINGLE;
    ret->text = is_vr(ret->vr, "PN") ? matching_fold(value, arena) : value;
    /* A name of nothing but separators is no name, and nothing but stars is everything. */
    bool stars = true;
    for (size_t i = 0; i < ret->text.size; i++)
        stars = stars && ret->text.data[i] == '*';
    if (stars)
        ret->kind = MATCH_UNIVERSAL;
    return true;
}

/* AS: nnnD, nnnW, nnnM, nnnY. AT: a tag. */
static bool parse_other(const char *keyword, struct bytes value, struct match *ret, struct error *err)
{
    uint64_t number;

    ret->kind = MATCH_SINGLE;
    ret->text = value;
    if (is_vr(ret->vr, "AS"))
        return (value.size == 4 && number_parse(bytes_of(value.data, 3), 0, 999, &number) &&
                strchr("DWMY", value.data[3])) ||
               malformed(keyword, "not an age such as 045Y (no wildcards)", err);
    if (is_vr(ret->vr, "AT"))
        return (value.size == 8 && number_parse_hex(value, UINT32_MAX, &number)) ||
               malformed(keyword, "not a tag of eight hexadecimal digits", err);
    return malformed(keyword, "cannot be matched by a value", err);
}

bool matching_parse(const char *keyword, const char *vr, struct bytes value, bool any_of, struct arena *arena,
                    struct match *ret, struct error *err)
{
    struct match match = { .kind = MATCH_UNIVERSAL, .vr = { vr[0], vr[0] ? vr[1] : '\0', '\0' } };

    if (!is_utf8(value))
        return malformed(keyword, "not UTF-8", err);
    value =
        trim(match.vr, is_vr(match.vr, "UI") || is_vr(match.vr, "PN") ? value : normal_form(value, arena));
    if (value.size > 0) {
        const bool good = is_vr(match.vr, "UI")       ? parse_uids(keyword, value, arena, &match, err)
                          : is_vr(match.vr, "DATMDT") ? parse_date_time(keyword, value, arena, &match, err)
                          : is_number(match.vr)       ? parse_number(keyword, value, &match, err)
                          : takes_wildcards(match.vr) ? parse_text(keyword, value, any_of, arena, &match, err)
                                                      : parse_other(keyword, value, &match, err);
        if (!good)
            return false;
    }
    *ret = match;
    return true;
}

/* ---- values ---- */

static bool test_date_time(const struct match *match, struct bytes stored, struct arena *arena)
{
    const struct bytes value = canonical(match->vr, stored, EDGE_START, arena);

    if (value.size == 0)
        return false;
    if (match->kind == MATCH_SINGLE)
        return bytes_equal(value, match->text);
    return (match->from.size == 0 || compare(match->from, value) <= 0) &&
           (match->to.size == 0 || compare(value, match->to) <= 0);
}

static bool test_list(const struct match *match, struct bytes stored)
{
    for (size_t i = 0; i < match->list_count; i++)
        if (bytes_equal(match->list[i], stored))
            return true;
    return false;
}

static bool test_number(const struct match *match, struct bytes stored)
{
    double number;

    return number_parse_real(stored, &number) && !(number < match->number) && !(number > match->number);
}

/* One value, trimmed and not empty; a name already folded. */
static bool test_value(const struct match *match, struct bytes stored, struct arena *arena)
{
    if (is_vr(match->vr, "DATMDT"))
        return test_date_time(match, stored, arena);
    if (is_vr(match->vr, "PN"))
        return test_name(match, stored);
    switch (match->kind) {
    case MATCH_UNIVERSAL:
        return true;
    case MATCH_LIST:
        return test_list(match, stored);
    case MATCH_WILDCARD:
        return matching_wildcard(match->text, stored);
    case MATCH_NUMBER:
        return test_number(match, stored);
    case MATCH_SINGLE:
    case MATCH_RANGE:
        break;
    }
    return is_vr(match->vr, "AT") ? bytes_equal_nocase(match->text, stored)
                                  : bytes_equal(match->text, stored);
}

bool matching_test(const struct match *match, struct bytes stored, bool unknown_matches)
{
    struct arena arena = { 0 };
    struct bytes rest = stored;
    bool empty = true, matches = false;

    if (match->kind == MATCH_UNIVERSAL)
        return true;
    while (rest.data && !matches) {
        struct bytes value = trim(match->vr, is_one_text(match->vr) ? rest : bytes_cut(&rest, '\\'));
        if (is_vr(match->vr, "PN"))
            value = matching_fold(value, &arena);
        if (value.size) {
            empty = false;
            matches = test_value(match, value, &arena);
        }
        if (is_one_text(match->vr))
            break;
    }
    arena_release(&arena);
    return matches || (empty && unknown_matches);
}

struct bytes matching_canonical(const char *vr, struct bytes stored, struct arena *arena)
{
    return canonical(vr, trim(vr, stored), EDGE_START, arena);
}
