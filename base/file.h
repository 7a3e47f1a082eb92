/* base/file.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * System calls on files without their traps: EINTR, short reads and writes. They may wait.
 */
#ifndef GANTRY_BASE_FILE_H
#define GANTRY_BASE_FILE_H

#include <stdint.h>
#include <sys/types.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/error.h"

GANTRY_C_BEGIN

/* All of `data` at the file's position. */
MUST_USE bool file_write(int fd, struct bytes data, struct error *err);
/* All of `data` at `offset`. */
MUST_USE bool file_write_at(int fd, struct bytes data, uint64_t offset, struct error *err);
/* Exactly `size` bytes from `offset`; DISK when the file is shorter. */
MUST_USE bool file_read_at(int fd, void *into, size_t size, uint64_t offset, struct error *err);
/* The whole of a small file, with a NUL behind it (malloc, the caller's); TOO_LARGE over `ceiling` bytes. */
MUST_USE bool file_read_all(const char *path, size_t ceiling, char **ret, size_t *ret_size,
                            struct error *err);
/* Replaces `path` as one step: written beside it with `mode`, synced, renamed, folder synced. */
MUST_USE bool file_replace(const char *path, struct bytes data, mode_t mode, struct error *err);
MUST_USE bool file_sync_folder(const char *path, struct error *err);
/* The folder and its missing parents; those made survive a power cut. */
MUST_USE bool file_make_folders(const char *path, mode_t mode, struct error *err);
void file_close(int fd); /* -1 is fine */
/* SCOPED(file) int fd = -1; */
void file_drop(int *fd);

GANTRY_C_END

#endif
