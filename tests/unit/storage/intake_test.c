/* tests/unit/storage/intake_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The intake over a real store, with a reader of DICOM and a catalog that this file makes up: an "instance"
 * here is a text "study series instance". What the real ones make of it: tests/faults/.
 */
#include "storage/intake.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/digest.h"
#include "base/file.h"
#include "dicom/description.h"
#include "tests/support/expect.h"
#include "tests/support/outcome_at.h"
#include "tests/support/temp_folder.h"

/* ── made up ── */

static atomic_uint descriptions_open; /* a batch behind lets go on a thread of its own */

bool description_read(const char *path, const struct json_limits *limits, struct arena *arena,
                      struct description *ret, struct error *err)
{
    char *text = NULL;
    size_t size = 0;

    (void)limits;
    if (!file_read_all(path, 1 << 20, &text, &size, err))
        return false;
    struct bytes rest = bytes_of(text, size);
    *ret = (struct description){ .file_size = size };
    const bool fine = uid_parse(bytes_cut(&rest, ' '), &ret->key.study, err) &&
                      uid_parse(bytes_cut(&rest, ' '), &ret->key.series, err) &&
                      uid_parse(bytes_cut(&rest, ' '), &ret->key.instance, err) &&
                      block_take(size, &ret->json, err);
    if (fine) {
        memcpy(block_room(ret->json, NULL), text, size);
        block_seal(ret->json, size);
        ret->values[0] = arena_copy(arena, bytes_of_text("value"));
        ret->values[1] = arena_copy(arena, bytes_of(text, size));
        ret->warning_reason = bytes_equal_text(rest, "odd") ? 0xB007 : 0;
        descriptions_open++;
    }
    free(text);
    return fine || error_set(err, FAULT_NOT_DICOM, "made up");
}

void description_done(struct description *description)
{
    if (!description || !description->json)
        return;
    block_unref(TAKE(description->json));
    descriptions_open--;
}

enum { ROWS_MOST = 4096 };
static struct {
    struct {
        struct instance_key key;
        uint64_t generation;
        uint8_t digest[STORE_DIGEST_BYTES];
    } rows[ROWS_MOST];
    size_t count, calls, largest_call;
    bool fails;
} made_up;
static struct catalog *const catalog = (struct catalog *)&made_up;

bool catalog_add(struct catalog *unused, struct addition *additions, size_t count,
                 enum duplicate_policy policy, struct error *err)
{
    (void)unused;
    made_up.calls++;
    if (count > made_up.largest_call)
        made_up.largest_call = count;
    if (made_up.fails)
        return error_set(err, FAULT_DISK, "made up");
    for (size_t i = 0; i < count; i++) {
        const struct description *description = additions[i].description;
        size_t row = 0;
        EXPECT_TEXT(description->values[0], "value");
        EXPECT(bytes_equal(description->values[1], block_bytes(description->json)), "values and JSON differ");
        while (row < made_up.count && !uid_equal(&made_up.rows[row].key.instance, &description->key.instance))
            row++;
        additions[i].outcome = ADDED;
        if (row < made_up.count) {
            const bool same = memcmp(made_up.rows[row].digest, additions[i].digest, STORE_DIGEST_BYTES) == 0;
            additions[i].replaced = made_up.rows[row].generation;
            additions[i].outcome = same || policy == DUPLICATE_KEEP ? ADDED_BEFORE
                                   : policy == DUPLICATE_REPLACE    ? ADDED_REPLACING
                                                                    : REFUSED_DUPLICATE;
        }
        if (additions[i].outcome == ADDED_BEFORE || additions[i].outcome == REFUSED_DUPLICATE)
            continue;
        made_up.rows[row].key = description->key;
        made_up.rows[row].generation = additions[i].generation;
        memcpy(made_up.rows[row].digest, additions[i].digest, STORE_DIGEST_BYTES);
        made_up.count += row == made_up.count;
    }
    return true;
}

void catalog_has_left(void *unused, const uint64_t *generations, size_t count)
{
    (void)unused;
    (void)generations;
    (void)count;
}

bool catalog_find(struct catalog *unused, const struct instance_key *key, enum patience patience,
                  const struct instance_record **ret, struct error *err)
{
    (void)unused;
    (void)patience;
    for (size_t row = 0; row < made_up.count; row++) {
        if (!uid_equal(&made_up.rows[row].key.instance, &key->instance))
            continue;
        struct instance_record fields = { .key = *key, .generation = made_up.rows[row].generation };
        memcpy(fields.digest, made_up.rows[row].digest, sizeof fields.digest);
        *ret = instance_record_new(&fields);
        return true;
    }
    return error_set(err, FAULT_NOT_FOUND, "made up");
}

/* ── helpers ── */

struct scene {
    struct temp_folder folder;
    struct store *store;
    struct intake_options options;
    struct intake *intake;
};

static void open_intake(struct scene *scene)
{
    struct error err = { 0 };

    EXPECT(intake_open(scene->store, catalog, &scene->options, &scene->intake, &err), "%s", err.detail);
}

static struct scene scene_new(void)
{
    struct scene scene = { .folder = temp_folder_new() };
    const struct store_options options = { .root = scene.folder.path, .open_files = 8 };
    struct error err = { 0 };

    memset(&made_up, 0, sizeof made_up);
    EXPECT(store_open(&options, 1, &scene.store, &err), "%s", err.detail);
    scene.options = (struct intake_options){ .instance_ceiling_bytes = 100000,
                                             .batch_instances = 64,
                                             .batch_bytes = 1 << 20 };
    return scene;
}

static void scene_end(struct scene *scene)
{
    char drafts[600];

    intake_close(scene->intake);
    store_close(scene->store);
    snprintf(drafts, sizeof drafts, "%s/drafts", scene->folder.path);
    EXPECT(temp_folder_files(drafts, "") == 0, "drafts left");
    EXPECT(temp_folder_files(scene->folder.path, ".dcm") == made_up.count, "%zu files, %zu rows",
           temp_folder_files(scene->folder.path, ".dcm"), made_up.count);
    EXPECT(descriptions_open == 0, "%u descriptions left", descriptions_open);
    EXPECT(block_in_use() == 0, "%zu bytes of blocks left", block_in_use());
    temp_folder_remove(&scene->folder);
}

static void begin(struct scene *scene)
{
    struct error err = { 0 };

    EXPECT(intake_begin_instance(scene->intake, &err), "%s", err.detail);
}

static void deliver(struct scene *scene, const char *text)
{
    begin(scene);
    intake_write(scene->intake, bytes_of_text(text));
    intake_end_instance(scene->intake);
}

static void commit(struct scene *scene)
{
    struct error err = { 0 };

    EXPECT(intake_commit(scene->intake, &err), "%s", err.detail);
}

static enum fault fault_at(const struct scene *scene, size_t i)
{
    struct intake_outcome outcome;

    outcome_at(scene->intake, i, &outcome);
    return outcome.error.fault;
}

/* ── the tests ── */

TEST(what_is_delivered_is_stored_and_told_in_order)
{
    struct scene scene = scene_new();
    struct intake_outcome outcome;

    open_intake(&scene);
    deliver(&scene, "1.2 1.2.1 1.2.1.1");
    deliver(&scene, "1.2 1.2.1 1.2.1.2 odd");
    commit(&scene);
    EXPECT(intake_count(scene.intake) == 2, "%zu outcomes", intake_count(scene.intake));
    outcome_at(scene.intake, 0, &outcome);
    EXPECT(strcmp(outcome.key.study.text, "1.2") == 0 && strcmp(outcome.key.series.text, "1.2.1") == 0 &&
               strcmp(outcome.key.instance.text, "1.2.1.1") == 0,
           "key %s %s %s", outcome.key.study.text, outcome.key.series.text, outcome.key.instance.text);
    EXPECT(outcome.error.fault == FAULT_NONE && outcome.warning_reason == 0, "fault %d", outcome.error.fault);
    outcome_at(scene.intake, 1, &outcome);
    EXPECT(outcome.warning_reason == 0xB007, "warning %x", outcome.warning_reason);
    EXPECT(made_up.calls == 1, "%zu transactions", made_up.calls);
    scene_end(&scene);
}

TEST(stored_bytes_are_the_delivered_bytes_however_they_are_cut)
{
    enum { SIZE = 90000 };
    static const size_t cuts[] = { 1, 7, 4096, 32767, 32768, 32769, SIZE };
    static char text[SIZE + 1];

    memset(text, 'x', SIZE);
    for (size_t c = 0; c < COUNT_OF(cuts); c++) {
        struct scene scene = scene_new();
        uint8_t want[DIGEST_BYTES];
        memcpy(text, "1 2 3 ", 6);
        open_intake(&scene);
        begin(&scene);
        for (size_t at = 0; at < SIZE; at += cuts[c])
            intake_write(scene.intake, bytes_of(text + at, SIZE - at < cuts[c] ? SIZE - at : cuts[c]));
        intake_end_instance(scene.intake);
        commit(&scene);
        digest_of(bytes_of(text, SIZE), want);
        EXPECT(made_up.count == 1 && memcmp(made_up.rows[0].digest, want, sizeof want) == 0, "cut at %zu",
               cuts[c]);
        scene_end(&scene);
    }
}

TEST(a_full_batch_is_committed_without_being_asked)
{
    struct scene scene = scene_new();
    char text[64];

    scene.options.batch_instances = 3;
    open_intake(&scene);
    for (int i = 0; i < 7; i++) {
        snprintf(text, sizeof text, "1 2 3.%d", i);
        deliver(&scene, text);
    }
    EXPECT(made_up.count == 6 && made_up.largest_call == 3, "%zu rows", made_up.count);
    commit(&scene);
    EXPECT(made_up.count == 7 && made_up.calls == 3, "%zu rows, %zu transactions", made_up.count,
           made_up.calls);
    commit(&scene); /* nothing is left to do */
    EXPECT(made_up.calls == 3, "%zu transactions", made_up.calls);
    scene_end(&scene);
}

TEST(batches_behind_are_committed_in_order_and_each_outcome_is_told)
{
    for (int fails = 0; fails < 2; fails++) {
        struct scene scene = scene_new();
        struct intake_outcome outcome;
        char text[64];

        scene.options.batch_instances = 3;
        scene.options.commits_behind = true;
        scene.options.duplicates = DUPLICATE_REPLACE;
        made_up.fails = fails;
        open_intake(&scene);
        for (int i = 0; i < 20; i++) {
            snprintf(text, sizeof text, "1 2 3.%d %d", i % 4,
                     i); /* each comes five times, each time another */
            deliver(&scene, text);
        }
        commit(&scene);
        EXPECT(intake_count(scene.intake) == 20, "%zu outcomes", intake_count(scene.intake));
        EXPECT(made_up.calls == 7 && made_up.largest_call == 3, "%zu transactions", made_up.calls);
        for (size_t i = 0; i < 20; i++) {
            outcome_at(scene.intake, i, &outcome);
            EXPECT((outcome.error.fault == FAULT_NONE) == !fails, "%zu: fault %d", i, outcome.error.fault);
        }
        EXPECT(made_up.count == (fails ? 0 : 4), "%zu rows", made_up.count);
        for (size_t i = 0; i < made_up.count; i++) {
            uint8_t want[DIGEST_BYTES];
            snprintf(text, sizeof text, "1 2 3.%zu %zu", i, 16 + i);
            digest_of(bytes_of_text(text), want);
            EXPECT(memcmp(made_up.rows[i].digest, want, sizeof want) == 0, "%zu: an older one stayed", i);
        }
        scene_end(&scene);
    }
}

TEST(a_delivery_left_while_a_batch_is_behind_leaves_all_or_nothing_of_it)
{
    for (int round = 0; round < 50; round++) {
        struct scene scene = scene_new();
        char text[64];

        scene.options.batch_instances = 4;
        scene.options.commits_behind = true;
        open_intake(&scene);
        for (int i = 0; i < 5; i++) {
            snprintf(text, sizeof text, "1 2 3.%d", i);
            deliver(&scene, text);
        }
        intake_close(TAKE(scene.intake));
        scene_end(&scene); /* no drafts, as many files as rows; closing the store waits */
        EXPECT(made_up.count == 4, "%zu rows", made_up.count);
    }
}

TEST(a_batch_is_also_full_by_its_bytes)
{
    struct scene scene = scene_new();

    scene.options.batch_bytes = 20;
    open_intake(&scene);
    deliver(&scene, "1 2 3.1 12345678");
    EXPECT(made_up.count == 0, "too early");
    deliver(&scene, "1 2 3.2 12345678");
    EXPECT(made_up.count == 2, "%zu rows", made_up.count);
    scene_end(&scene);
}

TEST(a_queued_instance_holds_little_memory)
{
    struct scene scene = scene_new();
    char text[64];

    open_intake(&scene);
    for (int i = 0; i < 60; i++) {
        snprintf(text, sizeof text, "1 2 3.%d", i);
        deliver(&scene, text);
    }
    EXPECT(made_up.count == 0 && block_in_use() < 60 * 100, "%zu bytes", block_in_use());
    scene_end(&scene); /* closed without commit: all is discarded */
    EXPECT(made_up.count == 0, "stored");
}

TEST(STO_60_an_instance_of_another_study_is_refused_the_others_are_stored)
{
    struct scene scene = scene_new();
    struct uid study = { "1.2" };
    struct intake_outcome outcome;

    scene.options.only_study_or_null = &study;
    open_intake(&scene);
    memset(&study, 'x', sizeof study); /* copied */
    deliver(&scene, "1.2 1 1.1");
    deliver(&scene, "1.3 1 1.2");
    commit(&scene);
    EXPECT(fault_at(&scene, 0) == FAULT_NONE, "fault %d", fault_at(&scene, 0));
    outcome_at(scene.intake, 1, &outcome);
    EXPECT(outcome.error.fault == FAULT_FOREIGN_STUDY, "fault %d", outcome.error.fault);
    EXPECT(strcmp(outcome.key.study.text, "1.3") == 0, "its study is told: %s", outcome.key.study.text);
    EXPECT(!strstr(outcome.error.told, "1.3"), "a value is told: %s", outcome.error.told);
    scene_end(&scene);
}

TEST(STO_63_the_same_bytes_again_are_success_and_stored_once)
{
    struct scene scene = scene_new();

    open_intake(&scene);
    deliver(&scene, "1 2 3");
    deliver(&scene, "1 2 3");
    commit(&scene);
    deliver(&scene, "1 2 3");
    commit(&scene);
    for (size_t i = 0; i < 3; i++)
        EXPECT(fault_at(&scene, i) == FAULT_NONE, "%zu: fault %d", i, fault_at(&scene, i));
    EXPECT(made_up.count == 1, "%zu rows", made_up.count);
    scene_end(&scene);
}

TEST(STO_64_other_bytes_under_a_known_uid_follow_the_policy)
{
    static const struct {
        enum duplicate_policy policy;
        enum fault fault;
        uint16_t warning;
        const char *stays;
    } cases[] = {
        { DUPLICATE_REJECT, FAULT_DUPLICATE, 0, "1 2 3 first" },
        { DUPLICATE_REPLACE, FAULT_NONE, 0, "1 2 3 second" },
        { DUPLICATE_KEEP, FAULT_NONE, 0xB006, "1 2 3 first" },
    };

    for (size_t c = 0; c < COUNT_OF(cases); c++) {
        struct scene scene = scene_new();
        struct intake_outcome outcome;
        struct error err = { 0 };
        char got[32] = { 0 };
        scene.options.duplicates = cases[c].policy;
        open_intake(&scene);
        deliver(&scene, "1 2 3 first");
        deliver(&scene, "1 2 3 second");
        commit(&scene);
        outcome_at(scene.intake, 1, &outcome);
        EXPECT(outcome.error.fault == cases[c].fault, "policy %d: fault %d", cases[c].policy,
               outcome.error.fault);
        EXPECT(outcome.warning_reason == cases[c].warning, "policy %d: %x", cases[c].policy,
               outcome.warning_reason);
        EXPECT(store_read(scene.store, made_up.rows[0].generation, 0, got, strlen(cases[c].stays), MAY_WAIT,
                          &err),
               "%s", err.detail);
        EXPECT(strcmp(got, cases[c].stays) == 0, "policy %d: %s", cases[c].policy, got);
        scene_end(&scene);
    }
}

TEST(STO_16_an_instance_above_the_ceiling_is_dropped_and_the_next_is_taken)
{
    struct scene scene = scene_new();

    scene.options.instance_ceiling_bytes = 10;
    open_intake(&scene);
    deliver(&scene, "1 2 3.45678");
    deliver(&scene, "1 2 3.4567");
    begin(&scene);
    for (int i = 0; i < 100; i++)
        intake_write(scene.intake, bytes_of_text("many"));
    intake_end_instance(scene.intake);
    commit(&scene);
    EXPECT(fault_at(&scene, 0) == FAULT_TOO_LARGE, "fault %d", fault_at(&scene, 0));
    EXPECT(fault_at(&scene, 1) == FAULT_NONE, "fault %d", fault_at(&scene, 1));
    EXPECT(fault_at(&scene, 2) == FAULT_TOO_LARGE, "fault %d", fault_at(&scene, 2));
    scene_end(&scene);
}

TEST(what_is_not_understood_or_not_whole_is_an_outcome)
{
    struct scene scene = scene_new();
    struct error why = { 0 };
    struct intake_outcome outcome;

    open_intake(&scene);
    deliver(&scene, "");
    deliver(&scene, "1.5 1.6 hello");
    error_tell(&why, FAULT_MALFORMED, "The part has no end.");
    begin(&scene);
    intake_write(scene.intake, bytes_of_text("1 2 3"));
    intake_abandon_instance(scene.intake, &why);
    intake_refuse_instance(scene.intake, &why);
    deliver(&scene, "1 2 4");
    commit(&scene);
    EXPECT(intake_count(scene.intake) == 5, "%zu outcomes", intake_count(scene.intake));
    EXPECT(fault_at(&scene, 0) == FAULT_NOT_DICOM, "fault %d", fault_at(&scene, 0));
    outcome_at(scene.intake, 1, &outcome);
    EXPECT(strcmp(outcome.key.study.text, "1.5") == 0 && strcmp(outcome.key.series.text, "1.6") == 0,
           "what was understood is told: %s", outcome.key.study.text);
    for (size_t i = 2; i < 4; i++) {
        outcome_at(scene.intake, i, &outcome);
        EXPECT(outcome.error.fault == FAULT_MALFORMED, "fault %d", outcome.error.fault);
        EXPECT(strcmp(outcome.error.told, "The part has no end.") == 0, "told %s", outcome.error.told);
        EXPECT(outcome.key.study.text[0] == '\0', "key of another");
    }
    EXPECT(fault_at(&scene, 4) == FAULT_NONE, "fault %d", fault_at(&scene, 4));
    scene_end(&scene);
}

TEST(when_the_catalog_fails_every_instance_of_the_batch_says_so_and_no_file_stays)
{
    struct scene scene = scene_new();

    open_intake(&scene);
    deliver(&scene, "1 2 3.1");
    commit(&scene);
    made_up.fails = true;
    deliver(&scene, "1 2 3.2");
    deliver(&scene, "1 2 3.3");
    commit(&scene);
    made_up.fails = false;
    deliver(&scene, "1 2 3.3");
    commit(&scene);
    EXPECT(fault_at(&scene, 0) == FAULT_NONE && fault_at(&scene, 3) == FAULT_NONE, "before and after");
    EXPECT(fault_at(&scene, 1) == FAULT_DISK && fault_at(&scene, 2) == FAULT_DISK, "the batch");
    scene_end(&scene);
}

TEST(closing_amid_an_instance_leaves_nothing)
{
    struct scene scene = scene_new();

    open_intake(&scene);
    deliver(&scene, "1 2 3");
    begin(&scene);
    intake_write(scene.intake, bytes_of_text("1 2"));
    scene_end(&scene);
    intake_close(NULL);
}

TEST(a_hundred_thousand_outcomes_fit)
{
    enum { PARTS = 100000 };
    struct scene scene = scene_new();
    struct error why = { 0 };
    struct intake_outcome outcome;

    open_intake(&scene);
    for (unsigned i = 0; i < PARTS; i++) {
        error_tell(&why, FAULT_UNSUPPORTED_MEDIA, "Part %u.", i / 1000);
        intake_refuse_instance(scene.intake, &why);
    }
    commit(&scene);
    EXPECT(intake_count(scene.intake) == PARTS, "%zu", intake_count(scene.intake));
    outcome_at(scene.intake, 99000, &outcome);
    EXPECT(strcmp(outcome.error.told, "Part 99.") == 0, "told %s", outcome.error.told);
    scene_end(&scene);
}

TEST(more_outcomes_than_can_be_kept_are_told)
{
    struct scene scene = scene_new();
    struct error why = { 0 }, err = { 0 };

    open_intake(&scene);
    error_tell(&why, FAULT_UNSUPPORTED_MEDIA, "No.");
    for (unsigned i = 0; i < INTAKE_OUTCOMES_MOST; i++)
        intake_refuse_instance(scene.intake, &why);
    commit(&scene);
    EXPECT(!intake_begin_instance(scene.intake, &err) && err.fault == FAULT_TOO_LARGE, "fault %d", err.fault);
    intake_refuse_instance(scene.intake, &why);
    EXPECT(intake_count(scene.intake) == INTAKE_OUTCOMES_MOST, "%zu", intake_count(scene.intake));
    EXPECT(!intake_commit(scene.intake, &err) && err.fault == FAULT_TOO_LARGE, "fault %d", err.fault);
    scene_end(&scene);
}
