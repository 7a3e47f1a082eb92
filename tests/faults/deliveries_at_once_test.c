/* tests/faults/deliveries_at_once_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Several deliveries into one store and catalog at once, with one instance that all of them replace, readers
 * of it, and deletions; undisturbed, and with calls that fail in between.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/digest.h"
#include "storage/withdraw.h"
#include "tests/faults/delivery.h"
#include "tests/faults/failing_calls.h"
#include "tests/support/expect.h"
#include "tests/support/make_dicom.h"
#include "tests/support/outcome_at.h"
#include "tests/support/temp_folder.h"

enum { WRITERS = 4, READERS = 2, ROUNDS = 8 };

static struct house house;
static atomic_bool stop;
static atomic_uint wrong_reads, reads, refused;
static atomic_bool is_stored[WRITERS][ROUNDS];

static void key_of_own(unsigned writer, unsigned round, struct instance_key *ret)
{
    *ret = (struct instance_key){ 0 };
    snprintf(ret->study.text, sizeof ret->study.text, "1.7.%u", writer);
    snprintf(ret->series.text, sizeof ret->series.text, "1.7.%u.1", writer);
    snprintf(ret->instance.text, sizeof ret->instance.text, "1.7.%u.1.%u", writer, round);
}

static const struct instance_key shared_key = { { "1.8" }, { "1.8.1" }, { "1.8.1.1" } };

static bool give(struct intake *intake, const struct instance_key *key, uint32_t seed)
{
    struct buffer file;
    struct error err = { 0 };

    buffer_init(&file, 1 << 20);
    make_dicom(&file, &(struct make_dicom){ .study = key->study.text,
                                            .series = key->series.text,
                                            .instance = key->instance.text,
                                            .seed = seed });
    const bool begun = intake_begin_instance(intake, &err);
    if (begun) {
        intake_write(intake, buffer_bytes(&file));
        intake_end_instance(intake);
    }
    buffer_done(&file);
    return begun;
}

static void one_round(unsigned writer, unsigned round)
{
    const struct intake_options options = { .instance_ceiling_bytes = 1 << 20,
                                            .batch_instances = 2,
                                            .batch_bytes = 1 << 20,
                                            .commits_behind = writer % 2,
                                            .duplicates = DUPLICATE_REPLACE,
                                            .json = { 1024, 65536, 131072 } };
    struct intake *intake = NULL;
    struct intake_outcome outcome;
    struct instance_key own;
    struct error err = { 0 };
    uint64_t gone = 0;

    key_of_own(writer, round, &own);
    if (!intake_open(house.store, house.catalog, &options, &intake, &err))
        return;
    (void)(give(intake, &own, round) && give(intake, &shared_key, 1000 * writer + round) &&
           give(intake, &shared_key, 5000 * writer + round));
    if (!intake_commit(intake, &err))
        atomic_fetch_add(&refused, 1);
    for (size_t i = 0; i < intake_count(intake); i++) {
        outcome_at(intake, i, &outcome);
        if (outcome.error.fault != FAULT_NONE)
            atomic_fetch_add(&refused, 1);
        else if (i == 0)
            atomic_store(&is_stored[writer][round], true);
    }
    intake_close(intake);
    /* Every other instance goes again; where that fails it stays. */
    if (round % 2 && withdraw(house.store, house.catalog, &own, &gone, &err))
        atomic_store(&is_stored[writer][round], false);
}

static void *write_on(void *context)
{
    for (unsigned round = 0; round < ROUNDS; round++)
        one_round(*(unsigned *)context, round);
    return NULL;
}

static void read_shared(void)
{
    const struct instance_record *record = NULL;
    struct store_reader *reader = NULL;
    struct error err = { 0 };
    uint8_t digest[DIGEST_BYTES];

    if (!catalog_find(house.catalog, &shared_key, MAY_WAIT, &record, &err))
        return;
    uint8_t *data = malloc(record->file_size);
    /* Replaced since: its file may be gone, but what can be opened is whole. */
    if (data && store_reader_open(house.store, record->generation, MAY_WAIT, &reader, &err)) {
        const bool read = store_reader_read(reader, 0, data, record->file_size, MAY_WAIT, &err);
        digest_of(bytes_of(data, record->file_size), digest);
        atomic_fetch_add(read && memcmp(digest, record->digest, sizeof digest) == 0 ? &reads : &wrong_reads,
                         1);
        store_reader_close(reader);
    }
    free(data);
    instance_record_unref(record);
}

static void *read_on(void *context)
{
    while (!atomic_load(&stop))
        read_shared();
    return context;
}

static void run_all(void)
{
    pthread_t writers[WRITERS], readers[READERS];
    unsigned numbers[WRITERS];

    atomic_store(&stop, false);
    for (unsigned i = 0; i < READERS; i++)
        pthread_create(&readers[i], NULL, read_on, NULL);
    for (unsigned i = 0; i < WRITERS; i++) {
        numbers[i] = i;
        pthread_create(&writers[i], NULL, write_on, &numbers[i]);
    }
    for (unsigned i = 0; i < WRITERS; i++)
        pthread_join(writers[i], NULL);
    atomic_store(&stop, true);
    for (unsigned i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
}

/* As told, each with its file, and no file besides. */
static void expect_all_told(const char *context)
{
    const struct instance_record *record = NULL;
    struct error err = { 0 };
    struct instance_key key;
    char drafts[700], byte;
    size_t rows = 0;

    for (unsigned i = 0; i <= WRITERS * ROUNDS; i++) {
        const bool is_shared = i == WRITERS * ROUNDS;
        key = shared_key;
        if (!is_shared)
            key_of_own(i / ROUNDS, i % ROUNDS, &key);
        const bool found = catalog_find(house.catalog, &key, MAY_WAIT, &record, &err);
        EXPECT(is_shared || found == atomic_load(&is_stored[i / ROUNDS][i % ROUNDS]), "%s: %s %s", context,
               key.instance.text, found ? "is there" : "is not there");
        if (!found)
            continue;
        rows++;
        EXPECT(store_read(house.store, record->generation, record->file_size - 1, &byte, 1, MAY_WAIT, &err),
               "%s: %s", context, err.detail);
        instance_record_unref(record);
    }
    const size_t staying = store_settle(house.store);
    snprintf(drafts, sizeof drafts, "%s/drafts", house.root);
    EXPECT(temp_folder_files(house.root, ".dcm") == rows && temp_folder_files(drafts, "") == staying,
           "%s: %zu rows, %zu files, %zu drafts, %zu of them to stay", context, rows,
           temp_folder_files(house.root, ".dcm"), temp_folder_files(drafts, ""), staying);
}

static void scene(enum failing how, unsigned n)
{
    struct temp_folder folder = temp_folder_new();
    struct error err = { 0 };
    char context[60];
    static bool prepared;

    if (!prepared)
        delivery_prepare();
    prepared = true;
    atomic_store(&refused, 0);
    for (unsigned i = 0; i < WRITERS * ROUNDS; i++)
        atomic_store(&is_stored[i / ROUNDS][i % ROUNDS], false);
    if (EXPECT(house_open(&house, folder.path, &err), "%s", err.detail)) {
        failing_calls_arm(how, n);
        run_all();
        failing_calls_disarm();
        (void)store_settle(house.store); /* its thread's failing call has been noted */
        snprintf(context, sizeof context, "call %u (%s)", n, failing_calls_which());
        EXPECT(how != FAIL_NOTHING || atomic_load(&refused) == 0, "%u refused", atomic_load(&refused));
        EXPECT(how != FAIL_NOTHING || store_settle(house.store) == 0, "drafts are to stay");
        EXPECT(atomic_load(&wrong_reads) == 0, "%s: %u wrong reads", context, atomic_load(&wrong_reads));
        expect_all_told(context);
    }
    house_close(&house);
    temp_folder_remove(&folder);
}

TEST(deliveries_at_once_do_not_disturb_each_other)
{
    scene(FAIL_NOTHING, 0);
    EXPECT(atomic_load(&reads) > 0, "nothing was read");
}

TEST(a_call_that_fails_amid_many_deliveries_fails_none_half)
{
    for (unsigned n = 10; n < 600; n += 97) {
        scene(FAIL_EIO, n);
        scene(FAIL_ENOSPC, n + 30);
    }
}
