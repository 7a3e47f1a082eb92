/* bridge/dataset.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * DCMTK's parser: a run of data elements in, a tree out that can be walked. Values above 4 KiB stay where
 * they are until asked for. One thread at a time per dataset; different ones in any threads, after
 * bridge_start().
 */
#ifndef GANTRY_BRIDGE_DATASET_H
#define GANTRY_BRIDGE_DATASET_H

#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"

GANTRY_C_BEGIN

/* Where the elements lie: the first `memory_size` bytes also in memory, the rest (if any) in the file `fd`.
 * Both must outlive the dataset. */
struct dataset_source {
    const uint8_t *memory;
    uint64_t memory_size;
    int fd;
    uint64_t offset, end; /* of the elements, from the start of the memory or file */
};
enum dataset_encoding {
    DATASET_IMPLICIT_LE,
    DATASET_EXPLICIT_LE,
    DATASET_EXPLICIT_BE,
    DATASET_ENCAPSULATED, /* explicit little endian; a nested icon may be compressed */
};

struct dataset;
struct dataset_item; /* a data set or an item of a sequence; lives in its dataset */

struct dataset_element {
    uint32_t tag;
    /* As stored; from implicit VR DCMTK's dictionary name: also "ox" (OB or OW), "xs" (US or SS), "lt" (US,
     * SS or OW), which the caller resolves. */
    char vr[3];
    bool is_sequence;
    bool is_encapsulated; /* compressed pixels in an item: the value is that of the fragments behind the table
                           */
    uint64_t size;        /* bytes of the value; 0 for sequences */
    void *handle;
};

/* NOT_DICOM when it cannot be parsed, or when it is nested so deeply that the stack would not do (a second
 * fence behind dicom/element_scan.c). May wait. */
MUST_USE bool dataset_parse(const struct dataset_source *source, enum dataset_encoding encoding,
                            struct dataset **ret, struct error *err);
void dataset_free(struct dataset *dataset); /* NULL is fine */
void dataset_drop(struct dataset **dataset);

const struct dataset_item *dataset_root(const struct dataset *dataset);
/* The element behind *at, the first one when at->handle is NULL; ascending by tag. False: no more. */
bool dataset_next_element(const struct dataset_item *item, struct dataset_element *at);
bool dataset_find(const struct dataset_item *item, uint32_t tag, struct dataset_element *ret);
/* The item behind `previous`, the first one for NULL; NULL: no more. */
const struct dataset_item *dataset_next_item(const struct dataset_element *sequence,
                                             const struct dataset_item *previous_or_null);
/* All element->size bytes of the value, little endian, padding and all, into `into`. May wait. */
MUST_USE bool dataset_value(const struct dataset_element *element, uint8_t *into, struct error *err);

GANTRY_C_END

#endif
