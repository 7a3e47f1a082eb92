/* storage/data_lock.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * flock on <root>/lock; what the file says is for people and never decides.
 */
#include "storage/data_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/file.h"

struct data_lock {
    int fd;
};

static bool lock_path(const char *root, char into[PATH_MAX])
{
    return snprintf(into, PATH_MAX, "%s/lock", root) < PATH_MAX;
}

static void read_holder(int fd, char *into, size_t size)
{
    const ssize_t got = pread(fd, into, size - 1, 0);

    into[got > 0 ? got : 0] = '\0';
    into[strcspn(into, "\n")] = '\0';
    if (!into[0])
        snprintf(into, size, "another process");
}

static void write_holder(int fd, const char *who)
{
    char text[160];
    struct error ignored = { 0 };
    const int size = snprintf(text, sizeof text, "%.100s, process %d\n", who, (int)getpid());

    /* A volume that takes no byte keeps its lock all the same. */
    if (ftruncate(fd, 0) == 0)
        (void)!file_write_at(fd, bytes_of(text, (size_t)size), 0, &ignored);
}

bool data_lock_take(const char *root, const char *who, struct data_lock **ret, struct error *err)
{
    char path[PATH_MAX], holder[160];

    if (!lock_path(root, path))
        return error_set(err, FAULT_DISK, "path too long");
    if (!file_make_folders(root, 0700, err))
        return false;
    SCOPED(file) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_errno(err, errno, "opening %s", path);
    bool locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
    /* Whoever only asks (data_lock_holder) has it for a moment. */
    for (int again = 0; !locked && errno == EWOULDBLOCK && again < 5; again++) {
        usleep(20000);
        locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
    }
    if (!locked) {
        if (errno != EWOULDBLOCK)
            return error_errno(err, errno, "locking %s", path);
        read_holder(fd, holder, sizeof holder);
        return error_tell(err, FAULT_BUSY, "%s is in use by %s.", root, holder);
    }
    struct data_lock *lock = malloc(sizeof *lock);
    if (!lock)
        return error_set(err, FAULT_BUSY, "no memory for a lock");
    write_holder(fd, who);
    lock->fd = fd;
    fd = -1;
    *ret = lock;
    return true;
}

void data_lock_give(struct data_lock *lock)
{
    if (!lock)
        return;
    file_close(lock->fd);
    free(lock);
}

bool data_lock_holder(const char *root, char *into, size_t size)
{
    char path[PATH_MAX];

    if (!lock_path(root, path))
        return false;
    SCOPED(file) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return false;
    read_holder(fd, into, size);
    return true;
}
