/* storage/search_match.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Does a stored value satisfy a condition? Called for each row that no index could rule out, so names come
 * folded from their column and nothing here allocates for them.
 */
#include "dicom/json_scan.h"
#include "storage/search_internal.h"

enum { WORD_LETTERS_FUZZY = 3 /* shorter words must be prefixes */, WORDS_MOST = 32 };

/* ── fuzzy: words in any order (SEA-57) ── */

static bool ends_word(uint8_t c)
{
    return c == ' ' || c == '^' || c == '=' || c == '\\' || c == ',' || c == '*' || c == '?' || c == '-' ||
           c == '.';
}

/* Cuts the next word off; empty at the end. */
static struct bytes next_word(struct bytes *rest)
{
    size_t from = 0, to;

    while (from < rest->size && ends_word(rest->data[from]))
        from++;
    for (to = from; to < rest->size && !ends_word(rest->data[to]);)
        to++;
    const struct bytes word = bytes_of(rest->data + from, to - from);
    *rest = bytes_from(*rest, to);
    return word;
}

struct bytes *search_fuzzy_words(struct bytes folded, struct arena *arena, size_t *ret_count)
{
    struct bytes *words = arena_array(arena, WORDS_MOST, sizeof *words);
    size_t count = 0;

    while (count < WORDS_MOST) {
        const struct bytes word = next_word(&folded);
        if (!word.size)
            break;
        words[count++] = word;
    }
    *ret_count = count;
    return words;
}

static bool is_ascii(struct bytes word)
{
    for (size_t i = 0; i < word.size; i++)
        if (word.data[i] >= 0x80)
            return false;
    return true;
}

/* One letter more, less, other, or two exchanged. */
static bool is_one_letter_off(struct bytes a, struct bytes b)
{
    size_t at = 0, end = 0;

    if (a.size < b.size) {
        const struct bytes longer = b;
        b = a;
        a = longer;
    }
    if (a.size - b.size > 1)
        return false;
    while (at < b.size && a.data[at] == b.data[at])
        at++;
    while (end < b.size - at && a.data[a.size - 1 - end] == b.data[b.size - 1 - end])
        end++;
    if (at + end >= a.size - 1)
        return true;
    return a.size == b.size && at + end == a.size - 2 && a.data[at] == b.data[at + 1] &&
           a.data[at + 1] == b.data[at];
}

static bool is_like(struct bytes asked, struct bytes stored)
{
    if (bytes_starts_with(stored, asked))
        return true;
    return asked.size >= WORD_LETTERS_FUZZY && is_ascii(asked) && is_ascii(stored) &&
           is_one_letter_off(asked, stored);
}

bool search_fuzzy_test(const struct bytes *words, size_t count, struct bytes stored_folded)
{
    for (size_t i = 0; i < count; i++) {
        struct bytes rest = stored_folded;
        bool found = false;
        while (!found) {
            const struct bytes word = next_word(&rest);
            if (!word.size)
                return false;
            found = is_like(words[i], word);
        }
    }
    return count > 0;
}

/* ── names ── */

/* "smith^*" also finds "smith", whose empty components are not written. */
static bool wildcard_name(struct bytes pattern, struct bytes name)
{
    while (!matching_wildcard(pattern, name)) {
        if (pattern.size < 2 || pattern.data[pattern.size - 1] != '*' ||
            pattern.data[pattern.size - 2] != '^')
            return false;
        pattern.size -= 2;
    }
    return true;
}

static bool name_test(const struct match *match, struct bytes name)
{
    const bool whole = match->text.size && memchr(match->text.data, '=', match->text.size);

    while (name.data) { /* each component group by itself, unless the key names several (SEA-56) */
        const struct bytes part = whole ? name : bytes_cut(&name, '=');
        if (match->kind == MATCH_WILDCARD ? wildcard_name(match->text, part) : bytes_equal(match->text, part))
            return true;
        if (whole)
            return false;
    }
    return false;
}

static bool names_test(const struct search_condition *condition, struct bytes names)
{
    if (!names.size)
        return condition->unknown_matches;
    if (condition->words && search_fuzzy_test(condition->words, condition->word_count, names))
        return true;
    while (names.data)
        if (name_test(&condition->match, bytes_cut(&names, '\\')))
            return true;
    return false;
}

/* ── Request Attributes Sequence ── */

static bool item_key_test(const struct search_item_key *key, bool unknown_matches, struct bytes item,
                          struct arena *arena)
{
    struct json_member attribute, values;
    struct bytes value;
    size_t at = 0;

    if (!json_attribute_find(item, key->tag, &attribute) ||
        !json_object_find(attribute.value, "Value", &values))
        return unknown_matches;
    while (json_array_next(values.value, &at, &value)) {
        struct bytes text;
        if (json_text(value, arena, &text) && matching_test(&key->match, text, unknown_matches))
            return true;
    }
    return false;
}

bool search_item_test(const struct search_condition *condition, struct bytes item)
{
    const struct arena_mark mark = arena_mark(condition->arena);
    bool matches = true;

    for (size_t i = 0; i < condition->item_count && matches; i++)
        matches = item_key_test(&condition->items[i], condition->unknown_matches, item, condition->arena);
    arena_rewind(condition->arena, mark);
    return matches;
}

static bool request_attributes_test(const struct search_condition *condition, struct bytes attribute)
{
    struct json_member values;
    struct bytes item;
    size_t at = 0;

    if (!attribute.size || !json_object_find(attribute, "Value", &values))
        return condition->unknown_matches;
    while (json_array_next(values.value, &at, &item))
        if (search_item_test(condition, item))
            return true;
    return false;
}

bool search_condition_test(const struct search_condition *condition, struct bytes stored)
{
    if (condition->what == SEARCH_REQUEST_ATTRIBUTES)
        return request_attributes_test(condition, stored);
    if (condition->match.vr[0] == 'P' && condition->match.vr[1] == 'N')
        return names_test(condition, stored);
    return matching_test(&condition->match, stored, condition->unknown_matches);
}
