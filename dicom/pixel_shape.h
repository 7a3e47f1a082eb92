/* dicom/pixel_shape.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The shape of one frame: PS3.3 C.7.6.3, by the names used there.
 */
#ifndef GANTRY_DICOM_PIXEL_SHAPE_H
#define GANTRY_DICOM_PIXEL_SHAPE_H

#include <stdbool.h>
#include <stdint.h>

enum photometric {
    PHOTOMETRIC_OTHER = 0,
    MONOCHROME1,
    MONOCHROME2,
    RGB,
    YBR_FULL,
    YBR_FULL_422,
    YBR_PARTIAL_420,
    YBR_ICT,
    YBR_RCT,
    PALETTE_COLOR,
    XYB
};

struct pixel_shape {
    uint32_t rows, columns; /* pixels; both 0: no image */
    uint16_t samples_per_pixel;
    uint16_t bits_allocated, bits_stored; /* bits stored 0: real numbers, which have no code streams */
    bool is_signed, planar;
    enum photometric photometric;
};

/* Bytes of one uncompressed frame of this shape; bits are counted, so 1-bit frames round up to a whole byte.
 * 0 when the shape is none, or larger than 2^63. */
uint64_t pixel_shape_frame_bytes(const struct pixel_shape *shape);

#endif
