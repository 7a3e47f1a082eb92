/* handlers/presented_picture.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What a presentation state does to a picture after its gray values are made: PS3.4 N.2, from the shutter to
 * the graphics, with the scaling of PS3.18 8.3.5.1.6.
 *
 *   whole frame ─► shutter ─► displayed area (black where it leaves the image) ─► rotated ─► flipped ─►
 * scaled ─► drawn on
 */
#ifndef GANTRY_HANDLERS_PRESENTED_PICTURE_H
#define GANTRY_HANDLERS_PRESENTED_PICTURE_H

#include "codec/codec.h"
#include "dicom/presentation_state.h"
#include "handlers/rendering_parameters.h"

/* `picture`: all of the frame, in its own pixels; replaced by what is to be seen. Graphics are written with
 * the font at `font_path`. BUSY, INTERNAL. */
MUST_USE bool presented_picture(const struct presentation_state *state, const struct uid *instance,
                                uint32_t frame, const struct rendering_parameters *parameters,
                                const char *font_path, struct pixels *picture, struct error *err);

#endif
