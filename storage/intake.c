/* storage/intake.c
 * SPDX-License-Identifier: Apache-2.0
 *
 *   begin ─► write… ─► end: described, study checked ─► queue ─┬─► store_place ─► catalog_add ─► drafts go
 *     └─ draft ──────────┴─ fails: outcome, draft goes           └─ full by count, bytes, memory; or commit
 *
 * What waits in the queue is small: its bytes are on the disk, its JSON and its values are cut to size.
 */
#include "storage/intake.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "dicom/description.h"
#include "storage/outcomes.h"

enum {
    GATHER_BYTES = 32 * 1024,     /* smaller chunks are written together */
    QUEUED_MEMORY_MOST = 4 << 20, /* bytes of JSON, values and frame tables */
    COMPARED_BYTES = 64 * 1024,   /* of two data sets, at once */
    WARNING_ELEMENTS_DISCARDED = 0xB006,
    WARNING_CLASS_RULE = 0xB007,
};

struct queued {
    struct store_draft *draft;
    struct description description;
    uint8_t *values; /* what description.values point into */
    uint8_t digest[STORE_DIGEST_BYTES];
    size_t outcome; /* its index */
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
    struct queued *queue;
    size_t queue_size, queue_capacity;
    uint64_t queued_bytes; /* on disk */
    size_t queued_memory;
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
    *ret = intake;
    return true;
}

/* ── the queue ── */

static void leave_queue(struct queued *queued)
{
    store_draft_close(queued->draft);
    description_done(&queued->description);
    free(queued->values);
}

/* Byte by byte from the end of the file meta information on: who sends again by another way may write another
 * one. */
static bool has_data_set_of(struct intake *intake, const struct queued *queued,
                            const struct instance_record *kept)
{
    const struct description *description = &queued->description;
    const uint64_t generation = store_draft_generation(queued->draft);
    const uint64_t size = kept->file_size - kept->data_set_offset;
    struct error ignored = { 0 };

    if (size == 0 || size != description->file_size - description->data_set_offset ||
        !uid_equal(&kept->syntax_uid, &description->syntax_uid))
        return false;
    uint8_t *pieces = malloc(2 * COMPARED_BYTES);
    bool same = pieces;
    for (uint64_t at = 0; same && at < size; at += COMPARED_BYTES) {
        const size_t piece = size - at < COMPARED_BYTES ? (size_t)(size - at) : COMPARED_BYTES;
        same = store_read(intake->store, kept->generation, kept->data_set_offset + at, pieces, piece,
                          MAY_WAIT, &ignored) &&
               store_read(intake->store, generation, description->data_set_offset + at,
                          pieces + COMPARED_BYTES, piece, MAY_WAIT, &ignored) &&
               memcmp(pieces, pieces + COMPARED_BYTES, piece) == 0;
    }
    free(pieces);
    return same;
}

/* The instance was kept out because another with its UID stays: do they differ in more than what is around
 * their data sets? */
static bool differs_from_kept(struct intake *intake, const struct queued *queued)
{
    const struct instance_record *kept = NULL;
    struct error ignored = { 0 };

    if (!catalog_find(intake->catalog, &queued->description.key, MAY_WAIT, &kept, &ignored))
        return true; /* it stays under another study or series, or has gone */
    const bool same = memcmp(kept->digest, queued->digest, sizeof kept->digest) == 0 ||
                      has_data_set_of(intake, queued, kept);
    instance_record_unref(kept);
    return !same;
}

/* *ret_forget: the generation whose file is to go, 0 for none. */
static void note_addition(struct intake *intake, const struct queued *queued, const struct addition *addition,
                          uint64_t *ret_forget)
{
    struct outcome_entry *entry = outcomes_entry(&intake->outcomes, queued->outcome);
    struct error duplicate = { 0 };

    *ret_forget = 0;
    entry->warning_reason = queued->description.warning_reason;
    switch (addition->outcome) {
    case ADDED:
        break;
    case ADDED_REPLACING:
        *ret_forget = addition->replaced;
        break;
    case ADDED_BEFORE:
        entry->known = true;
        *ret_forget = addition->generation;
        if (entry->warning_reason == 0 && intake->options.duplicates == DUPLICATE_KEEP &&
            differs_from_kept(intake, queued))
            entry->warning_reason = WARNING_ELEMENTS_DISCARDED;
        break;
    case REFUSED_DUPLICATE:
        *ret_forget = addition->generation;
        entry->known = !differs_from_kept(intake, queued);
        if (entry->known)
            break;
        entry->warning_reason = 0;
        error_set(&duplicate, FAULT_DUPLICATE, "SOP Instance UID known");
        outcomes_fail(&intake->outcomes, queued->outcome, &duplicate);
        break;
    }
}

/* Files first, rows second, so that no reader meets a row without a file. The other way round is what a crash
 * may leave, and recovery finds it by the draft. */
static bool place_and_add(struct intake *intake, struct store_draft **drafts, struct addition *additions,
                          uint64_t *forget, struct error *err)
{
    const size_t count = intake->queue_size;

    for (size_t i = 0; i < count; i++) {
        struct queued *queued = &intake->queue[i];
        drafts[i] = queued->draft;
        additions[i] = (struct addition){ .description = &queued->description,
                                          .generation = store_draft_generation(queued->draft) };
        memcpy(additions[i].digest, queued->digest, sizeof queued->digest);
    }
    if (!store_place(intake->store, drafts, count, err))
        return error_while(err, "placing %zu instances", count);
    if (catalog_add(intake->catalog, additions, count, intake->options.duplicates, err))
        return true;
    for (size_t i = 0; i < count; i++)
        forget[i] = additions[i].generation;
    store_forget(intake->store, forget, count);
    return error_while(err, "cataloguing %zu instances", count);
}

/* Afterwards all outcomes are final. Where they find no room they stay open: whoever needs them closed is
 * told. */
static void commit_batch(struct intake *intake)
{
    const size_t count = intake->queue_size;
    struct error why = { 0 }, later = { 0 };
    size_t forget_count = 0;

    if (count == 0)
        return;
    struct store_draft **drafts = calloc(count, sizeof(struct store_draft *));
    struct addition *additions = calloc(count, sizeof *additions);
    uint64_t *forget = calloc(count, sizeof *forget);
    const bool done = drafts && additions && forget
                          ? place_and_add(intake, drafts, additions, forget, &why)
                          : error_set(&why, FAULT_BUSY, "no memory for a batch of %zu", count);
    for (size_t i = 0; i < count; i++) {
        if (done)
            note_addition(intake, &intake->queue[i], &additions[i], &forget[forget_count]);
        else
            outcomes_fail(&intake->outcomes, intake->queue[i].outcome, &why);
        forget_count += done && forget[forget_count] != 0;
    }
    if (done) {
        store_forget(intake->store, forget, forget_count);
        catalog_has_left(intake->catalog, forget, forget_count);
    }
    for (size_t i = 0; i < count; i++)
        leave_queue(&intake->queue[i]);
    if (!done)
        log_line(LOG_DEBUG, "intake: %s", why.detail);
    free(forget);
    free(additions);
    free(drafts);
    intake->queue_size = 0;
    intake->queued_bytes = 0;
    intake->queued_memory = 0;
    if (!outcomes_seal(&intake->outcomes, &later))
        log_line(LOG_DEBUG, "intake: %s", later.detail);
}

/* Room for one more outcome. */
static bool reserve_outcome(struct intake *intake, struct error *err)
{
    if (intake->outcomes.open_count == OUTCOMES_OPEN_MOST)
        commit_batch(intake);
    return (intake->outcomes.open_count < OUTCOMES_OPEN_MOST || outcomes_seal(&intake->outcomes, err)) &&
           outcomes_reserve(&intake->outcomes, err);
}

static bool make_room_in_queue(struct intake *intake, struct error *err)
{
    if (intake->queue_size < intake->queue_capacity)
        return true;
    const size_t capacity = intake->queue_capacity ? intake->queue_capacity * 2 : 4;
    struct queued *grown = realloc(intake->queue, capacity * sizeof *grown);
    if (!grown)
        return error_set(err, FAULT_BUSY, "no memory for %zu queued instances", capacity);
    intake->queue = grown;
    intake->queue_capacity = capacity;
    return true;
}

/* The values move from the scratch arena into memory of just their size. */
static bool keep_values(struct queued *queued, size_t *ret_size, struct error *err)
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
    if (intake->queue_size > 0)
        store_draft_ended(intake->queue[intake->queue_size - 1].draft);
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
    if (!opened && err->fault == FAULT_BUSY && intake->queue_size > 0) {
        commit_batch(intake); /* gives descriptors and memory back */
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

static bool describe(struct intake *intake, struct queued *queued, size_t *ret_memory, struct error *err)
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
    size_t memory = 0;

    if (!make_room_in_queue(intake, err))
        return false;
    struct queued *queued = &intake->queue[intake->queue_size];
    *queued = (struct queued){ .draft = intake->draft };
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
    intake->queue_size++;
    intake->queued_bytes += store_draft_size(queued->draft);
    intake->queued_memory += memory;
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
        intake->queue[intake->queue_size - 1].outcome =
            outcomes_add(&intake->outcomes, &key, &sop_class, NULL);
        if (intake->queue_size >= intake->options.batch_instances ||
            intake->queued_bytes >= intake->options.batch_bytes ||
            intake->queued_memory >= QUEUED_MEMORY_MOST)
            commit_batch(intake);
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
    if (!taken && failure.fault == FAULT_BUSY && intake->queue_size > 0) {
        commit_batch(intake); /* gives descriptors and memory back */
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
    commit_batch(intake);
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
    for (size_t i = 0; i < intake->queue_size; i++)
        leave_queue(&intake->queue[i]);
    free(intake->queue);
    free(intake->gathered);
    arena_release(&intake->scratch);
    outcomes_done(&intake->outcomes);
    free(intake);
}
