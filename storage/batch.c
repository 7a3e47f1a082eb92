/* storage/batch.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See batch.h. What waits in a batch is small: its bytes are on the disk, its JSON and its values are cut to
 * size. A thread for a batch behind is made for it alone: one in a few dozen instances costs nothing, and
 * none is idle when nobody stores.
 */
#include "storage/batch.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/condition.h"
#include "base/log.h"
#include "storage/store_inside.h"

enum {
    COMPARED_BYTES = 64 * 1024, /* of two data sets, at once */
    WARNING_ELEMENTS_DISCARDED = 0xB006,
    STACK_BYTES = 512 * 1024,
};

struct batch {
    struct store *store;
    struct catalog *catalog;
    enum duplicate_policy duplicates;
    struct batch_instance *list;
    size_t count, capacity, memory;
    uint64_t bytes;
    struct error why;
    bool committed;

    pthread_mutex_t lock; /* of the rest, once a thread is behind */
    pthread_cond_t ended;
    bool is_behind, left;
};

struct batch *batch_new(struct store *store, struct catalog *catalog, enum duplicate_policy duplicates)
{
    struct batch *batch = calloc(1, sizeof *batch);

    if (!batch)
        return NULL;
    batch->store = store;
    batch->catalog = catalog;
    batch->duplicates = duplicates;
    pthread_mutex_init(&batch->lock, NULL);
    pthread_cond_init(&batch->ended, NULL);
    return batch;
}

bool batch_room(struct batch *batch, struct batch_instance **ret, struct error *err)
{
    if (batch->count == batch->capacity) {
        const size_t capacity = batch->capacity ? batch->capacity * 2 : 4;
        struct batch_instance *grown = reallocarray(batch->list, capacity, sizeof *grown);
        if (!grown)
            return error_set(err, FAULT_BUSY, "no memory for %zu queued instances", capacity);
        batch->list = grown;
        batch->capacity = capacity;
    }
    *ret = &batch->list[batch->count];
    **ret = (struct batch_instance){ 0 };
    return true;
}

void batch_took(struct batch *batch, size_t memory)
{
    batch->bytes += store_draft_size(batch->list[batch->count].draft);
    batch->memory += memory;
    batch->count++;
}

size_t batch_count(const struct batch *batch)
{
    return batch->count;
}

uint64_t batch_bytes(const struct batch *batch)
{
    return batch->bytes;
}

size_t batch_memory(const struct batch *batch)
{
    return batch->memory;
}

struct batch_instance *batch_last(struct batch *batch)
{
    return batch->count ? &batch->list[batch->count - 1] : NULL;
}

static void drop_instance(struct batch_instance *instance)
{
    store_draft_close(TAKE(instance->draft));
    description_done(&instance->description);
    free(TAKE(instance->values));
}

/* ── committing ── */

/* Byte by byte from the end of the file meta information on: who sends again by another way may write another
 * one. */
static bool has_data_set_of(struct batch *batch, const struct batch_instance *instance,
                            const struct instance_record *kept)
{
    const struct description *description = &instance->description;
    const uint64_t generation = store_draft_generation(instance->draft);
    const uint64_t size = kept->file_size - kept->data_set_offset;
    struct error ignored = { 0 };

    if (size == 0 || size != description->file_size - description->data_set_offset ||
        !uid_equal(&kept->syntax_uid, &description->syntax_uid))
        return false;
    uint8_t *pieces = malloc(2 * COMPARED_BYTES);
    bool same = pieces;
    for (uint64_t at = 0; same && at < size; at += COMPARED_BYTES) {
        const size_t piece = size - at < COMPARED_BYTES ? (size_t)(size - at) : COMPARED_BYTES;
        same = store_read(batch->store, kept->generation, kept->data_set_offset + at, pieces, piece, MAY_WAIT,
                          &ignored) &&
               store_read(batch->store, generation, description->data_set_offset + at,
                          pieces + COMPARED_BYTES, piece, MAY_WAIT, &ignored) &&
               memcmp(pieces, pieces + COMPARED_BYTES, piece) == 0;
    }
    free(pieces);
    return same;
}

/* The instance was kept out because another with its UID stays: do they differ in more than what is around
 * their data sets? */
static bool differs_from_kept(struct batch *batch, const struct batch_instance *instance)
{
    const struct instance_record *kept = NULL;
    struct error ignored = { 0 };

    if (!catalog_find(batch->catalog, &instance->description.key, MAY_WAIT, &kept, &ignored))
        return true; /* it stays under another study or series, or has gone */
    const bool same = memcmp(kept->digest, instance->digest, sizeof kept->digest) == 0 ||
                      has_data_set_of(batch, instance, kept);
    instance_record_unref(kept);
    return !same;
}

/* Returns the generation whose file is to go, 0 for none. */
static uint64_t note_addition(struct batch *batch, struct batch_instance *instance,
                              const struct addition *addition)
{
    instance->became = addition->outcome;
    instance->warning_reason = instance->description.warning_reason;
    switch (addition->outcome) {
    case ADDED:
        return 0;
    case ADDED_REPLACING:
        return addition->replaced;
    case ADDED_BEFORE:
        if (instance->warning_reason == 0 && batch->duplicates == DUPLICATE_KEEP &&
            differs_from_kept(batch, instance))
            instance->warning_reason = WARNING_ELEMENTS_DISCARDED;
        return addition->generation;
    case REFUSED_DUPLICATE:
        if (differs_from_kept(batch, instance))
            instance->warning_reason = 0;
        else
            instance->became = ADDED_BEFORE;
        return addition->generation;
    }
    return 0;
}

/* Files first, rows second, so that no reader meets a row without a file. The other way round is what a crash
 * may leave, and recovery finds it by the draft. */
static bool place_and_add(struct batch *batch, struct store_draft **drafts, struct addition *additions,
                          uint64_t *forget, struct error *err)
{
    const size_t count = batch->count;

    for (size_t i = 0; i < count; i++) {
        struct batch_instance *instance = &batch->list[i];
        drafts[i] = instance->draft;
        additions[i] = (struct addition){ .description = &instance->description,
                                          .generation = store_draft_generation(instance->draft) };
        memcpy(additions[i].digest, instance->digest, sizeof instance->digest);
    }
    if (!store_place(batch->store, drafts, count, err))
        return error_while(err, "placing %zu instances", count);
    if (catalog_add(batch->catalog, additions, count, batch->duplicates, err))
        return true;
    for (size_t i = 0; i < count; i++)
        forget[i] = additions[i].generation;
    store_forget(batch->store, forget, count);
    return error_while(err, "cataloguing %zu instances", count);
}

void batch_commit(struct batch *batch)
{
    const size_t count = batch->count;
    size_t own_count = 0, replaced_count = 0;

    if (count == 0) {
        batch->committed = true;
        return;
    }
    struct store_draft **drafts = calloc(count, sizeof(struct store_draft *));
    struct addition *additions = calloc(count, sizeof *additions);
    uint64_t *own = calloc(count, sizeof *own), *replaced = calloc(count, sizeof *replaced);
    const bool done = drafts && additions && own && replaced
                          ? place_and_add(batch, drafts, additions, own, &batch->why)
                          : error_set(&batch->why, FAULT_BUSY, "no memory for a batch of %zu", count);
    for (size_t i = 0; done && i < count; i++) {
        if (additions[i].outcome == ADDED || additions[i].outcome == ADDED_REPLACING)
            store_draft_is_kept(batch->list[i].draft);
        const uint64_t goes = note_addition(batch, &batch->list[i], &additions[i]);
        if (goes != 0 && goes == additions[i].generation)
            own[own_count++] = goes;
        else if (goes != 0)
            replaced[replaced_count++] = goes;
    }
    if (done) {
        store_forget(batch->store, own, own_count);
        store_let_go(batch->store, replaced, replaced_count, catalog_has_left, batch->catalog);
    }
    for (size_t i = 0; i < count; i++)
        drop_instance(&batch->list[i]);
    if (!done)
        log_line(LOG_DEBUG, "intake: %s", batch->why.detail);
    free(replaced);
    free(own);
    free(additions);
    free(drafts);
    batch->committed = true;
}

/* ── behind ── */

static void destroy(struct batch *batch)
{
    for (size_t i = 0; !batch->committed && i < batch->count; i++)
        drop_instance(&batch->list[i]);
    free(batch->list);
    pthread_cond_destroy(&batch->ended);
    pthread_mutex_destroy(&batch->lock);
    free(batch);
}

static void *commit_on(void *context)
{
    struct batch *batch = context;
    struct store *store = batch->store;

    batch_commit(batch);
    pthread_mutex_lock(&batch->lock);
    batch->is_behind = false;
    const bool left = batch->left;
    pthread_cond_signal(&batch->ended);
    pthread_mutex_unlock(&batch->lock);
    if (left)
        destroy(batch);
    store_end_behind(store); /* from here on the store may be closed */
    return NULL;
}

static bool start_thread(struct batch *batch)
{
    pthread_attr_t attributes;
    pthread_t thread;

    if (pthread_attr_init(&attributes) != 0)
        return false;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    batch->is_behind = true;
    const bool started = pthread_create(&thread, &attributes, commit_on, batch) == 0;
    if (!started)
        batch->is_behind = false;
    pthread_attr_destroy(&attributes);
    return started;
}

void batch_commit_behind(struct batch *batch)
{
    if (store_begin_behind(batch->store, BATCHES_BEHIND_MOST)) {
        if (start_thread(batch))
            return;
        store_end_behind(batch->store);
    }
    batch_commit(batch);
}

void batch_wait(struct batch *batch)
{
    pthread_mutex_lock(&batch->lock);
    while (batch->is_behind)
        condition_wait(&batch->ended, &batch->lock);
    pthread_mutex_unlock(&batch->lock);
}

size_t batch_results(const struct batch *batch, const struct batch_instance **ret_list, struct error *ret_why)
{
    assert(batch->committed);
    *ret_list = batch->list;
    *ret_why = batch->why;
    return batch->count;
}

void batch_reset(struct batch *batch)
{
    assert(batch->committed);
    batch->count = batch->memory = 0;
    batch->bytes = 0;
    batch->committed = false;
    batch->why = (struct error){ 0 };
}

void batch_free(struct batch *batch)
{
    if (!batch)
        return;
    pthread_mutex_lock(&batch->lock);
    const bool is_behind = batch->is_behind;
    batch->left = is_behind;
    pthread_mutex_unlock(&batch->lock);
    if (!is_behind)
        destroy(batch);
}
