/* tests/unit/dicom/pixel_shape_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "dicom/pixel_shape.h"

#include "tests/support/expect.h"

TEST(RET_51_a_frame_is_rows_by_columns_by_samples_by_bits)
{
    static const struct {
        struct pixel_shape shape;
        uint64_t bytes;
    } cases[] = {
        { { .rows = 512, .columns = 512, .samples_per_pixel = 1, .bits_allocated = 16 }, 524288 },
        { { .rows = 3, .columns = 3, .samples_per_pixel = 3, .bits_allocated = 8, .photometric = RGB }, 27 },
        { { .rows = 7, .columns = 5, .samples_per_pixel = 1, .bits_allocated = 1 }, 5 },
        { { .rows = 4,
            .columns = 4,
            .samples_per_pixel = 3,
            .bits_allocated = 8,
            .photometric = YBR_FULL_422 },
          32 },
        { { .rows = 4,
            .columns = 4,
            .samples_per_pixel = 3,
            .bits_allocated = 8,
            .photometric = YBR_PARTIAL_420 },
          24 },
        { { .rows = 65535, .columns = 65535, .samples_per_pixel = 4, .bits_allocated = 64 }, 137434759200 },
        { { 0 }, 0 },
        { { .rows = UINT32_MAX, .columns = UINT32_MAX, .samples_per_pixel = 65535, .bits_allocated = 65535 },
          0 },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        EXPECT(pixel_shape_frame_bytes(&cases[i].shape) == cases[i].bytes, "case %zu: %llu", i,
               (unsigned long long)pixel_shape_frame_bytes(&cases[i].shape));
}
