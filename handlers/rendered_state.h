/* handlers/rendered_state.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * A presentation state as the target of rendering (PS3.18 8.3.5.1.6), and as what WADO-URI renders with.
 */
#ifndef GANTRY_HANDLERS_RENDERED_STATE_H
#define GANTRY_HANDLERS_RENDERED_STATE_H

#include "dicom/presentation_state.h"
#include "handlers/frames_body.h"
#include "handlers/handler.h"
#include "handlers/rendering_parameters.h"
#include "storage/instance_record.h"

bool rendered_state_is(const struct instance_record *record);
/* Reads the state of a record into the parameters, and looks up what it lays over other images; all of it
 * ends with the exchange. WOULD_WAIT under MUST_NOT_WAIT. */
MUST_USE bool rendered_state_read(const struct service *service, const struct request *request,
                                  const struct instance_record *record, struct rendering_parameters *into,
                                  struct error *err);
/* Its images as a listing, those that are stored, with the frames of each (an empty list: all). Frames of one
 * image are in the order of their Dimension Index Values, images by where they lie in the patient, where all
 * of them say so and there are not more than RENDERED_STATE_SORTED; else in the order of the state (REN-74).
 * In the arena. NOT_FOUND: none of them is stored. May wait. */
enum { RENDERED_STATE_SORTED = 1000 };
MUST_USE bool rendered_state_images(const struct service *service, const struct request *request,
                                    const struct instance_record *record,
                                    const struct presentation_state *state, struct catalog_listing **ret,
                                    struct frame_list **ret_frames, struct error *err);

#endif
