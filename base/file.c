/* base/file.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Files; see file.h. Every write, sync and rename of the project that must not be lost goes through here
 * or storage/store.c, so that a shim can make the n-th one fail.
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

bool file_write(int fd, struct bytes data, struct error *err)
{
    while (data.size > 0) {
        const ssize_t written = write(fd, data.data, data.size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return error_errno(err, written < 0 ? errno : EIO, "write");
        data = bytes_from(data, (size_t)written);
    }
    return true;
}

bool file_write_at(int fd, struct bytes data, uint64_t offset, struct error *err)
{
    while (data.size > 0) {
        const ssize_t written = pwrite(fd, data.data, data.size, (off_t)offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return error_errno(err, written < 0 ? errno : EIO, "pwrite");
        data = bytes_from(data, (size_t)written);
        offset += (uint64_t)written;
    }
    return true;
}

bool file_read_at(int fd, void *into, size_t size, uint64_t offset, struct error *err)
{
    uint8_t *at = into;

    while (size > 0) {
        const ssize_t got = pread(fd, at, size, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_errno(err, errno, "pread");
        if (got == 0)
            return error_set(err, FAULT_DISK, "file ends %zu bytes early", size);
        at += got;
        size -= (size_t)got;
        offset += (uint64_t)got;
    }
    return true;
}

bool file_read_all(const char *path, size_t ceiling, char **ret, size_t *ret_size, struct error *err)
{
    SCOPED(file) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat about;

    if (fd < 0)
        return error_errno(err, errno, "opening %s", path);
    if (fstat(fd, &about) != 0)
        return error_errno(err, errno, "fstat %s", path);
    if (about.st_size < 0 || (uint64_t)about.st_size > ceiling)
        return error_set(err, FAULT_TOO_LARGE, "%s: over %zu bytes", path, ceiling);
    const size_t size = (size_t)about.st_size;
    char *text = malloc(size + 1);
    if (!text)
        return error_set(err, FAULT_BUSY, "no memory for %s", path);
    if (!file_read_at(fd, text, size, 0, err)) {
        free(text);
        return error_while(err, "reading %s", path);
    }
    text[size] = '\0';
    *ret = text;
    *ret_size = size;
    return true;
}

bool file_sync_folder(const char *path, struct error *err)
{
    SCOPED(file) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return error_errno(err, errno, "opening folder %s", path);
    if (fsync(fd) != 0)
        return error_errno(err, errno, "fsync of folder %s", path);
    return true;
}

static bool write_synced(const char *path, struct bytes data, mode_t mode, struct error *err)
{
    SCOPED(file) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

    if (fd < 0)
        return error_errno(err, errno, "creating %s", path);
    if (!file_write(fd, data, err))
        return error_while(err, "%s", path);
    if (fsync(fd) != 0)
        return error_errno(err, errno, "fsync of %s", path);
    return true;
}

/* Of a path without a slash at its end. */
static bool sync_parent(const char *path, struct error *err)
{
    char folder[PATH_MAX];

    if (snprintf(folder, sizeof folder, "%s", path) >= (int)sizeof folder)
        return error_set(err, FAULT_DISK, "path too long");
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder ? 1 : 0] = '\0';
    return file_sync_folder(slash ? folder : ".", err);
}

bool file_replace(const char *path, struct bytes data, mode_t mode, struct error *err)
{
    char beside[PATH_MAX];

    if (snprintf(beside, sizeof beside, "%s.new", path) >= (int)sizeof beside)
        return error_set(err, FAULT_DISK, "path too long");
    if (!write_synced(beside, data, mode, err)) {
        unlink(beside);
        return false;
    }
    if (rename(beside, path) != 0) {
        const int why = errno;
        unlink(beside);
        return error_errno(err, why, "renaming to %s", path);
    }
    return sync_parent(path, err);
}

bool file_make_folders(const char *path, mode_t mode, struct error *err)
{
    char partial[PATH_MAX];

    if (snprintf(partial, sizeof partial, "%s", path) >= (int)sizeof partial)
        return error_set(err, FAULT_DISK, "path too long");
    for (char *at = partial + 1;; at++) {
        if (*at != '/' && *at != '\0')
            continue;
        const char kept = *at;
        *at = '\0';
        const bool made = mkdir(partial, mode) == 0;
        if (!made && errno != EEXIST)
            return error_errno(err, errno, "making folder %s", partial);
        if (made && !sync_parent(partial, err))
            return false;
        if (kept == '\0')
            return true;
        *at = kept;
    }
}

void file_close(int fd)
{
    if (fd >= 0)
        close(fd);
}

void file_drop(int *fd)
{
    file_close(*fd);
}
