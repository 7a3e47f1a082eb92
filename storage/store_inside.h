/* storage/store_inside.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What store.c (files that stay), draft.c (files that arrive) and spool.c (files that wait) share. For these
 * only.
 */
#ifndef GANTRY_STORAGE_STORE_INSIDE_H
#define GANTRY_STORAGE_STORE_INSIDE_H

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "storage/holds.h"
#include "storage/open_files.h"
#include "storage/store.h"

enum {
    GENERATIONS_PER_FOLDER = STORE_GENERATIONS_PER_FOLDER,
    DRAFT_NAME_SIZE = 16 + 1,
    FOLDER_NAME_SIZE = 13 + 1,
    OBJECT_NAME_SIZE = 13 + 1 + 16 + 4 + 1,
};

struct store {
    char *root;
    int objects_fd, drafts_fd; /* -1: not open */
    uint64_t free_space_floor, held_ms;
    atomic_uint_fast64_t next_generation;
    struct open_files *open_files;
    struct settling *settling;
    struct holds *holds;
    pthread_rwlock_t told_lock;
    store_told_fn *told; /* of forgotten files, or NULL */
    void *told_context;
    bool can_open_cached; /* openat2 RESOLVE_CACHED */
    bool can_read_cached; /* preadv2 RWF_NOWAIT */
    pthread_mutex_t folder_lock;
    uint64_t
        durable_folder; /* of this one it is known that its name survives a power cut; UINT64_MAX: none */
    pthread_mutex_t behind_lock;
    pthread_cond_t behind_ended;
    unsigned behind; /* see store_begin_behind */
};

/* For work on the store that no caller waits for (storage/batch.c): store_close waits until it has ended.
 * False, and not begun, where `most` are under way. */
MUST_USE bool store_begin_behind(struct store *store, unsigned most);
void store_end_behind(struct store *store);

/* How much may be written before the volume's free space is looked at again. */
#define FREE_SPACE_EVERY_BYTES ((uint64_t)16 << 20)
/* DISK_FULL under the floor. */
MUST_USE bool store_check_free_space(const struct store *store, struct error *err);

static inline void draft_name(uint64_t generation, char into[DRAFT_NAME_SIZE])
{
    snprintf(into, DRAFT_NAME_SIZE, "%016" PRIx64, generation);
}
static inline void folder_name(uint64_t folder, char into[FOLDER_NAME_SIZE])
{
    snprintf(into, FOLDER_NAME_SIZE, "%013" PRIx64, folder);
}
/* Below objects/. */
static inline void object_name(uint64_t generation, char into[OBJECT_NAME_SIZE])
{
    snprintf(into, OBJECT_NAME_SIZE, "%013" PRIx64 "/%016" PRIx64 ".dcm", generation / GENERATIONS_PER_FOLDER,
             generation);
}

/* Calls `each` with the number of every entry of the folder whose name is `digits` hexadecimal digits and
 * `suffix`, until it returns false. Other entries are not ours and are left alone. */
MUST_USE bool folder_each_number(int folder_fd, unsigned digits, const char *suffix,
                                 bool (*each)(void *context, uint64_t number), void *context,
                                 struct error *err);

#endif
