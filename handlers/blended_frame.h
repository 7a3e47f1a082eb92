/* handlers/blended_frame.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Two sets of images, one through a palette over the other (PS3.3 C.11.14, PS3.4 N.2.4). The standard pairs
 * nothing: here a frame gets what lies at its place in the patient, or, where neither set says where it lies,
 * the frame of the same number.
 */
#ifndef GANTRY_HANDLERS_BLENDED_FRAME_H
#define GANTRY_HANDLERS_BLENDED_FRAME_H

#include "handlers/frame_work.h"

/* What lies above, looked up once for an exchange: those images of the state that are stored. */
struct blend_images;
/* In the arena of the request. *ret_mark: different when other images are stored under the names that the
 * state tells, so that no picture of them is kept for one of these. May wait. */
MUST_USE bool blend_images_find(const struct service *service, const struct request *request,
                                const struct presentation_state *state, const struct uid *study,
                                struct blend_images **ret, uint64_t *ret_mark, struct error *err);
/* `work` has the rule of the underlying image. NOT_ACCEPTABLE: the sets lie in different frames of reference
 * or at an angle, which would need a registration or a volume. May wait. */
MUST_USE bool blended_frame(struct frame_work *work, const struct rendering_parameters *parameters,
                            struct rendering_task *task, struct pixels *ret, struct error *err);

#endif
