/* handlers/rendered_frame.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * One frame as a picture, as PS3.18 8.3.5.1 and PS3.4 N.2 have it: decoded, through the gray or colour
 * pipeline, the source region cut out, scaled to the viewport, annotated last of all.
 */
#ifndef GANTRY_HANDLERS_RENDERED_FRAME_H
#define GANTRY_HANDLERS_RENDERED_FRAME_H

#include "codec/picture_format.h"
#include "handlers/handler.h"
#include "handlers/rendering_parameters.h"
#include "storage/instance_record.h"

/* As a file of `format`, with all that `parameters` say; 16-bit gray where they ask for it,
 * the frame is gray and the format is PNG. Faults as of shown_frame_check, shown_frame_decode and
 * rendering_parameters_fit. May wait: one job of a worker. */
MUST_USE bool rendered_frame_write(const struct service *service, const struct instance_record *record,
                                   uint32_t frame, const struct rendering_parameters *parameters,
                                   enum picture_format format, struct block **ret, struct error *err);
/* Annotated, but not yet written: 8 bits. */
MUST_USE bool rendered_frame_annotated(const struct service *service, const struct instance_record *record,
                                       uint32_t frame, const struct rendering_parameters *parameters,
                                       struct pixels *ret, struct error *err);
/* The frame that stands for an instance: the one that it names (0028,6010), else the middle one. Faults as of
 * shown_frame_check and display_cache_get. */
MUST_USE bool rendered_frame_representative(const struct service *service,
                                            const struct instance_record *record, enum patience patience,
                                            uint32_t *ret, struct error *err);

#endif
