/* tests/faults/delivery.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See delivery.h.
 */
#include "tests/faults/delivery.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/digest.h"
#include "bridge/start.h"
#include "storage/withdraw.h"
#include "tests/support/make_dicom.h"
#include "tests/support/outcome_at.h"
#include "tests/support/temp_folder.h"

const enum sample delivered[DELIVERED] = { SAMPLE_NEWER_A, SAMPLE_B, SAMPLE_C, SAMPLE_B };

bool delivery_commits_behind;

static struct buffer samples[SAMPLES];
static const struct make_dicom recipes[SAMPLES] = {
    [SAMPLE_A] = { .study = "1.2.3", .series = "1.2.3.1", .instance = "1.2.3.1.1", .seed = 1 },
    [SAMPLE_NEWER_A] = { .study = "1.2.3", .series = "1.2.3.1", .instance = "1.2.3.1.1", .seed = 2 },
    [SAMPLE_B] = { .study = "1.2.3", .series = "1.2.3.1", .instance = "1.2.3.1.2", .seed = 3 },
    [SAMPLE_C] = { .study = "1.2.4", .series = "1.2.4.1", .instance = "1.2.4.1.1", .seed = 4 },
};

void delivery_in_memory(void)
{
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 1);
}

void delivery_prepare(void)
{
    static bool prepared;
    struct error err = { 0 };

    if (prepared)
        return;
    prepared = true;
    if (!bridge_start(&err)) {
        fprintf(stderr, "%s\n", err.detail);
        abort();
    }
    for (int i = 0; i < SAMPLES; i++) {
        buffer_init(&samples[i], 1 << 20);
        make_dicom(&samples[i], &recipes[i]);
    }
}

bool house_open(struct house *house, const char *folder, struct error *err)
{
    char path[700];

    *house = (struct house){ 0 };
    snprintf(house->root, sizeof house->root, "%s", folder);
    snprintf(path, sizeof path, "%s/catalog.sqlite", folder);
    const struct catalog_options catalog = {
        .path = path, .record_cache_entries = 16, .sqlite_cache_bytes = 1 << 20, .known_deletions = 8
    };
    const struct store_options store = { .root = folder, .open_files = 8 };
    uint64_t last;
    return catalog_open(&catalog, &house->catalog, err) &&
           catalog_last_generation(house->catalog, &last, err) &&
           store_open(&store, last + 1, &house->store, err);
}

void house_close(struct house *house)
{
    store_close(house->store);
    if (house->catalog)
        catalog_close(house->catalog);
}

static bool deliver(struct house *house, const enum sample *list, size_t count, struct error *outcomes,
                    struct error *err)
{
    const struct intake_options options = { .instance_ceiling_bytes = 1 << 20,
                                            .batch_instances = 2,
                                            .batch_bytes = 1 << 20,
                                            .commits_behind = delivery_commits_behind,
                                            .duplicates = DUPLICATE_REPLACE,
                                            .json = { 1024, 65536, 131072 } };
    struct intake *intake = NULL;
    struct intake_outcome outcome;

    for (size_t i = 0; i < count; i++)
        error_set(&outcomes[i], FAULT_INTERNAL, "never came so far");
    bool done = intake_open(house->store, house->catalog, &options, &intake, err);
    for (size_t i = 0; done && i < count; i++) {
        done = intake_begin_instance(intake, err);
        if (!done)
            break;
        const struct bytes sample = buffer_bytes(&samples[list[i]]);
        intake_write(intake, bytes_of(sample.data, sample.size / 2));
        intake_write(intake, bytes_from(sample, sample.size / 2));
        intake_end_instance(intake);
    }
    /* What came before the end is asked for, as the answer to a request that ends early does. */
    struct error late = { 0 };
    if (intake && !intake_commit(intake, done ? err : &late))
        done = false;
    for (size_t i = 0; intake && i < intake_count(intake); i++) {
        outcome_at(intake, i, &outcome);
        outcomes[i] = outcome.error;
    }
    intake_close(intake);
    return done;
}

bool deliver_one(struct house *house, enum sample sample, struct error *err)
{
    struct error outcome;

    if (!deliver(house, &sample, 1, &outcome, err))
        return false;
    *err = outcome;
    return outcome.fault == FAULT_NONE;
}

bool deliver_first(struct house *house, struct error *err)
{
    return deliver_one(house, SAMPLE_A, err);
}

bool deliver_rest(struct house *house, struct error outcomes[DELIVERED], struct error *err)
{
    return deliver(house, delivered, DELIVERED, outcomes, err);
}

static void key_of(enum sample sample, struct instance_key *ret)
{
    const struct make_dicom *recipe = &recipes[sample];

    *ret = (struct instance_key){ 0 };
    snprintf(ret->study.text, sizeof ret->study.text, "%s", recipe->study);
    snprintf(ret->series.text, sizeof ret->series.text, "%s", recipe->series);
    snprintf(ret->instance.text, sizeof ret->instance.text, "%s", recipe->instance);
}

bool withdraw_c(struct house *house, struct error *err)
{
    struct instance_key key;
    uint64_t count = 0;

    key_of(SAMPLE_C, &key);
    return withdraw(house->store, house->catalog, &key, &count, err);
}

bool house_has(struct house *house, enum sample sample, struct error *err)
{
    const struct instance_record *record = NULL;
    const struct bytes want = buffer_bytes(&samples[sample]);
    struct instance_key key;
    uint8_t digest[DIGEST_BYTES];

    key_of(sample, &key);
    if (!catalog_find(house->catalog, &key, MAY_WAIT, &record, err))
        return err->fault == FAULT_GONE ? error_set(err, FAULT_NOT_FOUND, "deleted") : false;
    uint8_t *data = malloc(record->file_size + 1);
    bool same =
        data && store_read(house->store, record->generation, 0, data, record->file_size, MAY_WAIT, err);
    if (!same && err->fault == FAULT_NOT_FOUND)
        error_set(err, FAULT_INTERNAL, "a row without a file");
    if (same) {
        digest_of(bytes_of(data, record->file_size), digest);
        if (memcmp(digest, record->digest, sizeof digest) != 0)
            same = error_set(err, FAULT_INTERNAL, "the file is not what the row says");
        else if (!bytes_equal(bytes_of(data, record->file_size), want))
            same = error_set(err, FAULT_NOT_FOUND, "another version");
    }
    free(data);
    instance_record_unref(record);
    return same;
}

bool house_is_sound(struct house *house, struct error *err)
{
    char path[700];
    size_t rows = 0;

    const size_t staying = store_settle(house->store);
    for (enum sample sample = 0; sample < SAMPLES; sample++) {
        if (house_has(house, sample, err))
            rows++;
        else if (err->fault != FAULT_NOT_FOUND)
            return error_while(err, "sample %d", (int)sample);
    }
    const size_t files = temp_folder_files(house->root, ".dcm");
    snprintf(path, sizeof path, "%s/drafts", house->root);
    const size_t drafts = temp_folder_files(path, "");
    if (files != rows || drafts != staying)
        return error_set(err, FAULT_MALFORMED, "%zu rows, %zu files, %zu drafts, %zu of them to stay", rows,
                         files, drafts, staying);
    error_clear(err);
    return true;
}
