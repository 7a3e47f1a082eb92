/* dicom/dataset.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The elements of a data set as a tree that can be walked, made in the one pass that also checks their
 * structure (element_scan.h). Values stay where they lie until they are asked for. One thread at a time per
 * dataset; different ones in any threads, after bridge_start().
 */
#ifndef GANTRY_DICOM_DATASET_H
#define GANTRY_DICOM_DATASET_H

#include "base/attributes.h"
#include "base/error.h"
#include "dicom/element_scan.h"

struct dataset;
struct dataset_item; /* a data set or an item of a sequence; lives in its dataset */

struct dataset_element {
    uint32_t tag;
    /* As stored, "UN" for what is no VR; from implicit VR the dictionary's: also "ox" (OB or OW), "xs" (US or
     * SS), "lt" (US, SS or OW), which the caller resolves. */
    char vr[3];
    bool is_sequence;
    bool is_encapsulated; /* compressed pixels in an item: the value is that of the fragments behind the table
                           */
    uint64_t size;        /* bytes of the value; 0 for sequences */
    const void *handle;
};

/* Reads the elements from `from` up to the pixel data at the top level, or to the end of the source: what
 * element_scan refuses is refused (NOT_DICOM), with its reasons; BUSY without memory. The source's memory and
 * file must outlive the dataset, `source` itself need not. Of two elements with one tag in an item the second
 * is left out. May wait. */
MUST_USE bool dataset_read(const struct element_source *source, uint64_t from, enum dataset_encoding encoding,
                           struct element_skeleton *ret_skeleton, struct dataset **ret, struct error *err);
/* The same for a source that holds no pixel data at the top level, or whose pixel data are to be in the tree.
 */
MUST_USE bool dataset_read_all(const struct element_source *source, uint64_t from,
                               enum dataset_encoding encoding, struct dataset **ret, struct error *err);
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
/* The same without a copy where the bytes lie in memory as they are wanted: *ret then points there, and NULL
 * otherwise. Never waits. */
bool dataset_value_in_place(const struct dataset_element *element, const uint8_t **ret);

#endif
