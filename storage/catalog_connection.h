/* storage/catalog_connection.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * One SQLite connection with its prepared statements, and a pool of those that only read. The rest of the
 * catalog speaks SQL through these few words and never meets a raw return code.
 */
#ifndef GANTRY_STORAGE_CATALOG_CONNECTION_H
#define GANTRY_STORAGE_CATALOG_CONNECTION_H

#include <sqlite3.h>
#include <inttypes.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/error.h"
#include "dicom/uid.h"

struct search_condition;

enum { PREPARED_STATEMENTS = 48 }; /* kept per connection; the least recently used one goes */

struct prepared {
    uint64_t hash, used_at;
    char *sql;
    sqlite3_stmt *statement;
};

struct connection {
    sqlite3 *db;
    struct prepared prepared[PREPARED_STATEMENTS];
    uint64_t turn;                             /* counts uses, for the choice of what goes */
    const struct search_condition *conditions; /* of the search under way: what gantry_match() tests */
    size_t condition_count;
    struct connection *next; /* in the pool */
};

/* REBUILDS: what was written last may be lost with the power, but no more; it can be made again. */
enum connection_use { CONNECTION_WRITES, CONNECTION_REBUILDS, CONNECTION_READS };

/* DISK, DISK_FULL, BUSY as the file system says; the file must exist. One thread at a time each. */
MUST_USE bool connection_open(const char *path, enum connection_use use, uint64_t cache_bytes,
                              struct connection **ret, struct error *err);
void connection_close(struct connection *connection); /* NULL is fine */

/* A statement, reset and with nothing bound; prepared once per text. Valid until the next connection_prepare
 * of another text; give it back by statement_done. */
MUST_USE bool connection_prepare(struct connection *connection, const char *sql, sqlite3_stmt **ret,
                                 struct error *err);
/* Runs a statement that has no parameters and gives no rows. */
MUST_USE bool connection_run(struct connection *connection, const char *sql, struct error *err);
/* What a return code means in our words: DISK_FULL, DISK, BUSY or INTERNAL. Returns false. */
bool connection_failed(struct connection *connection, int code, const char *doing, struct error *err);

/* Resets and forgets what was bound. For SCOPED(statement) sqlite3_stmt *statement = NULL. */
void statement_drop(sqlite3_stmt **statement);
/* Borrowed: must outlive the step. */
void statement_bind_bytes(sqlite3_stmt *statement, int at, struct bytes text);
void statement_bind_uid(sqlite3_stmt *statement, int at, const struct uid *uid);
void statement_bind_blob(sqlite3_stmt *statement, int at, struct bytes blob);
void statement_bind_number(sqlite3_stmt *statement, int at, uint64_t number);
/* One row: *ret_row says whether there was one. */
MUST_USE bool statement_step(struct connection *connection, sqlite3_stmt *statement, bool *ret_row,
                             struct error *err);
/* For statements that give no row. */
MUST_USE bool statement_finish(struct connection *connection, sqlite3_stmt *statement, struct error *err);
/* Valid until the next step or reset. */
struct bytes statement_text(sqlite3_stmt *statement, int column);
struct bytes statement_blob(sqlite3_stmt *statement, int column);
uint64_t statement_number(sqlite3_stmt *statement, int column);
/* A UID that uid_parse once let in. */
void statement_uid(sqlite3_stmt *statement, int column, struct uid *ret);

/* Readers. Grows to `most` connections; then whoever comes waits for one. Any thread. */
struct connection_pool;

MUST_USE bool connection_pool_open(const char *path, unsigned most, uint64_t cache_bytes_each,
                                   struct connection_pool **ret, struct error *err);
void connection_pool_close(struct connection_pool *pool); /* all must have been given back; NULL is fine */
/* Begins a read transaction: all that is read until connection_pool_give is one snapshot. */
MUST_USE bool connection_pool_take(struct connection_pool *pool, struct connection **ret, struct error *err);
void connection_pool_give(struct connection_pool *pool, struct connection *connection); /* NULL is fine */

#endif
