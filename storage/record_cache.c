/* storage/record_cache.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Sixteen shards; each is a chained hash over an array of slots, emptied by the clock's hand:
 *
 *   heads[hash] ─► slot ─► slot          hand ─► slot: used since? spare it once : take it
 *
 * Bounded twice: in entries, and in bytes, because a record carries its frame table (a slide has 100,000
 * frames).
 */
#include "storage/record_cache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    SHARDS = 16,
    NONE = -1,
    RECORD_BYTES = 640, /* about what a record without a frame table takes */
    FRAME_BYTES = 16,   /* and a frame of it */
    SHARE_BYTES_PER_ENTRY = 2048
};

struct slot {
    const struct instance_record *record; /* NULL: free */
    uint64_t hash;
    size_t weight;
    int32_t next;
    bool used_since;
};

struct shard {
    pthread_mutex_t lock;
    struct slot *slots;
    int32_t *heads;
    int32_t free, hand;
    size_t weight;
} __attribute__((aligned(64))); /* a cache line each: shards do not disturb one another */

struct record_cache {
    struct shard shards[SHARDS];
    int32_t slots_each;
    uint64_t head_mask;
    size_t weight_each;
    atomic_uint_fast64_t epoch;
};

static uint64_t hash_uid(const struct uid *uid)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (const char *c = uid->text; *c; c++)
        hash = (hash ^ (uint8_t)*c) * 0x100000001b3u;
    return hash ^ hash >> 29; /* FNV-1a's low bits alone are poor */
}

static void *must_have(void *memory)
{
    if (!memory) {
        fputs("gantry: out of memory\n", stderr);
        abort();
    }
    return memory;
}

struct record_cache *record_cache_new(size_t entries)
{
    struct record_cache *cache = must_have(aligned_alloc(64, sizeof *cache));
    const size_t most_each = 1u << 24;
    size_t each = entries / SHARDS + 1;
    size_t heads = 16;

    if (each > most_each)
        each = most_each;
    while (heads < each)
        heads *= 2;
    memset(cache, 0, sizeof *cache);
    cache->slots_each = (int32_t)each;
    cache->head_mask = heads - 1;
    cache->weight_each = each * SHARE_BYTES_PER_ENTRY;
    atomic_init(&cache->epoch, 1);
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &cache->shards[i];
        pthread_mutex_init(&shard->lock, NULL);
        shard->slots = must_have(calloc(each, sizeof *shard->slots));
        shard->heads = must_have(malloc(heads * sizeof *shard->heads));
        for (size_t h = 0; h < heads; h++)
            shard->heads[h] = NONE;
        for (size_t s = 0; s < each; s++)
            shard->slots[s].next = s + 1 < each ? (int32_t)(s + 1) : NONE;
    }
    return cache;
}

void record_cache_free(struct record_cache *cache)
{
    if (!cache)
        return;
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &cache->shards[i];
        for (int32_t s = 0; s < cache->slots_each; s++)
            instance_record_unref(shard->slots[s].record);
        free(shard->slots);
        free(shard->heads);
        pthread_mutex_destroy(&shard->lock);
    }
    free(cache);
}

static struct shard *shard_of(struct record_cache *cache, uint64_t hash)
{
    return &cache->shards[hash >> 60]; /* the upper bits; heads use the lower ones */
}

/* The link that leads to the slot of `instance`, or to NONE. */
static int32_t *find_link(struct record_cache *cache, struct shard *shard, uint64_t hash,
                          const struct uid *instance)
{
    int32_t *link = &shard->heads[hash & cache->head_mask];

    while (*link != NONE) {
        struct slot *slot = &shard->slots[*link];
        if (slot->hash == hash && uid_equal(&slot->record->key.instance, instance))
            break;
        link = &slot->next;
    }
    return link;
}

const struct instance_record *record_cache_get(struct record_cache *cache, const struct uid *instance)
{
    const uint64_t hash = hash_uid(instance);
    struct shard *shard = shard_of(cache, hash);
    const struct instance_record *found = NULL;

    pthread_mutex_lock(&shard->lock);
    const int32_t at = *find_link(cache, shard, hash, instance);
    if (at != NONE) {
        shard->slots[at].used_since = true;
        found = instance_record_ref(shard->slots[at].record);
    }
    pthread_mutex_unlock(&shard->lock);
    return found;
}

uint64_t record_cache_epoch(struct record_cache *cache)
{
    return atomic_load(&cache->epoch);
}

/* Unlinks; the slot becomes the first free one. */
static void empty_slot(struct shard *shard, int32_t *link)
{
    const int32_t at = *link;
    struct slot *slot = &shard->slots[at];

    *link = slot->next;
    shard->weight -= slot->weight;
    instance_record_unref(slot->record);
    *slot = (struct slot){ .next = shard->free };
    shard->free = at;
}

static void evict_one(struct record_cache *cache, struct shard *shard)
{
    for (;;) {
        struct slot *slot = &shard->slots[shard->hand];
        shard->hand = shard->hand + 1 < cache->slots_each ? shard->hand + 1 : 0;
        if (!slot->record)
            continue;
        if (slot->used_since) {
            slot->used_since = false;
            continue;
        }
        empty_slot(shard, find_link(cache, shard, slot->hash, &slot->record->key.instance));
        return;
    }
}

void record_cache_put(struct record_cache *cache, const struct instance_record *record, uint64_t epoch)
{
    const uint64_t hash = hash_uid(&record->key.instance);
    const size_t frames = record->frames ? frame_table_count(record->frames) : 0;
    const size_t weight = RECORD_BYTES + FRAME_BYTES * frames;
    struct shard *shard = shard_of(cache, hash);

    if (weight > cache->weight_each)
        return;
    pthread_mutex_lock(&shard->lock);
    /* Checked under the lock: an invalidation raises the epoch first and then takes every lock it needs, so
     * either this sees the new epoch or the invalidation sees this entry. */
    if (atomic_load(&cache->epoch) == epoch) {
        int32_t *link = find_link(cache, shard, hash, &record->key.instance);
        if (*link != NONE)
            empty_slot(shard, link);
        while (shard->free == NONE || shard->weight + weight > cache->weight_each)
            evict_one(cache, shard);
        const int32_t at = shard->free;
        int32_t *head = &shard->heads[hash & cache->head_mask];
        shard->free = shard->slots[at].next;
        shard->slots[at] = (struct slot){ instance_record_ref(record), hash, weight, *head, false };
        shard->weight += weight;
        *head = at;
    }
    pthread_mutex_unlock(&shard->lock);
}

static bool names(const struct instance_key *key, const struct instance_record *record)
{
    return uid_equal(&key->study, &record->key.study) &&
           (!key->series.text[0] || uid_equal(&key->series, &record->key.series)) &&
           (!key->instance.text[0] || uid_equal(&key->instance, &record->key.instance));
}

void record_cache_forget(struct record_cache *cache, const struct instance_key *key)
{
    atomic_fetch_add(&cache->epoch, 1);
    if (key->instance.text[0]) {
        const uint64_t hash = hash_uid(&key->instance);
        struct shard *shard = shard_of(cache, hash);
        pthread_mutex_lock(&shard->lock);
        int32_t *link = find_link(cache, shard, hash, &key->instance);
        if (*link != NONE)
            empty_slot(shard, link);
        pthread_mutex_unlock(&shard->lock);
        return;
    }
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &cache->shards[i];
        pthread_mutex_lock(&shard->lock);
        for (int32_t s = 0; s < cache->slots_each; s++) {
            const struct slot *slot = &shard->slots[s];
            if (slot->record && names(key, slot->record))
                empty_slot(shard, find_link(cache, shard, slot->hash, &slot->record->key.instance));
        }
        pthread_mutex_unlock(&shard->lock);
    }
}
