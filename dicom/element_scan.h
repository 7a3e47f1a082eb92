/* dicom/element_scan.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The skeleton of a data set, found without believing it: where the pixel data begins, whether everything
 * before it is nested and counted within limits.
 */
#ifndef GANTRY_DICOM_ELEMENT_SCAN_H
#define GANTRY_DICOM_ELEMENT_SCAN_H

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/error.h"

enum {
    ELEMENT_SCAN_DEPTH = 128, /* sequences inside one another (JSN-34: at least 64) */
    ELEMENT_SCAN_ELEMENTS =
        1000000, /* elements and items of one instance; dicom/dataset.c takes 64 bytes for each */
};

/* Where bytes come from: the first `memory_size` bytes also lie in memory, the rest (if any) in the file
 * `fd`, or, when there is a `read`, are read by that. */
struct element_source {
    const uint8_t *memory;
    uint64_t memory_size;
    int fd;
    uint64_t size;
    bool (*read)(void *reader, uint64_t offset, void *into, size_t size, struct error *err);
    void *reader;
};

/* `size` bytes at `offset`, all of which must be there. May wait where they are not in memory. */
MUST_USE bool element_source_read(const struct element_source *source, uint64_t offset, void *into,
                                  size_t size, struct error *err);

enum dataset_encoding {
    DATASET_IMPLICIT_LE,
    DATASET_EXPLICIT_LE,
    DATASET_EXPLICIT_BE,
    DATASET_ENCAPSULATED, /* explicit little endian; a nested icon may be compressed */
};

struct element_skeleton {
    uint64_t end;        /* of the elements before the pixel data */
    bool has_pixel_data; /* Pixel Data, Float or Double Float Pixel Data lies at `end` */
    uint32_t pixel_tag;
    char pixel_vr[3];     /* OW when implicit */
    uint64_t pixel_value; /* where its value begins */
    uint32_t pixel_size;  /* its length field; UINT32_MAX: undefined, so it is encapsulated */
};

/* Iterative, bounded by the limits above; safe on any bytes. NOT_DICOM when the structure is broken. May
 * wait. */
MUST_USE bool element_scan(const struct element_source *source, uint64_t from, enum dataset_encoding encoding,
                           struct element_skeleton *ret, struct error *err);
/* What a walk passes, in the order of the bytes. Those of the data set have the depth 1, those of an item in
 * a sequence of it 3. */
struct element_event {
    uint32_t tag;    /* of an item: FFFE,E000 */
    char vr[3];      /* as it stands there; "" where the level has none */
    uint32_t length; /* as it stands there; UINT32_MAX: undefined */
    uint64_t value;  /* where the value begins, from the start of the source */
    uint32_t depth;
    bool implicit; /* no VRs here and little endian, whatever the encoding of the data set: an UN sequence */
};
/* Called by the walk; false with an error ends it. `begin` is a sequence, an item or pixels in fragments,
 * `end` the end of it; an item of fragments is an `element`. */
struct element_visitor {
    bool (*element)(struct element_visitor *visitor, const struct element_event *event, struct error *err);
    bool (*begin)(struct element_visitor *visitor, const struct element_event *event, bool fragments,
                  struct error *err);
    bool (*end)(struct element_visitor *visitor, uint32_t depth, struct error *err);
    /* Is this private element, of known length and without a VR, a sequence? NULL: none is. */
    bool (*is_private_sequence)(struct element_visitor *visitor, uint32_t tag);
};
/* element_scan that tells what it passes. */
MUST_USE bool element_walk_to_pixels(const struct element_source *source, uint64_t from,
                                     enum dataset_encoding encoding, struct element_visitor *visitor_or_null,
                                     struct element_skeleton *ret, struct error *err);
/* Walks all the data set from `from` to its end, with the limits and decisions of element_scan. NOT_DICOM
 * where it is broken: what was passed before has been told. May wait. */
MUST_USE bool element_walk(const struct element_source *source, uint64_t from, enum dataset_encoding encoding,
                           struct element_visitor *visitor, struct error *err);
/* The elements behind the pixel data that `skeleton` tells of. False when there are none, or when they are
 * not sound and ascending: the field has garbage there (2.4 MB of zeros in one real file), and none of that
 * is a reason to refuse an image. `pixels_end`: where the pixel data element ends if the caller knows, else
 * 0. May wait. */
bool element_scan_tail(const struct element_source *source, const struct element_skeleton *skeleton,
                       uint64_t pixels_end, enum dataset_encoding encoding, uint64_t *ret_from,
                       uint64_t *ret_end);

#endif
