/* tests/faults/power_cut_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Power is cut at every moment of a life: from an empty folder, through deliveries, a deletion and a clean
 * end, to a second start. Whatever part of what was not yet synced the disk then holds: the house opens,
 * recovers, has all that it had acknowledged, and nothing is half there.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "storage/recover.h"
#include "tests/faults/delivery.h"
#include "tests/faults/failing_calls.h"
#include "tests/faults/recorded_disk.h"
#include "tests/support/expect.h"
#include "tests/support/temp_folder.h"

enum { TOLD_FIRST = 1, TOLD_DELIVERY = 2, TOLD_WITHDRAWAL_BEGUN = 4, TOLD_WITHDRAWN = 8 };
enum { RANDOM_DISKS = 3 };

static bool live(const char *folder, struct error *err)
{
    struct error outcomes[DELIVERED];
    struct house house;
    uint64_t removed;

    if (!house_open(&house, folder, err) || !deliver_first(&house, err))
        return false;
    recorded_disk_told(TOLD_FIRST);
    if (!deliver_rest(&house, outcomes, err))
        return false;
    recorded_disk_told(TOLD_DELIVERY);
    recorded_disk_told(TOLD_WITHDRAWAL_BEGUN);
    if (!withdraw_c(&house, err))
        return false;
    recorded_disk_told(TOLD_WITHDRAWN);
    house_close(&house);
    if (!house_open(&house, folder, err) || !recover(house.store, house.catalog, &removed, err))
        return false;
    house_close(&house);
    return true;
}

static void expect_what_was_told(struct house *house, unsigned told, const char *context)
{
    struct error err = { 0 };

    EXPECT(house_is_sound(house, &err), "%s: %s", context, err.detail);
    const bool newer = house_has(house, SAMPLE_NEWER_A, &err), older = house_has(house, SAMPLE_A, &err);
    EXPECT(!(newer && older), "%s: both A", context);
    if (told & TOLD_FIRST)
        EXPECT(newer || older, "%s: no A", context);
    if (told & TOLD_DELIVERY)
        EXPECT(newer && house_has(house, SAMPLE_B, &err), "%s: %s", context, err.detail);
    if ((told & TOLD_DELIVERY) && !(told & TOLD_WITHDRAWAL_BEGUN))
        EXPECT(house_has(house, SAMPLE_C, &err), "%s: C, %s", context, err.detail);
    if (told & TOLD_WITHDRAWN)
        EXPECT(!house_has(house, SAMPLE_C, &err), "%s: C came back", context);
}

static void one_cut(size_t moment, enum survivors survivors, uint32_t seed,
                    void (*expect)(struct house *house, unsigned told, const char *context))
{
    struct temp_folder folder = temp_folder_new();
    struct house house;
    struct error err = { 0 };
    uint64_t removed;
    char context[240];

    const unsigned told = recorded_disk_build(moment, survivors, seed, folder.path);
    snprintf(context, sizeof context, "moment %zu (%s), disk %d/%u", moment, recorded_disk_change(moment),
             (int)survivors, seed);
    if (EXPECT(house_open(&house, folder.path, &err) && recover(house.store, house.catalog, &removed, &err),
               "%s: %s", context, err.detail))
        expect(&house, told, context);
    house_close(&house);
    temp_folder_remove(&folder);
}

/* Lives once, then cuts power at every moment of that life. */
static void cut_everywhere(bool (*life)(const char *folder, struct error *err),
                           void (*expect)(struct house *house, unsigned told, const char *context),
                           size_t moments_least)
{
    struct error err = { 0 };

    delivery_prepare();
    log_least(LOG_ERROR);
    delivery_in_memory(); /* what is recorded is the same */
    struct temp_folder folder = temp_folder_new();
    recorded_disk_begin(folder.path);
    const bool lived = life(folder.path, &err);
    const size_t moments = recorded_disk_end();
    EXPECT(lived, "%s", err.detail);
    EXPECT(moments > moments_least, "%zu moments", moments);
    for (size_t moment = 0; moment < moments && expect_failures < 5; moment++) {
        for (enum survivors survivors = SURVIVES_NOTHING; survivors < SURVIVES_SOME; survivors++)
            one_cut(moment, survivors, 0, expect);
        for (uint32_t seed = 1; seed <= RANDOM_DISKS; seed++)
            one_cut(moment, SURVIVES_SOME, seed + (uint32_t)moment * RANDOM_DISKS, expect);
    }
    printf("  %zu moments, %d disks each\n", moments, SURVIVES_SOME + RANDOM_DISKS);
    recorded_disk_free();
    temp_folder_remove(&folder);
}

TEST(whenever_power_is_cut_nothing_acknowledged_is_lost_and_nothing_is_half_there)
{
    cut_everywhere(live, expect_what_was_told, 80);
}

TEST(whenever_power_is_cut_with_a_batch_behind_nothing_acknowledged_is_lost_and_nothing_is_half_there)
{
    delivery_commits_behind = true;
    cut_everywhere(live, expect_what_was_told, 80);
    delivery_commits_behind = false;
}

/* ── the disk fails once to take names, then does as if nothing had been ── */

static bool live_with_lost_names(const char *folder, struct error *err)
{
    struct error outcomes[DELIVERED];
    struct house house;
    uint64_t removed;

    failing_calls_refuse_syncs("/objects/0000000000000", 1);
    if (!house_open(&house, folder, err) || !deliver_first(&house, err))
        return false;
    recorded_disk_told(TOLD_FIRST);
    store_settle(house.store);
    if (!deliver_rest(&house, outcomes, err))
        return false;
    recorded_disk_told(TOLD_DELIVERY);
    store_settle(house.store);
    recorded_disk_told(TOLD_WITHDRAWAL_BEGUN);
    if (!withdraw_c(&house, err))
        return false;
    recorded_disk_told(TOLD_WITHDRAWN);
    store_settle(house.store);
    house_close(&house);
    if (!house_open(&house, folder, err) || !recover(house.store, house.catalog, &removed, err))
        return false;
    house_close(&house);
    return true;
}

TEST(whenever_power_is_cut_after_a_sync_of_a_folder_has_failed_nothing_acknowledged_is_lost)
{
    cut_everywhere(live_with_lost_names, expect_what_was_told, 80);
    failing_calls_refuse_syncs("", 0);
}

/* ── two that replace one instance at the same time ── */

static struct house *raced;
static bool raced_to_the_end;

static void replace_meanwhile(void)
{
    struct error err = { 0 };

    raced_to_the_end = deliver_one(raced, SAMPLE_NEWER_A, &err);
}

/* While A comes again, a newer A is stored from its first byte to its last: what A replaces is not what was
 * there when it began. */
static bool live_at_once(const char *folder, struct error *err)
{
    struct house house;

    if (!house_open(&house, folder, err) || !deliver_first(&house, err))
        return false;
    recorded_disk_told(TOLD_FIRST);
    raced = &house;
    raced_to_the_end = false;
    recorded_disk_at_next_object(replace_meanwhile);
    if (!deliver_one(&house, SAMPLE_A, err))
        return false;
    if (!raced_to_the_end)
        return error_set(err, FAULT_INTERNAL, "nothing came between");
    house_close(&house);
    return true;
}

static void expect_one_a(struct house *house, unsigned told, const char *context)
{
    struct error err = { 0 };

    EXPECT(house_is_sound(house, &err), "%s: %s", context, err.detail);
    if (told & TOLD_FIRST)
        EXPECT(house_has(house, SAMPLE_NEWER_A, &err) || house_has(house, SAMPLE_A, &err), "%s: no A",
               context);
}

TEST(whenever_power_is_cut_two_replacements_at_once_leave_no_file_without_a_row)
{
    cut_everywhere(live_at_once, expect_one_a, 40);
}

/* ── the disk fails once to take a folder ── */

static bool live_with_a_lost_folder(const char *folder, struct error *err)
{
    struct error refused = { 0 };
    struct house house;

    failing_calls_refuse_syncs("/objects", 1);
    if (!house_open(&house, folder, err))
        return false;
    if (deliver_first(&house, &refused))
        return error_set(err, FAULT_INTERNAL, "stored in a folder that was not synced");
    if (!deliver_first(&house, err))
        return false;
    recorded_disk_told(TOLD_FIRST);
    house_close(&house);
    return true;
}

TEST(whenever_power_is_cut_after_the_sync_of_a_new_folder_has_failed_nothing_acknowledged_is_lost)
{
    cut_everywhere(live_with_a_lost_folder, expect_one_a, 40);
    failing_calls_refuse_syncs("", 0);
}
