/* tests/support/dataset_judge.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Our tree of a file (dicom/dataset.h) beside DCMTK's of the same bytes.
 */
#ifndef GANTRY_TESTS_DATASET_JUDGE_H
#define GANTRY_TESTS_DATASET_JUDGE_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dicom/data_set.h"
#include "dicom/resolve_vr.h"
#include "tests/support/dcmtk_dataset.h"

enum { JUDGED_VALUE_MOST = 1 << 20 };

enum judgement {
    JUDGED_EQUAL,
    JUDGED_UNEQUAL, /* and what differs is told */
    JUDGED_ALONE,   /* DCMTK reads nothing of it */
};

static bool judge_items(struct resolve_level *level, const struct dcmtk_item *theirs, char told[160]);

static bool judge_value(const struct dataset_element *ours, const struct dcmtk_element *theirs)
{
    struct error err = { 0 };

    if (ours->size > JUDGED_VALUE_MOST || ours->size == 0 || theirs->vr[0] >= 'a')
        return true;
    uint8_t *a = malloc(ours->size), *b = malloc(ours->size);
    const bool same = a && b && dataset_value(ours, a, &err) && dcmtk_value(theirs, b, &err) &&
                      memcmp(a, b, ours->size) == 0;
    free(a);
    free(b);
    return same;
}

/* What both call it in the end: DCMTK settles some of the open ones itself. */
static bool judge_vr(struct resolve_level *level, const struct dataset_element *ours,
                     const struct dcmtk_element *theirs)
{
    struct dataset_element as_theirs = *ours;
    char name[3], their_name[3];

    /* DCMTK takes its own inner names ("xs") from files too: no VR is spelt so. */
    if (strcmp(ours->vr, "UN") == 0 && theirs->vr[0] >= 'a')
        return true;
    memcpy(as_theirs.vr, theirs->vr, sizeof as_theirs.vr);
    resolve_vr(level, ours, name);
    resolve_vr(level, &as_theirs, their_name);
    return strcmp(name, their_name) == 0;
}

static bool judge_element(struct resolve_level *level, const struct dataset_element *ours,
                          const struct dcmtk_element *theirs, char told[160])
{
    struct resolve_level below = { .parent = level };
    const struct dcmtk_item *their_item = NULL;

    if (ours->tag != theirs->tag || !judge_vr(level, ours, theirs) ||
        ours->is_sequence != theirs->is_sequence || ours->is_encapsulated != theirs->is_encapsulated ||
        ours->size != theirs->size) {
        snprintf(told, 160, "%08" PRIX32 " %s %d %d %" PRIu64 ", DCMTK's %08" PRIX32 " %s %d %d %" PRIu64,
                 ours->tag, ours->vr, ours->is_sequence, ours->is_encapsulated, ours->size, theirs->tag,
                 theirs->vr, theirs->is_sequence, theirs->is_encapsulated, theirs->size);
        return false;
    }
    if (!ours->is_sequence) {
        if (judge_value(ours, theirs))
            return true;
        snprintf(told, 160, "the value of %08" PRIX32 " %s", ours->tag, ours->vr);
        return false;
    }
    for (;;) {
        below = (struct resolve_level){ .item = dataset_next_item(ours, below.item), .parent = level };
        their_item = dcmtk_next_item(theirs, their_item);
        if (!below.item && !their_item)
            return true;
        if (!below.item || !their_item) {
            snprintf(told, 160, "the number of items of %08" PRIX32, ours->tag);
            return false;
        }
        if (!judge_items(&below, their_item, told))
            return false;
    }
}

static bool judge_items(struct resolve_level *level, const struct dcmtk_item *theirs, char told[160])
{
    struct dataset_element element = { 0 };
    struct dcmtk_element their_element = { 0 };

    for (;;) {
        const bool more = dataset_next_element(level->item, &element);
        const bool their_more = dcmtk_next_element(theirs, &their_element);
        if (more != their_more) {
            snprintf(told, 160, "%08" PRIX32 " is there, or not", more ? element.tag : their_element.tag);
            return false;
        }
        if (!more)
            return true;
        if (!judge_element(level, &element, &their_element, told))
            return false;
    }
}

/* `data_set` was opened. */
static enum judgement judge(const struct data_set *data_set, char told[160])
{
    const struct element_skeleton *skeleton = &data_set->skeleton;
    const struct dcmtk_source source = { data_set->source.memory, data_set->source.memory_size,
                                         data_set->source.fd,
                                         data_set->deflated ? 0 : data_set->part10.data_set, skeleton->end };
    const bool encapsulated = skeleton->has_pixel_data && skeleton->pixel_size == UINT32_MAX;
    struct dcmtk_dataset *theirs = NULL;
    struct error err = { 0 };

    told[0] = '\0';
    if (!dcmtk_parse(&source,
                     data_set->encoding == DATASET_IMPLICIT_LE   ? DCMTK_IMPLICIT_LE
                     : data_set->encoding == DATASET_EXPLICIT_BE ? DCMTK_EXPLICIT_BE
                     : encapsulated                              ? DCMTK_ENCAPSULATED
                                                                 : DCMTK_EXPLICIT_LE,
                     &theirs, &err)) {
        snprintf(told, 160, "%.150s", err.detail);
        return JUDGED_ALONE;
    }
    struct resolve_level root = { .item = dataset_root(data_set->elements) };
    const bool equal = judge_items(&root, dcmtk_root(theirs), told);
    dcmtk_free(theirs);
    return equal ? JUDGED_EQUAL : JUDGED_UNEQUAL;
}

#endif
