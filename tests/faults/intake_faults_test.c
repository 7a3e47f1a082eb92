/* tests/faults/intake_faults_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Every system call on the way of an instance into store and catalog fails once, for each of several reasons.
 */
#include "storage/recover.h"
#include "tests/faults/delivery.h"
#include "tests/faults/failing_calls.h"
#include "tests/support/expect.h"
#include "tests/support/temp_folder.h"

static bool is_fault_of(enum failing how, enum fault fault)
{
    return fault == FAULT_DISK || (how == FAIL_ENOSPC && fault == FAULT_DISK_FULL) ||
           (how == FAIL_EMFILE && fault == FAULT_BUSY);
}

/* What is acknowledged is there, what is refused is not, and what was there before stays unless replaced. */
static void expect_what_was_told(struct house *house, const struct error *outcomes, bool c_withdrawn,
                                 const char *context)
{
    struct error err = { 0 };
    const bool newer = outcomes[0].fault == FAULT_NONE;

    EXPECT(house_has(house, SAMPLE_NEWER_A, &err) == newer, "%s: newer A, %s", context, err.detail);
    EXPECT(house_has(house, SAMPLE_A, &err) == !newer, "%s: A, %s", context, err.detail);
    EXPECT(house_has(house, SAMPLE_B, &err) ==
               (outcomes[1].fault == FAULT_NONE || outcomes[3].fault == FAULT_NONE),
           "%s: B, %s", context, err.detail);
    EXPECT(house_has(house, SAMPLE_C, &err) == (outcomes[2].fault == FAULT_NONE && !c_withdrawn), "%s: C, %s",
           context, err.detail);
    EXPECT(house_is_sound(house, &err), "%s: %s", context, err.detail);
}

/* One life with the n-th call failing; returns whether there was an n-th call. */
static bool one_failure(enum failing how, unsigned n)
{
    struct temp_folder folder = temp_folder_new();
    struct house house;
    struct error outcomes[DELIVERED], err = { 0 };
    char context[100];
    uint64_t removed = 99;

    if (!EXPECT(house_open(&house, folder.path, &err) && deliver_first(&house, &err), "%s", err.detail))
        return false;
    failing_calls_arm(how, n);
    const bool told = deliver_rest(&house, outcomes, &err);
    struct error withdraw_err = { 0 };
    const bool c_is_there = outcomes[2].fault == FAULT_NONE;
    const bool withdrawn = withdraw_c(&house, &withdraw_err);
    const unsigned calls = failing_calls_disarm();
    (void)store_settle(house.store); /* its thread's failing call has been noted */
    snprintf(context, sizeof context, "how %d, call %u (%s)", (int)how, n, failing_calls_which());

    if (!told)
        EXPECT(is_fault_of(how, err.fault), "%s: ended with %s: %s", context, fault_info(err.fault)->name,
               err.detail);
    for (int i = 0; i < DELIVERED; i++)
        EXPECT(outcomes[i].fault == FAULT_NONE || (!told && outcomes[i].fault == FAULT_INTERNAL) ||
                   is_fault_of(how, outcomes[i].fault),
               "%s: instance %d: %s: %s", context, i, fault_info(outcomes[i].fault)->name,
               outcomes[i].detail);
    if (!withdrawn)
        EXPECT(is_fault_of(how, withdraw_err.fault) || (!c_is_there && withdraw_err.fault == FAULT_NOT_FOUND),
               "%s: deleting: %s: %s", context, fault_info(withdraw_err.fault)->name, withdraw_err.detail);
    if (how == FAIL_SHORT || n > calls) {
        EXPECT(told && withdrawn, "%s: nothing may fail: %s %s", context, err.detail, withdraw_err.detail);
        EXPECT(store_settle(house.store) == 0, "%s: drafts are to stay", context);
    }
    expect_what_was_told(&house, outcomes, withdrawn, context);
    house_close(&house);

    strcat(context, ", again");
    if (EXPECT(house_open(&house, folder.path, &err), "%s: %s", context, err.detail)) {
        EXPECT(recover(house.store, house.catalog, &removed, &err) && removed == 0, "%s: %d removed, %s",
               context, (int)removed, err.detail);
        expect_what_was_told(&house, outcomes, withdrawn, context);
    }
    house_close(&house);
    temp_folder_remove(&folder);
    return n <= calls;
}

static void every_call_fails(enum failing how)
{
    static bool prepared;
    unsigned n = 1;

    if (!prepared) {
        delivery_prepare();
        delivery_in_memory();
    }
    prepared = true;
    while (one_failure(how, n) && n < 1000)
        n++;
    printf("  %u calls\n", n - 1);
    EXPECT(n > 3 && n < 1000, "%u calls", n);
}

TEST(a_call_that_fails_with_EIO_leaves_no_half_visible_instance)
{
    every_call_fails(FAIL_EIO);
}

TEST(a_volume_that_is_full_for_a_moment_leaves_no_half_visible_instance)
{
    every_call_fails(FAIL_ENOSPC);
}

TEST(a_lack_of_descriptors_leaves_no_half_visible_instance)
{
    every_call_fails(FAIL_EMFILE);
}

TEST(a_call_that_fails_with_a_batch_behind_leaves_no_half_visible_instance)
{
    delivery_commits_behind = true;
    every_call_fails(FAIL_EIO);
    every_call_fails(FAIL_ENOSPC);
    every_call_fails(FAIL_EMFILE);
    delivery_commits_behind = false;
}

/* The next sync would succeed and keep no more than what came since. */
TEST(who_had_a_draft_when_the_sync_of_their_names_failed_is_told)
{
    struct temp_folder folder = temp_folder_new();
    struct store_draft *drafts[3] = { NULL };
    struct error err = { 0 };
    struct house house;

    if (!EXPECT(house_open(&house, folder.path, &err) && store_draft_open(house.store, &drafts[0], &err) &&
                    store_draft_open(house.store, &drafts[1], &err),
                "%s", err.detail))
        return;
    failing_calls_refuse_syncs("/drafts", 1);
    EXPECT(!store_place(house.store, &drafts[0], 1, &err) && err.fault == FAULT_DISK, "the first");
    EXPECT(!store_place(house.store, &drafts[1], 1, &err) && err.fault == FAULT_DISK, "the second");
    EXPECT(store_draft_open(house.store, &drafts[2], &err) && store_place(house.store, &drafts[2], 1, &err),
           "the third: %s", err.detail);
    for (size_t i = 0; i < 3; i++)
        store_draft_close(drafts[i]);
    failing_calls_refuse_syncs("", 0);
    EXPECT(temp_folder_files(folder.path, ".dcm") == 1, "objects");
    house_close(&house);
    temp_folder_remove(&folder);
}

TEST(a_short_write_is_continued)
{
    every_call_fails(FAIL_SHORT);
}
