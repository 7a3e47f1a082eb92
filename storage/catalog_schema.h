/* storage/catalog_schema.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The catalog's tables, made from dicom/query_keys.def: one line there is one column here.
 */
#ifndef GANTRY_STORAGE_CATALOG_SCHEMA_H
#define GANTRY_STORAGE_CATALOG_SCHEMA_H

#include "base/arena.h"
#include "base/buffer.h"
#include "dicom/description.h"
#include "dicom/query_keys.h"
#include "storage/catalog_connection.h"

/* Is it of the version that this program knows, or new? DISK says what to do. */
MUST_USE bool catalog_schema_check(struct connection *connection, struct error *err);
/* Makes what is missing: tables, indexes, and the columns of keys that came later (empty for what is stored
 * already; told in the log). */
MUST_USE bool catalog_schema_make(struct connection *connection, struct error *err);
/* The same but for the index of SOP Instance UIDs, which is then made at the end (uid_map.h). */
MUST_USE bool catalog_schema_make_for_rebuild(struct connection *connection, struct error *err);
MUST_USE bool catalog_schema_index_instances(struct connection *connection, struct error *err);

/* "s", "e" or "i": what the tables study, series and instance are called in every statement. */
const char *catalog_schema_alias(enum query_level level);
/* Has the key a second column, in the form that is compared and sorted (PN folded, DA and TM canonical,
 * numbers as numbers, '' where there is none)? */
bool catalog_schema_has_twin(enum query_key key);
/* Appends alias and column: what was received, and what is compared. */
void catalog_schema_column(struct buffer *sql, enum query_key key);
void catalog_schema_compared(struct buffer *sql, enum query_key key);

/* Appends "(own columns, k_..., m_...) VALUES (?, ...)" of a level; own columns come first and are the
 * caller's to bind. */
void catalog_schema_insert(struct buffer *sql, enum query_level level, const char *own_columns,
                           unsigned own_count);
/* Binds the level's values from parameter `at` on. They and what the arena got must outlive the step. */
void catalog_schema_bind(sqlite3_stmt *statement, int at, enum query_level level,
                         const struct description *from, struct arena *arena);

#endif
