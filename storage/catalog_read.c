/* storage/catalog_read.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Reading the catalog: records (through the cache) and listings. Metadata: catalog_metadata.c.
 */
#include <stdio.h>
#include <stdlib.h>

#include "storage/catalog_gone.h"
#include "storage/catalog_internal.h"
#include "storage/catalog_row.h"

enum {
    /* Viewers that ask for one frame of a series ask for the others next: their records come along. */
    PREFETCH_RECORDS = 2000,
    PREFETCH_FRAME_BYTES = 4 << 20, /* of stored frame tables */
    LISTING_MOST = 4 << 20          /* instances: a listing is in memory */
};

/* ── catalog_find ── */

#define RECORD_COLUMNS \
    "i.id, i.file_size, i.data_set_offset, i.syntax_uid, i.shape, i.digest, i.stored_unix_ms, " \
    "i.k_SOPClassUID," \
    " i.k_SOPInstanceUID, i.frames"

static bool read_record(sqlite3_stmt *row, const struct uid *study, const struct uid *series,
                        const struct instance_record **ret, size_t *frame_bytes, struct error *err)
{
    struct instance_record record = { .key = { .study = *study, .series = *series } };
    struct frame_table *frames = NULL;

    record.generation = statement_number(row, 0);
    record.file_size = statement_number(row, 1);
    record.data_set_offset = statement_number(row, 2);
    statement_uid(row, 3, &record.syntax_uid);
    record.syntax = transfer_syntax_of_uid(uid_bytes(&record.syntax_uid));
    const struct bytes digest = statement_blob(row, 5);
    if (!catalog_row_get_shape(statement_blob(row, 4), &record.shape, &record.needs_head) ||
        digest.size != sizeof record.digest)
        return error_set(err, FAULT_DISK, "catalog: the row of generation %" PRIu64 " is not sound",
                         record.generation);
    memcpy(record.digest, digest.data, sizeof record.digest);
    record.stored_unix_ms = (int64_t)statement_number(row, 6);
    statement_uid(row, 7, &record.sop_class);
    statement_uid(row, 8, &record.key.instance);
    const struct bytes stored = statement_blob(row, 9);
    if (stored.size && !frame_table_parse(stored, &frames, err))
        return error_while(err, "generation %" PRIu64, record.generation);
    record.frames = frames;
    *frame_bytes += stored.size;
    *ret = instance_record_new(&record);
    return true;
}

static bool is_of(const struct instance_record *record, const struct instance_key *key)
{
    return uid_equal(&record->key.study, &key->study) && uid_equal(&record->key.series, &key->series);
}

static bool not_found(struct error *err)
{
    return error_set(err, FAULT_NOT_FOUND, "catalog: no such instance");
}

static void prefetch_series(struct catalog *catalog, struct connection *reader, uint64_t series_id,
                            const struct instance_record *wanted, uint64_t epoch)
{
    SCOPED(statement) sqlite3_stmt *rows = NULL;
    struct error ignored = { 0 };
    size_t frame_bytes = 0;
    bool row = true;

    if (!connection_prepare(reader,
                            "SELECT " RECORD_COLUMNS " FROM instance i WHERE i.series_id = ?"
                            " ORDER BY i.m_InstanceNumber, i.k_SOPInstanceUID",
                            &rows, &ignored))
        return;
    statement_bind_number(rows, 1, series_id);
    for (unsigned count = 0; count < PREFETCH_RECORDS && frame_bytes < PREFETCH_FRAME_BYTES; count++) {
        SCOPED(instance_record) const struct instance_record *record = NULL;
        if (!statement_step(reader, rows, &row, &ignored) || !row)
            return;
        if (statement_number(rows, 0) == wanted->generation)
            continue;
        /* One that is not sound is told to whoever asks for it. */
        if (read_record(rows, &wanted->key.study, &wanted->key.series, &record, &frame_bytes, &ignored))
            record_cache_put(catalog->records, record, epoch);
    }
}

static bool find_stored(struct catalog *catalog, const struct instance_key *key,
                        const struct instance_record **ret, struct error *err)
{
    SCOPED(reader) struct reader reader = { 0 };
    SCOPED(statement) sqlite3_stmt *find = NULL;
    struct uid study, series;
    size_t frame_bytes = 0;
    bool row;

    const uint64_t epoch = record_cache_epoch(catalog->records); /* before the snapshot */
    if (!reader_take(catalog, &reader, err) ||
        !connection_prepare(reader.connection,
                            "SELECT " RECORD_COLUMNS ", e.id, e.k_SeriesInstanceUID, s.k_StudyInstanceUID"
                            " FROM instance i CROSS JOIN series e ON e.id = i.series_id"
                            " CROSS JOIN study s ON s.id = e.study_id WHERE i.k_SOPInstanceUID = ?",
                            &find, err))
        return false;
    statement_bind_uid(find, 1, &key->instance);
    if (!statement_step(reader.connection, find, &row, err))
        return false;
    if (!row)
        return catalog_gone_or_unknown(reader.connection, key, err);
    statement_uid(find, 11, &series);
    statement_uid(find, 12, &study);
    if (!uid_equal(&study, &key->study) || !uid_equal(&series, &key->series))
        return not_found(err);
    const uint64_t series_id = statement_number(find, 10);
    if (!read_record(find, &study, &series, ret, &frame_bytes, err))
        return false;
    statement_drop(&find);
    prefetch_series(catalog, reader.connection, series_id, *ret, epoch);
    record_cache_put(catalog->records, *ret, epoch); /* last: its neighbours must not push it out */
    return true;
}

bool catalog_find(struct catalog *catalog, const struct instance_key *key, enum patience patience,
                  const struct instance_record **ret, struct error *err)
{
    const struct instance_record *record = record_cache_get(catalog->records, &key->instance);

    if (record && is_of(record, key)) {
        *ret = record;
        return true;
    }
    if (record) { /* the UID is unique over the archive: it is nowhere else */
        instance_record_unref(record);
        return not_found(err);
    }
    if (patience == MUST_NOT_WAIT)
        return error_set(err, FAULT_WOULD_WAIT, "catalog: the record is not in memory");
    return find_stored(catalog, key, ret, err);
}

/* ── catalog_list ── */

static bool append_row(struct catalog_listing *listing, size_t *room, sqlite3_stmt *row, struct error *err)
{
    if (listing->count == *room) {
        const size_t more = *room ? 2 * *room : 64;
        if (more > LISTING_MOST)
            return error_set(err, FAULT_TOO_LARGE, "catalog: more than %d instances in one listing",
                             LISTING_MOST);
        struct listed_instance *list = reallocarray(listing->list, more, sizeof *list);
        if (!list)
            return error_set(err, FAULT_BUSY, "catalog: no memory for a listing of %zu", more);
        listing->list = list;
        *room = more;
    }
    struct listed_instance *entry = &listing->list[listing->count++];
    entry->generation = entry->instance_id = statement_number(row, 0);
    entry->file_size = statement_number(row, 1);
    statement_uid(row, 2, &entry->syntax_uid);
    statement_uid(row, 3, &entry->key.instance);
    statement_uid(row, 4, &entry->key.series);
    statement_uid(row, 5, &entry->key.study);
    struct pixel_shape shape;
    if (!catalog_row_get_shape(statement_blob(row, 6), &shape, &entry->needs_head))
        return error_set(err, FAULT_DISK, "catalog: the row of generation %" PRIu64 " is not sound",
                         entry->generation);
    entry->syntax = transfer_syntax_of_uid(uid_bytes(&entry->syntax_uid));
    return true;
}

static bool list_rows(struct connection *reader, const struct instance_key *key,
                      struct catalog_listing *listing, struct error *err)
{
    static const char columns[] =
        "SELECT i.id, i.file_size, i.syntax_uid, i.k_SOPInstanceUID, e.k_SeriesInstanceUID,"
        " s.k_StudyInstanceUID, i.shape FROM study s CROSS JOIN series e ON e.study_id = s.id"
        " CROSS JOIN instance i ON i.series_id = e.id WHERE s.k_StudyInstanceUID = ?";
    static const char order[] = " ORDER BY e.m_SeriesNumber, e.k_SeriesInstanceUID, i.m_InstanceNumber,"
                                " i.k_SOPInstanceUID";
    SCOPED(statement) sqlite3_stmt *rows = NULL;
    const bool one_series = key->series.text[0], one_instance = key->instance.text[0];
    size_t room = 0;
    bool row = true;
    char sql[768];

    snprintf(sql, sizeof sql, "%s%s%s%s", columns, one_series ? " AND e.k_SeriesInstanceUID = ?" : "",
             one_instance ? " AND i.k_SOPInstanceUID = ?" : "", order);
    if (!connection_prepare(reader, sql, &rows, err))
        return false;
    statement_bind_uid(rows, 1, &key->study);
    if (one_series)
        statement_bind_uid(rows, 2, &key->series);
    if (one_instance)
        statement_bind_uid(rows, 3, &key->instance);
    for (;;) {
        if (!statement_step(reader, rows, &row, err))
            return false;
        if (!row)
            return listing->count || catalog_gone_or_unknown(reader, key, err);
        if (!append_row(listing, &room, rows, err))
            return false;
    }
}

bool catalog_list(struct catalog *catalog, const struct instance_key *key, struct catalog_listing **ret,
                  struct error *err)
{
    SCOPED(reader) struct reader reader = { 0 };
    struct catalog_listing *listing = calloc(1, sizeof *listing);

    if (!listing)
        return error_set(err, FAULT_BUSY, "catalog: no memory for a listing");
    if (reader_take(catalog, &reader, err) && list_rows(reader.connection, key, listing, err)) {
        *ret = listing;
        return true;
    }
    catalog_listing_free(listing);
    return false;
}

void catalog_listing_free(struct catalog_listing *listing)
{
    if (!listing)
        return;
    free(listing->list);
    free(listing);
}
