/* storage/open_files.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Descriptors of stored files, kept open for the next reader: least recently used ones go, none is closed
 * while somebody reads from it. Sharded by generation; no lock is held across a system call. Any thread.
 */
#ifndef GANTRY_STORAGE_OPEN_FILES_H
#define GANTRY_STORAGE_OPEN_FILES_H

#include <stdatomic.h>
#include <stdint.h>

#include "storage/store.h"

struct open_files;

/* An open file is what a store_reader is: one count for the cache, one for each reader. */
struct store_reader {
    struct store *store;
    uint64_t generation;
    int fd;
    /* for open_files.c: */
    struct open_files *files;
    atomic_uint references;
    struct store_reader *next_in_bucket;
    struct store_reader *newer, *older;
    struct store_reader *next_unlinked;
};

/* Keeps `most` files (at least 1), besides those that readers hold. NULL: no memory. */
struct open_files *open_files_new(unsigned most);
void open_files_free(struct open_files *files); /* nobody reads any more; NULL is fine */

/* Counted for the caller; NULL: not open. Never waits. */
struct store_reader *open_files_find(struct open_files *files, uint64_t generation);
/* Takes `fd` and keeps it; counted for the caller. When another thread was faster, that one's is returned.
 * NULL: no memory, `fd` is closed. Never waits. */
struct store_reader *open_files_add(struct open_files *files, struct store *store, uint64_t generation,
                                    int fd);
/* Never waits: the last close of a file that is unlinked frees its space, which takes the disk's time, so
 * such a descriptor is laid aside for open_files_close_unlinked. */
void open_files_leave(struct store_reader *reader);
/* To be called after the file was unlinked. */
void open_files_forget(struct open_files *files, uint64_t generation);
/* May wait. */
void open_files_close_unlinked(struct open_files *files);

#endif
