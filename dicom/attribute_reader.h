/* dicom/attribute_reader.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Values of a parsed data set as numbers and texts, in an arena with a budget: for those who read a few
 * attributes and take what is absent or broken as not there. One thread at a time.
 */
#ifndef GANTRY_DICOM_ATTRIBUTE_READER_H
#define GANTRY_DICOM_ATTRIBUTE_READER_H

#include "base/arena.h"
#include "dicom/dataset.h"
#include "dicom/image_display.h"

struct attribute_reader {
    struct arena *arena;
    uint64_t budget; /* bytes still to be taken from the arena */
    bool pixels_signed;
};

/* The whole value, padding and all; data NULL: absent, a sequence, or over the budget. */
struct bytes attribute_bytes(struct attribute_reader *reader, const struct dataset_item *item, uint32_t tag);
/* The same without padding. */
struct bytes attribute_text(struct attribute_reader *reader, const struct dataset_item *item, uint32_t tag);
bool attribute_is(struct attribute_reader *reader, const struct dataset_item *item, uint32_t tag,
                  const char *text);
/* The n-th value (from 0) of a decimal string or of a binary number of any width. */
bool attribute_real(struct attribute_reader *reader, const struct dataset_item *item, uint32_t tag,
                    unsigned n, double *ret);
bool attribute_whole(struct attribute_reader *reader, const struct dataset_item *item, uint32_t tag,
                     unsigned n, int64_t *ret);
/* All values, at most `most`, in the arena; those that are no numbers are 0. NULL: none. */
const double *attribute_reals(struct attribute_reader *reader, const struct dataset_item *item, uint32_t tag,
                              uint32_t most, uint32_t *ret_count);
/* Whole numbers from 0 to UINT32_MAX; others are 0. NULL: none. */
const uint32_t *attribute_counts(struct attribute_reader *reader, const struct dataset_item *item,
                                 uint32_t tag, uint32_t most, uint32_t *ret_count);
/* Calls `read` with each item of a sequence, at most `most`; those that it takes are the list, of elements of
 * `size` bytes, in the arena. NULL with *ret_count 0: none, or over the budget. */
void *attribute_list(struct attribute_reader *reader, const struct dataset_item *item, uint32_t sequence,
                     uint32_t most, size_t size,
                     bool (*read)(struct attribute_reader *, const struct dataset_item *, void *),
                     uint32_t *ret_count);
/* An array in the arena, within the budget; NULL: none. */
void *attribute_room(struct attribute_reader *reader, uint32_t count, size_t size);
/* The first item of a sequence, or NULL. */
const struct dataset_item *attribute_item(const struct dataset_item *item, uint32_t sequence);
/* The n-th item, from 0; NULL behind the last. Each call walks: for few items. */
const struct dataset_item *attribute_item_at(const struct dataset_item *item, uint32_t sequence, unsigned n);

/* A table with its descriptor (PS3.3 C.11.1.1); false: none that can be used. */
bool attribute_lut(struct attribute_reader *reader, const struct dataset_item *item, uint32_t descriptor,
                   uint32_t data, struct lut *ret);
/* The same from segments (PS3.3 C.7.9.2). */
bool attribute_segmented_lut(struct attribute_reader *reader, const struct dataset_item *item,
                             uint32_t descriptor, uint32_t data, struct lut *ret);
/* For the fuzzer and the above: segments of `bits` (8 or 16) bit words expanded into exactly `count` entries;
 * what lacks is the last value. */
void attribute_expand_segments(struct bytes data, unsigned bits, uint32_t count, uint16_t *into);
/* The three tables of a palette, plain or segmented. */
bool attribute_palette(struct attribute_reader *reader, const struct dataset_item *item, struct palette *ret);
/* First VOI LUT item and first window of an item; what there is none of is left as it is. */
void attribute_voi(struct attribute_reader *reader, const struct dataset_item *item, struct gray_look *into);
/* The overlay planes 6000 to 601E; how many of `into`, which has room for IMAGE_DISPLAY_OVERLAYS. */
size_t attribute_overlays(struct attribute_reader *reader, const struct dataset_item *item,
                          struct overlay *into);
/* Modality LUT Sequence, or rescale. */
void attribute_modality(struct attribute_reader *reader, const struct dataset_item *item,
                        struct gray_look *into);

#endif
