/* storage/metadata_cache.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * A hash by study, so that a change of a study finds all that may hold it in one chain, and a list by use:
 * the entry longest unused goes first. One lock: a hit holds it for some hundred nanoseconds.
 */
#include "storage/metadata_cache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define ZLIB_CONST
#include <zlib.h>

enum { HEADS = 4096, SHARE_OF_ONE = 4 /* of the budget, at most: a fourth */ };

struct entry {
    struct metadata_set set; /* first: the two are one */
    atomic_size_t references;
    struct instance_key key;
    char *base;
    size_t bytes;
    /* in the cache, under its lock: */
    struct entry *next_of_head;
    struct entry *newer, *older;
    const struct metadata_pack *packs[];
};

struct metadata_cache {
    pthread_mutex_t lock;
    struct entry *heads[HEADS];
    struct entry *newest, *oldest;
    size_t bytes, budget;
    uint64_t epoch;
};

/* ── sets ── */

static struct entry *entry_of(const struct metadata_set *set)
{
    return (struct entry *)(uintptr_t)set;
}

static void add_pack(struct entry *entry, const struct metadata_pack *pack)
{
    metadata_version_join(&entry->set.version, &pack->version);
    entry->set.instances += pack->instances;
    entry->set.text_size += pack->text_size;
    entry->set.chunks += pack->count;
    entry->bytes += metadata_pack_bytes(pack);
    entry->packs[entry->set.count++] = pack;
}

/* Once for all answers: joining two checksums takes as long as checking some kilobytes. */
static uint32_t joined_crc(const struct metadata_set *set)
{
    static const uint8_t marks[] = { '[', ',', ']' };
    const uLong comma = crc32_z(0, marks + 1, 1);
    uLong crc = crc32_z(0, marks, 1);
    bool first = true;

    for (size_t i = 0; i < set->count; i++)
        for (size_t n = 0; n < set->packs[i]->count; n++, first = false) {
            const struct metadata_chunk *chunk = &set->packs[i]->chunks[n];
            if (!first)
                crc = crc32_combine(crc, comma, 1);
            crc = crc32_combine(crc, chunk->crc, (z_off_t)chunk->size);
        }
    return (uint32_t)crc32_combine(crc, crc32_z(0, marks + 2, 1), 1);
}

bool metadata_set_new(const struct instance_key *key, const char *base,
                      const struct metadata_pack *const *packs, size_t count, const struct metadata_set **ret,
                      struct error *err)
{
    struct entry *entry = calloc(1, sizeof *entry + count * sizeof(struct metadata_pack *));
    char *copy = strdup(base);

    if (!entry || !copy) {
        free(entry);
        free(copy);
        for (size_t i = 0; i < count; i++)
            metadata_pack_unref(packs[i]);
        return error_set(err, FAULT_BUSY, "no memory for the packs of %zu series", count);
    }
    atomic_init(&entry->references, 1);
    entry->key = *key;
    entry->base = copy;
    entry->bytes = sizeof *entry + count * sizeof(struct metadata_pack *) + strlen(copy);
    entry->set.packs = entry->packs;
    for (size_t i = 0; i < count; i++)
        add_pack(entry, packs[i]);
    entry->set.text_size += entry->set.chunks ? entry->set.chunks - 1 : 0; /* commas between chunks */
    entry->set.crc = joined_crc(&entry->set);
    *ret = &entry->set;
    return true;
}

static void take(struct entry *entry)
{
    atomic_fetch_add_explicit(&entry->references, 1, memory_order_relaxed);
}

void metadata_set_unref(const struct metadata_set *set)
{
    struct entry *entry = entry_of(set);

    if (!set || atomic_fetch_sub_explicit(&entry->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < entry->set.count; i++)
        metadata_pack_unref(entry->packs[i]);
    free(entry->base);
    free(entry);
}

/* ── the cache ── */

struct metadata_cache *metadata_cache_new(size_t bytes)
{
    struct metadata_cache *cache = calloc(1, sizeof *cache);

    if (!cache) {
        fputs("gantry: out of memory\n", stderr);
        abort();
    }
    pthread_mutex_init(&cache->lock, NULL);
    cache->budget = bytes;
    cache->epoch = 1;
    return cache;
}

static struct entry **head_of(struct metadata_cache *cache, const struct uid *study)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */

    for (const char *c = study->text; *c; c++)
        hash = (hash ^ (uint8_t)*c) * 0x100000001b3u;
    return &cache->heads[(hash ^ hash >> 29) % HEADS];
}

static void unlink_use(struct metadata_cache *cache, struct entry *entry)
{
    *(entry->newer ? &entry->newer->older : &cache->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &cache->oldest) = entry->newer;
}

static void link_newest(struct metadata_cache *cache, struct entry *entry)
{
    entry->newer = NULL;
    entry->older = cache->newest;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = entry;
    cache->newest = entry;
}

/* Out of both lists; its reference goes. `link` leads to it in its chain. */
static void drop(struct metadata_cache *cache, struct entry **link)
{
    struct entry *entry = *link;

    *link = entry->next_of_head;
    unlink_use(cache, entry);
    cache->bytes -= entry->bytes;
    metadata_set_unref(&entry->set);
}

static bool is_for(const struct entry *entry, const struct instance_key *key, const char *base)
{
    return uid_equal(&entry->key.study, &key->study) && uid_equal(&entry->key.series, &key->series) &&
           uid_equal(&entry->key.instance, &key->instance) && strcmp(entry->base, base) == 0;
}

static struct entry **find_link(struct metadata_cache *cache, const struct instance_key *key,
                                const char *base)
{
    struct entry **link = head_of(cache, &key->study);

    while (*link && !is_for(*link, key, base))
        link = &(*link)->next_of_head;
    return link;
}

const struct metadata_set *metadata_cache_get(struct metadata_cache *cache, const struct instance_key *key,
                                              const char *base)
{
    pthread_mutex_lock(&cache->lock);
    struct entry *found = *find_link(cache, key, base);
    if (found) {
        take(found);
        if (found != cache->newest) {
            unlink_use(cache, found);
            link_newest(cache, found);
        }
    }
    pthread_mutex_unlock(&cache->lock);
    return found ? &found->set : NULL;
}

uint64_t metadata_cache_epoch(struct metadata_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    const uint64_t epoch = cache->epoch;
    pthread_mutex_unlock(&cache->lock);
    return epoch;
}

static void drop_oldest(struct metadata_cache *cache)
{
    struct entry **link = head_of(cache, &cache->oldest->key.study);

    while (*link != cache->oldest)
        link = &(*link)->next_of_head;
    drop(cache, link);
}

void metadata_cache_put(struct metadata_cache *cache, const struct metadata_set *set, uint64_t epoch)
{
    struct entry *entry = entry_of(set);

    if (entry->bytes > cache->budget / SHARE_OF_ONE)
        return;
    pthread_mutex_lock(&cache->lock);
    struct entry **link = find_link(cache, &entry->key, entry->base);
    if (cache->epoch == epoch && *link != entry) {
        if (*link)
            drop(cache, link);
        while (cache->oldest && cache->bytes + entry->bytes > cache->budget)
            drop_oldest(cache);
        struct entry **head = head_of(cache, &entry->key.study);
        take(entry);
        entry->next_of_head = *head;
        *head = entry;
        link_newest(cache, entry);
        cache->bytes += entry->bytes;
    }
    pthread_mutex_unlock(&cache->lock);
}

void metadata_cache_forget(struct metadata_cache *cache, const struct uid *study)
{
    pthread_mutex_lock(&cache->lock);
    cache->epoch++;
    for (struct entry **link = head_of(cache, study); *link;)
        if (uid_equal(&(*link)->key.study, study))
            drop(cache, link);
        else
            link = &(*link)->next_of_head;
    pthread_mutex_unlock(&cache->lock);
}

void metadata_cache_free(struct metadata_cache *cache)
{
    if (!cache)
        return;
    while (cache->oldest)
        drop_oldest(cache);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}
