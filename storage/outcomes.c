/* storage/outcomes.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Neighbours mostly share study, series, SOP class and what went wrong: those are stored once. So an instance
 * takes some 50 bytes instead of the kilobyte of struct intake_outcome.
 *
 *   record   │ which texts are new │ known │ fault │ warning │ text NUL │ … │
 *              1 byte                1       2       2         each new one
 */
#include "storage/outcomes.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

enum {
    SPOOLED_FROM_BYTES = 64 * 1024,
    TAIL_MOST_BYTES = 128 << 20, /* while the disk takes nothing */
    TEXTS = 6,
    RECORD_HEAD_BYTES = 6,
    RECORD_MOST_BYTES = RECORD_HEAD_BYTES + 4 * sizeof(struct uid) + sizeof(((struct error *)0)->told) +
                        sizeof(((struct error *)0)->detail),
    OPEN_TEXT_MOST_BYTES = OUTCOMES_OPEN_MOST * RECORD_MOST_BYTES,
    WINDOW_BYTES = 16 * 1024,
};

void outcomes_init(struct outcomes *outcomes, struct store *store)
{
    *outcomes = (struct outcomes){ .store = store };
    buffer_init(&outcomes->text, OPEN_TEXT_MOST_BYTES);
    buffer_init(&outcomes->tail, TAIL_MOST_BYTES);
}

void outcomes_done(struct outcomes *outcomes)
{
    free(outcomes->open);
    free(outcomes->last);
    buffer_done(&outcomes->text);
    buffer_done(&outcomes->tail);
    spool_close(outcomes->spool_or_null);
    outcomes_init(outcomes, outcomes->store);
}

/* ── open ── */

bool outcomes_reserve(struct outcomes *outcomes, struct error *err)
{
    if (outcomes->count == INTAKE_OUTCOMES_MOST)
        return error_tell(err, FAULT_TOO_LARGE, "More than %d instances in one request.",
                          INTAKE_OUTCOMES_MOST);
    if (outcomes->open_count == OUTCOMES_OPEN_MOST)
        return error_tell(err, FAULT_TOO_LARGE, "Too many instances in one request.");
    if (!buffer_reserve(&outcomes->text, RECORD_MOST_BYTES)) {
        outcomes->text.overflowed = false; /* memory, not the ceiling: what is kept stays good */
        return error_set(err, FAULT_BUSY, "no memory for outcomes");
    }
    if (outcomes->open_count == outcomes->capacity) {
        const size_t capacity = outcomes->capacity ? outcomes->capacity * 2 : 8;
        struct outcome_entry *grown = realloc(outcomes->open, capacity * sizeof *grown);
        if (!grown)
            return error_set(err, FAULT_BUSY, "no memory for %zu outcomes", capacity);
        outcomes->open = grown;
        outcomes->capacity = capacity;
    }
    return true;
}

static const char *text_at(const struct outcomes *outcomes, uint32_t at)
{
    return at ? (const char *)outcomes->text.data + at : "";
}

/* Where `text` lies: at `before`, when it is the same there, else at the end. 0 when there is no room. */
static uint32_t keep_text(struct outcomes *outcomes, const char *text, uint32_t before)
{
    const size_t size = strlen(text) + 1, at = outcomes->text.size;

    if (size == 1)
        return 0;
    if (strcmp(text_at(outcomes, before), text) == 0)
        return before;
    if (at == 0)
        buffer_append_byte(&outcomes->text, 0); /* offset 0 is no text's */
    const size_t from = outcomes->text.size;
    uint8_t *room = outcomes->text.ceiling - from < size ? NULL : buffer_reserve(&outcomes->text, size);
    if (!room) {
        outcomes->text.overflowed = false;
        return 0;
    }
    memcpy(room, text, size);
    buffer_grew(&outcomes->text, size);
    return (uint32_t)from;
}

size_t outcomes_add(struct outcomes *outcomes, const struct instance_key *key, const struct uid *sop_class,
                    const struct error *error_or_null)
{
    const struct outcome_entry none = { 0 };
    const size_t n = outcomes->open_count, i = outcomes->count;

    assert(n < outcomes->capacity);
    const struct outcome_entry before = n ? outcomes->open[n - 1] : none;
    outcomes->open[n] = (struct outcome_entry){
        .study = keep_text(outcomes, key->study.text, before.study),
        .series = keep_text(outcomes, key->series.text, before.series),
        .instance = keep_text(outcomes, key->instance.text, before.instance),
        .sop_class = keep_text(outcomes, sop_class->text, before.sop_class),
    };
    outcomes->open_count++;
    outcomes->count++;
    if (error_or_null)
        outcomes_fail(outcomes, i, error_or_null);
    return i;
}

struct outcome_entry *outcomes_entry(struct outcomes *outcomes, size_t i)
{
    assert(i < outcomes->count && i >= outcomes->count - outcomes->open_count);
    return &outcomes->open[i - (outcomes->count - outcomes->open_count)];
}

/* The detail only where it is our failure: an operator will look for it. */
void outcomes_fail(struct outcomes *outcomes, size_t i, const struct error *why)
{
    const struct outcome_entry none = { 0 };
    struct outcome_entry *entry = outcomes_entry(outcomes, i);
    const struct outcome_entry before = entry > outcomes->open ? entry[-1] : none;

    entry->fault = (uint16_t)why->fault;
    entry->told = keep_text(outcomes, why->told, before.told);
    entry->detail =
        fault_info(why->fault)->http_status >= 500 ? keep_text(outcomes, why->detail, before.detail) : 0;
}

/* ── sealed ── */

/* Where text `which` of an outcome is, and how large it may be. */
static char *text_of(struct intake_outcome *outcome, unsigned which, size_t *ret_size)
{
    struct uid *const uids[] = { &outcome->key.study, &outcome->key.series, &outcome->key.instance,
                                 &outcome->sop_class };

    *ret_size = which < COUNT_OF(uids) ? sizeof uids[0]->text
                : which == 4           ? sizeof outcome->error.told
                                       : sizeof outcome->error.detail;
    return which < COUNT_OF(uids) ? uids[which]->text
           : which == 4           ? outcome->error.told
                                  : outcome->error.detail;
}

static void append_record(struct outcomes *outcomes, const struct outcome_entry *entry)
{
    const uint32_t texts[TEXTS] = { entry->study,    entry->series,
                                    entry->instance, entry->sop_class,
                                    entry->told,     entry->detail ? entry->detail : entry->told };
    uint8_t head[RECORD_HEAD_BYTES] = { 0, entry->known };
    const size_t at = outcomes->tail.size;

    memcpy(head + 2, &entry->fault, 2);
    memcpy(head + 4, &entry->warning_reason, 2);
    buffer_append(&outcomes->tail, bytes_of(head, sizeof head));
    for (unsigned which = 0; which < TEXTS; which++) {
        size_t size;
        char *last = text_of(outcomes->last, which, &size);
        const char *text = text_at(outcomes, texts[which]);

        if (strcmp(last, text) == 0)
            continue;
        head[0] |= (uint8_t)(1 << which);
        snprintf(last, size, "%s", text);
        buffer_append(&outcomes->tail, bytes_of(last, strlen(last) + 1));
    }
    if (!outcomes->tail.overflowed)
        outcomes->tail.data[at] = head[0];
}

/* A disk that takes nothing now is asked again with the next: until then memory has to do. */
static void spool_tail(struct outcomes *outcomes)
{
    struct error why = { 0 };

    if (outcomes->tail.size < SPOOLED_FROM_BYTES)
        return;
    if ((outcomes->spool_or_null || spool_open(outcomes->store, &outcomes->spool_or_null, &why)) &&
        spool_append(outcomes->spool_or_null, buffer_bytes(&outcomes->tail), &why))
        buffer_cut(&outcomes->tail, 0);
    else
        log_line(LOG_DEBUG, "outcomes: %s", why.detail);
}

bool outcomes_seal(struct outcomes *outcomes, struct error *err)
{
    const size_t before = outcomes->tail.size;
    bool done = true;

    if (outcomes->open_count == 0)
        return true;
    if (!outcomes->last)
        outcomes->last = calloc(1, sizeof *outcomes->last);
    if (!outcomes->last)
        return error_set(err, FAULT_BUSY, "no memory for outcomes");
    const struct intake_outcome last = *outcomes->last;
    for (size_t i = 0; i < outcomes->open_count; i++)
        append_record(outcomes, &outcomes->open[i]);
    if (outcomes->tail.overflowed) {
        outcomes->tail.overflowed = false;
        buffer_cut(&outcomes->tail, before);
        *outcomes->last = last;
        done = error_set(err, FAULT_BUSY, "no room for %zu outcomes", outcomes->open_count);
    } else {
        outcomes->open_count = 0;
        buffer_cut(&outcomes->text, 0);
    }
    spool_tail(outcomes);
    return done;
}

/* ── reading ── */

struct outcome_reader {
    struct outcomes *outcomes;
    uint64_t at; /* of the next record, in the stream */
    size_t left; /* records */
    struct intake_outcome now;
    uint64_t window_at;
    size_t window_size;
    uint8_t window[WINDOW_BYTES];
};

struct outcome_reader *outcome_reader_new(struct outcomes *outcomes, struct arena *arena)
{
    struct outcome_reader *reader = arena_alloc(arena, sizeof *reader);

    assert(outcomes->open_count == 0);
    reader->outcomes = outcomes;
    outcome_reader_rewind(reader);
    return reader;
}

void outcome_reader_rewind(struct outcome_reader *reader)
{
    reader->at = 0;
    reader->left = reader->outcomes->count;
    memset(&reader->now, 0, sizeof reader->now);
}

/* What is at hand of the next record; records never lie half in the spool. */
static bool look(struct outcome_reader *reader, enum patience patience, const uint8_t **ret,
                 struct error *err)
{
    struct outcomes *outcomes = reader->outcomes;
    const uint64_t spooled = outcomes->spool_or_null ? spool_size(outcomes->spool_or_null) : 0;

    if (reader->at >= spooled) {
        *ret = outcomes->tail.data + (reader->at - spooled);
        return true;
    }
    const uint64_t wanted =
        spooled - reader->at < RECORD_MOST_BYTES ? spooled - reader->at : RECORD_MOST_BYTES;
    if (reader->at < reader->window_at || reader->at + wanted > reader->window_at + reader->window_size) {
        const uint64_t size = spooled - reader->at < WINDOW_BYTES ? spooled - reader->at : WINDOW_BYTES;
        if (patience == MUST_NOT_WAIT)
            return error_set(err, FAULT_WOULD_WAIT, "reading outcomes");
        reader->window_size = 0;
        if (!spool_read(outcomes->spool_or_null, reader->at, reader->window, (size_t)size, err))
            return error_while(err, "outcomes");
        reader->window_at = reader->at;
        reader->window_size = (size_t)size;
    }
    *ret = reader->window + (reader->at - reader->window_at);
    return true;
}

bool outcome_reader_next(struct outcome_reader *reader, enum patience patience,
                         const struct intake_outcome **ret_or_null, struct error *err)
{
    const uint8_t *record = NULL;
    uint16_t fault;

    if (reader->left == 0) {
        *ret_or_null = NULL;
        return true;
    }
    if (!look(reader, patience, &record, err))
        return false;
    const char *text = (const char *)record + RECORD_HEAD_BYTES;
    reader->now.known = record[1];
    memcpy(&fault, record + 2, sizeof fault);
    reader->now.error.fault = (enum fault)fault;
    memcpy(&reader->now.warning_reason, record + 4, sizeof reader->now.warning_reason);
    for (unsigned which = 0; which < TEXTS; which++) {
        size_t size;
        char *into = text_of(&reader->now, which, &size);

        if (!(record[0] >> which & 1))
            continue;
        snprintf(into, size, "%s", text);
        text += strlen(text) + 1;
    }
    reader->at += (uint64_t)((const uint8_t *)text - record);
    reader->left--;
    *ret_or_null = &reader->now;
    return true;
}
