/* tests/support/dcmtk_dataset.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * DCMTK's parser, as the judge of dicom/dataset.h: no part of what is shipped. A run of data elements in, a
 * tree out that can be walked. Values above 4 KiB stay where they are until asked for. One thread at a time
 * per dataset; different ones in any threads, after bridge_start().
 */
#ifndef GANTRY_TESTS_DCMTK_DATASET_H
#define GANTRY_TESTS_DCMTK_DATASET_H

#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"

GANTRY_C_BEGIN

/* Where the elements lie: the first `memory_size` bytes also in memory, the rest (if any) in the file `fd`.
 * Both must outlive the dataset. */
struct dcmtk_source {
    const uint8_t *memory;
    uint64_t memory_size;
    int fd;
    uint64_t offset, end; /* of the elements, from the start of the memory or file */
};
enum dcmtk_encoding {
    DCMTK_IMPLICIT_LE,
    DCMTK_EXPLICIT_LE,
    DCMTK_EXPLICIT_BE,
    DCMTK_ENCAPSULATED, /* explicit little endian; a nested icon may be compressed */
};

struct dcmtk_dataset;
struct dcmtk_item; /* a data set or an item of a sequence; lives in its dataset */

struct dcmtk_element {
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
MUST_USE bool dcmtk_parse(const struct dcmtk_source *source, enum dcmtk_encoding encoding,
                          struct dcmtk_dataset **ret, struct error *err);
void dcmtk_free(struct dcmtk_dataset *dataset); /* NULL is fine */
void dcmtk_drop(struct dcmtk_dataset **dataset);

const struct dcmtk_item *dcmtk_root(const struct dcmtk_dataset *dataset);
/* The element behind *at, the first one when at->handle is NULL; ascending by tag. False: no more. */
bool dcmtk_next_element(const struct dcmtk_item *item, struct dcmtk_element *at);
bool dcmtk_find(const struct dcmtk_item *item, uint32_t tag, struct dcmtk_element *ret);
/* The item behind `previous`, the first one for NULL; NULL: no more. */
const struct dcmtk_item *dcmtk_next_item(const struct dcmtk_element *sequence,
                                         const struct dcmtk_item *previous_or_null);
/* All element->size bytes of the value, little endian, padding and all, into `into`. May wait. */
MUST_USE bool dcmtk_value(const struct dcmtk_element *element, uint8_t *into, struct error *err);

GANTRY_C_END

#endif
