/* storage/frame_cache.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * One table of entries under one lock, which is never held across making, reading or writing. An entry is in
 * memory, on disk, both, being made, or the memory of a failure.
 */
#include "storage/frame_cache.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <zlib.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/number.h"

enum {
    BUCKETS = 1 << 14,
    NAME_HEX = 16 + 2 * FRAME_KEY_BYTES,
    FAILURE_BYTES = 512,
    LARGEST_SHARE = 4,
    DISK_BLOCK_BYTES = 4096
};

static const char MAGIC[8] = "GFRAME1\n";

struct header {
    char magic[8];
    uint64_t size;
    uint32_t checksum, reserved;
    uint8_t hash[FRAME_KEY_BYTES];
};

struct link {
    struct entry *newer, *older;
};

struct entry {
    struct frame_key key;
    struct entry *next; /* in its bucket */
    bool making;
    struct waiter *waiters, **waiters_end; /* in the order in which they came */
    struct block *block;                   /* in memory */
    struct error *failure;
    struct link in_memory; /* of those with a block or a failure */
    uint64_t file_bytes;   /* on disk; 0: not */
    struct link on_disk;
};

struct list {
    struct entry *newest, *oldest;
    uint64_t bytes, ceiling;
};

struct frame_cache {
    char *folder;
    pthread_mutex_t lock;
    pthread_cond_t made; /* for those without a waiter */
    struct entry *buckets[BUCKETS];
    struct list memory, disk;
    uint64_t free_space_floor;
    struct frame_cache_count count;
};

/* ── the table; lock held ── */

static struct entry **bucket_of(struct frame_cache *cache, const struct frame_key *key)
{
    return &cache->buckets[((unsigned)key->hash[0] | (unsigned)key->hash[1] << 8) % BUCKETS];
}

static bool same_key(const struct frame_key *a, const struct frame_key *b)
{
    return a->generation == b->generation && memcmp(a->hash, b->hash, FRAME_KEY_BYTES) == 0;
}

static struct entry *find(struct frame_cache *cache, const struct frame_key *key)
{
    for (struct entry *entry = *bucket_of(cache, key); entry; entry = entry->next)
        if (same_key(&entry->key, key))
            return entry;
    return NULL;
}

static struct entry *add(struct frame_cache *cache, const struct frame_key *key)
{
    struct entry **bucket = bucket_of(cache, key), *entry = calloc(1, sizeof *entry);

    if (!entry)
        abort();
    entry->key = *key;
    entry->waiters_end = &entry->waiters;
    entry->next = *bucket;
    *bucket = entry;
    return entry;
}

/* What the block budget knows of it: a block of few bytes may have much room. */
static uint64_t memory_cost(const struct entry *entry)
{
    return sizeof *entry + (entry->block ? block_cost(entry->block) : FAILURE_BYTES);
}

/* File systems give whole blocks, of 4 KiB nearly everywhere. It bounds the number of entries as well. */
static uint64_t disk_cost(const struct entry *entry)
{
    return (entry->file_bytes + DISK_BLOCK_BYTES - 1) / DISK_BLOCK_BYTES * DISK_BLOCK_BYTES;
}

#define LIST_FUNCTIONS(name, member) \
    static void name##_remove(struct list *list, struct entry *entry, uint64_t bytes) \
    { \
        struct link *link = &entry->member; \
        *(link->newer ? &link->newer->member.older : &list->newest) = link->older; \
        *(link->older ? &link->older->member.newer : &list->oldest) = link->newer; \
        *link = (struct link){ NULL, NULL }; \
        list->bytes -= bytes; \
    } \
    static void name##_add(struct list *list, struct entry *entry, uint64_t bytes) \
    { \
        entry->member = (struct link){ NULL, list->newest }; \
        *(list->newest ? &list->newest->member.newer : &list->oldest) = entry; \
        list->newest = entry; \
        list->bytes += bytes; \
    }
LIST_FUNCTIONS(memory, in_memory)
LIST_FUNCTIONS(disk, on_disk)

/* An entry that has nothing any more. */
static void drop_if_empty(struct frame_cache *cache, struct entry *entry)
{
    if (entry->making || entry->block || entry->failure || entry->file_bytes)
        return;
    struct entry **at = bucket_of(cache, &entry->key);
    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    free(entry);
}

static void leave_memory(struct frame_cache *cache, struct entry *entry)
{
    memory_remove(&cache->memory, entry, memory_cost(entry));
    block_unref(TAKE(entry->block));
    free(TAKE(entry->failure));
}

/* ── files ── */

static void file_name(const struct frame_cache *cache, const struct frame_key *key, const char *end,
                      char *into, size_t size)
{
    char hex[2 * FRAME_KEY_BYTES + 1];

    digest_hex(key->hash, FRAME_KEY_BYTES, hex);
    snprintf(into, size, "%s/%016" PRIx64 "%s%s", cache->folder, key->generation, hex, end);
}

static uint32_t checksum_of(struct bytes data)
{
    return (uint32_t)crc32_z(0, data.data, data.size);
}

static bool has_room(const struct frame_cache *cache)
{
    struct statvfs volume;

    return statvfs(cache->folder, &volume) == 0 &&
           (uint64_t)volume.f_bavail * volume.f_frsize >= cache->free_space_floor;
}

/* Beside its name, then renamed: a file with a name is whole, or was cut by a power failure and fails its
 * checksum. Whatever fails here is no failure of the server. */
static bool write_file(const struct frame_cache *cache, const struct frame_key *key, struct bytes data)
{
    char path[PATH_MAX], part[PATH_MAX];
    struct header header = { .size = data.size, .checksum = checksum_of(data) };
    struct error err = { 0 };

    memcpy(header.magic, MAGIC, sizeof MAGIC);
    memcpy(header.hash, key->hash, FRAME_KEY_BYTES);
    file_name(cache, key, "", path, sizeof path);
    file_name(cache, key, ".part", part, sizeof part);
    if (!has_room(cache))
        return false;
    SCOPED(file) int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    if (!file_write(fd, bytes_of(&header, sizeof header), &err) || !file_write(fd, data, &err) ||
        rename(part, path) != 0) {
        unlink(part);
        return false;
    }
    return true;
}

static bool read_file(const struct frame_cache *cache, const struct frame_key *key, uint64_t file_bytes,
                      struct block **ret)
{
    char path[PATH_MAX];
    struct header header;
    struct error err = { 0 };
    struct block *block = NULL;

    file_name(cache, key, "", path, sizeof path);
    SCOPED(file) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || !file_read_at(fd, &header, sizeof header, 0, &err) ||
        memcmp(header.magic, MAGIC, sizeof MAGIC) != 0 ||
        memcmp(header.hash, key->hash, FRAME_KEY_BYTES) != 0 || header.size != file_bytes - sizeof header ||
        !block_take((size_t)header.size, &block, &err))
        return false;
    if (!file_read_at(fd, block_room(block, NULL), (size_t)header.size, sizeof header, &err) ||
        checksum_of(bytes_of(block_room(block, NULL), (size_t)header.size)) != header.checksum) {
        block_unref(block);
        return false;
    }
    block_seal(block, (size_t)header.size);
    block_trim(&block);
    *ret = block;
    return true;
}

static void remove_file(const struct frame_cache *cache, const struct frame_key *key)
{
    char path[PATH_MAX];

    file_name(cache, key, "", path, sizeof path);
    unlink(path);
}

/* ── bounds ── */

/* Takes the oldest file that is too much out of the list; lock held. False: none is. */
static bool next_surplus_file(struct frame_cache *cache, struct frame_key *ret)
{
    struct entry *oldest = cache->disk.oldest;

    if (!oldest || cache->disk.bytes <= cache->disk.ceiling)
        return false;
    *ret = oldest->key;
    disk_remove(&cache->disk, oldest, disk_cost(oldest));
    oldest->file_bytes = 0;
    drop_if_empty(cache, oldest);
    return true;
}

static void note_file(struct frame_cache *cache, const struct frame_key *key, uint64_t bytes)
{
    struct entry *entry = find(cache, key);

    if (!entry)
        entry = add(cache, key);
    if (entry->file_bytes)
        disk_remove(&cache->disk, entry, disk_cost(entry));
    entry->file_bytes = bytes;
    disk_add(&cache->disk, entry, disk_cost(entry));
}

/* Takes the oldest thing in memory that is too much, with a reference to its block if it is to be written;
 * lock held. */
static bool next_surplus_block(struct frame_cache *cache, uint64_t ceiling, struct frame_key *ret_key,
                               struct block **ret_block)
{
    struct entry *oldest = cache->memory.oldest;

    if (!oldest || cache->memory.bytes <= ceiling)
        return false;
    *ret_key = oldest->key;
    *ret_block = NULL;
    if (oldest->block && !oldest->file_bytes &&
        block_bytes(oldest->block).size <= cache->disk.ceiling / LARGEST_SHARE)
        *ret_block = block_ref(oldest->block);
    leave_memory(cache, oldest);
    drop_if_empty(cache, oldest);
    return true;
}

/* Down to the ceilings: from memory to disk, from disk to nothing. No lock held. */
static void make_room(struct frame_cache *cache, uint64_t memory_ceiling)
{
    struct frame_key key;
    struct block *block = NULL;

    pthread_mutex_lock(&cache->lock);
    while (next_surplus_block(cache, memory_ceiling, &key, &block)) {
        if (!block)
            continue;
        pthread_mutex_unlock(&cache->lock);
        const struct bytes data = block_bytes(block);
        const bool written = write_file(cache, &key, data);
        const uint64_t size = sizeof(struct header) + data.size;
        block_unref(block);
        pthread_mutex_lock(&cache->lock);
        if (written)
            note_file(cache, &key, size);
    }
    while (next_surplus_file(cache, &key)) {
        pthread_mutex_unlock(&cache->lock);
        remove_file(cache, &key);
        pthread_mutex_lock(&cache->lock);
    }
    pthread_mutex_unlock(&cache->lock);
}

/* ── asking ── */

static_assert(sizeof(struct frame_key) == WAITER_KEY_BYTES, "a waiter holds a key");

static void give_result(struct waiter *waiter, const struct frame_key *key, struct block *block)
{
    block_unref(waiter->result);
    waiter->result = block_ref(block);
    memcpy(waiter->result_key, key, sizeof *key);
}

static bool take_result(struct waiter *waiter, const struct frame_key *key, struct block **ret)
{
    if (!waiter->result || memcmp(waiter->result_key, key, sizeof *key) != 0)
        return false;
    *ret = TAKE(waiter->result);
    return true;
}

/* Lock held. */
static void join(struct entry *entry, struct waiter *waiter)
{
    if (waiter->waiting)
        return;
    waiter->hold(waiter);
    waiter->waiting = true;
    waiter->next = NULL;
    *entry->waiters_end = waiter;
    entry->waiters_end = &waiter->next;
}

/* The outcome of making is told to all, with what was made: the cache may have no room for it, and each
 * would make it anew, the last to come first. Lock held on entry, not on return. A waiter stays `waiting`
 * until it is woken, so that it does not join another list while this one is gone through. */
static void tell(struct frame_cache *cache, struct entry *entry, struct block *block_or_null)
{
    const struct frame_key key = entry->key;
    struct waiter *waiter = TAKE(entry->waiters);

    entry->waiters_end = &entry->waiters;
    entry->making = false;
    drop_if_empty(cache, entry);
    pthread_cond_broadcast(&cache->made);
    while (waiter) {
        struct waiter *const next = waiter->next;
        waiter->waiting = false;
        if (block_or_null)
            give_result(waiter, &key, block_or_null);
        pthread_mutex_unlock(&cache->lock);
        waiter->wake(waiter);
        waiter = next;
        pthread_mutex_lock(&cache->lock);
    }
    pthread_mutex_unlock(&cache->lock);
}

/* The entry is marked as being made, by us. Lock held on entry, not on return. */
static bool make_it(struct frame_cache *cache, struct entry *entry, frame_make_fn *make, void *context,
                    struct block **ret, struct error *err)
{
    const struct frame_key key = entry->key;
    const uint64_t file_bytes = entry->file_bytes;
    struct block *block = NULL;

    pthread_mutex_unlock(&cache->lock);
    const bool from_disk = file_bytes && read_file(cache, &key, file_bytes, &block);
    const bool ok = from_disk || make(context, &block, err);
    struct block *kept =
        ok && block_bytes(block).size <= cache->memory.ceiling / LARGEST_SHARE ? block_keep(block) : NULL;
    pthread_mutex_lock(&cache->lock);
    if (from_disk) {
        cache->count.disk_hits++;
        if (entry->file_bytes) { /* asked for: the newest again */
            disk_remove(&cache->disk, entry, disk_cost(entry));
            disk_add(&cache->disk, entry, disk_cost(entry));
        }
    } else if (file_bytes && entry->file_bytes) { /* it was not whole */
        disk_remove(&cache->disk, entry, disk_cost(entry));
        entry->file_bytes = 0;
    }
    cache->count.made += ok && !from_disk;
    entry->block = kept;
    if (!ok && fault_is_lasting(err->fault) && (entry->failure = malloc(sizeof *entry->failure)))
        *entry->failure = *err;
    if (entry->block || entry->failure)
        memory_add(&cache->memory, entry, memory_cost(entry));
    tell(cache, entry, block);
    make_room(cache, cache->memory.ceiling);
    if (ok)
        *ret = block;
    return ok;
}

/* Lock held. What is there already: a block, a remembered failure. */
static bool answer_at_once(struct frame_cache *cache, struct entry *entry, struct block **ret,
                           struct error *err)
{
    memory_remove(&cache->memory, entry, memory_cost(entry));
    memory_add(&cache->memory, entry, memory_cost(entry));
    cache->count.memory_hits++;
    if (entry->failure) {
        *err = *entry->failure;
        return false;
    }
    *ret = block_ref(entry->block);
    return true;
}

bool frame_cache_get(struct frame_cache *cache, const struct frame_key *key, enum patience patience,
                     struct waiter *waiter_or_null, frame_make_fn *make, void *context, struct block **ret,
                     struct error *err)
{
    pthread_mutex_lock(&cache->lock);
    if (waiter_or_null && take_result(waiter_or_null, key, ret)) {
        pthread_mutex_unlock(&cache->lock);
        return true;
    }
    struct entry *entry = find(cache, key);
    for (bool shared = false;; entry = find(cache, key)) {
        if (entry && (entry->block || entry->failure)) {
            const bool ok = answer_at_once(cache, entry, ret, err);
            pthread_mutex_unlock(&cache->lock);
            return ok;
        }
        if (patience == MUST_NOT_WAIT) {
            pthread_mutex_unlock(&cache->lock);
            return error_set(err, FAULT_WOULD_WAIT, "making a frame");
        }
        if (!entry || !entry->making)
            break;
        cache->count.shared += !shared;
        shared = true;
        if (waiter_or_null) {
            join(entry, waiter_or_null);
            pthread_mutex_unlock(&cache->lock);
            return error_set(err, FAULT_WOULD_WAIT, "another makes the frame");
        }
        pthread_cond_wait(&cache->made, &cache->lock);
    }
    if (!entry)
        entry = add(cache, key);
    entry->making = true;
    return make_it(cache, entry, make, context, ret, err);
}

struct frame_key frame_key_of(uint64_t generation, const uint8_t digest[STORE_DIGEST_BYTES], uint32_t frame,
                              const char *what)
{
    struct frame_key key = { .generation = generation };
    const size_t size = strlen(what);
    uint8_t text[STORE_DIGEST_BYTES + 256];

    memcpy(text, digest, STORE_DIGEST_BYTES);
    const int own = snprintf((char *)text + STORE_DIGEST_BYTES, 64, "%s %" PRIu32 " ", GANTRY_VERSION, frame);
    assert(own > 0 && own < 64);
    const size_t used = STORE_DIGEST_BYTES + (size_t)own;
    if (size <= sizeof text - used) {
        memcpy(text + used, what, size);
        digest_of(bytes_of(text, used + size), key.hash);
        return key;
    }
    /* The frames of an animation are named one by one. */
    struct digest *all = digest_new();
    digest_add(all, bytes_of(text, used));
    digest_add(all, bytes_of(what, size));
    digest_get(all, key.hash);
    digest_free(all);
    return key;
}

static int by_number(const void *a, const void *b)
{
    const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return left < right ? -1 : left > right;
}

static void forget_entry(struct frame_cache *cache, struct entry *entry)
{
    if (entry->block || entry->failure)
        leave_memory(cache, entry);
    if (entry->file_bytes) {
        remove_file(cache, &entry->key);
        disk_remove(&cache->disk, entry, disk_cost(entry));
        entry->file_bytes = 0;
    }
    drop_if_empty(cache, entry);
}

/* One walk for all of them; the lock is let go between the buckets. */
void frame_cache_forget(struct frame_cache *cache, const uint64_t *generations, size_t count)
{
    uint64_t *sorted = malloc((count ? count : 1) * sizeof *sorted);

    if (!sorted)
        abort();
    if (count) {
        memcpy(sorted, generations, count * sizeof *sorted);
        qsort(sorted, count, sizeof *sorted, by_number);
    }
    for (unsigned i = 0; count && i < BUCKETS; i++) {
        pthread_mutex_lock(&cache->lock);
        for (struct entry *entry = cache->buckets[i], *next; entry; entry = next) {
            next = entry->next;
            if (bsearch(&entry->key.generation, sorted, count, sizeof *sorted, by_number))
                forget_entry(cache, entry);
        }
        pthread_mutex_unlock(&cache->lock);
    }
    free(sorted);
}

struct frame_cache_count frame_cache_count(struct frame_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    struct frame_cache_count count = cache->count;
    count.memory_bytes = cache->memory.bytes;
    count.disk_bytes = cache->disk.bytes;
    pthread_mutex_unlock(&cache->lock);
    return count;
}

/* ── opening and closing ── */

static bool hex_value(char c, uint8_t *ret)
{
    if (c >= '0' && c <= '9')
        *ret = (uint8_t)(c - '0');
    else if (c >= 'a' && c <= 'f')
        *ret = (uint8_t)(c - 'a' + 10);
    else
        return false;
    return true;
}

static bool key_of_name(const char *name, struct frame_key *ret)
{
    uint8_t raw[8 + FRAME_KEY_BYTES];

    if (strlen(name) != NAME_HEX)
        return false;
    for (size_t i = 0; i < sizeof raw; i++) {
        uint8_t high, low;
        if (!hex_value(name[2 * i], &high) || !hex_value(name[2 * i + 1], &low))
            return false;
        raw[i] = (uint8_t)(high << 4 | low);
    }
    ret->generation = 0;
    for (unsigned i = 0; i < 8; i++)
        ret->generation = ret->generation << 8 | raw[i];
    memcpy(ret->hash, raw + 8, FRAME_KEY_BYTES);
    return true;
}

struct found_file {
    struct frame_key key;
    uint64_t size;
    struct timespec changed;
};

static int older_first(const void *a, const void *b)
{
    const struct timespec *left = &((const struct found_file *)a)->changed;
    const struct timespec *right = &((const struct found_file *)b)->changed;

    if (left->tv_sec != right->tv_sec)
        return left->tv_sec < right->tv_sec ? -1 : 1;
    return left->tv_nsec < right->tv_nsec ? -1 : left->tv_nsec > right->tv_nsec;
}

/* What an earlier run left; parts of files go. */
static bool read_folder(struct frame_cache *cache, struct error *err)
{
    struct found_file *found = NULL;
    size_t count = 0, capacity = 0;
    DIR *folder = opendir(cache->folder);

    if (!folder)
        return error_errno(err, errno, "opening the folder of made frames");
    for (const struct dirent *at; (at = readdir(folder));) {
        struct stat status;
        struct frame_key key;

        if (at->d_name[0] == '.' || fstatat(dirfd(folder), at->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISREG(status.st_mode))
            continue;
        if (!key_of_name(at->d_name, &key) || (uint64_t)status.st_size <= sizeof(struct header)) {
            unlinkat(dirfd(folder), at->d_name, 0);
            continue;
        }
        if (count == capacity) {
            capacity = capacity ? 2 * capacity : 64;
            struct found_file *larger = realloc(found, capacity * sizeof *found);
            if (!larger)
                abort();
            found = larger;
        }
        found[count++] = (struct found_file){ key, (uint64_t)status.st_size, status.st_mtim };
    }
    closedir(folder);
    if (count)
        qsort(found, count, sizeof *found, older_first);
    for (size_t i = 0; i < count; i++)
        note_file(cache, &found[i].key, found[i].size);
    free(found);
    return true;
}

bool frame_cache_open(const struct frame_cache_options *options, struct frame_cache **ret, struct error *err)
{
    struct frame_cache *cache = calloc(1, sizeof *cache);

    if (!cache || !(cache->folder = strdup(options->folder)))
        abort();
    pthread_mutex_init(&cache->lock, NULL);
    pthread_cond_init(&cache->made, NULL);
    cache->memory.ceiling = options->memory_bytes;
    cache->disk.ceiling = options->disk_bytes;
    cache->free_space_floor = options->free_space_floor;
    if (!file_make_folders(cache->folder, 0700, err) || !read_folder(cache, err)) {
        frame_cache_close(cache);
        return error_while(err, "opening the cache of frames");
    }
    make_room(cache, cache->memory.ceiling);
    *ret = cache;
    return true;
}

void frame_cache_close(struct frame_cache *cache)
{
    if (!cache)
        return;
    make_room(cache, 0);
    for (unsigned i = 0; i < BUCKETS; i++)
        while (cache->buckets[i]) {
            struct entry *entry = cache->buckets[i];
            assert(!entry->making);
            cache->buckets[i] = entry->next;
            free(entry);
        }
    pthread_cond_destroy(&cache->made);
    pthread_mutex_destroy(&cache->lock);
    free(cache->folder);
    free(cache);
}
