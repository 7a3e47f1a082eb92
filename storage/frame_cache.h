/* storage/frame_cache.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Frames that were made of stored ones (transcoded, rendered), kept in memory and on disk: one maker, many
 * waiters. Equal requests in flight share one result, and who waits for another's holds no thread.
 *
 *   ┌ memory, newest first ────────────┐  too much   ┌ cache/frames/, newest first ┐  too much
 *   │ [making ◄ waiters] [ready] [bad] │ ──────────► │ [file] [file] [file]        │ ──────────► gone
 *   └──────────────────────────────────┘ ◄────────── └─────────────────────────────┘
 *                                         asked for
 *
 * What stands here can be made again, so nothing is synced; a file that is not whole is found out by its
 * checksum. A frame belongs to a generation, whose file never changes, and carries the file's digest in its
 * key: nothing here goes stale. Any thread.
 */
#ifndef GANTRY_STORAGE_FRAME_CACHE_H
#define GANTRY_STORAGE_FRAME_CACHE_H

#include "base/attributes.h"
#include "base/block.h"
#include "base/error.h"
#include "base/patience.h"
#include "base/waiter.h"
#include "storage/store.h"

struct frame_cache;

struct frame_cache_options {
    const char *folder;        /* made when missing; what it holds is kept, oldest files go over the bound */
    uint64_t memory_bytes;     /* of blocks, which count in the budget of blocks too; 0: none are kept */
    uint64_t disk_bytes;       /* 0: nothing is written */
    uint64_t free_space_floor; /* bytes: with less free on the volume nothing is written */
};
MUST_USE bool frame_cache_open(const struct frame_cache_options *options, struct frame_cache **ret,
                               struct error *err);
void frame_cache_close(struct frame_cache *cache); /* writes what is in memory; NULL is fine */

enum { FRAME_KEY_BYTES = 32 };
struct frame_key {
    uint64_t generation;
    uint8_t hash[FRAME_KEY_BYTES];
};
/* `what`: all else that decides the bytes, as text of any length: "1.2.840.10008.1.2.4.50 q=90". */
struct frame_key frame_key_of(uint64_t generation, const uint8_t digest[STORE_DIGEST_BYTES], uint32_t frame,
                              const char *what);

/* Makes the frame; called without any lock, by one of all that ask for it at once. */
typedef bool frame_make_fn(void *context, struct block **ret, struct error *err);

/* A reference for the caller: from memory, from disk, from another who is at it, or made. Under MUST_NOT_WAIT
 * only from memory, else WOULD_WAIT. Under MAY_WAIT while another makes it: with a waiter WOULD_WAIT, and it
 * will be woken, in the order of coming and with what was made, whether or not that is kept; without one this
 * thread waits. Faults as of `make`; CORRUPT_PIXELS, NOT_ACCEPTABLE and
 * TOO_LARGE are remembered, so that a broken frame is not decoded for each who asks. */
MUST_USE bool frame_cache_get(struct frame_cache *cache, const struct frame_key *key, enum patience patience,
                              struct waiter *waiter_or_null, frame_make_fn *make, void *context,
                              struct block **ret, struct error *err);
/* The instances are gone: so are their frames. May wait. */
void frame_cache_forget(struct frame_cache *cache, const uint64_t *generations, size_t count);

struct frame_cache_count {
    uint64_t memory_hits, disk_hits, shared, made, memory_bytes, disk_bytes;
};
struct frame_cache_count frame_cache_count(struct frame_cache *cache);

#endif
