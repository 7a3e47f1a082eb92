/* storage/catalog_files.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See catalog_files.h.
 */
#include "storage/catalog_files.h"

#include <assert.h>

#include "storage/catalog_internal.h"

bool catalog_files(struct catalog *catalog, uint64_t from, uint64_t below, struct catalogued_file *ret,
                   size_t *ret_count, struct error *err)
{
    SCOPED(reader) struct reader reader = { 0 };
    SCOPED(statement) sqlite3_stmt *rows = NULL;
    size_t count = 0;

    if (!reader_take(catalog, &reader, err) ||
        !connection_prepare(reader.connection,
                            "SELECT id, file_size, digest FROM instance WHERE id >= ? AND id < ? ORDER BY id",
                            &rows, err))
        return false;
    statement_bind_number(rows, 1, from);
    statement_bind_number(rows, 2, below);
    for (bool row = true;;) {
        if (!statement_step(reader.connection, rows, &row, err))
            return false;
        if (!row)
            break;
        assert(count < below - from);
        struct catalogued_file *file = &ret[count++];
        *file = (struct catalogued_file){ .generation = statement_number(rows, 0),
                                          .size = statement_number(rows, 1) };
        const struct bytes digest = statement_blob(rows, 2);
        if (digest.size == sizeof file->digest)
            memcpy(file->digest, digest.data, sizeof file->digest);
    }
    *ret_count = count;
    return true;
}

bool catalog_files_next(struct catalog *catalog, uint64_t from, uint64_t *ret, bool *ret_found,
                        struct error *err)
{
    return catalog_number(catalog, "SELECT id FROM instance WHERE id >= ? ORDER BY id LIMIT 1", from, ret,
                          ret_found, err);
}

bool catalog_files_count(struct catalog *catalog, uint64_t below, uint64_t *ret, struct error *err)
{
    bool row;

    return catalog_number(catalog, "SELECT COUNT(*) FROM instance WHERE id < ?", below, ret, &row, err);
}

bool catalog_files_key(struct catalog *catalog, uint64_t generation, struct instance_key *ret,
                       struct error *err)
{
    SCOPED(reader) struct reader reader = { 0 };
    SCOPED(statement) sqlite3_stmt *find = NULL;
    bool row;

    if (!reader_take(catalog, &reader, err) ||
        !connection_prepare(reader.connection,
                            "SELECT s.k_StudyInstanceUID, e.k_SeriesInstanceUID, i.k_SOPInstanceUID"
                            " FROM instance i CROSS JOIN series e ON e.id = i.series_id"
                            " CROSS JOIN study s ON s.id = e.study_id WHERE i.id = ?",
                            &find, err))
        return false;
    statement_bind_number(find, 1, generation);
    if (!statement_step(reader.connection, find, &row, err))
        return false;
    if (!row)
        return error_set(err, FAULT_NOT_FOUND, "generation %" PRIu64 " has no row", generation);
    statement_uid(find, 0, &ret->study);
    statement_uid(find, 1, &ret->series);
    statement_uid(find, 2, &ret->instance);
    return true;
}
