/* tests/unit/storage/data_lock_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/data_lock.h"

#include <sys/wait.h>

#include "tests/support/expect.h"
#include "tests/support/temp_folder.h"

/* In a process of its own: 0 it got the lock, 1 it was told BUSY and by whom, 2 anything else. */
static int try_elsewhere(const char *root, const char *holder)
{
    struct data_lock *lock = NULL;
    struct error err = { 0 };
    int status = -1;

    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        if (data_lock_take(root, "another", &lock, &err))
            _exit(0);
        _exit(err.fault == FAULT_BUSY && strstr(err.told, holder) ? 1 : 2);
    }
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}

TEST(one_process_has_the_folder_and_a_second_is_told_who)
{
    struct temp_folder folder = temp_folder_new();
    struct data_lock *lock = NULL;
    struct error err = { 0 };
    char root[600], holder[200], want[64];

    snprintf(root, sizeof root, "%s/not/yet/made", folder.path);
    EXPECT(!data_lock_holder(root, holder, sizeof holder), "held by %s", holder);
    EXPECT(data_lock_take(root, "gantry serve", &lock, &err), "%s", err.detail);
    snprintf(want, sizeof want, "gantry serve, process %d", (int)getpid());
    EXPECT(data_lock_holder(root, holder, sizeof holder) && strcmp(holder, want) == 0, "\"%s\"", holder);
    EXPECT(try_elsewhere(root, want) == 1, "the second one");
    data_lock_give(lock);
    EXPECT(!data_lock_holder(root, holder, sizeof holder), "still held");
    EXPECT(try_elsewhere(root, "") == 0, "once it is given up");
    data_lock_give(NULL);
    temp_folder_remove(&folder);
}
