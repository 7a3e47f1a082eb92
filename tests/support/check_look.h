/* tests/support/check_look.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What holds of every look that was read, whatever the file said; aborts, as fuzz targets do.
 */
#ifndef GANTRY_TESTS_CHECK_LOOK_H
#define GANTRY_TESTS_CHECK_LOOK_H

#include <stdlib.h>

#include "dicom/image_display.h"

static inline void check_look(const struct gray_look *look)
{
    const struct lut *const luts[] = { &look->modality, &look->voi };

    if (look->slope == 0 || (look->has_window && !(look->window.width > 0)))
        abort();
    for (size_t i = 0; i < COUNT_OF(luts); i++)
        for (uint32_t k = 0; k < luts[i]->count; k++)
            if (luts[i]->values[k] >> luts[i]->bits)
                abort();
}

#endif
