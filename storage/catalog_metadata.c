/* storage/catalog_metadata.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Metadata, in two ways: instance by instance out of the rows, for all that wants to look into them or that
 * has not come to rest; and as packs, ready to be sent.
 */
#include <stdlib.h>

#include "storage/catalog_gone.h"
#include "storage/catalog_internal.h"
#include "storage/metadata_text.h"

enum {
    STEP_OVER_ROWS = 8,           /* foreign rows in between: cheaper than seeking anew */
    MADE_AT_ONCE_BYTES = 64 << 10 /* compressed text of small series that are packed for one request */
};

/* ── catalog_metadata ── */

/* Brings the cursor to row `id`: a few steps when it lies a little ahead (a series is mostly stored in
 * order), else by seeking. *at is the row the cursor is on, 0: none. */
static bool move_to(struct connection *reader, sqlite3_stmt *rows, uint64_t id, uint64_t *at,
                    struct error *err)
{
    bool row;

    for (unsigned steps = 0; *at && *at < id && id - *at <= STEP_OVER_ROWS && steps < STEP_OVER_ROWS;
         steps++) {
        if (!statement_step(reader, rows, &row, err))
            return false;
        *at = row ? statement_number(rows, 0) : UINT64_MAX;
    }
    if (*at == id)
        return true;
    sqlite3_reset(rows);
    statement_bind_number(rows, 1, id);
    if (!statement_step(reader, rows, &row, err))
        return false;
    *at = row ? statement_number(rows, 0) : 0;
    return true;
}

bool catalog_metadata(struct catalog *catalog, const struct catalog_listing *listing, size_t from,
                      size_t enough, struct buffer *into, size_t *ret_next, struct error *err)
{
    SCOPED(reader) struct reader reader = { 0 };
    SCOPED(statement) sqlite3_stmt *rows = NULL;
    const size_t before = into->size;
    uint64_t at = 0;

    if (!reader_take(catalog, &reader, err) ||
        !connection_prepare(reader.connection, "SELECT id, json FROM metadata WHERE id >= ? ORDER BY id",
                            &rows, err))
        return false;
    while (from < listing->count && (into->size < enough || into->size == before)) {
        const uint64_t id = listing->list[from++].instance_id;
        if (!move_to(reader.connection, rows, id, &at, err))
            return false;
        if (at != id)
            continue; /* deleted or replaced since it was listed */
        const struct bytes json = statement_blob(rows, 1);
        if (into->size > before)
            buffer_append_byte(into, ',');
        if (!metadata_text_expand(json, into, err))
            return error_while(err, "generation %" PRIu64, id);
    }
    if (!buffer_check(into, "metadata", err))
        return false;
    *ret_next = from;
    return true;
}

/* ── catalog_metadata_set ── */

struct gathering {
    struct catalog *catalog;
    struct connection *reader;
    const char *base;
    const struct metadata_pack **packs;
    size_t count, room;
    size_t bytes, made_bytes; /* compressed: of all packs; of those made for this request */
    bool row_by_row;          /* not all of it can be had as packs */
};

static bool add_pack(struct gathering *gathering, const struct metadata_pack *taken, struct error *err)
{
    if (gathering->count == gathering->room) {
        const size_t room = gathering->room ? 2 * gathering->room : 16;
        const struct metadata_pack **more = reallocarray(gathering->packs, room, sizeof(*more));
        if (!more) {
            metadata_pack_unref(taken);
            return error_set(err, FAULT_BUSY, "no memory for the packs of %zu series", room);
        }
        gathering->packs = more;
        gathering->room = room;
    }
    gathering->packs[gathering->count++] = taken;
    return true;
}

static bool compressed_size(struct connection *reader, uint64_t series_id, uint64_t *ret, struct error *err)
{
    SCOPED(statement) sqlite3_stmt *sum = NULL;
    bool row;

    if (!connection_prepare(reader,
                            "SELECT SUM(LENGTH(m.json)) FROM instance i CROSS JOIN metadata m ON m.id = i.id"
                            " WHERE i.series_id = ?",
                            &sum, err))
        return false;
    statement_bind_number(sum, 1, series_id);
    if (!statement_step(reader, sum, &row, err))
        return false;
    *ret = row ? statement_number(sum, 0) : 0;
    return true;
}

/* A series without a pack: made on the spot while that is cheap, else by the packer for the next one who
 * asks. */
static bool make_pack(struct gathering *gathering, uint64_t series_id, struct error *err)
{
    const struct metadata_pack *pack = NULL;
    uint64_t size;

    if (!compressed_size(gathering->reader, series_id, &size, err))
        return false;
    if (size >= METADATA_PACK_LEAST)
        metadata_packer_want(gathering->catalog->packer, series_id);
    gathering->made_bytes += size;
    if (size >= METADATA_PACK_LEAST || gathering->made_bytes > MADE_AT_ONCE_BYTES) {
        gathering->row_by_row = true;
        return true;
    }
    return metadata_pack_rows(gathering->reader, series_id, gathering->base, NULL, &pack, err) &&
           add_pack(gathering, pack, err);
}

/* Once it is clear that packs will not do, the rest is looked at only for what the packer should do. */
static bool gather_series(struct gathering *gathering, sqlite3_stmt *rows, struct error *err)
{
    const struct metadata_pack *pack = NULL;
    const struct bytes directory = statement_blob(rows, 1), body = statement_blob(rows, 2);

    if (statement_number(rows, 3)) { /* too large for a pack */
        gathering->row_by_row = true;
        return true;
    }
    if (directory.size == 0)
        return make_pack(gathering, statement_number(rows, 0), err);
    gathering->bytes += body.size;
    if (gathering->bytes > METADATA_PACK_MOST)
        gathering->row_by_row = true;
    if (gathering->row_by_row)
        return true;
    return metadata_pack_read(directory, body, &pack, err) && add_pack(gathering, pack, err);
}

#define SERIES_WITH_PACKS \
    "SELECT e.id, p.directory, p.body, p.base = '' FROM study s CROSS JOIN series e ON e.study_id = s.id" \
    " LEFT JOIN metadata_pack p ON p.series_id = e.id AND ((p.revision = e.revision AND p.base = ?2) OR" \
    " (p.base = '' AND p.revision <= e.instance_count)) WHERE s.k_StudyInstanceUID = ?1"

static bool gather(struct gathering *gathering, const struct instance_key *key, struct error *err)
{
    const bool one_series = key->series.text[0], one_instance = key->instance.text[0];
    SCOPED(statement) sqlite3_stmt *rows = NULL;
    bool row, any = false;

    if (!connection_prepare(
            gathering->reader,
            one_instance ? SERIES_WITH_PACKS
                " AND e.k_SeriesInstanceUID = ?3 AND e.instance_count = 1 AND EXISTS (SELECT 1"
                " FROM instance i WHERE i.k_SOPInstanceUID = ?4 AND i.series_id = e.id)"
            : one_series ? SERIES_WITH_PACKS " AND e.k_SeriesInstanceUID = ?3"
                         : SERIES_WITH_PACKS " ORDER BY e.m_SeriesNumber, e.k_SeriesInstanceUID",
            &rows, err))
        return false;
    statement_bind_uid(rows, 1, &key->study);
    statement_bind_bytes(rows, 2, bytes_of_text(gathering->base));
    if (one_series)
        statement_bind_uid(rows, 3, &key->series);
    if (one_instance)
        statement_bind_uid(rows, 4, &key->instance);
    for (;; any = true) {
        if (!statement_step(gathering->reader, rows, &row, err))
            return false;
        if (!row && one_instance && !any)
            gathering->row_by_row = true; /* it has neighbours, or there is none such */
        if (!row)
            return any || one_instance || catalog_gone_or_unknown(gathering->reader, key, err);
        if (!gather_series(gathering, rows, err))
            return false;
    }
}

static bool read_set(struct catalog *catalog, const struct instance_key *key, const char *base,
                     const struct metadata_set **ret, struct error *err)
{
    SCOPED(reader) struct reader reader = { 0 };
    struct gathering gathering = { .catalog = catalog, .base = base };
    const uint64_t epoch = metadata_cache_epoch(catalog->metadata); /* before the snapshot */
    bool ok = reader_take(catalog, &reader, err);

    gathering.reader = reader.connection;
    ok = ok && gather(&gathering, key, err);
    if (ok && !gathering.row_by_row) {
        ok = metadata_set_new(key, base, gathering.packs, gathering.count, ret, err);
        gathering.count = 0;
        if (ok)
            metadata_cache_put(catalog->metadata, *ret, epoch);
    }
    for (size_t i = 0; i < gathering.count; i++)
        metadata_pack_unref(gathering.packs[i]);
    free(gathering.packs);
    return ok;
}

bool catalog_metadata_set(struct catalog *catalog, const struct instance_key *key, const char *base,
                          enum patience patience, const struct metadata_set **ret, struct error *err)
{
    *ret = metadata_cache_get(catalog->metadata, key, base);
    if (*ret)
        return true;
    if (patience == MUST_NOT_WAIT)
        return error_set(err, FAULT_WOULD_WAIT, "catalog: the metadata are not in memory");
    metadata_packer_base_seen(catalog->packer, base);
    return read_set(catalog, key, base, ret, err);
}

struct metadata_version catalog_listing_version(const struct catalog_listing *listing)
{
    struct metadata_version version = { { 0 } };

    for (size_t i = 0; i < listing->count; i++)
        metadata_version_add(&version, listing->list[i].generation);
    return version;
}

void catalog_public_base(struct catalog *catalog, const char *base_or_null)
{
    metadata_packer_base(catalog->packer, base_or_null);
}

void catalog_pack_now(struct catalog *catalog)
{
    metadata_packer_finish(catalog->packer);
}
