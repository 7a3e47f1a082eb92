/* tests/support/nameless_file.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Bytes as a file that has a path while it is open, and none on any disk.
 */
#ifndef GANTRY_TESTS_NAMELESS_FILE_H
#define GANTRY_TESTS_NAMELESS_FILE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct nameless_file {
    int fd;
    char path[64];
};

static inline struct nameless_file nameless_file_open(const uint8_t *data, size_t size)
{
    struct nameless_file file = { .fd = memfd_create("test", MFD_CLOEXEC) };

    if (file.fd < 0 || write(file.fd, data, size) != (ssize_t)size)
        abort();
    snprintf(file.path, sizeof file.path, "/proc/self/fd/%d", file.fd);
    return file;
}

static inline void nameless_file_close(const struct nameless_file *file)
{
    close(file->fd);
}

#endif
