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

#include "handlers/presented_graphics.h"
#include "handlers/rendering_parameters.h"

/* `picture`: all of the frame, in its own pixels; replaced by what is to be seen. BUSY, INTERNAL;
 * NOT_ACCEPTABLE where the state asks for more than can be made. */
MUST_USE bool presented_picture(const struct presented *what, const struct rendering_parameters *parameters,
                                struct pixels *picture, struct error *err);

#endif
