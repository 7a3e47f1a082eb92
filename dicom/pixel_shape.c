/* dicom/pixel_shape.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * How many bytes a frame has, by its shape.
 */
#include "dicom/pixel_shape.h"

/* Native data with subsampled chrominance holds fewer samples than pixels times Samples per Pixel: two pixels
 * have Y Y Cb Cr (4:2:2), four have Y Y Y Y Cb Cr (4:2:0). PS3.3 C.7.6.3.1.2. */
static uint64_t subsampled(uint64_t bits, const struct pixel_shape *shape)
{
    if (shape->samples_per_pixel != 3)
        return bits;
    if (shape->photometric == YBR_FULL_422)
        return bits / 3 * 2;
    if (shape->photometric == YBR_PARTIAL_420)
        return bits / 2;
    return bits;
}

uint64_t pixel_shape_frame_bytes(const struct pixel_shape *shape)
{
    uint64_t bits = (uint64_t)shape->rows * shape->columns;

    if (__builtin_mul_overflow(bits, (uint64_t)shape->samples_per_pixel * shape->bits_allocated, &bits))
        return 0;
    bits = subsampled(bits, shape);
    return bits / 8 + (bits % 8 != 0);
}
