/* storage/catalog_write.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Adding and removing instances, and what follows from it in the same transaction: the rows of their series
 * and study, the counts (SEA-73), Modalities in Study (SEA-74).
 *
 * Series and study rows say what the first instance received said (STO-66). A series or study whose last
 * instance goes, goes too; so when the only instance is replaced, the replacing one is the first again.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "dicom/json_scan.h"
#include "storage/catalog_gone.h"
#include "storage/catalog_internal.h"
#include "storage/catalog_row.h"
#include "storage/catalog_schema.h"
#include "storage/metadata_text.h"

enum {
    TAG_REQUEST_ATTRIBUTES = 0x00400275,
    LIST_BYTES_MOST = 2048, /* of the lists in study and series rows: beyond it nothing is added */
    REQUEST_ATTRIBUTES_BYTES_MOST = 16384, /* longer ones stay in the metadata alone */
    TEXT_LEVEL = 1 /* zstd's: above it time grows faster than the text shrinks (decision 0008) */
};

/* The rows an instance goes under; kept from one addition to the next, as neighbours mostly share them. */
struct place {
    struct uid study, series;
    uint64_t study_id, series_id;
};

static struct bytes one_request_attributes(const struct description *description)
{
    struct json_member found;

    if (!description->json ||
        !json_attribute_find(block_bytes(description->json), TAG_REQUEST_ATTRIBUTES, &found) ||
        found.value.size > REQUEST_ATTRIBUTES_BYTES_MOST)
        return bytes_of_text("");
    return found.value;
}

/* A list of distinct texts out of one-column rows, backslashes between, as far as it fits. */
static bool collect_list(struct connection *writer, sqlite3_stmt *rows, struct buffer *list,
                         struct error *err)
{
    bool row;

    for (;;) {
        if (!statement_step(writer, rows, &row, err))
            return false;
        if (!row)
            return true;
        const struct bytes text = statement_text(rows, 0);
        if (!text.size || list->size + 1 + text.size > LIST_BYTES_MOST)
            continue;
        if (list->size)
            buffer_append_byte(list, '\\');
        buffer_append(list, text);
    }
}

static bool renew_list(struct connection *writer, const char *select, const char *update, uint64_t id,
                       struct error *err)
{
    SCOPED(statement) sqlite3_stmt *rows = NULL, *updating = NULL;
    SCOPED(buffer) struct buffer list = { 0 };

    buffer_init(&list, 2 * LIST_BYTES_MOST);
    if (!connection_prepare(writer, select, &rows, err))
        return false;
    statement_bind_number(rows, 1, id);
    if (!collect_list(writer, rows, &list, err) || !connection_prepare(writer, update, &updating, err))
        return false;
    statement_bind_bytes(updating, 1, buffer_bytes(&list));
    statement_bind_number(updating, 2, id);
    return statement_finish(writer, updating, err);
}

static bool renew_modalities(struct connection *writer, uint64_t study_id, struct error *err)
{
    return renew_list(writer, "SELECT DISTINCT k_Modality FROM series WHERE study_id = ? ORDER BY 1",
                      "UPDATE study SET modalities = ? WHERE id = ?", study_id, err);
}

static bool renew_sop_classes(struct connection *writer, uint64_t series_id, struct error *err)
{
    return renew_list(writer, "SELECT DISTINCT k_SOPClassUID FROM instance WHERE series_id = ? ORDER BY 1",
                      "UPDATE series SET sop_classes = ? WHERE id = ?", series_id, err);
}

/* Runs `sql` with two numbers; *ret_number is the first column of its only row, 0 without one. */
static bool run_numbers(struct connection *writer, const char *sql, uint64_t first, uint64_t second,
                        uint64_t *ret_number_or_null, struct error *err)
{
    SCOPED(statement) sqlite3_stmt *statement = NULL;
    bool row;

    if (!connection_prepare(writer, sql, &statement, err))
        return false;
    statement_bind_number(statement, 1, first);
    if (sqlite3_bind_parameter_count(statement) > 1)
        statement_bind_number(statement, 2, second);
    if (!statement_step(writer, statement, &row, err))
        return false;
    if (ret_number_or_null)
        *ret_number_or_null = row ? statement_number(statement, 0) : 0;
    return !row || statement_finish(writer, statement, err);
}

static bool find_or_make_study(struct catalog *catalog, struct connection *writer,
                               const struct description *from, uint64_t *ret_id, struct arena *arena,
                               struct error *err)
{
    SCOPED(statement) sqlite3_stmt *find = NULL, *make = NULL;
    bool row;

    if (!connection_prepare(writer, "SELECT id FROM study WHERE k_StudyInstanceUID = ?", &find, err))
        return false;
    statement_bind_uid(find, 1, &from->key.study);
    if (!statement_step(writer, find, &row, err))
        return false;
    if (row) {
        *ret_id = statement_number(find, 0);
        return true;
    }
    if (!connection_prepare(writer, catalog->sql.insert_study, &make, err))
        return false;
    statement_bind_number(make, 1, 0);
    catalog_schema_bind(make, 2, LEVEL_STUDY, from, arena);
    if (!statement_finish(writer, make, err))
        return false;
    *ret_id = (uint64_t)sqlite3_last_insert_rowid(writer->db);
    return catalog_gone_is_back(writer, &from->key.study, NULL, err);
}

static bool make_series(struct catalog *catalog, struct connection *writer, const struct description *from,
                        struct place *place, struct arena *arena, struct error *err)
{
    SCOPED(statement) sqlite3_stmt *make = NULL, *known = NULL;
    bool row;

    if (!connection_prepare(writer, catalog->sql.insert_series, &make, err))
        return false;
    statement_bind_number(make, 1, place->study_id);
    statement_bind_bytes(make, 2, one_request_attributes(from));
    catalog_schema_bind(make, 3, LEVEL_SERIES, from, arena);
    if (!statement_finish(writer, make, err))
        return false;
    place->series_id = (uint64_t)sqlite3_last_insert_rowid(writer->db);

    if (!catalog_gone_is_back(writer, &place->study, &place->series, err) ||
        !connection_prepare(
            writer, "UPDATE study SET series_count = series_count + 1 WHERE id = ? RETURNING modalities",
            &known, err))
        return false;
    statement_bind_number(known, 1, place->study_id);
    if (!statement_step(writer, known, &row, err))
        return false;
    const struct bytes modality = from->values[KEY_Modality];
    const bool is_new = row && modality.size && !catalog_row_list_has(statement_text(known, 0), modality);
    return statement_finish(writer, known, err) &&
           (!is_new || renew_modalities(writer, place->study_id, err));
}

static bool find_or_make_place(struct catalog *catalog, struct connection *writer,
                               const struct description *from, struct place *place, struct arena *arena,
                               struct error *err)
{
    SCOPED(statement) sqlite3_stmt *find = NULL;
    bool row;

    if (place->series_id && uid_equal(&place->study, &from->key.study) &&
        uid_equal(&place->series, &from->key.series))
        return true;
    *place = (struct place){ .study = from->key.study, .series = from->key.series };
    if (!find_or_make_study(catalog, writer, from, &place->study_id, arena, err) ||
        !connection_prepare(writer, "SELECT id FROM series WHERE k_SeriesInstanceUID = ? AND study_id = ?",
                            &find, err))
        return false;
    statement_bind_uid(find, 1, &place->series);
    statement_bind_number(find, 2, place->study_id);
    if (!statement_step(writer, find, &row, err))
        return false;
    if (!row)
        return make_series(catalog, writer, from, place, arena, err);
    place->series_id = statement_number(find, 0);
    return true;
}

static bool insert_instance(struct catalog *catalog, struct connection *writer,
                            const struct addition *addition, struct bytes text, const struct place *place,
                            struct arena *arena, struct error *err)
{
    SCOPED(statement) sqlite3_stmt *instance = NULL, *metadata = NULL;
    SCOPED(buffer) struct buffer frames = { 0 };
    const struct description *from = addition->description;
    uint8_t shape[SHAPE_BYTES];

    buffer_init(&frames, 1u << 30);
    if (from->frames)
        frame_table_write(from->frames, &frames);
    if (!buffer_check(&frames, "a frame table", err) ||
        !connection_prepare(writer, catalog->sql.insert_instance, &instance, err))
        return false;
    catalog_row_put_shape(&from->shape, from->needs_head, shape);
    statement_bind_number(instance, 1, addition->generation);
    statement_bind_number(instance, 2, place->series_id);
    statement_bind_number(instance, 3, from->file_size);
    statement_bind_number(instance, 4, from->data_set_offset);
    statement_bind_uid(instance, 5, &from->syntax_uid);
    statement_bind_blob(instance, 6, bytes_of(shape, sizeof shape));
    statement_bind_blob(instance, 7, bytes_of(addition->digest, STORE_DIGEST_BYTES));
    statement_bind_number(instance, 8,
                          addition->stored_unix_ms ? (uint64_t)addition->stored_unix_ms : clock_unix_ms());
    statement_bind_blob(instance, 9, buffer_bytes(&frames));
    catalog_schema_bind(instance, 10, LEVEL_INSTANCE, from, arena);
    if (!statement_finish(writer, instance, err) ||
        !connection_prepare(writer, "INSERT INTO metadata (id, json) VALUES (?, ?)", &metadata, err))
        return false;
    statement_bind_number(metadata, 1, addition->generation);
    statement_bind_blob(metadata, 2, text);
    return statement_finish(writer, metadata, err);
}

/* Few and short ones are packed when they are asked for. */
static void note_for_packing(struct catalog *catalog, uint64_t series_id, uint64_t instances,
                             size_t text_size)
{
    if (instances * text_size >= METADATA_PACK_LEAST / 2)
        metadata_packer_note(catalog->packer, series_id);
}

static bool count_in(struct catalog *catalog, struct connection *writer, const struct description *from,
                     const struct place *place, size_t text_size, struct error *err)
{
    SCOPED(statement) sqlite3_stmt *series = NULL;
    bool row;

    if (!connection_prepare(
            writer,
            "UPDATE series SET instance_count = instance_count + 1, revision = revision + 1 WHERE id = ?"
            " RETURNING sop_classes, instance_count",
            &series, err))
        return false;
    statement_bind_number(series, 1, place->series_id);
    if (!statement_step(writer, series, &row, err))
        return false;
    const bool is_new = row && !catalog_row_list_has(statement_text(series, 0), uid_bytes(&from->sop_class));
    note_for_packing(catalog, place->series_id, row ? statement_number(series, 1) : 0, text_size);
    return statement_finish(writer, series, err) &&
           (!is_new || renew_sop_classes(writer, place->series_id, err)) &&
           run_numbers(writer, "UPDATE study SET instance_count = instance_count + 1 WHERE id = ?",
                       place->study_id, 0, NULL, err);
}

/* ── removing ── */

struct found_instance {
    uint64_t id, series_id, study_id;
    struct instance_key key;
    uint8_t digest[STORE_DIGEST_BYTES];
    bool is_there;
};

#define FIND_INSTANCE \
    "SELECT i.id, i.series_id, e.study_id, i.digest, e.k_SeriesInstanceUID," \
    " s.k_StudyInstanceUID FROM instance i CROSS JOIN series e ON e.id = i.series_id" \
    " CROSS JOIN study s ON s.id = e.study_id WHERE i.k_SOPInstanceUID = ?1"

/* `only_row`: where it may be; 0: anywhere. */
static bool find_in(struct connection *writer, const struct uid *instance, uint64_t only_row,
                    struct found_instance *ret, struct error *err)
{
    SCOPED(statement) sqlite3_stmt *find = NULL;
    bool row = true;

    *ret = (struct found_instance){ .key.instance = *instance };
    if (!connection_prepare(writer, only_row ? FIND_INSTANCE " AND i.id = ?2" : FIND_INSTANCE, &find, err))
        return false;
    statement_bind_uid(find, 1, instance);
    if (only_row)
        statement_bind_number(find, 2, only_row);
    if (!statement_step(writer, find, &row, err) || !row)
        return !row;
    ret->is_there = true;
    ret->id = statement_number(find, 0);
    ret->series_id = statement_number(find, 1);
    ret->study_id = statement_number(find, 2);
    const struct bytes digest = statement_blob(find, 3);
    if (digest.size == sizeof ret->digest)
        memcpy(ret->digest, digest.data, sizeof ret->digest);
    statement_uid(find, 4, &ret->key.series);
    statement_uid(find, 5, &ret->key.study);
    return true;
}

static bool find_instance(struct catalog *catalog, struct connection *writer, const struct uid *instance,
                          struct found_instance *ret, struct error *err)
{
    uint64_t cursor = 0, row;

    if (!catalog->known_uids)
        return find_in(writer, instance, 0, ret, err);
    *ret = (struct found_instance){ .key.instance = *instance };
    while (!ret->is_there && (row = uid_map_next(catalog->known_uids, uid_bytes(instance), &cursor)) != 0)
        if (!find_in(writer, instance, row, ret, err))
            return false;
    return true;
}

/* A row that is rolled back stays in the map: whoever looks there finds nothing. */
static bool know_uid(struct catalog *catalog, struct connection *writer, const struct addition *addition,
                     struct error *err)
{
    if (!catalog->known_uids ||
        uid_map_put(catalog->known_uids, uid_bytes(&addition->description->key.instance),
                    addition->generation))
        return true;
    uid_map_free(catalog->known_uids); /* too many: the index is made now, and grows from here on */
    catalog->known_uids = NULL;
    return catalog_schema_index_instances(writer, err);
}

/* A series without instances goes, and with the last series its study. */
static bool tidy_series(struct connection *writer, uint64_t study_id, uint64_t series_id, uint64_t removed,
                        uint64_t left, struct error *err)
{
    uint64_t series_left;

    if (left)
        return run_numbers(writer, "UPDATE study SET instance_count = instance_count - ?2 WHERE id = ?1",
                           study_id, removed, NULL, err);
    if (!run_numbers(writer, "DELETE FROM metadata_pack WHERE series_id = ?", series_id, 0, NULL, err) ||
        !run_numbers(writer, "DELETE FROM series WHERE id = ?", series_id, 0, NULL, err) ||
        !run_numbers(writer,
                     "UPDATE study SET series_count = series_count - 1, instance_count = instance_count - ?2"
                     " WHERE id = ?1 RETURNING series_count",
                     study_id, removed, &series_left, err))
        return false;
    if (!series_left)
        return run_numbers(writer, "DELETE FROM study WHERE id = ?", study_id, 0, NULL, err);
    return renew_modalities(writer, study_id, err);
}

static bool remove_instance(struct connection *writer, const struct found_instance *gone, struct error *err)
{
    uint64_t left, of_class;

    if (!catalog_leaving_note(writer, gone->id, err) ||
        !run_numbers(writer, "DELETE FROM metadata WHERE id = ?", gone->id, 0, NULL, err) ||
        !run_numbers(
            writer,
            "SELECT EXISTS (SELECT 1 FROM instance WHERE series_id = ?1 AND id <> ?2 AND k_SOPClassUID ="
            " (SELECT k_SOPClassUID FROM instance WHERE id = ?2))",
            gone->series_id, gone->id, &of_class, err) ||
        !run_numbers(writer, "DELETE FROM instance WHERE id = ?", gone->id, 0, NULL, err) ||
        !run_numbers(
            writer,
            "UPDATE series SET instance_count = instance_count - 1, revision = revision + 1 WHERE id = ?"
            " RETURNING instance_count",
            gone->series_id, 0, &left, err))
        return false;
    if (left && !of_class && !renew_sop_classes(writer, gone->series_id, err))
        return false;
    return tidy_series(writer, gone->study_id, gone->series_id, 1, left, err);
}

/* ── catalog_add ── */

struct add_request {
    struct commit_request commit;
    struct catalog *catalog;
    struct addition *additions;
    size_t count;
    enum duplicate_policy policy;
    struct buffer texts; /* metadata as stored, one behind the other */
    size_t *text_ends;
};

/* Compressed before the transaction, on the caller's thread: the committing one is everybody's. */
static bool compress_texts(struct add_request *request, struct error *err)
{
    buffer_init(&request->texts, SIZE_MAX / 2);
    request->text_ends = reallocarray(NULL, request->count, sizeof *request->text_ends);
    if (!request->text_ends)
        return error_set(err, FAULT_BUSY, "catalog: no memory for %zu additions", request->count);
    for (size_t i = 0; i < request->count; i++) {
        const struct block *json = request->additions[i].description->json;
        if (!metadata_text_compress(json ? block_bytes(json) : bytes_of_text("{}"), TEXT_LEVEL,
                                    &request->texts, err))
            return false;
        request->text_ends[i] = request->texts.size;
    }
    return true;
}

static struct bytes text_of(const struct add_request *request, const struct addition *addition)
{
    const size_t i = (size_t)(addition - request->additions);
    const size_t from = i ? request->text_ends[i - 1] : 0;

    return bytes_of(request->texts.data + from, request->text_ends[i] - from);
}

static bool add_one(struct add_request *request, struct connection *writer, struct addition *addition,
                    struct place *place, struct arena *arena, struct error *err)
{
    const struct description *from = addition->description;
    struct found_instance same;

    addition->replaced = 0;
    if (!find_instance(request->catalog, writer, &from->key.instance, &same, err))
        return false;
    addition->outcome = ADDED;
    if (same.is_there) {
        /* Under another study or series it is a contradiction that no policy resolves (STO-65). */
        if (!uid_equal(&same.key.study, &from->key.study) || !uid_equal(&same.key.series, &from->key.series))
            addition->outcome = REFUSED_DUPLICATE;
        else if (request->policy == DUPLICATE_KEEP ||
                 !memcmp(same.digest, addition->digest, sizeof same.digest))
            addition->outcome = ADDED_BEFORE;
        else if (request->policy == DUPLICATE_REJECT)
            addition->outcome = REFUSED_DUPLICATE;
        else
            addition->outcome = ADDED_REPLACING;
    }
    if (addition->outcome == ADDED_BEFORE || addition->outcome == REFUSED_DUPLICATE)
        return true;
    if (addition->outcome == ADDED_REPLACING) {
        addition->replaced = same.id;
        *place = (struct place){ 0 }; /* its rows may go */
        if (!remove_instance(writer, &same, err))
            return false;
    }
    request->commit.read_only = false;
    return find_or_make_place(request->catalog, writer, from, place, arena, err) &&
           insert_instance(request->catalog, writer, addition, text_of(request, addition), place, arena,
                           err) &&
           know_uid(request->catalog, writer, addition, err) &&
           count_in(request->catalog, writer, from, place, text_of(request, addition).size, err);
}

static bool run_add(struct commit_request *commit, struct connection *writer, struct error *err)
{
    struct add_request *request = (struct add_request *)commit;
    struct place place = { 0 };
    struct arena arena = { 0 };
    uint64_t newest = 0;
    bool ok = true;

    commit->read_only = true;
    for (size_t i = 0; i < request->count && ok; i++) {
        const struct arena_mark mark = arena_mark(&arena);
        ok = add_one(request, writer, &request->additions[i], &place, &arena, err);
        arena_rewind(&arena, mark);
        if (request->additions[i].generation > newest)
            newest = request->additions[i].generation;
    }
    arena_release(&arena);
    /* Kept by itself, for the newest instance may be deleted and its number must not come again. */
    return ok &&
           (commit->read_only ||
            run_numbers(writer, "UPDATE house SET last_generation = MAX(last_generation, ?) WHERE id = 1",
                        newest, 0, NULL, err));
}

static void forget_changed(struct catalog *catalog, const struct addition *additions, size_t count)
{
    const struct uid *last = NULL; /* neighbours are mostly of one study */

    for (size_t i = 0; i < count; i++) {
        const struct instance_key *key = &additions[i].description->key;
        if (additions[i].outcome == ADDED_REPLACING)
            record_cache_forget(catalog->records, key);
        if ((additions[i].outcome == ADDED || additions[i].outcome == ADDED_REPLACING) &&
            !(last && uid_equal(last, &key->study))) {
            metadata_cache_forget(catalog->metadata, &key->study);
            last = &key->study;
        }
    }
}

bool catalog_add(struct catalog *catalog, struct addition *additions, size_t count,
                 enum duplicate_policy policy, struct error *err)
{
    struct add_request request = {
        .commit.run = run_add, .catalog = catalog, .additions = additions, .count = count, .policy = policy
    };

    if (!count)
        return true;
    const bool added = compress_texts(&request, err) && catalog_commit(catalog, &request.commit, err);
    buffer_done(&request.texts);
    free(request.text_ends);
    if (!added)
        return error_while(err, "cataloguing %zu instances", count);
    forget_changed(catalog, additions, count);
    return true;
}

struct note_request {
    struct commit_request commit;
    uint64_t generation;
};

static bool run_note(struct commit_request *commit, struct connection *writer, struct error *err)
{
    const struct note_request *request = (struct note_request *)commit;

    return run_numbers(writer, "UPDATE house SET last_generation = MAX(last_generation, ?) WHERE id = 1",
                       request->generation, 0, NULL, err);
}

bool catalog_note_generation(struct catalog *catalog, uint64_t generation, struct error *err)
{
    struct note_request request = { .commit.run = run_note, .generation = generation };

    return catalog_commit(catalog, &request.commit, err);
}

/* ── catalog_delete ── */

struct delete_request {
    struct commit_request commit;
    struct catalog *catalog;
    const struct instance_key *key;
    uint64_t *generations;
    size_t count, room;
};

static bool note_generation(struct delete_request *request, uint64_t generation, struct error *err)
{
    if (request->count == request->room) {
        const size_t room = request->room ? 2 * request->room : 64;
        uint64_t *more = reallocarray(request->generations, room, sizeof *more);
        if (!more)
            return error_set(err, FAULT_BUSY, "catalog: no memory for %zu generations", room);
        request->generations = more;
        request->room = room;
    }
    request->generations[request->count++] = generation;
    return true;
}

static bool remove_series(struct delete_request *request, struct connection *writer, uint64_t study_id,
                          uint64_t series_id, struct error *err)
{
    SCOPED(statement) sqlite3_stmt *list = NULL;
    const size_t before = request->count;
    bool row = true;

    if (!connection_prepare(writer, "SELECT id FROM instance WHERE series_id = ?", &list, err))
        return false;
    statement_bind_number(list, 1, series_id);
    while (row)
        if (!statement_step(writer, list, &row, err) ||
            (row && !note_generation(request, statement_number(list, 0), err)))
            return false;
    return catalog_leaving_note_series(writer, series_id, err) &&
           run_numbers(writer,
                       "DELETE FROM metadata WHERE id IN (SELECT id FROM instance WHERE series_id = ?)",
                       series_id, 0, NULL, err) &&
           run_numbers(writer, "DELETE FROM instance WHERE series_id = ?", series_id, 0, NULL, err) &&
           tidy_series(writer, study_id, series_id, request->count - before, 0, err);
}

/* Series by series, from whichever is left first, until the study is gone with the last. */
static bool remove_study(struct delete_request *request, struct connection *writer, uint64_t study_id,
                         struct error *err)
{
    for (;;) {
        uint64_t series_id;
        if (!run_numbers(writer, "SELECT id FROM series WHERE study_id = ? LIMIT 1", study_id, 0, &series_id,
                         err))
            return false;
        if (!series_id)
            return true;
        if (!remove_series(request, writer, study_id, series_id, err))
            return false;
    }
}

static bool run_delete_many(struct delete_request *request, struct connection *writer, struct error *err)
{
    SCOPED(statement) sqlite3_stmt *find = NULL;
    const bool one_series = request->key->series.text[0];
    bool row;

    if (!connection_prepare(writer,
                            one_series
                                ? "SELECT s.id, e.id FROM study s CROSS JOIN series e ON e.study_id = s.id"
                                  " WHERE s.k_StudyInstanceUID = ? AND e.k_SeriesInstanceUID = ?"
                                : "SELECT id FROM study WHERE k_StudyInstanceUID = ?",
                            &find, err))
        return false;
    statement_bind_uid(find, 1, &request->key->study);
    if (one_series)
        statement_bind_uid(find, 2, &request->key->series);
    if (!statement_step(writer, find, &row, err))
        return false;
    if (!row)
        return catalog_gone_or_unknown(writer, request->key, err);
    const uint64_t study_id = statement_number(find, 0);
    const uint64_t series_id = one_series ? statement_number(find, 1) : 0;
    statement_drop(&find);
    return one_series ? remove_series(request, writer, study_id, series_id, err)
                      : remove_study(request, writer, study_id, err);
}

static bool remove_all_of(struct delete_request *request, struct connection *writer, struct error *err)
{
    struct found_instance found;

    if (!request->key->instance.text[0])
        return run_delete_many(request, writer, err);
    if (!find_instance(request->catalog, writer, &request->key->instance, &found, err))
        return false;
    if (!found.is_there || !uid_equal(&found.key.study, &request->key->study) ||
        !uid_equal(&found.key.series, &request->key->series))
        return catalog_gone_or_unknown(writer, request->key, err);
    return note_generation(request, found.id, err) && remove_instance(writer, &found, err);
}

static bool run_delete(struct commit_request *commit, struct connection *writer, struct error *err)
{
    struct delete_request *request = (struct delete_request *)commit;

    request->count = 0;
    return remove_all_of(request, writer, err) &&
           catalog_gone_note(writer, request->key, request->catalog->known_deletions, err);
}

bool catalog_delete(struct catalog *catalog, const struct instance_key *key,
                    void (*each)(void *context, uint64_t generation), void *context, uint64_t *ret_instances,
                    struct error *err)
{
    struct delete_request request = { .commit.run = run_delete, .catalog = catalog, .key = key };

    if (catalog_commit(catalog, &request.commit, err)) {
        record_cache_forget(catalog->records, key);
        metadata_cache_forget(catalog->metadata, &key->study);
        for (size_t i = 0; each && i < request.count; i++)
            each(context, request.generations[i]);
        *ret_instances = request.count;
    }
    free(request.generations);
    return request.commit.ok;
}
