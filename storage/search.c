/* storage/search.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * A QIDO query string, read and checked (PS3.18 8.3.4 and 10.6): parameters become conditions, attributes to
 * return, a page, and warnings. Which words of a value mean what stands in dicom/matching.c; how it is asked
 * in search_sql.c; how rows are written in search_rows.c.
 */
#include "storage/search.h"

#include <stdlib.h>

#include "base/number.h"
#include "dicom/dictionary.h"
#include "dicom/tag.h"
#include "storage/search_internal.h"

enum {
    PARAMETERS_MOST = 512,
    PATH_MOST = 8, /* tags in a dotted path */
    TAG_TIMEZONE = 0x00080201,
    TAG_MODALITIES = 0x00080061,
    TAG_SOP_CLASSES = 0x00080062,
    TAG_REQUEST_ATTRIBUTES = 0x00400275,
    TAG_SCHEDULED_STEP_ID = 0x00400009,
    TAG_REQUESTED_PROCEDURE_ID = 0x00401001,
};

struct path {
    uint32_t tags[PATH_MOST];
    size_t depth;
};

/* What is known while the parameters are read. */
struct parsing {
    struct search *search;
    const struct search_options *options;
    struct arena *arena;
    struct path *seen; /* SEA-11 */
    size_t seen_count;
    bool fuzzy, empty_matching, multiple_matching;
    bool has_limit, has_offset, told_unknown;
    struct search_condition *request_attributes; /* all its keys are one condition */
    struct search_extra creators[16];            /* Private Creator keys: gggg00bb */
    size_t creator_count;
    bool asked[QUERY_KEY_COUNT], wanted[QUERY_KEY_COUNT]; /* by includefield; as a key */
    bool sop_classes;
};

static void warn(struct parsing *parsing, const char *text)
{
    struct search *search = parsing->search;

    if (search->warning_count < SEARCH_WARNINGS_MOST)
        search->warnings[search->warning_count++] = text;
}

static const char *name_of(struct parsing *parsing, uint32_t tag)
{
    const enum query_key key = query_key_of_tag(tag);
    const struct search_computed *computed = search_computed_of_tag(tag);

    if (key != QUERY_KEY_COUNT)
        return query_key_info(key)->keyword;
    if (computed)
        return computed->keyword;
    const char *keyword = dictionary_keyword(tag);
    return keyword[0] ? keyword : arena_printf(parsing->arena, "%08X", tag);
}

static void warn_not_matched(struct parsing *parsing, uint32_t tag)
{
    warn(parsing, arena_printf(parsing->arena,
                               "The attribute %s cannot be matched by this resource and has been ignored.",
                               name_of(parsing, tag)));
}

/* Overlong forms and surrogates are no UTF-8 either. */
static bool is_utf8(struct bytes text)
{
    for (size_t i = 0; i < text.size;) {
        const uint8_t c = text.data[i];
        const size_t more = c < 0x80                ? 0
                            : c >= 0xc2 && c < 0xe0 ? 1
                            : (c & 0xf0) == 0xe0    ? 2
                            : c >= 0xf0 && c < 0xf5 ? 3
                                                    : 9;
        if (more == 9 || text.size - i <= more)
            return false;
        uint32_t code = more ? c & (0x3fu >> more) : c;
        for (size_t k = 1; k <= more; k++) {
            if ((text.data[i + k] & 0xc0) != 0x80)
                return false;
            code = code << 6 | (text.data[i + k] & 0x3f);
        }
        if ((more == 2 && (code < 0x800 || (code >= 0xd800 && code < 0xe000))) ||
            (more == 3 && (code < 0x10000 || code > 0x10ffff)))
            return false;
        i += more + 1;
    }
    return true;
}

/* ── names ── */

static bool attribute_tag(struct bytes name, uint32_t *ret)
{
    static const struct {
        const char *keyword;
        uint32_t tag;
    } items[] = { { "ScheduledProcedureStepID", TAG_SCHEDULED_STEP_ID },
                  { "RequestedProcedureID", TAG_REQUESTED_PROCEDURE_ID } };
    uint64_t tag;

    if (name.size == 8 && number_parse_hex(name, UINT32_MAX, &tag)) {
        *ret = (uint32_t)tag;
        return true;
    }
    /* Our own columns first: known without the dictionary. */
    for (enum query_key key = 0; key < QUERY_KEY_COUNT; key++)
        if (bytes_equal_text(name, query_key_info(key)->keyword)) {
            *ret = query_key_info(key)->tag;
            return true;
        }
    for (size_t i = 0; i < COUNT_OF(items); i++)
        if (bytes_equal_text(name, items[i].keyword)) {
            *ret = items[i].tag;
            return true;
        }
    return search_computed_tag(name, ret) || (name.size && dictionary_tag(name, ret));
}

enum path_kind { PATH_UNKNOWN, PATH_BROKEN, PATH_ATTRIBUTE };

static enum path_kind read_path(struct bytes name, struct path *ret)
{
    *ret = (struct path){ 0 };
    while (name.data) {
        const struct bytes part = bytes_cut(&name, '.');
        if (ret->depth == PATH_MOST || !attribute_tag(part, &ret->tags[ret->depth]))
            return ret->depth ? PATH_BROKEN : PATH_UNKNOWN;
        ret->depth++;
    }
    return PATH_ATTRIBUTE;
}

static bool note_path(struct parsing *parsing, const struct path *path, struct error *err)
{
    for (size_t i = 0; i < parsing->seen_count; i++)
        if (memcmp(&parsing->seen[i], path, sizeof *path) == 0)
            return error_tell(err, FAULT_MALFORMED, "The attribute %s is given more than once.",
                              name_of(parsing, path->tags[path->depth - 1]));
    parsing->seen[parsing->seen_count++] = *path;
    return true;
}

/* ── parameters that are no attributes ── */

static bool read_switch(const char *name, struct bytes value, bool *ret, struct error *err)
{
    *ret = bytes_equal_text(value, "true");
    return *ret || bytes_equal_text(value, "false") ||
           error_tell(err, FAULT_MALFORMED, "The parameter %s is neither true nor false.", name);
}

/* Unsigned, of any length: more than there can ever be is just "all". */
static bool read_count(const char *name, struct bytes value, uint64_t most, bool *seen, uint64_t *ret,
                       struct error *err)
{
    if (*seen)
        return error_tell(err, FAULT_MALFORMED, "The parameter %s is given more than once.", name);
    *seen = true;
    for (size_t i = 0; i < value.size; i++)
        if (value.data[i] < '0' || value.data[i] > '9')
            value.size = 0;
    if (!value.size)
        return error_tell(err, FAULT_MALFORMED, "The parameter %s is not an unsigned integer.", name);
    if (!number_parse(value, 0, most, ret))
        *ret = most;
    return true;
}

static bool add_extra(struct parsing *parsing, uint32_t tag, struct error *err)
{
    struct search *search = parsing->search;

    for (size_t i = 0; i < search->extra_count; i++)
        if (search->extras[i].tag == tag)
            return true;
    if (search->extra_count == SEARCH_EXTRAS_MOST)
        return error_tell(err, FAULT_MALFORMED, "More than %d attributes are asked for.", SEARCH_EXTRAS_MOST);
    search->extras[search->extra_count++] = (struct search_extra){ .tag = tag };
    return true;
}

/* An attribute is to be returned, if it is one of this level or above (SEA-20, SEA-24, SEA-76). */
static bool ask_for(struct parsing *parsing, uint32_t tag, struct error *err)
{
    const enum query_key key = query_key_of_tag(tag);

    if (search_attribute_level(tag) > parsing->search->level)
        return true;
    if (key != QUERY_KEY_COUNT)
        parsing->asked[key] = true;
    else if (tag == TAG_SOP_CLASSES)
        parsing->sop_classes = true;
    else if (tag != TAG_SPECIFIC_CHARACTER_SET)
        return add_extra(parsing, tag, err);
    return true;
}

static bool read_include_field(struct parsing *parsing, struct bytes value, struct error *err)
{
    while (value.data) {
        const struct bytes name = bytes_trim(bytes_cut(&value, ','));
        struct path path;
        if (bytes_equal_text(name, "all"))
            parsing->search->all = true;
        else if (read_path(name, &path) == PATH_ATTRIBUTE && !ask_for(parsing, path.tags[0], err))
            return false;
    }
    return true;
}

/* *ret_known: it was one of them. */
static bool read_control(struct parsing *parsing, const struct search_parameter *parameter, bool *ret_known,
                         struct error *err)
{
    static const char *const ignored[] = { "accept", "charset", "_", "" };
    struct search *search = parsing->search;
    const struct bytes name = parameter->name, value = parameter->value;

    *ret_known = true;
    if (bytes_equal_text(name, "limit")) {
        uint64_t limit;
        if (!read_count("limit", value, UINT32_MAX, &parsing->has_limit, &limit, err))
            return false;
        search->limit = limit < search->limit ? limit : search->limit;
        return true;
    }
    if (bytes_equal_text(name, "offset"))
        return read_count("offset", value, INT64_MAX / 2, &parsing->has_offset, &search->offset, err);
    if (bytes_equal_text(name, "includefield"))
        return read_include_field(parsing, value, err);
    if (bytes_equal_text(name, "fuzzymatching"))
        return read_switch("fuzzymatching", value, &parsing->fuzzy, err);
    if (bytes_equal_text(name, "emptyvaluematching"))
        return read_switch("emptyvaluematching", value, &parsing->empty_matching, err);
    if (bytes_equal_text(name, "multiplevaluematching"))
        return read_switch("multiplevaluematching", value, &parsing->multiple_matching, err);
    for (size_t i = 0; i < COUNT_OF(ignored); i++)
        if (bytes_equal_text(name, ignored[i]))
            return true;
    *ret_known = false;
    return true;
}

/* ── attributes as keys ── */

static struct search_condition *add_condition(struct parsing *parsing, enum search_what what,
                                              struct error *err)
{
    struct search *search = parsing->search;

    if (search->condition_count == SEARCH_CONDITIONS_MOST) {
        error_tell(err, FAULT_MALFORMED, "More than %d matching keys are given.", SEARCH_CONDITIONS_MOST);
        return NULL;
    }
    struct search_condition *condition = &search->conditions[search->condition_count++];
    *condition = (struct search_condition){ .what = what,
                                            .key = QUERY_KEY_COUNT,
                                            .unknown_matches = search->unknown_matches,
                                            .arena = parsing->arena };
    return condition;
}

/* From 18:00 to 10:00: no range of times within a day, but together with a range of dates a span of its own
 * (SEA-51). Each half is read as an open range. */
static bool read_reversed_times(struct parsing *parsing, const char *keyword, struct bytes value,
                                struct match *ret)
{
    struct match from = { 0 }, to = { 0 };
    struct error ignored = { 0 };
    const uint8_t *hyphen = value.size ? memchr(value.data, '-', value.size) : NULL;

    if (!hyphen)
        return false;
    const size_t at = (size_t)(hyphen - value.data);
    if (!matching_parse(keyword, "TM", bytes_of(value.data, at + 1), false, parsing->arena, &from,
                        &ignored) ||
        !matching_parse(keyword, "TM", bytes_from(value, at), false, parsing->arena, &to, &ignored) ||
        from.kind != MATCH_RANGE || to.kind != MATCH_RANGE)
        return false;
    *ret = from;
    ret->to = to.to;
    return true;
}

static bool add_match(struct parsing *parsing, enum search_what what, enum query_key key, const char *keyword,
                      const char *vr, struct bytes value, struct error *err)
{
    const bool any_of = what != SEARCH_KEY || key == KEY_Modality || strcmp(vr, "UI") == 0;
    struct search_condition *condition;
    struct match match = { 0 };

    if (parsing->empty_matching && bytes_equal_text(value, "\"\"")) {
        if (!(condition = add_condition(parsing, what, err)))
            return false;
        condition->key = key;
        condition->must_be_empty = true;
        return true;
    }
    const bool is_plain = matching_parse(keyword, vr, value, any_of, parsing->arena, &match, err);
    if (!is_plain && (strcmp(vr, "TM") != 0 || !read_reversed_times(parsing, keyword, value, &match)))
        return false;
    if (match.kind == MATCH_UNIVERSAL)
        return true;
    if (!(condition = add_condition(parsing, what, err)))
        return false;
    condition->key = key;
    condition->match = match;
    condition->is_reversed = !is_plain;
    if (parsing->fuzzy && strcmp(vr, "PN") == 0)
        condition->words =
            search_fuzzy_words(matching_fold(value, parsing->arena), parsing->arena, &condition->word_count);
    return true;
}

/* SEA-59: every one of the values must be there. A comma separates only where it cannot be data. */
static bool add_matches(struct parsing *parsing, enum search_what what, enum query_key key,
                        const char *keyword, const char *vr, struct bytes value, struct error *err)
{
    static const char *const several[] = { "AE", "AS", "AT", "CS", "LO", "PN", "SH", "UC" };
    bool splits = false;

    for (size_t i = 0; i < COUNT_OF(several); i++)
        splits |= strcmp(vr, several[i]) == 0;
    if (!parsing->multiple_matching || !splits)
        return add_match(parsing, what, key, keyword, vr, value, err);
    const bool by_comma =
        strcmp(vr, "CS") == 0 && !memchr(value.data ? (const char *)value.data : "", '\\', value.size);
    while (value.data)
        if (!add_match(parsing, what, key, keyword, vr, bytes_cut(&value, by_comma ? ',' : '\\'), err))
            return false;
    return true;
}

static bool read_request_attribute(struct parsing *parsing, const struct path *path, struct bytes value,
                                   struct error *err)
{
    enum { ITEM_KEYS_MOST = 16 };
    const uint32_t tag = path->tags[1];
    struct match match = { 0 };
    char vr[3] = "SH";

    if (tag != TAG_SCHEDULED_STEP_ID && tag != TAG_REQUESTED_PROCEDURE_ID && !dictionary_vr(tag, vr)) {
        warn_not_matched(parsing, tag);
        return true;
    }
    if (!matching_parse(name_of(parsing, tag), vr, value, false, parsing->arena, &match, err))
        return false;
    if (match.kind == MATCH_UNIVERSAL)
        return true;
    if (!parsing->request_attributes) {
        parsing->request_attributes = add_condition(parsing, SEARCH_REQUEST_ATTRIBUTES, err);
        if (!parsing->request_attributes)
            return false;
        parsing->request_attributes->items =
            arena_array(parsing->arena, ITEM_KEYS_MOST, sizeof(struct search_item_key));
    }
    struct search_condition *condition = parsing->request_attributes;
    if (condition->item_count == ITEM_KEYS_MOST)
        return error_tell(err, FAULT_MALFORMED, "More than %d keys are given for one sequence.",
                          ITEM_KEYS_MOST);
    condition->items[condition->item_count++] = (struct search_item_key){ .tag = tag, .match = match };
    return true;
}

static bool note_creator(struct parsing *parsing, uint32_t tag, struct bytes value)
{
    if (tag >> 16 & 1 && (tag & 0xffff) >= 0x10 && (tag & 0xffff) <= 0xff) {
        if (parsing->creator_count < COUNT_OF(parsing->creators))
            parsing->creators[parsing->creator_count++] = (struct search_extra){ tag, bytes_trim(value) };
        return true;
    }
    return false;
}

static bool read_key(struct parsing *parsing, const struct path *path, struct bytes value, struct error *err)
{
    const uint32_t tag = path->tags[0];
    const enum query_key key = query_key_of_tag(tag);
    const enum query_level level = parsing->search->level;

    if (note_creator(parsing, tag, value))
        return true;
    if (path->depth > 1) {
        if (tag == TAG_REQUEST_ATTRIBUTES && path->depth == 2 && level >= LEVEL_SERIES)
            return read_request_attribute(parsing, path, value, err);
        if (value.size)
            warn_not_matched(parsing, tag);
        return ask_for(parsing, tag, err);
    }
    if (key != QUERY_KEY_COUNT && query_key_info(key)->level <= level && tag != TAG_TIMEZONE) {
        const struct query_key_info *info = query_key_info(key);
        parsing->wanted[key] = true; /* SEA-17, SEA-75 */
        return add_matches(parsing, SEARCH_KEY, key, info->keyword, info->vr, value, err);
    }
    if (tag == TAG_MODALITIES)
        return add_matches(parsing, SEARCH_MODALITIES, QUERY_KEY_COUNT, "ModalitiesInStudy", "CS", value,
                           err);
    if (tag == TAG_SOP_CLASSES) {
        parsing->sop_classes = true;
        return add_match(parsing, SEARCH_SOP_CLASSES, QUERY_KEY_COUNT, "SOPClassesInStudy", "UI", value, err);
    }
    if (value.size)
        warn_not_matched(parsing, tag);
    return ask_for(parsing, tag, err);
}

static bool read_attribute(struct parsing *parsing, const struct search_parameter *parameter,
                           struct error *err)
{
    struct path path;

    switch (read_path(parameter->name, &path)) {
    case PATH_ATTRIBUTE:
        break;
    case PATH_BROKEN:
        return error_tell(err, FAULT_MALFORMED, "An attribute path under %s is broken.",
                          name_of(parsing, path.tags[0]));
    case PATH_UNKNOWN:
        if (!parsing->told_unknown)
            warn(parsing, "A parameter is not known and has been ignored.");
        parsing->told_unknown = true;
        return true;
    }
    return note_path(parsing, &path, err) && read_key(parsing, &path, parameter->value, err);
}

/* ── what follows from all of them ── */

static struct search_condition *range_on(struct search *search, enum query_key key)
{
    for (size_t i = 0; i < search->condition_count; i++) {
        struct search_condition *condition = &search->conditions[i];
        if (condition->what == SEARCH_KEY && condition->key == key && !condition->must_be_empty &&
            condition->match.kind == MATCH_RANGE)
            return condition;
    }
    return NULL;
}

/* A range of dates with a range of times is one span, not a window in each day (SEA-51, SEA-52). */
static void join_dates_and_times(struct search *search)
{
    static const enum query_key pairs[][2] = { { KEY_StudyDate, KEY_StudyTime },
                                               { KEY_SeriesDate, KEY_SeriesTime },
                                               { KEY_PerformedProcedureStepStartDate,
                                                 KEY_PerformedProcedureStepStartTime } };

    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        struct search_condition *date = range_on(search, pairs[i][0]), *time = range_on(search, pairs[i][1]);
        if (!date || !time)
            continue;
        date->what = SEARCH_DATE_TIME;
        date->time_key = pairs[i][1];
        date->time_match = time->match;
        *time = search->conditions[--search->condition_count];
    }
}

static bool check_times(const struct search *search, struct error *err)
{
    for (size_t i = 0; i < search->condition_count; i++) {
        const struct search_condition *condition = &search->conditions[i];
        if (condition->what == SEARCH_KEY && condition->is_reversed)
            return error_tell(err, FAULT_MALFORMED, "%s: a range whose end lies before its start.",
                              query_key_info(condition->key)->keyword);
    }
    return true;
}

static void add_output(struct search *search, uint32_t tag, enum search_output_kind kind, enum query_key key,
                       bool even_if_empty)
{
    search->outputs[search->output_count++] = (struct search_output){ tag, kind, key, even_if_empty };
}

static int by_tag(const void *left, const void *right)
{
    const uint32_t a = ((const struct search_output *)left)->tag,
                   b = ((const struct search_output *)right)->tag;

    return a < b ? -1 : a > b;
}

/* Whose table a row holds: its own level's, and those of higher levels that the path does not fix (SEA-77).
 */
static bool has_table(const struct search *search, enum query_level level)
{
    if (level >= search->level)
        return level == search->level;
    return level == LEVEL_STUDY ? !search->under.study.text[0] : !search->under.series.text[0];
}

static bool is_returned(const struct parsing *parsing, enum query_key key, bool *ret_even_if_empty)
{
    const struct query_key_info *info = query_key_info(key);
    const bool in_table = has_table(parsing->search, info->level);

    /* Names of higher levels come always (SEA-78), and the zone in which dates are to be read. */
    if (key == KEY_StudyInstanceUID ||
        (key == KEY_SeriesInstanceUID && info->level <= parsing->search->level)) {
        *ret_even_if_empty = true;
        return true;
    }
    *ret_even_if_empty = parsing->wanted[key] || (in_table && info->returned == RETURN_ALWAYS);
    return *ret_even_if_empty || parsing->asked[key] || key == KEY_TimezoneOffsetFromUTC ||
           (in_table && (info->returned == RETURN_KNOWN ||
                         (parsing->search->all && info->level <= parsing->search->level)));
}

static void choose_outputs(struct parsing *parsing)
{
    struct search *search = parsing->search;
    const bool study = has_table(search, LEVEL_STUDY), series = has_table(search, LEVEL_SERIES);
    const bool instance = search->level == LEVEL_INSTANCE;
    bool even_if_empty;

    for (enum query_key key = 0; key < QUERY_KEY_COUNT; key++)
        if (query_key_info(key)->level <= search->level && is_returned(parsing, key, &even_if_empty))
            add_output(search, query_key_info(key)->tag, OUTPUT_KEY, key, even_if_empty);
    add_output(search, TAG_RETRIEVE_URL, OUTPUT_RETRIEVE_URL, 0, true);
    for (size_t i = 0; i < search->extra_count;
         i++) { /* counts and the like may be asked for where not default */
        const uint32_t tag = search->extras[i].tag;
        if (!study && tag == TAG_MODALITIES)
            add_output(search, tag, OUTPUT_MODALITIES, 0, false);
        else if (!study && tag == 0x00201206)
            add_output(search, tag, OUTPUT_STUDY_SERIES, 0, false);
        else if (!study && tag == 0x00201208)
            add_output(search, tag, OUTPUT_STUDY_INSTANCES, 0, false);
        else if (instance && !series && tag == 0x00201209)
            add_output(search, tag, OUTPUT_SERIES_INSTANCES, 0, false);
        else if (instance && !series && tag == TAG_REQUEST_ATTRIBUTES)
            add_output(search, tag, OUTPUT_REQUEST_ATTRIBUTES, 0, false);
    }
    if (study || instance)
        add_output(search, 0x00080056, OUTPUT_AVAILABILITY, 0, true);
    if (study) {
        add_output(search, TAG_MODALITIES, OUTPUT_MODALITIES, 0, true);
        add_output(search, 0x00201206, OUTPUT_STUDY_SERIES, 0, true);
        add_output(search, 0x00201208, OUTPUT_STUDY_INSTANCES, 0, true);
    }
    if (parsing->sop_classes || (search->all && search->level == LEVEL_STUDY))
        add_output(search, TAG_SOP_CLASSES, OUTPUT_SOP_CLASSES, 0, false);
    if (series) {
        add_output(search, 0x00201209, OUTPUT_SERIES_INSTANCES, 0, true);
        add_output(search, TAG_REQUEST_ATTRIBUTES, OUTPUT_REQUEST_ATTRIBUTES, 0, false);
    }
    if (instance)
        add_output(search, TAG_AVAILABLE_TRANSFER_SYNTAX_UID, OUTPUT_TRANSFER_SYNTAX, 0, false);
    qsort(search->outputs, search->output_count, sizeof search->outputs[0], by_tag);
}

/* What is computed needs no metadata; a private attribute without its creator is none (SEA-22). */
static void settle_extras(struct parsing *parsing)
{
    struct search *search = parsing->search;
    size_t kept = 0;

    for (size_t i = 0; i < search->extra_count; i++) {
        struct search_extra extra = search->extras[i];
        if (search_computed_of_tag(extra.tag))
            continue;
        if (extra.tag >> 16 & 1) {
            for (size_t k = 0; k < parsing->creator_count; k++)
                if (parsing->creators[k].tag == ((extra.tag & 0xffff0000) | (extra.tag >> 8 & 0xff)))
                    extra.creator = parsing->creators[k].creator;
            if (!extra.creator.size)
                continue;
        }
        search->extras[kept++] = extra;
    }
    search->extra_count = kept;
}

static bool read_parameters(struct parsing *parsing, const struct search_parameter *parameters, size_t count,
                            struct error *err)
{
    bool *is_attribute = arena_array(parsing->arena, count + 1, sizeof *is_attribute);
    bool known;

    /* The switches first: they change what the keys mean, wherever they stand. */
    for (size_t i = 0; i < count; i++) {
        if (!is_utf8(parameters[i].name) || !is_utf8(parameters[i].value))
            return error_tell(err, FAULT_MALFORMED, "A parameter is not UTF-8.");
        if (!read_control(parsing, &parameters[i], &known, err))
            return false;
        is_attribute[i] = !known;
    }
    for (size_t i = 0; i < count; i++)
        if (is_attribute[i] && !read_attribute(parsing, &parameters[i], err))
            return false;
    return true;
}

bool search_parse(const struct search_options *options, const struct search_parameter *parameters,
                  size_t count, struct arena *arena, struct search **ret, struct error *err)
{
    struct search *search = arena_alloc(arena, sizeof *search);
    struct parsing parsing = { .search = search, .options = options, .arena = arena };

    if (count > PARAMETERS_MOST)
        return error_tell(err, FAULT_MALFORMED, "More than %d parameters are given.", PARAMETERS_MOST);
    search->level = options->level;
    search->under = options->under;
    search->limit = options->max_results;
    search->unknown_matches = options->unknown_matches;
    search->conditions = arena_array(arena, SEARCH_CONDITIONS_MOST, sizeof *search->conditions);
    search->extras = arena_array(arena, SEARCH_EXTRAS_MOST, sizeof *search->extras);
    parsing.seen = arena_array(arena, count + 1, sizeof *parsing.seen);
    if (!read_parameters(&parsing, parameters, count, err))
        return false;
    join_dates_and_times(search);
    if (!check_times(search, err))
        return false;
    error_clear(err); /* of a range of times that turned out to be one with its dates */
    choose_outputs(&parsing);
    settle_extras(&parsing);
    *ret = search;
    return true;
}

uint64_t search_limit(const struct search *search)
{
    return search->limit;
}

uint64_t search_offset(const struct search *search)
{
    return search->offset;
}

const char *search_warning(const struct search *search, size_t n)
{
    return n < search->warning_count ? search->warnings[n] : NULL;
}
