/* storage/open_files.c
 * SPDX-License-Identifier: Apache-2.0
 *
 *   generation ─► shard (lock) ─► bucket ─► file ─► file
 *                   newest ◄──► ... ◄──► oldest            (all of a shard, by last use)
 */
#include "storage/open_files.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MOST_SHARDS = 16,
    FILES_PER_SHARD = 8, /* fewer shards rather than smaller ones */
};

struct shard {
    pthread_mutex_t lock;
    struct store_reader **buckets;
    struct store_reader *newest, *oldest;
    unsigned count, most;
    unsigned bucket_mask;
};

struct open_files {
    unsigned shard_count; /* a power of two, as the numbers of buckets */
    pthread_mutex_t unlinked_lock;
    struct store_reader *unlinked;
    struct shard shards[MOST_SHARDS];
};

static struct shard *shard_of(struct open_files *files, uint64_t generation)
{
    return &files->shards[generation & (files->shard_count - 1)];
}

static struct store_reader **bucket_of(struct open_files *files, struct shard *shard, uint64_t generation)
{
    return &shard->buckets[(generation / files->shard_count) & shard->bucket_mask];
}

struct open_files *open_files_new(unsigned most)
{
    struct open_files *files = calloc(1, sizeof *files);
    unsigned buckets = 1;

    if (!files)
        return NULL;
    files->shard_count = 1;
    while (files->shard_count < MOST_SHARDS && most / (files->shard_count * 2) >= FILES_PER_SHARD)
        files->shard_count *= 2;
    const unsigned each = most < files->shard_count ? 1 : most / files->shard_count;
    while (buckets < each)
        buckets *= 2;
    pthread_mutex_init(&files->unlinked_lock, NULL);
    for (unsigned i = 0; i < files->shard_count; i++) {
        struct shard *shard = &files->shards[i];
        pthread_mutex_init(&shard->lock, NULL);
        shard->most = each;
        shard->bucket_mask = buckets - 1;
        if (!(shard->buckets = calloc(buckets, sizeof *shard->buckets))) {
            open_files_free(files);
            return NULL;
        }
    }
    return files;
}

void open_files_free(struct open_files *files)
{
    if (!files)
        return;
    for (unsigned i = 0; i < files->shard_count; i++) {
        struct shard *shard = &files->shards[i];
        for (struct store_reader *file = shard->newest, *older; file; file = older) {
            older = file->older;
            open_files_leave(file);
        }
        free(shard->buckets);
    }
    open_files_close_unlinked(files);
    free(files);
}

/* Under the shard's lock, like the three that follow. */
static struct store_reader *look_up(struct open_files *files, struct shard *shard, uint64_t generation)
{
    struct store_reader *file = *bucket_of(files, shard, generation);

    while (file && file->generation != generation)
        file = file->next_in_bucket;
    return file;
}

static void take_out_of_order(struct shard *shard, struct store_reader *file)
{
    *(file->newer ? &file->newer->older : &shard->newest) = file->older;
    *(file->older ? &file->older->newer : &shard->oldest) = file->newer;
}

static void put_first(struct shard *shard, struct store_reader *file)
{
    file->newer = NULL;
    file->older = shard->newest;
    *(shard->newest ? &shard->newest->newer : &shard->oldest) = file;
    shard->newest = file;
}

static void take_out(struct open_files *files, struct shard *shard, struct store_reader *file)
{
    struct store_reader **at = bucket_of(files, shard, file->generation);

    while (*at != file)
        at = &(*at)->next_in_bucket;
    *at = file->next_in_bucket;
    take_out_of_order(shard, file);
    shard->count--;
}

struct store_reader *open_files_find(struct open_files *files, uint64_t generation)
{
    struct shard *shard = shard_of(files, generation);

    pthread_mutex_lock(&shard->lock);
    struct store_reader *file = look_up(files, shard, generation);
    if (file) {
        atomic_fetch_add_explicit(&file->references, 1, memory_order_relaxed);
        if (file->newer) {
            take_out_of_order(shard, file);
            put_first(shard, file);
        }
    }
    pthread_mutex_unlock(&shard->lock);
    return file;
}

static bool is_unlinked(int fd)
{
    struct stat about;

    return fstat(fd, &about) == 0 && about.st_nlink == 0;
}

struct store_reader *open_files_add(struct open_files *files, struct store *store, uint64_t generation,
                                    int fd)
{
    struct shard *shard = shard_of(files, generation);
    struct store_reader *file = malloc(sizeof *file), *evicted = NULL;

    if (!file) {
        close(fd);
        return NULL;
    }
    *file = (struct store_reader){ .store = store, .generation = generation, .fd = fd, .files = files };
    atomic_init(&file->references, 2);

    pthread_mutex_lock(&shard->lock);
    struct store_reader *faster = look_up(files, shard, generation);
    if (faster) {
        atomic_fetch_add_explicit(&faster->references, 1, memory_order_relaxed);
    } else {
        if (shard->count == shard->most) {
            evicted = shard->oldest;
            take_out(files, shard, evicted);
        }
        struct store_reader **bucket = bucket_of(files, shard, generation);
        file->next_in_bucket = *bucket;
        *bucket = file;
        put_first(shard, file);
        shard->count++;
    }
    pthread_mutex_unlock(&shard->lock);

    if (evicted)
        open_files_leave(evicted);
    if (faster) {
        close(fd);
        free(file);
        return faster;
    }
    /* Unlinked between our open and our adding it: open_files_forget may have come too early to see it. */
    if (is_unlinked(fd))
        open_files_forget(files, generation);
    return file;
}

void open_files_leave(struct store_reader *file)
{
    struct open_files *files = file->files;

    if (atomic_fetch_sub_explicit(&file->references, 1, memory_order_acq_rel) != 1)
        return;
    if (is_unlinked(file->fd)) {
        pthread_mutex_lock(&files->unlinked_lock);
        file->next_unlinked = files->unlinked;
        files->unlinked = file;
        pthread_mutex_unlock(&files->unlinked_lock);
        return;
    }
    close(file->fd);
    free(file);
}

void open_files_forget(struct open_files *files, uint64_t generation)
{
    struct shard *shard = shard_of(files, generation);

    pthread_mutex_lock(&shard->lock);
    struct store_reader *file = look_up(files, shard, generation);
    if (file)
        take_out(files, shard, file);
    pthread_mutex_unlock(&shard->lock);
    if (file)
        open_files_leave(file);
}

void open_files_close_unlinked(struct open_files *files)
{
    pthread_mutex_lock(&files->unlinked_lock);
    struct store_reader *file = files->unlinked;
    files->unlinked = NULL;
    pthread_mutex_unlock(&files->unlinked_lock);

    for (struct store_reader *next; file; file = next) {
        next = file->next_unlinked;
        close(file->fd);
        free(file);
    }
}
