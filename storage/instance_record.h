/* storage/instance_record.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * All that answering for an instance needs without opening its DICOM. Immutable, shared, counted.
 */
#ifndef GANTRY_STORAGE_INSTANCE_RECORD_H
#define GANTRY_STORAGE_INSTANCE_RECORD_H

#include "base/attributes.h"
#include "dicom/frame_table.h"
#include "dicom/instance_key.h"
#include "dicom/pixel_shape.h"
#include "dicom/transfer_syntax.h"
#include "storage/store.h"

struct instance_record {
    struct instance_key key;
    uint64_t generation;
    uint64_t file_size;       /* bytes */
    uint64_t data_set_offset; /* bytes */
    bool needs_head;          /* the file does not leave with the head that it has (dicom/description.h) */
    struct uid sop_class;
    struct uid syntax_uid;
    enum transfer_syntax syntax;
    struct pixel_shape shape;
    const struct frame_table *frames; /* NULL: no pixel data */
    uint8_t digest[STORE_DIGEST_BYTES];
    int64_t stored_unix_ms;
};

/* A counted copy with one reference held; takes over the reference of `fields->frames`. Never NULL: aborts
 * when the kernel has no memory. All three: any thread, never wait. */
const struct instance_record *instance_record_new(const struct instance_record *fields);
const struct instance_record *instance_record_ref(const struct instance_record *record);
void instance_record_unref(const struct instance_record *record); /* NULL is fine */
static inline void instance_record_drop(const struct instance_record **record)
{
    instance_record_unref(*record);
}

#endif
