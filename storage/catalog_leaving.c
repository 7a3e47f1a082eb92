/* storage/catalog_leaving.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See catalog_leaving.h. What is noted outlives its file by one transaction at most, or by one life of the
 * process: recovery finds a file that is not there, which is fine, and begins with an empty table.
 */
#include "storage/catalog_leaving.h"

#include <stdlib.h>

#include "storage/catalog_internal.h"

static bool run_with(struct connection *writer, const char *sql, uint64_t number, struct error *err)
{
    SCOPED(statement) sqlite3_stmt *statement = NULL;

    if (!connection_prepare(writer, sql, &statement, err))
        return false;
    statement_bind_number(statement, 1, number);
    return statement_finish(writer, statement, err);
}

bool catalog_leaving_note(struct connection *writer, uint64_t generation, struct error *err)
{
    return run_with(writer, "INSERT OR IGNORE INTO leaving (id) VALUES (?)", generation, err);
}

bool catalog_leaving_note_series(struct connection *writer, uint64_t series_id, struct error *err)
{
    return run_with(writer, "INSERT OR IGNORE INTO leaving (id) SELECT id FROM instance WHERE series_id = ?",
                    series_id, err);
}

void catalog_left_add(struct catalog_left *left, const uint64_t *generations, size_t count)
{
    pthread_mutex_lock(&left->lock);
    if (left->room - left->count < count) {
        const size_t room = 2 * left->room + count + 16;
        uint64_t *more = reallocarray(left->list, room, sizeof *more);
        if (more) {
            left->list = more;
            left->room = room;
        }
    }
    /* Without memory they stay noted until the next start. */
    for (size_t i = 0; i < count && left->count < left->room; i++)
        left->list[left->count++] = generations[i];
    pthread_mutex_unlock(&left->lock);
}

bool catalog_left_forget(struct catalog_left *left, struct connection *writer, size_t *ret_count,
                         struct error *err)
{
    bool ok = true;

    pthread_mutex_lock(&left->lock);
    *ret_count = left->count;
    for (size_t i = 0; i < left->count && ok; i++)
        ok = run_with(writer, "DELETE FROM leaving WHERE id = ?", left->list[i], err);
    pthread_mutex_unlock(&left->lock);
    return ok;
}

void catalog_left_drop(struct catalog_left *left, size_t count)
{
    pthread_mutex_lock(&left->lock);
    left->count -= count;
    if (count)
        memmove(left->list, left->list + count, left->count * sizeof *left->list);
    pthread_mutex_unlock(&left->lock);
}

void catalog_has_left(void *context, const uint64_t *generations, size_t count)
{
    struct catalog *catalog = context;

    if (count)
        catalog_left_add(&catalog->left, generations, count);
}

/* ── asked for ── */

/* A catalog that was made before there were notes, and is only looked at, has no table for them. */
static bool has_table(struct connection *connection)
{
    return sqlite3_table_column_metadata(connection->db, NULL, "leaving", "id", NULL, NULL, NULL, NULL,
                                         NULL) == SQLITE_OK;
}

bool catalog_is_leaving(struct catalog *catalog, uint64_t generation, bool *ret, struct error *err)
{
    SCOPED(reader) struct reader reader = { 0 };
    SCOPED(statement) sqlite3_stmt *find = NULL;

    *ret = false;
    if (!reader_take(catalog, &reader, err))
        return false;
    if (!has_table(reader.connection))
        return true;
    if (!connection_prepare(reader.connection, "SELECT 1 FROM leaving WHERE id = ?", &find, err))
        return false;
    statement_bind_number(find, 1, generation);
    return statement_step(reader.connection, find, ret, err);
}

bool catalog_each_leaving(struct catalog *catalog, bool (*each)(void *context, uint64_t generation),
                          void *context, struct error *err)
{
    SCOPED(reader) struct reader reader = { 0 };
    SCOPED(statement) sqlite3_stmt *list = NULL;
    bool row = true;

    if (!reader_take(catalog, &reader, err))
        return false;
    if (!has_table(reader.connection))
        return true;
    if (!connection_prepare(reader.connection, "SELECT id FROM leaving", &list, err))
        return false;
    while (statement_step(reader.connection, list, &row, err))
        if (!row || !each(context, statement_number(list, 0)))
            return true;
    return false;
}

static bool run_clear(struct commit_request *request, struct connection *writer, struct error *err)
{
    (void)request;
    return connection_run(writer, "DELETE FROM leaving", err);
}

bool catalog_none_is_leaving(struct catalog *catalog, struct error *err)
{
    struct commit_request request = { .run = run_clear };

    return !catalog->writer || catalog_commit(catalog, &request, err);
}
