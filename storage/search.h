/* storage/search.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * A QIDO query, parsed and checked (PS3.18 8.3.4, 10.6): which level, what must match, what is returned,
 * which page. The wire's words (names and values of the query string) come in as plain bytes, so that this
 * room needs to know nothing of HTTP.
 */
#ifndef GANTRY_STORAGE_SEARCH_H
#define GANTRY_STORAGE_SEARCH_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "dicom/instance_key.h"
#include "dicom/query_keys.h"

struct search_parameter {
    struct bytes name, value; /* percent-decoded UTF-8 */
};

struct search_options {
    enum query_level level;
    bool relational;           /* no study or series in the path: rows carry the higher levels too (SEA-77) */
    struct instance_key under; /* from the path; empty levels are not restricted */
    uint32_t max_results;      /* the server's own limit */
    bool unknown_matches;      /* SEA-41 */
};

struct search;

/* MALFORMED tells the parameter. Parameters that are not known or cannot be matched are noted as warnings
 * (search_warning), not errors. Lives in the arena. Never waits; any thread. */
MUST_USE bool search_parse(const struct search_options *options, const struct search_parameter *parameters,
                           size_t count, struct arena *arena, struct search **ret, struct error *err);
uint64_t search_limit(const struct search *search);
uint64_t search_offset(const struct search *search);
/* The n-th warning's text (without the 299 and the service), NULL behind the last. */
const char *search_warning(const struct search *search, size_t n);

#endif
