/* storage/outcomes.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Neighbours mostly share study, series, SOP class and what went wrong: those are stored once. So an instance
 * takes some 100 bytes instead of the kilobyte of struct intake_outcome.
 */
#include "storage/outcomes.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TEXT_MOST_BYTES = 128 << 20,
    LONGEST_OUTCOME_BYTES = 4 * 65 + 200, /* UIDs, told */
};

void outcomes_init(struct outcomes *outcomes)
{
    *outcomes = (struct outcomes){ 0 };
    buffer_init(&outcomes->text, TEXT_MOST_BYTES);
}

void outcomes_done(struct outcomes *outcomes)
{
    free(outcomes->list);
    buffer_done(&outcomes->text);
    outcomes_init(outcomes);
}

bool outcomes_reserve(struct outcomes *outcomes, struct error *err)
{
    if (outcomes->count == INTAKE_OUTCOMES_MOST)
        return error_tell(err, FAULT_TOO_LARGE, "More than %d instances in one request.",
                          INTAKE_OUTCOMES_MOST);
    if (outcomes->text.ceiling - outcomes->text.size < LONGEST_OUTCOME_BYTES + 1)
        return error_tell(err, FAULT_TOO_LARGE, "Too many instances in one request.");
    if (!buffer_reserve(&outcomes->text, LONGEST_OUTCOME_BYTES + 1)) {
        outcomes->text.overflowed = false; /* memory, not the ceiling: what is kept stays good */
        return error_set(err, FAULT_BUSY, "no memory for outcomes");
    }
    if (outcomes->count == outcomes->capacity) {
        const size_t capacity = outcomes->capacity ? outcomes->capacity * 2 : 8;
        struct outcome_entry *grown = realloc(outcomes->list, capacity * sizeof *grown);
        if (!grown)
            return error_set(err, FAULT_BUSY, "no memory for %zu outcomes", capacity);
        outcomes->list = grown;
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
    const size_t i = outcomes->count;

    assert(i < outcomes->capacity);
    const struct outcome_entry before = i ? outcomes->list[i - 1] : none;
    outcomes->list[i] = (struct outcome_entry){
        .study = keep_text(outcomes, key->study.text, before.study),
        .series = keep_text(outcomes, key->series.text, before.series),
        .instance = keep_text(outcomes, key->instance.text, before.instance),
        .sop_class = keep_text(outcomes, sop_class->text, before.sop_class),
    };
    outcomes->count++;
    if (error_or_null)
        outcomes_fail(outcomes, i, error_or_null);
    return i;
}

/* The detail only where it is our failure: an operator will look for it. */
void outcomes_fail(struct outcomes *outcomes, size_t i, const struct error *why)
{
    const struct outcome_entry none = { 0 };
    const struct outcome_entry before = i ? outcomes->list[i - 1] : none;
    struct outcome_entry *entry = &outcomes->list[i];

    entry->fault = (uint16_t)why->fault;
    entry->told = keep_text(outcomes, why->told, before.told);
    entry->detail =
        fault_info(why->fault)->http_status >= 500 ? keep_text(outcomes, why->detail, before.detail) : 0;
}

static void copy_text(char *into, size_t size, const char *text)
{
    snprintf(into, size, "%s", text);
}

void outcomes_get(const struct outcomes *outcomes, size_t i, struct intake_outcome *ret)
{
    assert(i < outcomes->count);
    const struct outcome_entry *entry = &outcomes->list[i];

    *ret = (struct intake_outcome){ .warning_reason = entry->warning_reason, .known = entry->known };
    copy_text(ret->key.study.text, sizeof ret->key.study.text, text_at(outcomes, entry->study));
    copy_text(ret->key.series.text, sizeof ret->key.series.text, text_at(outcomes, entry->series));
    copy_text(ret->key.instance.text, sizeof ret->key.instance.text, text_at(outcomes, entry->instance));
    copy_text(ret->sop_class.text, sizeof ret->sop_class.text, text_at(outcomes, entry->sop_class));
    ret->error.fault = (enum fault)entry->fault;
    copy_text(ret->error.told, sizeof ret->error.told, text_at(outcomes, entry->told));
    copy_text(ret->error.detail, sizeof ret->error.detail,
              text_at(outcomes, entry->detail ? entry->detail : entry->told));
}
