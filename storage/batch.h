/* storage/batch.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Instances of one delivery that are made durable and findable together, by the caller's thread or behind its
 * back, while the next ones arrive.
 *
 *   batch_new ─► batch_room, batch_took ... ─► batch_commit ─────────────► results ─► batch_free
 *                                           └► batch_commit_behind ─► batch_wait ┘
 */
#ifndef GANTRY_STORAGE_BATCH_H
#define GANTRY_STORAGE_BATCH_H

#include "storage/catalog.h"
#include "storage/store.h"

struct batch;

struct batch_instance {
    struct store_draft *draft;
    struct description description;
    uint8_t *values; /* what description.values point into */
    uint8_t digest[STORE_DIGEST_BYTES];
    size_t outcome; /* the caller's number for it */
    /* Set by the commit: */
    enum addition_outcome became; /* ADDED_BEFORE also for what is refused though the same data set stays */
    uint16_t warning_reason;      /* 0: none */
};

/* Nothing that is in a batch is durable before it is committed without a failure. NULL: no memory. */
struct batch *batch_new(struct store *store, struct catalog *catalog, enum duplicate_policy duplicates);
/* Room for one more, zeroed, to be filled and then counted by batch_took, or left. BUSY: no memory. */
MUST_USE bool batch_room(struct batch *batch, struct batch_instance **ret, struct error *err);
/* `memory`: bytes that it holds in memory. */
void batch_took(struct batch *batch, size_t memory);
size_t batch_count(const struct batch *batch);
uint64_t batch_bytes(const struct batch *batch); /* on the disk */
size_t batch_memory(const struct batch *batch);
/* NULL when there is none. */
struct batch_instance *batch_last(struct batch *batch);

/* All of them or, on a failure, none: files, then rows, then the drafts go. May wait. */
void batch_commit(struct batch *batch);
/* The same on a thread of its own; here and now where that cannot be had, or BATCHES_BEHIND_MOST of the store
 * are under way. Until
 * batch_wait has returned the batch is for that and batch_free alone. */
enum { BATCHES_BEHIND_MOST = 4 };
void batch_commit_behind(struct batch *batch);
/* Until it is committed. */
void batch_wait(struct batch *batch);
/* After the commit; *ret_why is NONE, or why none was stored. */
size_t batch_results(const struct batch *batch, const struct batch_instance **ret_list,
                     struct error *ret_why);
/* Empty again, after the commit. */
void batch_reset(struct batch *batch);
/* Drops what was not committed, and leaves alone what is being committed behind: that ends by itself.
 * NULL is fine. */
void batch_free(struct batch *batch);

#endif
