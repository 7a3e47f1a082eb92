/* storage/intake.c
 * SPDX-License-Identifier: Apache-2.0
 *
 *   begin ─► write… ─► end: described, study checked ─► batch ─┬─► storage/batch.c: placed, catalogued
 *     └─ draft ──────────┴─ fails: outcome, draft goes           └─ full by count, bytes, memory; or commit
 */
#include "storage/intake.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "dicom/description.h"
#include "storage/batch.h"
#include "storage/outcomes.h"

enum {
    GATHER_BYTES = 32 * 1024,     /* smaller chunks are written together */
    QUEUED_MEMORY_MOST = 4 << 20, /* bytes of JSON, values and frame tables */
    WARNING_CLASS_RULE = 0xB007,
};

struct intake {
    struct store *store;
    struct catalog *catalog;
    struct intake_options options;
    struct uid only_study;
    bool under_way;            /* between begin and end */
    struct error failure;      /* of the instance under way; NONE: none yet */
    struct store_draft *draft; /* of the instance under way; NULL once it failed */
    struct instance_key named; /* of the instance under way, as far as the caller told */
    struct uid named_class;
    uint16_t warned;
    uint8_t *gathered; /* GATHER_BYTES, once needed */
    size_t gathered_size;
    struct arena scratch; /* while one instance is described */
    struct batch *batch;  /* described, not yet committed */
    struct batch *behind; /* being committed meanwhile; NULL: none */
    struct outcomes outcomes;
    bool outcome_lost; /* one had no room: the delivery as a whole cannot be answered for */
};

bool intake_open(struct store *store, struct catalog *catalog, const struct intake_options *options,
                 struct intake **ret, struct error *err)
{
    struct intake *intake = calloc(1, sizeof *intake);

    if (!intake)
        return error_set(err, FAULT_BUSY, "no memory for an intake");
    intake->store = store;
    intake->catalog = catalog;
    intake->options = *options;
    if (intake->options.batch_instances == 0)
        intake->options.batch_instances = 1;
    if (options->only_study_or_null) {
        intake->only_study = *options->only_study_or_null;
        intake->options.only_study_or_null = &intake->only_study;
    }
    outcomes_init(&intake->outcomes, store);
    if (!(intake->batch = batch_new(store, catalog, options->duplicates))) {
        intake_close(intake);
        return error_set(err, FAULT_BUSY, "no memory for a batch");
    }
    *ret = intake;
    return true;
}

/* ── batches ── */

/* What became of those that were committed. */
static void note_results(struct intake *intake, const struct batch *batch)
{
    const struct batch_instance *list;
    struct error why, duplicate = { 0 };
    const size_t count = batch_results(batch, &list, &why);

    error_set(&duplicate, FAULT_DUPLICATE, "SOP Instance UID known");
    for (size_t i = 0; i < count; i++) {
        struct outcome_entry *entry = outcomes_entry(&intake->outcomes, list[i].outcome);
        if (why.fault != FAULT_NONE) {
            outcomes_fail(&intake->outcomes, list[i].outcome, &why);
            continue;
        }
        entry->warning_reason = list[i].warning_reason;
        entry->known = list[i].became == ADDED_BEFORE;
        if (list[i].became == REFUSED_DUPLICATE)
            outcomes_fail(&intake->outcomes, list[i].outcome, &duplicate);
    }
}

/* The one behind is durable, or has failed; either is noted. */
static void finish_behind(struct intake *intake)
{
    if (!intake->behind)
        return;
    batch_wait(intake->behind);
    note_results(intake, intake->behind);
    batch_free(TAKE(intake->behind));
}

static bool has_uncommitted(const struct intake *intake)
{
    return intake->behind || batch_count(intake->batch) > 0;
}

/* Batches are committed in the order of arrival: the newer of two instances with one UID is to stay.
 * Afterwards all outcomes are final. Where they find no room they stay open: whoever needs them closed is
 * told. */
static void commit_all(struct intake *intake)
{
    struct error later = { 0 };

    if (!has_uncommitted(intake))
        return;
    finish_behind(intake);
    batch_commit(intake->batch);
    note_results(intake, intake->batch);
    batch_reset(intake->batch);
    if (!outcomes_seal(&intake->outcomes, &later))
        log_line(LOG_DEBUG, "intake: %s", later.detail);
}

/* A full batch is committed while the next one arrives; one at a time, so that a delivery has at most two on
 * their way. */
static void commit_full(struct intake *intake)
{
    struct batch *next = intake->options.commits_behind
                             ? batch_new(intake->store, intake->catalog, intake->options.duplicates)
                             : NULL;

    if (!next) {
        commit_all(intake);
        return;
    }
    finish_behind(intake);
    intake->behind = intake->batch;
    intake->batch = next;
    batch_commit_behind(intake->behind);
}

/* Room for one more outcome. */
static bool reserve_outcome(struct intake *intake, struct error *err)
{
    if (intake->outcomes.open_count == OUTCOMES_OPEN_MOST)
        commit_all(intake);
    return (intake->outcomes.open_count < OUTCOMES_OPEN_MOST || outcomes_seal(&intake->outcomes, err)) &&
           outcomes_reserve(&intake->outcomes, err);
}

/* The values move from the scratch arena into memory of just their size. */
static bool keep_values(struct batch_instance *queued, size_t *ret_size, struct error *err)
{
    struct bytes *values = queued->description.values;
    size_t size = 0;

    for (size_t i = 0; i < QUERY_KEY_COUNT; i++)
        size += values[i].size;
    uint8_t *at = queued->values = malloc(size + 1);
    if (!at)
        return error_set(err, FAULT_BUSY, "no memory for %zu bytes of values", size);
    for (size_t i = 0; i < QUERY_KEY_COUNT; i++) {
        if (values[i].size)
            memcpy(at, values[i].data, values[i].size);
        values[i].data = at;
        at += values[i].size;
    }
    *ret_size = size;
    return true;
}

/* ── one instance ── */

/* The instance before goes on its way to the disk while this one comes. The last one does not: it is synced
 * at once. */
static void start_writing_last(struct intake *intake)
{
    struct batch_instance *last = batch_last(intake->batch);

    if (last)
        store_draft_ended(last->draft);
}

static void note_begun(struct intake *intake)
{
    intake->under_way = true;
    intake->gathered_size = 0;
    memset(&intake->named, 0, sizeof intake->named);
    memset(&intake->named_class, 0, sizeof intake->named_class);
    intake->warned = 0;
    error_clear(&intake->failure);
}

bool intake_begin_instance(struct intake *intake, struct error *err)
{
    assert(!intake->under_way);
    start_writing_last(intake);
    if (!reserve_outcome(intake, err))
        return false;
    bool opened = store_draft_open(intake->store, &intake->draft, err);
    if (!opened && err->fault == FAULT_BUSY && has_uncommitted(intake)) {
        commit_all(intake); /* gives descriptors and memory back */
        opened = store_draft_open(intake->store, &intake->draft, err);
    }
    if (!opened)
        return error_while(err, "beginning an instance");
    note_begun(intake);
    return true;
}

void intake_name_instance(struct intake *intake, const struct instance_key *key, const struct uid *sop_class)
{
    assert(intake->under_way);
    intake->named = *key;
    intake->named_class = *sop_class;
}

void intake_warn_instance(struct intake *intake, uint16_t warning_reason)
{
    assert(intake->under_way);
    intake->warned = warning_reason;
}

static void fail_instance(struct intake *intake, const struct error *why)
{
    if (intake->failure.fault == FAULT_NONE)
        intake->failure = *why;
    store_draft_close(TAKE(intake->draft));
}

static bool append(struct intake *intake, struct bytes chunk)
{
    struct error err = { 0 };

    if (chunk.size == 0 || store_draft_append(intake->draft, chunk, &err))
        return true;
    fail_instance(intake, &err);
    return false;
}

static bool append_gathered(struct intake *intake)
{
    const size_t size = intake->gathered_size;

    intake->gathered_size = 0;
    return append(intake, bytes_of(intake->gathered, size));
}

void intake_write(struct intake *intake, struct bytes chunk)
{
    struct error err = { 0 };

    assert(intake->under_way);
    if (!intake->draft)
        return;
    const uint64_t size = store_draft_size(intake->draft) + intake->gathered_size;
    if (chunk.size > intake->options.instance_ceiling_bytes ||
        size > intake->options.instance_ceiling_bytes - chunk.size) {
        error_tell(&err, FAULT_TOO_LARGE, "An instance may have %" PRIu64 " bytes.",
                   intake->options.instance_ceiling_bytes);
        fail_instance(intake, &err);
        return;
    }
    if (intake->gathered_size + chunk.size > GATHER_BYTES && !append_gathered(intake))
        return;
    if (!intake->gathered && chunk.size < GATHER_BYTES)
        intake->gathered = malloc(GATHER_BYTES);
    if (!intake->gathered || chunk.size >= GATHER_BYTES) {
        (void)append(intake, chunk);
        return;
    }
    if (chunk.size)
        memcpy(intake->gathered + intake->gathered_size, chunk.data, chunk.size);
    intake->gathered_size += chunk.size;
}

static bool describe(struct intake *intake, struct batch_instance *queued, size_t *ret_memory,
                     struct error *err)
{
    struct description *description = &queued->description;

    if (!description_read(store_draft_path(queued->draft), &intake->options.json, &intake->scratch,
                          description, err))
        return false;
    if (intake->options.only_study_or_null && !uid_equal(&intake->only_study, &description->key.study)) {
        description_done(description);
        return error_tell(err, FAULT_FOREIGN_STUDY,
                          "Study Instance UID (0020,000D) is not that of the request.");
    }
    if (description->foreign_meta && !intake->options.takes_foreign_meta) {
        error_tell(err, FAULT_MISMATCH,
                   "%s differs from the one in the file meta information (foreign_meta).",
                   description->foreign_meta);
        description_done(description);
        return false;
    }
    if (description->foreign_meta && description->warning_reason == 0)
        description->warning_reason = WARNING_CLASS_RULE;
    if (!keep_values(queued, ret_memory, err)) {
        description_done(description);
        return false;
    }
    block_trim(&description->json);
    *ret_memory += block_bytes(description->json).size;
    if (description->frames)
        *ret_memory += frame_table_count(description->frames) * sizeof(struct extent);
    return true;
}

/* Into the queue, or false with the reason. Key and class are set as far as they were understood, either way.
 */
static bool enqueue(struct intake *intake, struct instance_key *key, struct uid *sop_class, struct error *err)
{
    struct batch_instance *queued;
    size_t memory = 0;

    if (!batch_room(intake->batch, &queued, err))
        return false;
    queued->draft = intake->draft;
    const struct arena_mark mark = arena_mark(&intake->scratch);
    const bool described = describe(intake, queued, &memory, err);
    arena_rewind(&intake->scratch, mark);
    if (!intake->named.instance.text[0] || queued->description.key.instance.text[0]) {
        *key = queued->description.key;
        *sop_class = queued->description.sop_class;
    }
    if (!described)
        return false;
    if (queued->description.warning_reason == 0)
        queued->description.warning_reason = intake->warned;
    store_draft_digest(queued->draft, queued->digest);
    intake->draft = NULL;
    batch_took(intake->batch, memory);
    return true;
}

void intake_end_instance(struct intake *intake)
{
    struct instance_key key = intake->named;
    struct uid sop_class = intake->named_class;
    struct error err = { 0 };

    assert(intake->under_way);
    intake->under_way = false;
    if (intake->draft && append_gathered(intake) && enqueue(intake, &key, &sop_class, &err)) {
        batch_last(intake->batch)->outcome = outcomes_add(&intake->outcomes, &key, &sop_class, NULL);
        if (batch_count(intake->batch) >= intake->options.batch_instances ||
            batch_bytes(intake->batch) >= intake->options.batch_bytes ||
            batch_memory(intake->batch) >= QUEUED_MEMORY_MOST)
            commit_full(intake);
        return;
    }
    if (intake->draft)
        fail_instance(intake, &err);
    (void)outcomes_add(&intake->outcomes, &key, &sop_class, &intake->failure);
}

bool intake_take_file(struct intake *intake, const char *path, enum store_taking how, struct error *err)
{
    static const struct instance_key no_key;
    static const struct uid no_class;
    struct error failure = { 0 };

    assert(!intake->under_way);
    start_writing_last(intake);
    if (!reserve_outcome(intake, err))
        return error_while(err, "beginning an instance");
    bool taken = store_draft_take(intake->store, path, how, intake->options.instance_ceiling_bytes,
                                  &intake->draft, &failure);
    if (!taken && failure.fault == FAULT_BUSY && has_uncommitted(intake)) {
        commit_all(intake); /* gives descriptors and memory back */
        taken = store_draft_take(intake->store, path, how, intake->options.instance_ceiling_bytes,
                                 &intake->draft, &failure);
    }
    if (!taken) {
        (void)outcomes_add(&intake->outcomes, &no_key, &no_class, &failure);
        return true;
    }
    note_begun(intake);
    intake_end_instance(intake);
    return true;
}

void intake_abandon_instance(struct intake *intake, const struct error *why)
{
    assert(intake->under_way);
    intake->under_way = false;
    fail_instance(intake, why);
    (void)outcomes_add(&intake->outcomes, &intake->named, &intake->named_class, &intake->failure);
}

void intake_refuse_instance(struct intake *intake, const struct error *why)
{
    static const struct instance_key no_key;
    static const struct uid no_class;
    struct error ignored = { 0 };

    assert(!intake->under_way);
    if (reserve_outcome(intake, &ignored))
        (void)outcomes_add(&intake->outcomes, &no_key, &no_class, why);
    else
        intake->outcome_lost = true;
}

/* ── the end ── */

bool intake_commit(struct intake *intake, struct error *err)
{
    assert(!intake->under_way);
    commit_all(intake);
    if (intake->outcome_lost)
        return error_tell(err, FAULT_TOO_LARGE, "More instances in one request than can be answered for.");
    return outcomes_seal(&intake->outcomes, err);
}

size_t intake_count(const struct intake *intake)
{
    return intake->outcomes.count;
}

struct outcome_reader *intake_outcomes(struct intake *intake, struct arena *arena)
{
    return outcome_reader_new(&intake->outcomes, arena);
}

void intake_close(struct intake *intake)
{
    if (!intake)
        return;
    store_draft_close(intake->draft);
    batch_free(intake->behind); /* goes on, and is stored or not: nobody is told of it */
    batch_free(intake->batch);
    free(intake->gathered);
    arena_release(&intake->scratch);
    outcomes_done(&intake->outcomes);
    free(intake);
}
