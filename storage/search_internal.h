/* storage/search_internal.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * A parsed search, as search.c makes it, search_sql.c asks the database for it and search_rows.c writes its
 * rows.
 */
#ifndef GANTRY_STORAGE_SEARCH_INTERNAL_H
#define GANTRY_STORAGE_SEARCH_INTERNAL_H

#include "dicom/matching.h"
#include "storage/search.h"

enum search_what {
    SEARCH_KEY,         /* a column of query_keys.def */
    SEARCH_DATE_TIME,   /* a date and its time as one span (SEA-51): key, match and time_key, time_match */
    SEARCH_MODALITIES,  /* Modalities in Study */
    SEARCH_SOP_CLASSES, /* SOP Classes in Study */
    SEARCH_REQUEST_ATTRIBUTES, /* one item of the sequence satisfies all of `items` (SEA-54) */
};

struct search_item_key {
    uint32_t tag;
    struct match match;
};

struct search_condition {
    enum search_what what;
    enum query_key key, time_key;
    struct match match, time_match;
    bool is_reversed;   /* a range of times from evening to morning: only together with dates */
    bool must_be_empty; /* SEA-58: instead of `match` */
    bool unknown_matches;
    struct bytes *words; /* fuzzy matching of a name (SEA-57): folded; NULL: literal matching only */
    size_t word_count;
    struct search_item_key *items;
    size_t item_count;
    struct arena *arena; /* for what testing an item unescapes; rewound after it */
};

/* What a row holds, besides what comes out of the stored metadata. */
enum search_output_kind {
    OUTPUT_KEY,
    OUTPUT_AVAILABILITY,
    OUTPUT_MODALITIES,
    OUTPUT_SOP_CLASSES,
    OUTPUT_RETRIEVE_URL,
    OUTPUT_TRANSFER_SYNTAX,
    OUTPUT_STUDY_SERIES,
    OUTPUT_STUDY_INSTANCES,
    OUTPUT_SERIES_INSTANCES,
    OUTPUT_REQUEST_ATTRIBUTES,
};

struct search_output {
    uint32_t tag;
    enum search_output_kind kind;
    enum query_key key;
    bool even_if_empty;
};

/* An attribute that is no column: out of the metadata of a representative instance. */
struct search_extra {
    uint32_t tag;
    struct bytes creator; /* of a private one (SEA-22) */
};

enum {
    SEARCH_CONDITIONS_MOST = 128,
    SEARCH_EXTRAS_MOST = 512,
    SEARCH_WARNINGS_MOST = 32,
    SEARCH_OUTPUTS_MOST = QUERY_KEY_COUNT + 16
};

struct search {
    enum query_level level;
    struct instance_key under;
    uint64_t limit, offset;
    bool unknown_matches, all;
    struct search_condition *conditions;
    size_t condition_count;
    struct search_output outputs[SEARCH_OUTPUTS_MOST]; /* ascending tags */
    size_t output_count;
    struct search_extra *extras;
    size_t extra_count;
    const char *warnings[SEARCH_WARNINGS_MOST];
    size_t warning_count;
};

/* What the standard's tables and modules say an attribute belongs to; what is in no such list is the
 * instance's. */
enum query_level search_attribute_level(uint32_t tag);

/* Attributes that a row has but no column: by keyword or tag. */
struct search_computed {
    const char *keyword;
    uint32_t tag;
    char vr[3];
    enum query_level level;
};
const struct search_computed *search_computed_of_tag(uint32_t tag); /* NULL: none */
MUST_USE bool search_computed_tag(struct bytes keyword, uint32_t *ret);

/* Does a stored value satisfy the condition? */
bool search_condition_test(const struct search_condition *condition, struct bytes stored);
/* Does an item of Request Attributes Sequence? */
bool search_item_test(const struct search_condition *condition, struct bytes item);
/* The words of a folded name, and whether each is found again among those of a stored one. */
struct bytes *search_fuzzy_words(struct bytes folded, struct arena *arena, size_t *ret_count);
bool search_fuzzy_test(const struct bytes *words, size_t count, struct bytes stored_folded);

#endif
