/* handlers/overlay_drawing.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Overlay planes (PS3.3 C.9.2) on a rendered picture: by option, not by default (REN-59).
 */
#ifndef GANTRY_HANDLERS_OVERLAY_DRAWING_H
#define GANTRY_HANDLERS_OVERLAY_DRAWING_H

#include "codec/scaling.h"
#include "dicom/image_display.h"
#include "handlers/rendering_parameters.h"

/* Do any of them lie in unused bits of the samples (retired)? Then the samples are needed. */
bool overlays_lie_in_samples(const struct image_display *display);
/* The bit over a pixel of a frame (from 1), rows and columns of the image from 0; false outside. */
bool overlay_bit(const struct overlay *overlay, uint32_t frame, const struct pixels *samples_or_null,
                 int64_t row, int64_t column);
/* `region`: what of the frame the picture shows. `samples_or_null`: the whole frame as stored, of 8 or 16
 * bits. */
void overlays_draw(const struct image_display *display, uint32_t frame, const struct pixels *samples_or_null,
                   const struct rendering_parameters *parameters, const struct region *region,
                   const struct pixels *picture);

#endif
