/* storage/search_sql.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * A search as SQL. Values are bound, never pasted: the text depends on the form of the query alone, so that
 * the next query of that form finds it prepared.
 */
#ifndef GANTRY_STORAGE_SEARCH_SQL_H
#define GANTRY_STORAGE_SEARCH_SQL_H

#include "base/arena.h"
#include "storage/catalog_connection.h"
#include "storage/search_internal.h"

struct search_sql;

/* The ids of the page, in order; or how many rows there are from `offset` on, up to `limit`. Lives in the
 * arena. */
enum search_sql_kind { SEARCH_SQL_IDS, SEARCH_SQL_COUNT };
MUST_USE bool search_sql_make(const struct search *search, enum search_sql_kind kind, uint64_t limit,
                              uint64_t offset, struct arena *arena, const struct search_sql **ret,
                              struct error *err);
const char *search_sql_text(const struct search_sql *sql);
/* Prepares and binds; the search must outlive the statement's use. */
MUST_USE bool search_sql_prepare(const struct search_sql *sql, const struct search *search,
                                 struct connection *connection, sqlite3_stmt **ret, struct error *err);

/* Makes gantry_match(n, value) known: does the value satisfy the n-th condition of the search under way? */
MUST_USE bool search_sql_register(struct connection *connection);

#endif
