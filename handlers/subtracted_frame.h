/* handlers/subtracted_frame.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Frames of one image subtracted from each other, as a presentation state says (PS3.3 C.7.6.10, C.11.13,
 * PS3.4 N.2.1.2).
 */
#ifndef GANTRY_HANDLERS_SUBTRACTED_FRAME_H
#define GANTRY_HANDLERS_SUBTRACTED_FRAME_H

#include "handlers/frame_work.h"

/* Is anything subtracted from this frame? */
bool subtracted_frame_applies(const struct frame_work *work, const struct presentation_state *state);
/* The difference of what the Modality LUT gives, through the rest of the rule of `work`; where no window and
 * no VOI LUT is told, from the least to the greatest difference that there can be. NOT_ACCEPTABLE: mask
 * frames that are not there, an unknown operation, frames too large. May wait: decodes as many frames as the
 * mask has. */
MUST_USE bool subtracted_frame(struct frame_work *work, const struct presentation_state *state,
                               struct rendering_task *task, struct pixels *ret, struct error *err);

#endif
