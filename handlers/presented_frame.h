/* handlers/presented_frame.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * One frame as a presentation state shows it: PS3.4 N.2 from the stored values to the last graphic.
 *
 *   values ─► Modality LUT ─► masks ─► VOI LUT ─► Presentation LUT ─► palette ─► laid over another image
 *                                                       └─► shutter, area, turning, scaling, graphics
 * (presented_picture.h)
 */
#ifndef GANTRY_HANDLERS_PRESENTED_FRAME_H
#define GANTRY_HANDLERS_PRESENTED_FRAME_H

#include "handlers/frame_work.h"

/* `work` is open; its rule is changed to what the state of `parameters` says. Faults as of
 * frame_work_render; NOT_ACCEPTABLE where the state cannot be followed. May wait. */
MUST_USE bool presented_frame(struct frame_work *work, const struct rendering_parameters *parameters,
                              struct pixels *ret, struct error *err);
/* The rule of `work` becomes that of the state: what it does not say is the identity, all that can be stored,
 * from black to white (REN-71). */
MUST_USE bool presented_frame_rule(struct frame_work *work, const struct presented_gray *gray,
                                   struct error *err);
/* Gray of 16 bits through a palette, the whole range of one over all of the other (PS3.4 N.2.4.2). */
MUST_USE bool presented_frame_colours(const struct palette *palette, struct pixels *picture,
                                      struct error *err);

#endif
