/* tests/unit/storage/catalog_metadata_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Metadata row by row and as packs: the same text, the same version, and never one of yesterday.
 */
#include "storage/catalog.h"

#include <pthread.h>

#include "base/clock.h"
#include "dicom/dicom_json.h"
#include "storage/catalog_internal.h"
#include "storage/metadata_packer.h"
#include "storage/metadata_text.h"
#include "tests/support/catalogued.h"

#define BASE "https://pacs.example/dicom-web"
#define OTHER_BASE "https://elsewhere.example/dicom-web"

/* An instance whose text does not shrink much, so that a few of them are worth a pack. */
static void add(struct catalogued *house, const char *study, const char *series, unsigned n, size_t filling)
{
    SCOPED(buffer) struct buffer json = { 0 };
    char uid[64], number[12];
    uint32_t noise = n + 1;

    buffer_init(&json, 1 << 20);
    snprintf(uid, sizeof uid, "%s.%u", series, n);
    snprintf(number, sizeof number, "%u", n);
    buffer_printf(
        &json, "{\"00080018\":{\"vr\":\"UI\",\"Value\":[\"%s\"]},\"00204000\":{\"vr\":\"LT\",\"Value\":[\"",
        uid);
    for (size_t i = 0; i < filling; i++) {
        noise = noise * 1664525u + 1013904223u;
        buffer_append_byte(&json, (uint8_t)('a' + (noise >> 24) % 26));
    }
    buffer_printf(&json, "\"]},\"7FE00010\":{\"vr\":\"OW\",\"BulkDataURI\":\"%c/%s\"}}", JSON_BASE_MARK, uid);
    buffer_append_byte(&json, 0);
    EXPECT(ADD_JSON(house, study, series, uid, (const char *)json.data, { KEY_InstanceNumber, number }) ==
               ADDED,
           "instance %s", uid);
}

static void add_many(struct catalogued *house, const char *study, const char *series, unsigned count)
{
    for (unsigned n = 1; n <= count; n++)
        add(house, study, series, n, 3000);
}

static const struct metadata_set *set_of(struct catalogued *house, const char *study, const char *series,
                                         const char *base)
{
    const struct instance_key key = key_of(study, series, "");
    const struct metadata_set *set = NULL;
    struct error err = { 0 };

    EXPECT(catalog_metadata_set(house->catalog, &key, base, MAY_WAIT, &set, &err), "%s", err.detail);
    return set;
}

static void append_set(const struct metadata_set *set, struct buffer *into)
{
    struct error err = { 0 };

    for (size_t i = 0; i < set->count; i++)
        for (size_t n = 0; n < set->packs[i]->count; n++) {
            if (into->size)
                buffer_append_byte(into, ',');
            EXPECT(metadata_text_expand(set->packs[i]->chunks[n].zstd, into, &err), "%s", err.detail);
        }
}

/* Row by row, with the base put in; *ret_version that of the listing. */
static void append_rows(struct catalogued *house, const char *study, const char *series, struct buffer *into,
                        struct metadata_version *ret_version)
{
    const struct instance_key key = key_of(study, series, "");
    struct catalog_listing *listing = NULL;
    SCOPED(buffer) struct buffer rows = { 0 };
    struct error err = { 0 };
    size_t next = 0;

    buffer_init(&rows, 8 << 20);
    EXPECT(catalog_list(house->catalog, &key, &listing, &err), "%s", err.detail);
    EXPECT(catalog_metadata(house->catalog, listing, 0, SIZE_MAX, &rows, &next, &err), "%s", err.detail);
    EXPECT(next == listing->count, "not all of them");
    for (size_t i = 0; i < rows.size; i++)
        if (rows.data[i] == JSON_BASE_MARK)
            buffer_append_text(into, BASE);
        else
            buffer_append_byte(into, rows.data[i]);
    *ret_version = catalog_listing_version(listing);
    catalog_listing_free(listing);
}

/* What both ways say is the same. */
static void expect_same(struct catalogued *house, const char *study, const char *series, uint64_t instances)
{
    SCOPED(buffer) struct buffer packed = { 0 }, rows = { 0 };
    struct metadata_version version;
    const struct metadata_set *set = set_of(house, study, series, BASE);

    buffer_init(&packed, 8 << 20);
    buffer_init(&rows, 8 << 20);
    EXPECT(set, "%s %s: no packs", study, series);
    if (!set)
        return;
    append_set(set, &packed);
    append_rows(house, study, series, &rows, &version);
    EXPECT(bytes_equal(buffer_bytes(&packed), buffer_bytes(&rows)), "%s %s: another text", study, series);
    EXPECT(memcmp(&version, &set->version, sizeof version) == 0, "%s %s: another version", study, series);
    EXPECT(set->instances == instances, "%s %s: %" PRIu64 " instances", study, series, set->instances);
    EXPECT(set->text_size == packed.size, "%s %s: another size", study, series);
    metadata_set_unref(set);
}

TEST(RET_20_a_short_series_is_packed_when_it_is_asked_for)
{
    struct catalogued house;

    catalogued_open(&house);
    add(&house, "1.2", "1.2.1", 2, 10);
    add(&house, "1.2", "1.2.1", 1, 10);
    add(&house, "1.2", "1.2.2", 1, 10);
    expect_same(&house, "1.2", "1.2.1", 2);
    expect_same(&house, "1.2", "", 3);
    catalogued_close(&house);
}

TEST(RET_27_a_long_series_is_packed_once_it_rests_and_the_pack_survives_a_restart)
{
    struct catalogued house;

    catalogued_open(&house);
    catalog_public_base(house.catalog, BASE);
    const uint64_t before_ms = clock_monotonic_ms();
    add_many(&house, "1.2", "1.2.1", 12);
    const struct metadata_set *set = set_of(&house, "1.2", "1.2.1", BASE);
    EXPECT(!set || clock_monotonic_ms() - before_ms >= METADATA_REST_MS, "packed though it has just changed");
    metadata_set_unref(set);
    catalog_pack_now(house.catalog);
    expect_same(&house, "1.2", "1.2.1", 12);
    add(&house, "1.2", "1.2.2", 1, 10); /* a study of packed and other series */
    expect_same(&house, "1.2", "", 13);
    catalogued_reopen(&house);
    expect_same(&house, "1.2", "1.2.1", 12);
    catalogued_close(&house);
}

TEST(HTP_41_an_instance_that_comes_or_goes_changes_the_version_at_once)
{
    struct catalogued house;
    struct error err = { 0 };
    uint64_t removed;

    catalogued_open(&house);
    catalog_public_base(house.catalog, BASE);
    add_many(&house, "1.2", "1.2.1", 12);
    catalog_pack_now(house.catalog);
    expect_same(&house, "1.2", "1.2.1", 12);

    const uint64_t before_ms = clock_monotonic_ms();
    add(&house, "1.2", "1.2.1", 13, 3000);
    const struct metadata_set *set = set_of(&house, "1.2", "1.2.1", BASE);
    EXPECT(!set || clock_monotonic_ms() - before_ms >= METADATA_REST_MS, "an old pack is still used");
    metadata_set_unref(set);
    catalog_pack_now(house.catalog);
    expect_same(&house, "1.2", "1.2.1", 13);

    const struct instance_key gone = key_of("1.2", "1.2.1", "1.2.1.5");
    EXPECT(catalog_delete(house.catalog, &gone, NULL, NULL, &removed, &err), "%s", err.detail);
    set = set_of(&house, "1.2", "1.2.1", BASE);
    EXPECT(!set, "an old pack is still used");
    metadata_set_unref(set);
    catalog_pack_now(house.catalog); /* the request told that one is missing */
    expect_same(&house, "1.2", "1.2.1", 12);

    const struct instance_key series = key_of("1.2", "1.2.1", "");
    EXPECT(catalog_delete(house.catalog, &series, NULL, NULL, &removed, &err), "%s", err.detail);
    EXPECT(!catalog_metadata_set(house.catalog, &series, BASE, MAY_WAIT, &set, &err) &&
               err.fault == FAULT_GONE,
           "a series that was deleted: fault %d", err.fault);
    catalogued_close(&house);
}

TEST(GEN_02_a_pack_under_another_base_is_never_sent_and_made_anew)
{
    struct catalogued house;

    catalogued_open(&house);
    catalog_public_base(house.catalog, OTHER_BASE);
    add_many(&house, "1.2", "1.2.1", 12);
    catalog_pack_now(house.catalog);
    const struct metadata_set *set = set_of(&house, "1.2", "1.2.1", OTHER_BASE);
    EXPECT(set, "not packed");
    metadata_set_unref(set);
    set = set_of(&house, "1.2", "1.2.1", BASE);
    EXPECT(!set, "links under another base");
    metadata_set_unref(set);

    catalog_pack_now(house.catalog); /* nothing under the old base, that request has been looked at */

    catalog_public_base(house.catalog, BASE); /* the setting was changed */
    set = set_of(&house, "1.2", "1.2.1", BASE);
    EXPECT(!set, "links under another base");
    metadata_set_unref(set);
    catalog_pack_now(house.catalog);
    expect_same(&house, "1.2", "1.2.1", 12);
    catalogued_close(&house);
}

TEST(without_a_base_in_the_settings_that_of_the_first_request_is_packed)
{
    struct catalogued house;

    catalogued_open(&house);
    add_many(&house, "1.2", "1.2.1", 12);
    catalog_pack_now(house.catalog);
    const struct metadata_set *set = set_of(&house, "1.2", "1.2.1", BASE);
    EXPECT(!set, "packed under a base that nobody named");
    metadata_set_unref(set);
    catalog_pack_now(house.catalog);
    expect_same(&house, "1.2", "1.2.1", 12);
    catalogued_close(&house);
}

static void run_sql(struct catalogued *house, const char *sql)
{
    sqlite3 *db = NULL;
    char *text = NULL;

    EXPECT(sqlite3_open(house->path, &db) == SQLITE_OK && sqlite3_busy_timeout(db, 10000) == SQLITE_OK &&
               sqlite3_exec(db, sql, NULL, NULL, &text) == SQLITE_OK,
           "%s: %s", sql, text ? text : "");
    sqlite3_free(text);
    sqlite3_close(db);
}

static bool is_packed(struct catalogued *house)
{
    metadata_set_unref(set_of(house, "1.2", "1.2.1", BASE)); /* whoever asks makes the packer look */
    catalog_pack_now(house->catalog);
    const struct metadata_set *set = set_of(house, "1.2", "1.2.1", BASE);
    metadata_set_unref(set);
    return set;
}

/* Whether it is read again is seen by making its rows small behind the packer's back: then it would be
 * packed. */
TEST(a_series_too_large_for_a_pack_is_not_read_again_before_it_is_smaller)
{
    enum { LARGE = 60, FILLING = 500000 }; /* 18 MB compressed */
    const struct instance_key gone = key_of("1.2", "1.2.1", "1.2.1.60");
    struct catalogued house;
    struct error err = { 0 };
    uint64_t removed;

    catalogued_open(&house);
    catalog_public_base(house.catalog, BASE);
    for (unsigned n = 1; n <= LARGE; n++)
        add(&house, "1.2", "1.2.1", n, FILLING);
    EXPECT(!is_packed(&house), "a pack of %d MB", LARGE * FILLING / 1000000);
    run_sql(&house, "UPDATE metadata SET json = (SELECT json FROM metadata WHERE id = 1) WHERE id > 1;"
                    "DELETE FROM metadata WHERE id > 2");
    EXPECT(!is_packed(&house), "read again when asked for");
    catalogued_reopen(&house);
    catalog_public_base(house.catalog, BASE);
    EXPECT(!is_packed(&house), "read again after a restart");
    add(&house, "1.2", "1.2.1", LARGE + 1, 10);
    EXPECT(!is_packed(&house), "read again though it has only grown");
    EXPECT(catalog_delete(house.catalog, &gone, NULL, NULL, &removed, &err), "%s", err.detail);
    EXPECT(!is_packed(&house), "read again though it is as large as before");
    const struct instance_key another = key_of("1.2", "1.2.1", "1.2.1.59");
    EXPECT(catalog_delete(house.catalog, &another, NULL, NULL, &removed, &err), "%s", err.detail);
    EXPECT(is_packed(&house), "not read again though it is smaller");
    catalogued_close(&house);
}

TEST(what_is_in_memory_is_had_without_waiting)
{
    const struct instance_key key = key_of("1.2", "1.2.1", "");
    const struct metadata_set *set = NULL;
    struct catalogued house;
    struct error err = { 0 };

    catalogued_open(&house);
    add(&house, "1.2", "1.2.1", 1, 10);
    EXPECT(!catalog_metadata_set(house.catalog, &key, BASE, MUST_NOT_WAIT, &set, &err) &&
               err.fault == FAULT_WOULD_WAIT,
           "before it was read");
    metadata_set_unref(set_of(&house, "1.2", "1.2.1", BASE));
    EXPECT(catalog_metadata_set(house.catalog, &key, BASE, MUST_NOT_WAIT, &set, &err) && set, "afterwards");
    metadata_set_unref(set);
    catalogued_close(&house);
}

static uint64_t only_series_id(struct catalogued *house)
{
    SCOPED(reader) struct reader reader = { 0 };
    SCOPED(statement) sqlite3_stmt *find = NULL;
    struct error err = { 0 };
    bool row = false;

    EXPECT(reader_take(house->catalog, &reader, &err) &&
               connection_prepare(reader.connection, "SELECT id FROM series", &find, &err) &&
               statement_step(reader.connection, find, &row, &err) && row,
           "%s", err.detail);
    return statement_number(find, 0);
}

/* Else a pack that was read from the old one could be kept beside the new one: another patient's metadata. */
TEST(the_number_of_a_deleted_series_is_never_used_again)
{
    struct catalogued house;
    struct error err = { 0 };
    uint64_t removed;

    catalogued_open(&house);
    add(&house, "1.2", "1.2.1", 1, 10);
    const uint64_t before = only_series_id(&house);
    const struct instance_key study = key_of("1.2", "", "");
    EXPECT(catalog_delete(house.catalog, &study, NULL, NULL, &removed, &err), "%s", err.detail);
    catalogued_reopen(&house);
    add(&house, "1.3", "1.3.1", 1, 10);
    EXPECT(only_series_id(&house) > before, "the same number");
    catalogued_close(&house);
}

enum { GROWING_TO = 60 };

static void *grow(void *of)
{
    for (unsigned n = 1; n <= GROWING_TO; n++)
        add(of, "1.2", "1.2.1", n, 2000);
    return NULL;
}

/* A set has as many instances as were stored when it was read, and never goes back. */
TEST(packing_and_asking_while_a_series_grows_never_shows_less_than_before)
{
    const struct instance_key key = key_of("1.2", "1.2.1", "");
    struct catalogued house;
    uint64_t seen = 0;
    pthread_t grower;

    catalogued_open(&house);
    catalog_public_base(house.catalog, BASE);
    EXPECT(pthread_create(&grower, NULL, grow, &house) == 0, "a thread");
    for (unsigned i = 0; i < 2000 && seen < GROWING_TO; i++) {
        const struct metadata_set *set = NULL;
        struct error err = { 0 };
        catalog_pack_now(house.catalog);
        if (!catalog_metadata_set(house.catalog, &key, BASE, MAY_WAIT, &set, &err) || !set)
            continue;
        EXPECT(set->instances >= seen, "%" PRIu64 " instances after %" PRIu64, set->instances, seen);
        seen = set->instances;
        metadata_set_unref(set);
    }
    pthread_join(grower, NULL);
    catalog_pack_now(house.catalog);
    expect_same(&house, "1.2", "1.2.1", GROWING_TO);
    catalogued_close(&house);
}
