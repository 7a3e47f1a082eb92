/* tests/unit/storage/catalog_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Adding, finding, listing, deleting; counts that stay right; what survives closing.
 */
#include "storage/catalog.h"

#include <inttypes.h>
#include <pthread.h>

#include "storage/catalog_internal.h"
#include "tests/support/catalogued.h"

/* Two numbers or a text of the study row, by SQL of our own, so that the test does not believe the search. */
static void expect_study(struct catalogued *house, const char *study, int series, int instances,
                         const char *modalities)
{
    SCOPED(reader) struct reader reader = { 0 };
    SCOPED(statement) sqlite3_stmt *statement = NULL;
    struct error err = { 0 };
    bool row = false;

    EXPECT(reader_take(house->catalog, &reader, &err) &&
               connection_prepare(reader.connection,
                                  "SELECT series_count, instance_count, modalities FROM study"
                                  " WHERE k_StudyInstanceUID = ?",
                                  &statement, &err),
           "%s", err.detail);
    statement_bind_bytes(statement, 1, bytes_of_text(study));
    EXPECT(statement_step(reader.connection, statement, &row, &err), "%s", err.detail);
    EXPECT(row == (series > 0), "study row %s", row ? "there" : "missing");
    if (!row)
        return;
    EXPECT((int)statement_number(statement, 0) == series, "series %d", (int)statement_number(statement, 0));
    EXPECT((int)statement_number(statement, 1) == instances, "instances %d",
           (int)statement_number(statement, 1));
    EXPECT_TEXT(statement_text(statement, 2), modalities);
}

static bool find(struct catalogued *house, const char *study, const char *series, const char *instance,
                 enum patience patience, enum fault *ret_fault)
{
    const struct instance_key key = key_of(study, series, instance);
    SCOPED(instance_record) const struct instance_record *record = NULL;
    struct error err = { 0 };
    const bool found = catalog_find(house->catalog, &key, patience, &record, &err);

    *ret_fault = err.fault;
    return found;
}

struct gone {
    uint64_t generations[16];
    size_t count;
};

static void note_gone(void *context, uint64_t generation)
{
    struct gone *gone = context;

    if (gone->count < COUNT_OF(gone->generations))
        gone->generations[gone->count++] = generation;
}

TEST(an_added_instance_is_found_with_all_that_its_record_holds)
{
    struct catalogued house;
    struct description description;
    struct addition addition = { .description = &description, .generation = 77 };
    const struct instance_value values[] = { { KEY_Modality, "CT" } };
    const struct instance_key key = key_of("1.2", "1.2.1", "1.2.1.1");
    SCOPED(instance_record) const struct instance_record *record = NULL;
    struct error err = { 0 };

    catalogued_open(&house);
    describe(&description, "1.2", "1.2.1", "1.2.1.1", values, 1, "{}");
    description.frames = frame_table_of_native(FRAMES_NATIVE, 700, 512 * 256 * 16, 1, 1 << 20);
    description.data_set_offset = 400;
    memset(addition.digest, 9, sizeof addition.digest);
    EXPECT(catalog_add(house.catalog, &addition, 1, DUPLICATE_REJECT, &err), "%s", err.detail);
    EXPECT(addition.outcome == ADDED, "outcome %d", addition.outcome);
    if (EXPECT(catalog_find(house.catalog, &key, MAY_WAIT, &record, &err), "%s", err.detail)) {
        EXPECT(record->generation == 77 && record->file_size == 1000 && record->data_set_offset == 400,
               "generation %d", (int)record->generation);
        EXPECT(record->shape.rows == 512 && record->shape.columns == 256 && record->shape.bits_stored == 12 &&
                   record->shape.is_signed && record->shape.photometric == MONOCHROME2,
               "another shape");
        EXPECT(record->frames && frame_table_count(record->frames) == 1, "no frames");
        EXPECT(record->digest[31] == 9 && record->syntax == SYNTAX_EXPLICIT_LE, "another digest or syntax");
        EXPECT(uid_equal(&record->sop_class, &description.sop_class), "class %s", record->sop_class.text);
    }
    uint64_t last = 0;
    EXPECT(catalog_last_generation(house.catalog, &last, &err) && last == 77, "last generation %d",
           (int)last);
    described_done(&description);
    catalogued_close(&house);
}

TEST(what_is_not_in_memory_is_not_waited_for)
{
    struct catalogued house;
    enum fault fault;

    catalogued_open(&house);
    ADD(&house, "1.2", "1.2.1", "1.2.1.1", { KEY_InstanceNumber, "1" });
    ADD(&house, "1.2", "1.2.1", "1.2.1.2", { KEY_InstanceNumber, "2" });
    EXPECT(!find(&house, "1.2", "1.2.1", "1.2.1.1", MUST_NOT_WAIT, &fault) && fault == FAULT_WOULD_WAIT,
           "fault %d", fault);
    EXPECT(find(&house, "1.2", "1.2.1", "1.2.1.1", MAY_WAIT, &fault), "fault %d", fault);
    EXPECT(find(&house, "1.2", "1.2.1", "1.2.1.1", MUST_NOT_WAIT, &fault), "fault %d", fault);
    EXPECT(find(&house, "1.2", "1.2.1", "1.2.1.2", MUST_NOT_WAIT, &fault),
           "its neighbour did not come along: %d", fault);
    catalogued_close(&house);
}

TEST(an_instance_is_not_found_under_another_study_or_series)
{
    struct catalogued house;
    enum fault fault;

    catalogued_open(&house);
    ADD(&house, "1.2", "1.2.1", "1.2.1.1", { KEY_Modality, "CT" });
    EXPECT(!find(&house, "1.3", "1.2.1", "1.2.1.1", MAY_WAIT, &fault) && fault == FAULT_NOT_FOUND, "fault %d",
           fault);
    EXPECT(find(&house, "1.2", "1.2.1", "1.2.1.1", MAY_WAIT, &fault), "fault %d", fault);
    EXPECT(!find(&house, "1.2", "1.2.9", "1.2.1.1", MUST_NOT_WAIT, &fault) && fault == FAULT_NOT_FOUND,
           "cached: %d", fault);
    catalogued_close(&house);
}

TEST(STO_63_identical_bytes_again_are_known_before)
{
    struct catalogued house;

    catalogued_open(&house);
    ADD(&house, "1.2", "1.2.1", "1.2.1.1", { KEY_Modality, "CT" });
    const enum addition_outcome outcome =
        catalogued_add(&house, "1.2", "1.2.1", "1.2.1.1", NULL, 0, "{}", 1, DUPLICATE_REPLACE);
    EXPECT(outcome == ADDED_BEFORE, "outcome %d", outcome);
    expect_study(&house, "1.2", 1, 1, "CT");
    catalogued_close(&house);
}

TEST(STO_64_other_content_goes_by_the_policy)
{
    struct catalogued house;
    enum fault fault;

    catalogued_open(&house);
    ADD(&house, "1.2", "1.2.1", "1.2.1.1", { KEY_Modality, "CT" });
    EXPECT(find(&house, "1.2", "1.2.1", "1.2.1.1", MAY_WAIT, &fault), "fault %d", fault);
    EXPECT(catalogued_add(&house, "1.2", "1.2.1", "1.2.1.1", NULL, 0, "{}", 2, DUPLICATE_REJECT) ==
               REFUSED_DUPLICATE,
           "reject");
    EXPECT(catalogued_add(&house, "1.2", "1.2.1", "1.2.1.1", NULL, 0, "{}", 2, DUPLICATE_KEEP) ==
               ADDED_BEFORE,
           "keep");
    const struct instance_value values[] = { { KEY_Modality, "MR" } };
    EXPECT(catalogued_add(&house, "1.2", "1.2.1", "1.2.1.1", values, 1, "{}", 2, DUPLICATE_REPLACE) ==
               ADDED_REPLACING,
           "replace");
    EXPECT(!find(&house, "1.2", "1.2.1", "1.2.1.1", MUST_NOT_WAIT, &fault),
           "the old record is still in memory");
    expect_study(&house, "1.2", 1, 1, "MR");
    catalogued_close(&house);
}

static bool has_index_of_instances(struct catalogued *house)
{
    uint64_t number;
    struct error err = { 0 };
    bool row = false;

    EXPECT(catalog_number(house->catalog,
                          "SELECT COUNT(*) FROM sqlite_master WHERE name = 'instance_uid' AND ? = 0", 0,
                          &number, &row, &err) &&
               row,
           "%s", err.detail);
    return number;
}

static enum addition_outcome add_again(struct catalogued *house, uint8_t mark)
{
    return catalogued_add(house, "1.2", "1.2.1", "1.2.1.1", NULL, 0, "{}", mark, DUPLICATE_REPLACE);
}

/* `gantry reindex` makes the index at the end, and must tell what is stored twice all the same. */
TEST(a_catalog_that_is_rebuilt_knows_its_instances_before_they_are_indexed)
{
    struct catalogued house;
    struct error err = { 0 };
    enum fault fault;

    catalogued_make(&house, true);
    EXPECT(ADD(&house, "1.2", "1.2.1", "1.2.1.2", { KEY_Modality, "CT" }) == ADDED, "a neighbour");
    EXPECT(add_again(&house, 1) == ADDED && add_again(&house, 1) == ADDED_BEFORE &&
               add_again(&house, 2) == ADDED_REPLACING && add_again(&house, 2) == ADDED_BEFORE,
           "the same instance");
    EXPECT(ADD(&house, "1.2", "1.2.3", "1.2.1.1", { KEY_Modality, "CT" }) == REFUSED_DUPLICATE,
           "in another series");
    EXPECT(!has_index_of_instances(&house), "indexed while it grows");

    catalogued_reopen(&house);
    EXPECT(add_again(&house, 2) == ADDED_BEFORE && add_again(&house, 3) == ADDED_REPLACING,
           "after a stop it knows no more");
    EXPECT(!has_index_of_instances(&house), "indexed while it grows");

    EXPECT(catalog_rebuilt(house.catalog, &err) && has_index_of_instances(&house), "%s", err.detail);
    EXPECT(add_again(&house, 3) == ADDED_BEFORE && add_again(&house, 4) == ADDED_REPLACING, "by the index");
    EXPECT(find(&house, "1.2", "1.2.1", "1.2.1.1", MAY_WAIT, &fault), "fault %d", fault);
    expect_study(&house, "1.2", 1, 2, "CT");
    catalogued_close(&house);
}

TEST(a_rebuilt_catalog_that_outgrows_the_map_is_indexed_from_there_on)
{
    struct catalogued house;

    catalogued_make(&house, true);
    EXPECT(add_again(&house, 1) == ADDED, "the first");
    house.generation = (uint64_t)UINT32_MAX + 1;
    EXPECT(ADD(&house, "1.2", "1.2.1", "1.2.1.2", { KEY_Modality, "CT" }) == ADDED &&
               has_index_of_instances(&house),
           "no index");
    EXPECT(add_again(&house, 1) == ADDED_BEFORE && add_again(&house, 2) == ADDED_REPLACING, "not known");
    catalogued_close(&house);
}

TEST(STO_65_the_same_instance_under_another_series_is_refused_whatever_the_policy)
{
    struct catalogued house;

    catalogued_open(&house);
    ADD(&house, "1.2", "1.2.1", "1.2.1.1", { KEY_Modality, "CT" });
    for (enum duplicate_policy policy = DUPLICATE_REJECT; policy <= DUPLICATE_KEEP; policy++)
        EXPECT(catalogued_add(&house, "1.2", "1.2.2", "1.2.1.1", NULL, 0, "{}", 2, policy) ==
                   REFUSED_DUPLICATE,
               "policy %d", policy);
    expect_study(&house, "1.2", 1, 1, "CT");
    catalogued_close(&house);
}

TEST(SEA_73_and_74_counts_and_modalities_follow_adding_and_deleting)
{
    struct catalogued house;
    struct error err = { 0 };
    struct instance_key key;
    struct gone gone = { 0 };
    uint64_t instances;

    catalogued_open(&house);
    ADD(&house, "1.2", "1.2.1", "1.2.1.1", { KEY_Modality, "PT" });
    ADD(&house, "1.2", "1.2.2", "1.2.2.1", { KEY_Modality, "CT" });
    ADD(&house, "1.2", "1.2.2", "1.2.2.2", { KEY_Modality, "CT" });
    ADD(&house, "1.2", "1.2.3", "1.2.3.1", { KEY_Modality, "" });
    expect_study(&house, "1.2", 3, 4, "CT\\PT");
    key = key_of("1.2", "1.2.1", "1.2.1.1");
    EXPECT(catalog_delete(house.catalog, &key, note_gone, &gone, &instances, &err), "%s", err.detail);
    EXPECT(instances == 1 && gone.count == 1 && gone.generations[0] == 1, "%d gone", (int)gone.count);
    expect_study(&house, "1.2", 2, 3, "CT");
    key = key_of("1.2", "1.2.2", "");
    EXPECT(catalog_delete(house.catalog, &key, note_gone, &gone, &instances, &err), "%s", err.detail);
    EXPECT(instances == 2 && gone.count == 3, "%d gone", (int)gone.count);
    expect_study(&house, "1.2", 1, 1, "");
    key = key_of("1.2", "", "");
    EXPECT(catalog_delete(house.catalog, &key, note_gone, &gone, &instances, &err), "%s", err.detail);
    expect_study(&house, "1.2", 0, 0, "");
    EXPECT(!catalog_delete(house.catalog, &key, note_gone, &gone, &instances, &err) &&
               err.fault == FAULT_GONE,
           "fault %d", err.fault);
    catalogued_close(&house);
}

TEST(what_is_deleted_leaves_the_memory_too)
{
    struct catalogued house;
    struct error err = { 0 };
    enum fault fault;
    uint64_t instances;

    catalogued_open(&house);
    ADD(&house, "1.2", "1.2.1", "1.2.1.1", { KEY_Modality, "CT" });
    ADD(&house, "1.3", "1.3.1", "1.3.1.1", { KEY_Modality, "CT" });
    EXPECT(find(&house, "1.2", "1.2.1", "1.2.1.1", MAY_WAIT, &fault), "fault %d", fault);
    EXPECT(find(&house, "1.3", "1.3.1", "1.3.1.1", MAY_WAIT, &fault), "fault %d", fault);
    const struct instance_key key = key_of("1.2", "", "");
    EXPECT(catalog_delete(house.catalog, &key, NULL, NULL, &instances, &err), "%s", err.detail);
    EXPECT(!find(&house, "1.2", "1.2.1", "1.2.1.1", MUST_NOT_WAIT, &fault) && fault == FAULT_WOULD_WAIT,
           "fault %d", fault);
    EXPECT(!find(&house, "1.2", "1.2.1", "1.2.1.1", MAY_WAIT, &fault) && fault == FAULT_GONE, "fault %d",
           fault);
    EXPECT(find(&house, "1.3", "1.3.1", "1.3.1.1", MUST_NOT_WAIT, &fault), "a neighbour went with it");
    catalogued_close(&house);
}

static enum fault fault_of_listing(struct catalogued *house, const char *study, const char *series,
                                   const char *instance)
{
    const struct instance_key key = key_of(study, series, instance);
    struct catalog_listing *listing = NULL;
    struct error err = { 0 };

    if (!catalog_list(house->catalog, &key, &listing, &err))
        return err.fault;
    catalog_listing_free(listing);
    return FAULT_NONE;
}

static void delete_one(struct catalogued *house, const char *study, const char *series, const char *instance)
{
    const struct instance_key key = key_of(study, series, instance);
    struct error err = { 0 };
    uint64_t instances;

    EXPECT(catalog_delete(house->catalog, &key, NULL, NULL, &instances, &err), "%s", err.detail);
}

TEST(GEN_10_what_was_deleted_is_gone_and_not_unknown_until_it_comes_again)
{
    struct catalogued house;

    catalogued_open(&house);
    ADD(&house, "1.2", "1.2.1", "1.2.1.1", { KEY_Modality, "CT" });
    ADD(&house, "1.2", "1.2.1", "1.2.1.2", { KEY_Modality, "CT" });
    delete_one(&house, "1.2", "1.2.1", "1.2.1.1");
    EXPECT(fault_of_listing(&house, "1.2", "1.2.1", "1.2.1.1") == FAULT_GONE, "the instance");
    EXPECT(fault_of_listing(&house, "1.2", "1.2.1", "1.2.1.9") == FAULT_NOT_FOUND, "one that never was");
    EXPECT(fault_of_listing(&house, "1.2", "1.2.1", "") == FAULT_NONE, "its series has another instance");
    delete_one(&house, "1.2", "1.2.1", "1.2.1.2"); /* series and study go with their last instance */
    EXPECT(fault_of_listing(&house, "1.2", "1.2.1", "") == FAULT_GONE, "the series");
    EXPECT(fault_of_listing(&house, "1.2", "", "") == FAULT_GONE, "the study");
    EXPECT(fault_of_listing(&house, "1.2", "1.2.1", "1.2.1.2") == FAULT_GONE, "what lay in it");
    catalogued_reopen(&house);
    EXPECT(fault_of_listing(&house, "1.2", "", "") == FAULT_GONE, "after a restart");
    ADD(&house, "1.2", "1.2.1", "1.2.1.2", { KEY_Modality, "CT" });
    EXPECT(fault_of_listing(&house, "1.2", "1.2.1", "1.2.1.2") == FAULT_NONE, "it came again");
    EXPECT(fault_of_listing(&house, "1.2", "1.2.7", "") == FAULT_NOT_FOUND, "the study is no longer gone");
    EXPECT(fault_of_listing(&house, "1.2", "1.2.1", "1.2.1.9") == FAULT_NOT_FOUND, "nor the series");
    catalogued_close(&house);
}

TEST(of_what_was_deleted_the_newest_few_are_remembered)
{
    struct catalogued house;
    char study[8], series[8], instance[8];

    catalogued_open(&house);
    for (int i = 1; i <= 5; i++) {
        snprintf(study, sizeof study, "1.%d", i);
        snprintf(series, sizeof series, "1.%d.1", i);
        snprintf(instance, sizeof instance, "1.%d.1.1", i);
        ADD(&house, study, series, instance, { KEY_Modality, "CT" });
        delete_one(&house, study, "", "");
    }
    /* CATALOGUED_DELETIONS, the newest. */
    EXPECT(fault_of_listing(&house, "1.2", "", "") == FAULT_NOT_FOUND, "the second");
    EXPECT(fault_of_listing(&house, "1.3", "", "") == FAULT_GONE, "the third");
    EXPECT(fault_of_listing(&house, "1.5", "", "") == FAULT_GONE, "the last");
    catalogued_close(&house);
}

TEST(generations_are_never_used_twice_even_after_deleting_the_newest)
{
    struct catalogued house;
    struct error err = { 0 };
    uint64_t instances;
    bool has;

    catalogued_open(&house);
    house.generation = 500;
    ADD(&house, "1.2", "1.2.1", "1.2.1.1", { KEY_Modality, "CT" });
    EXPECT(catalog_has_generation(house.catalog, 500, &has, &err) && has, "%s", err.detail);
    const struct instance_key key = key_of("1.2", "", "");
    EXPECT(catalog_delete(house.catalog, &key, NULL, NULL, &instances, &err), "%s", err.detail);
    catalogued_reopen(&house);
    uint64_t last = 0;
    EXPECT(catalog_last_generation(house.catalog, &last, &err) && last == 500, "%d", (int)last);
    EXPECT(catalog_has_generation(house.catalog, 500, &has, &err) && !has, "%s", err.detail);
    catalogued_close(&house);
}

/* Were it taken for zero, the store would give numbers a second time. */
TEST(a_last_number_that_cannot_be_read_is_an_error_and_not_zero)
{
    struct catalogued house;
    struct error err = { 0 };
    uint64_t last;

    catalogued_open(&house);
    EXPECT(connection_run(house.catalog->writer, "DROP TABLE house", &err), "%s", err.detail);
    EXPECT(!catalog_last_generation(house.catalog, &last, &err), "a number from nowhere");
    EXPECT(err.fault != FAULT_NONE, "no fault");
    catalogued_close(&house);
}

TEST(a_listing_is_in_order_of_number_then_uid_and_metadata_follow_it)
{
    struct catalogued house;
    struct error err = { 0 };
    struct catalog_listing *listing = NULL;
    struct buffer json;
    size_t next;

    catalogued_open(&house);
    ADD_JSON(&house, "1.2", "1.2.2", "1.2.2.1", "{\"n\":4}", { KEY_SeriesNumber, "10" },
             { KEY_InstanceNumber, "1" });
    ADD_JSON(&house, "1.2", "1.2.1", "1.2.1.9", "{\"n\":3}", { KEY_SeriesNumber, "9" },
             { KEY_InstanceNumber, "10" });
    ADD_JSON(&house, "1.2", "1.2.1", "1.2.1.8", "{\"n\":2}", { KEY_SeriesNumber, "9" },
             { KEY_InstanceNumber, "2" });
    ADD_JSON(&house, "1.2", "1.2.1", "1.2.1.7", "{\"n\":1}", { KEY_SeriesNumber, "9" },
             { KEY_InstanceNumber, "+2" });
    ADD_JSON(&house, "9.9", "1.2.1", "9.9.1", "{\"n\":9}", { KEY_SeriesNumber, "9" },
             { KEY_InstanceNumber, "1" });
    buffer_init(&json, 1 << 20);
    const struct instance_key study = key_of("1.2", "", ""), series = key_of("1.2", "1.2.1", ""),
                              instance = key_of("1.2", "1.2.1", "1.2.1.8"),
                              none = key_of("1.2", "1.2.1", "1.2.2.1");
    if (EXPECT(catalog_list(house.catalog, &study, &listing, &err), "%s", err.detail)) {
        EXPECT(listing->count == 4, "%zu", listing->count);
        EXPECT(catalog_metadata(house.catalog, listing, 0, 1 << 20, &json, &next, &err), "%s", err.detail);
        EXPECT(next == 4, "next %zu", next);
        EXPECT_TEXT(buffer_bytes(&json), "{\"n\":1},{\"n\":2},{\"n\":3},{\"n\":4}");
        buffer_cut(&json, 0);
        EXPECT(catalog_metadata(house.catalog, listing, 1, 8, &json, &next, &err), "%s", err.detail);
        EXPECT_TEXT(buffer_bytes(&json), "{\"n\":2},{\"n\":3}");
        EXPECT(next == 3, "next %zu", next);
        catalog_listing_free(listing);
    }
    if (EXPECT(catalog_list(house.catalog, &series, &listing, &err), "%s", err.detail)) {
        EXPECT(listing->count == 3, "%zu", listing->count);
        catalog_listing_free(listing);
    }
    if (EXPECT(catalog_list(house.catalog, &instance, &listing, &err), "%s", err.detail)) {
        EXPECT(listing->count == 1 && listing->list[0].generation == 3, "%zu", listing->count);
        catalog_listing_free(listing);
    }
    EXPECT(!catalog_list(house.catalog, &none, &listing, &err) && err.fault == FAULT_NOT_FOUND, "fault %d",
           err.fault);
    buffer_done(&json);
    catalogued_close(&house);
}

TEST(metadata_leave_out_what_was_deleted_since_it_was_listed)
{
    struct catalogued house;
    struct error err = { 0 };
    struct catalog_listing *listing = NULL;
    struct buffer json;
    uint64_t instances;
    size_t next;

    catalogued_open(&house);
    ADD_JSON(&house, "1.2", "1.2.1", "1.2.1.1", "{\"n\":1}", { KEY_InstanceNumber, "1" });
    ADD_JSON(&house, "1.2", "1.2.1", "1.2.1.2", "{\"n\":2}", { KEY_InstanceNumber, "2" });
    ADD_JSON(&house, "1.2", "1.2.1", "1.2.1.3", "{\"n\":3}", { KEY_InstanceNumber, "3" });
    buffer_init(&json, 1 << 20);
    const struct instance_key study = key_of("1.2", "", ""), second = key_of("1.2", "1.2.1", "1.2.1.2");
    EXPECT(catalog_list(house.catalog, &study, &listing, &err), "%s", err.detail);
    EXPECT(catalog_delete(house.catalog, &second, NULL, NULL, &instances, &err), "%s", err.detail);
    EXPECT(catalog_metadata(house.catalog, listing, 0, 1 << 20, &json, &next, &err), "%s", err.detail);
    EXPECT_TEXT(buffer_bytes(&json), "{\"n\":1},{\"n\":3}");
    catalog_listing_free(listing);
    buffer_done(&json);
    catalogued_close(&house);
}

TEST(additions_of_one_call_are_all_or_none)
{
    struct catalogued house;
    struct description first, second;
    struct error err = { 0 };
    enum fault fault;

    catalogued_open(&house);
    ADD(&house, "1.1", "1.1.1", "1.1.1.1", { KEY_Modality, "CT" }); /* generation 1 */
    describe(&first, "1.2", "1.2.1", "1.2.1.1", NULL, 0, "{}");
    describe(&second, "1.2", "1.2.1", "1.2.1.2", NULL, 0, "{}");
    /* The second one's generation is taken: a fault of ours, which stands here for any. */
    struct addition additions[] = { { .description = &first, .generation = 20 },
                                    { .description = &second, .generation = 1 } };
    EXPECT(!catalog_add(house.catalog, additions, 2, DUPLICATE_REJECT, &err), "added");
    EXPECT(!find(&house, "1.2", "1.2.1", "1.2.1.1", MAY_WAIT, &fault) && fault == FAULT_NOT_FOUND,
           "half of it stayed");
    expect_study(&house, "1.2", 0, 0, "");
    additions[1].generation = 21;
    EXPECT(catalog_add(house.catalog, additions, 2, DUPLICATE_REJECT, &err), "%s", err.detail);
    expect_study(&house, "1.2", 1, 2, "");
    described_done(&first);
    described_done(&second);
    catalogued_close(&house);
}

struct sender {
    struct catalogued *house;
    int number;
    unsigned failed;
};

enum { SENDERS = 8, SENT_BY_EACH = 12 };

/* Each odd addition of sender 0 fails by itself; that must be nobody else's trouble. */
static void *send_many(void *context)
{
    struct sender *sender = context;

    for (int i = 0; i < SENT_BY_EACH; i++) {
        struct description description;
        struct error err = { 0 };
        char instance[64];
        snprintf(instance, sizeof instance, "1.2.1.%d.%d", sender->number, i);
        const struct instance_value values[] = { { KEY_Modality, "CT" } };
        describe(&description, "1.2", "1.2.1", instance, values, 1, "{}");
        struct addition addition = { .description = &description,
                                     .generation = (uint64_t)(1000 * (sender->number + 1) + i) };
        if (sender->number == 0 && i % 2)
            addition.generation = (uint64_t)(1000 + i - 1);
        if (!catalog_add(sender->house->catalog, &addition, 1, DUPLICATE_REJECT, &err))
            sender->failed++;
        described_done(&description);
    }
    return NULL;
}

TEST(many_senders_of_one_study_share_transactions_and_one_that_fails_fails_alone)
{
    struct catalogued house;
    struct sender senders[SENDERS];
    pthread_t threads[SENDERS];

    catalogued_open(&house);
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){ &house, i, 0 };
        if (pthread_create(&threads[i], NULL, send_many, &senders[i]))
            abort();
    }
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
        EXPECT(senders[i].failed == (i ? 0 : SENT_BY_EACH / 2), "sender %d: %u failed", i, senders[i].failed);
    }
    expect_study(&house, "1.2", 1, SENDERS * SENT_BY_EACH - SENT_BY_EACH / 2, "CT");
    catalogued_close(&house);
}

TEST(a_catalog_that_can_answer_and_write_says_so)
{
    struct catalogued house;
    struct error err = { 0 };

    catalogued_open(&house);
    EXPECT(catalog_ping(house.catalog, &err), "%s", err.detail);
    EXPECT(catalog_ping(house.catalog, &err), "%s", err.detail);
    catalogued_close(&house);
}

TEST(a_file_that_is_no_catalog_is_refused)
{
    char path[] = "/tmp/gantry-catalog-XXXXXX";
    const int fd = mkstemp(path);
    const struct catalog_options options = {
        .path = path, .record_cache_entries = 10, .sqlite_cache_bytes = 1 << 20, .known_deletions = 100
    };
    struct catalog *catalog = NULL;
    struct error err = { 0 };

    for (int i = 0; i < 1000; i++)
        EXPECT(write(fd, "not a database ", 15) == 15, "write");
    close(fd);
    EXPECT(!catalog_open(&options, &catalog, &err) && err.fault == FAULT_DISK, "fault %d", err.fault);
    unlink(path);
}
