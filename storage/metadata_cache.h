/* storage/metadata_cache.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The packs of studies and series that were asked for last, in memory, within a budget of bytes: what is
 * asked for again costs no look into the database. Any thread, never waits for a disk.
 */
#ifndef GANTRY_STORAGE_METADATA_CACHE_H
#define GANTRY_STORAGE_METADATA_CACHE_H

#include "dicom/instance_key.h"
#include "storage/metadata_pack.h"

/* All that was asked for: the packs of its series, in order. Immutable, shared, counted. */
struct metadata_set {
    struct metadata_version version;
    uint64_t instances;
    uint64_t text_size; /* bytes of all chunks and the commas between them */
    uint32_t crc;       /* CRC-32 of the whole array: an opening bracket, that text, a closing one */
    size_t count, chunks;
    const struct metadata_pack *const *packs;
};

/* Takes over the references to the packs, also when it fails (BUSY). */
MUST_USE bool metadata_set_new(const struct instance_key *key, const char *base,
                               const struct metadata_pack *const *packs, size_t count,
                               const struct metadata_set **ret, struct error *err);
void metadata_set_unref(const struct metadata_set *set); /* NULL is fine */

struct metadata_cache;

struct metadata_cache *metadata_cache_new(size_t bytes); /* aborts without memory; 0: keeps nothing */
void metadata_cache_free(struct metadata_cache *cache);  /* NULL is fine */

/* The set made for this key and this base, a reference for the caller; NULL: none. */
const struct metadata_set *metadata_cache_get(struct metadata_cache *cache, const struct instance_key *key,
                                              const char *base);
/* As in storage/record_cache.h: read before the database is read, handed back with what was read. */
uint64_t metadata_cache_epoch(struct metadata_cache *cache);
void metadata_cache_put(struct metadata_cache *cache, const struct metadata_set *set, uint64_t epoch);
/* Forgets all of a study. Call after a change is durable, before it is told. */
void metadata_cache_forget(struct metadata_cache *cache, const struct uid *study);

#endif
