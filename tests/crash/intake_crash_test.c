/* tests/crash/intake_crash_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The process is killed before every single step of a delivery, then before every step of the recovery from
 * that; what was acknowledged is there afterwards, and nothing is half there. (A kill, not a power cut: what
 * the kernel has been given stays. That syncs come before what relies on them is for the order of steps to
 * show.)
 */
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "storage/recover.h"
#include "tests/faults/delivery.h"
#include "tests/faults/failing_calls.h"
#include "tests/support/expect.h"
#include "tests/support/temp_folder.h"

enum { ACKNOWLEDGED_DELIVERY = 1, ACKNOWLEDGED_WITHDRAWAL = 2 };

static void acknowledge(int fd, uint8_t what)
{
    if (syscall(SYS_write, fd, &what, 1) != 1) /* not a call that is counted */
        _exit(4);
}

static void live(const char *folder, unsigned n, int fd)
{
    struct house house;
    struct error outcomes[DELIVERED], err = { 0 };

    if (!house_open(&house, folder, &err))
        _exit(2);
    failing_calls_arm(FAIL_DIE, n);
    if (!deliver_rest(&house, outcomes, &err))
        _exit(3);
    acknowledge(fd, ACKNOWLEDGED_DELIVERY);
    if (!withdraw_c(&house, &err))
        _exit(3);
    acknowledge(fd, ACKNOWLEDGED_WITHDRAWAL);
    failing_calls_disarm();
    house_close(&house);
    _exit(0);
}

static void recover_until(const char *folder, unsigned n)
{
    struct house house;
    struct error err = { 0 };
    uint64_t removed;

    if (!house_open(&house, folder, &err))
        _exit(2);
    failing_calls_arm(FAIL_DIE, n);
    if (!recover(house.store, house.catalog, &removed, &err))
        _exit(3);
    failing_calls_disarm();
    house_close(&house);
    _exit(0);
}

static int wait_for(pid_t child)
{
    int status = 0;

    while (waitpid(child, &status, 0) < 0)
        ;
    return status;
}

static bool was_killed(int status)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/* A life that ends before step n; *ret_acknowledged: what it had told by then. False: it did not die. */
static bool life_until(const char *folder, unsigned n, uint8_t *ret_acknowledged)
{
    int ends[2];
    uint8_t told;

    if (pipe(ends) != 0)
        return EXPECT(false, "pipe");
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0)
        live(folder, n, ends[1]);
    close(ends[1]);
    *ret_acknowledged = 0;
    while (read(ends[0], &told, 1) == 1)
        *ret_acknowledged |= told;
    close(ends[0]);
    const int status = wait_for(child);
    EXPECT(was_killed(status) || status == 0, "step %u: status %x", n, (unsigned)status);
    return was_killed(status);
}

static void expect_what_was_acknowledged(struct house *house, unsigned n, uint8_t acknowledged)
{
    struct error err = { 0 };

    EXPECT(house_is_sound(house, &err), "step %u: %s", n, err.detail);
    const bool newer = house_has(house, SAMPLE_NEWER_A, &err), older = house_has(house, SAMPLE_A, &err);
    EXPECT(newer != older, "step %u: newer A %d, A %d", n, newer, older);
    if (acknowledged & ACKNOWLEDGED_DELIVERY)
        EXPECT(newer && house_has(house, SAMPLE_B, &err), "step %u: %s", n, err.detail);
    if (acknowledged & ACKNOWLEDGED_WITHDRAWAL)
        EXPECT(!house_has(house, SAMPLE_C, &err), "step %u: C is still there", n);
}

static struct temp_folder new_house(void)
{
    struct house house;
    struct error err = { 0 };
    static bool prepared;

    if (!prepared) {
        delivery_prepare();
        delivery_in_memory();
    }
    prepared = true;
    struct temp_folder folder = temp_folder_new();
    EXPECT(house_open(&house, folder.path, &err) && deliver_first(&house, &err), "%s", err.detail);
    house_close(&house);
    return folder;
}

static void kill_before_any_step(bool behind)
{
    unsigned n = 0;
    bool died = true;

    delivery_commits_behind = behind;
    while (died && n < 1000) {
        struct temp_folder folder = new_house();
        struct house house;
        struct error err = { 0 };
        uint8_t acknowledged = 0;
        uint64_t removed = 0;
        died = life_until(folder.path, ++n, &acknowledged);
        if (EXPECT(house_open(&house, folder.path, &err), "step %u: %s", n, err.detail)) {
            EXPECT(recover(house.store, house.catalog, &removed, &err), "step %u: %s", n, err.detail);
            expect_what_was_acknowledged(&house, n, acknowledged);
        }
        house_close(&house);
        temp_folder_remove(&folder);
    }
    printf("  %u steps\n", n - 1);
    EXPECT(n > 10 && n < 1000, "%u steps", n);
}

TEST(killed_before_any_step_nothing_acknowledged_is_lost_and_nothing_is_half_there)
{
    kill_before_any_step(false);
}

TEST(killed_before_any_step_with_a_batch_behind_nothing_acknowledged_is_lost_and_nothing_is_half_there)
{
    kill_before_any_step(true);
}

TEST(a_recovery_that_is_killed_is_finished_by_the_next)
{
    bool died = true;

    delivery_commits_behind = false;
    for (unsigned n = 1; died && n < 1000; n += 5) {
        struct temp_folder folder = new_house();
        struct house house;
        struct error err = { 0 };
        uint8_t acknowledged = 0;
        uint64_t removed = 0;
        died = life_until(folder.path, n, &acknowledged);
        /* The second step each time: so each attempt gets one further, and dies between the two of a draft.
         */
        for (int status = -1, attempts = 0; status != 0 && attempts < 50; attempts++) {
            fflush(stdout);
            const pid_t child = fork();
            if (child == 0)
                recover_until(folder.path, 2 + (unsigned)attempts);
            status = wait_for(child);
            EXPECT(status == 0 || was_killed(status), "step %u: status %x", n, (unsigned)status);
        }
        if (EXPECT(house_open(&house, folder.path, &err), "step %u: %s", n, err.detail)) {
            EXPECT(recover(house.store, house.catalog, &removed, &err) && removed <= 1, "step %u: %s", n,
                   err.detail);
            expect_what_was_acknowledged(&house, n, acknowledged);
        }
        house_close(&house);
        temp_folder_remove(&folder);
    }
}
