/* handlers/frame_work.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What rendering one frame works with: the record, the open file, how the image is shown, and the rule from
 * its samples to what is seen. One thread at a time, on a worker.
 */
#ifndef GANTRY_HANDLERS_FRAME_WORK_H
#define GANTRY_HANDLERS_FRAME_WORK_H

#include "codec/rendering.h"
#include "handlers/handler.h"
#include "handlers/rendering_parameters.h"
#include "storage/instance_record.h"

struct frame_work {
    const struct service *service;
    const struct instance_record *record;
    const struct image_display *display;
    struct store_reader *reader;
    uint32_t frame;
    struct gray_look look;
    struct sample_rule rule; /* its look is `look` */
};

/* Opens the file; the rule is that of the image with the window of `parameters`. frame_work_close whatever
 * comes back. Faults as of shown_frame_check and display_cache_get. May wait. */
MUST_USE bool frame_work_open(const struct service *service, const struct instance_record *record,
                              uint32_t frame, const struct rendering_parameters *parameters,
                              struct frame_work *ret, struct error *err);
void frame_work_close(struct frame_work *work);

/* Black and white where nothing is stored to window with (REN-46), from the frame that stands for the
 * instance, so that all its frames are shown alike. Nothing is done where there is. */
MUST_USE bool frame_work_range(struct frame_work *work, struct error *err);
/* The frame that stands for an instance: the one that it names (0028,6010), else the middle one. */
uint32_t frame_work_middle(const struct instance_record *record, const struct image_display *display);
/* Of the whole frame by the rule, what the task says (its rule is set here); native rows in strips, others
 * decoded. */
MUST_USE bool frame_work_render(struct frame_work *work, struct rendering_task *task, struct pixels *ret,
                                struct error *err);

#endif
