/* dicom/image_planes.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Where the frames of an instance lie in the patient (PS3.3 C.7.6.2, C.7.6.16.2.3) and how they are ordered
 * by their dimensions (C.7.6.17). Read for presentation states that show several frames, and for those that
 * lay one set of images over another.
 */
#ifndef GANTRY_DICOM_IMAGE_PLANES_H
#define GANTRY_DICOM_IMAGE_PLANES_H

#include "base/arena.h"
#include "base/attributes.h"
#include "base/error.h"
#include "dicom/uid.h"

enum { IMAGE_PLANES_DIMENSIONS = 6 };

struct image_plane {
    bool is_known;
    double position[3];                           /* mm, of the middle of the first pixel */
    double across[3], down[3];                    /* along a row, along a column; about 1 long */
    double row_spacing, column_spacing;           /* mm; > 0 */
    uint32_t dimensions[IMAGE_PLANES_DIMENSIONS]; /* Dimension Index Values; 0 where there are none */
};

struct image_planes {
    struct uid frame_of_reference;    /* empty: not told */
    double thickness;                 /* mm; 0: not told */
    struct image_plane whole;         /* of the data set or the shared functional groups */
    const struct image_plane *frames; /* from 0; NULL: all are `whole` */
    uint32_t frame_count;
};

/* Reads it from a stored file into the arena. NOT_DICOM; what is absent or broken is not known. May wait. */
MUST_USE bool image_planes_read(const char *path, struct arena *arena, struct image_planes *ret,
                                struct error *err);
/* Of a frame from 1. */
const struct image_plane *image_planes_of(const struct image_planes *planes, uint32_t frame);
/* How far along the normal of `plane` a point lies, in mm. */
double image_plane_distance(const struct image_plane *plane, const double point[3]);
/* Are both known and do they face the same way, within a degree? */
bool image_plane_is_parallel(const struct image_plane *one, const struct image_plane *other);

#endif
