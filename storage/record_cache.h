/* storage/record_cache.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Instance records in memory, found by SOP Instance UID (unique over the whole archive). A hit is one short
 * lock of one shard, no allocation. Any thread, never waits for a disk.
 */
#ifndef GANTRY_STORAGE_RECORD_CACHE_H
#define GANTRY_STORAGE_RECORD_CACHE_H

#include <stdint.h>

#include "storage/instance_record.h"

struct record_cache;

struct record_cache *record_cache_new(size_t entries); /* aborts without memory */
void record_cache_free(struct record_cache *cache);    /* NULL is fine */

/* A reference for the caller, or NULL. It may be the record of the same instance under another study or
 * series: the caller compares. */
const struct instance_record *record_cache_get(struct record_cache *cache, const struct uid *instance);

/* Read this before reading the database ... */
uint64_t record_cache_epoch(struct record_cache *cache);
/* ... and hand it back here: a record read before an invalidation is not put. Takes its own reference. */
void record_cache_put(struct record_cache *cache, const struct instance_record *record, uint64_t epoch);

/* Forgets what `key` names: an instance, a series, a study. Call after the change is durable, before it is
 * told. */
void record_cache_forget(struct record_cache *cache, const struct instance_key *key);

#endif
