/* tests/faults/sqlite_memory_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * SQLite gets no memory, once, at the n-th time that it asks: any of its calls can fail so. Deliveries and a
 * deletion then fail whole or not at all, with a fault that says busy, and afterwards all is as was told.
 */
#include <sqlite3.h>
#include <stdatomic.h>

#include "base/log.h"
#include "storage/recover.h"
#include "tests/faults/delivery.h"
#include "tests/support/expect.h"
#include "tests/support/temp_folder.h"

enum { STEP = 3, LIVES_MOST = 3000 };

static sqlite3_mem_methods real;
static atomic_int until_failure; /* counts down to 0, where it fails; below: never */
static atomic_uint asked;

static bool is_refused(void)
{
    atomic_fetch_add(&asked, 1);
    return atomic_load(&until_failure) > 0 && atomic_fetch_sub(&until_failure, 1) == 1;
}

static void *give(int size)
{
    return is_refused() ? NULL : real.xMalloc(size);
}

static void *give_more(void *room, int size)
{
    return is_refused() ? NULL : real.xRealloc(room, size);
}

/* Before SQLite is used for the first time. */
static void prepare(void)
{
    sqlite3_mem_methods failing;

    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real);
    failing = real;
    failing.xMalloc = give;
    failing.xRealloc = give_more;
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &failing) != SQLITE_OK)
        abort();
    log_least(LOG_ERROR);
    delivery_prepare();
}

static bool is_expected(enum fault fault)
{
    return fault == FAULT_BUSY || fault == FAULT_INTERNAL || fault == FAULT_DISK;
}

static void expect_what_was_told(struct house *house, const struct error *outcomes, bool withdrawn,
                                 unsigned n)
{
    struct error err = { 0 };
    const bool newer = outcomes[0].fault == FAULT_NONE;

    EXPECT(house_has(house, SAMPLE_NEWER_A, &err) == newer, "request %u: newer A, %s", n, err.detail);
    EXPECT(house_has(house, SAMPLE_A, &err) == !newer, "request %u: A, %s", n, err.detail);
    EXPECT(house_has(house, SAMPLE_B, &err) ==
               (outcomes[1].fault == FAULT_NONE || outcomes[3].fault == FAULT_NONE),
           "request %u: B, %s", n, err.detail);
    EXPECT(house_has(house, SAMPLE_C, &err) == (outcomes[2].fault == FAULT_NONE && !withdrawn),
           "request %u: C, %s", n, err.detail);
    EXPECT(house_is_sound(house, &err), "request %u: %s", n, err.detail);
}

/* Returns how often memory was asked for. */
static unsigned one_life(unsigned n)
{
    struct temp_folder folder = temp_folder_new();
    struct error outcomes[DELIVERED], err = { 0 }, withdraw_err = { 0 };
    struct house house;
    unsigned count = 0;

    if (EXPECT(house_open(&house, folder.path, &err) && deliver_first(&house, &err), "%s", err.detail)) {
        atomic_store(&asked, 0);
        atomic_store(&until_failure, (int)n);
        const bool told = deliver_rest(&house, outcomes, &err);
        const bool withdrawn = withdraw_c(&house, &withdraw_err);
        atomic_store(&until_failure, -1);
        count = atomic_load(&asked);
        EXPECT(told || is_expected(err.fault), "request %u: %s", n, err.detail);
        for (int i = 0; i < DELIVERED; i++)
            EXPECT(outcomes[i].fault == FAULT_NONE || is_expected(outcomes[i].fault),
                   "request %u, instance %d: %s", n, i, outcomes[i].detail);
        EXPECT(withdrawn || is_expected(withdraw_err.fault) || outcomes[2].fault != FAULT_NONE,
               "request %u: %s", n, withdraw_err.detail);
        expect_what_was_told(&house, outcomes, withdrawn, n);
    }
    house_close(&house);
    temp_folder_remove(&folder);
    return count;
}

TEST(whenever_SQLite_lacks_memory_nothing_is_half_there_and_all_is_as_told)
{
    unsigned lives = 0;

    prepare();
    delivery_in_memory();
    const unsigned requests = one_life(0);
    EXPECT(requests > 100, "%u requests", requests);
    for (unsigned n = 1; n <= requests && lives < LIVES_MOST && expect_failures < 5; n += STEP, lives++)
        one_life(n);
    printf("  %u requests for memory, %u of them refused\n", requests, lives);
}
