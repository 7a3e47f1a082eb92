/* storage/instance_record.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Counting who still needs a record. The count stands in front of the record, so that nobody else sees it.
 */
#include "storage/instance_record.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

struct counted {
    atomic_size_t references;
    struct instance_record record;
};

static struct counted *counted_of(const struct instance_record *record)
{
    return (struct counted *)((char *)(uintptr_t)record - offsetof(struct counted, record));
}

const struct instance_record *instance_record_new(const struct instance_record *fields)
{
    struct counted *counted = malloc(sizeof *counted);

    if (!counted) {
        fputs("gantry: out of memory\n", stderr);
        abort();
    }
    atomic_init(&counted->references, 1);
    counted->record = *fields;
    return &counted->record;
}

const struct instance_record *instance_record_ref(const struct instance_record *record)
{
    atomic_fetch_add_explicit(&counted_of(record)->references, 1, memory_order_relaxed);
    return record;
}

void instance_record_unref(const struct instance_record *record)
{
    if (!record)
        return;
    struct counted *counted = counted_of(record);
    if (atomic_fetch_sub_explicit(&counted->references, 1, memory_order_acq_rel) != 1)
        return;
    frame_table_unref(record->frames);
    free(counted);
}
