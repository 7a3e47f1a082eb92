/* handlers/bulk_picture.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pixel Data that came as image/png or image/gif: made native, in Explicit VR Little Endian (PS3.18 Table
 * 10.5.2-1). One thread at a time; all but the first may wait.
 */
#ifndef GANTRY_HANDLERS_BULK_PICTURE_H
#define GANTRY_HANDLERS_BULK_PICTURE_H

#include "dicom/pixel_shape.h"
#include "handlers/bulk_part.h"
#include "handlers/handler.h"

/* Frames are those of the parts, one part behind the other. */
struct bulk_pictures {
    struct bulk_parts *parts;
    struct bulk_list list;
    struct pixel_shape shape; /* of all */
    uint64_t frames;
};

bool bulk_pictures_are_meant(const struct bulk_list *list);
/* Reads what each file says of itself and settles the Image Pixel Description by it: what the model lacks is
 * set, MISMATCH tells the attribute that contradicts. TOO_LARGE: larger than `limits` allow, or than its
 * bytes can explain; NOT_DICOM: no such file. */
MUST_USE bool bulk_pictures_settle(struct bulk_parts *parts, const struct bulk_list *list,
                                   const struct limits *limits, json_t *model, struct bulk_pictures *ret,
                                   struct error *err);
uint64_t bulk_pictures_bytes(const struct bulk_pictures *pictures); /* native */
/* All of them through `put`, in pieces. NOT_DICOM: broken; BUSY. */
MUST_USE bool bulk_pictures_put(const struct bulk_pictures *pictures,
                                bool (*put)(void *context, struct bytes data, struct error *err),
                                void *context, struct error *err);

#endif
