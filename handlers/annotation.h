/* handlers/annotation.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What is written on rendered pictures when a client asks for it (PS3.18 8.3.5.1.1): who the patient is, how
 * the image came about.
 */
#ifndef GANTRY_HANDLERS_ANNOTATION_H
#define GANTRY_HANDLERS_ANNOTATION_H

#include "codec/codec.h"
#include "handlers/handler.h"
#include "handlers/rendering_parameters.h"
#include "storage/instance_record.h"

/* Burnt into the picture: the patient at the upper left, the technique at the lower left. May wait; faults as
 * of pen_new and the catalog. */
MUST_USE bool annotation_draw(const struct service *service, const struct instance_record *record,
                              uint32_t frame, const struct rendering_parameters *parameters,
                              const struct pixels *picture, struct error *err);

#endif
