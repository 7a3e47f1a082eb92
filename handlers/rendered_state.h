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
#include "storage/instance_record.h"

bool rendered_state_is(const struct instance_record *record);
/* Reads the state of a record; it ends with the exchange. WOULD_WAIT under MUST_NOT_WAIT. */
MUST_USE bool rendered_state_read(const struct service *service, const struct request *request,
                                  const struct instance_record *record, const struct presentation_state **ret,
                                  struct error *err);
/* Its images as a listing, those of its own study that are stored, in the order of the state, with the frames
 * of each (an empty list: all). In the arena. NOT_FOUND: none of them is stored. May wait. */
MUST_USE bool rendered_state_images(const struct service *service, const struct request *request,
                                    const struct instance_record *record,
                                    const struct presentation_state *state, struct catalog_listing **ret,
                                    struct frame_list **ret_frames, struct error *err);

#endif
