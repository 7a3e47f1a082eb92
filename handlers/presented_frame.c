/* handlers/presented_frame.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See presented_frame.h.
 */
#include "handlers/presented_frame.h"

#include <math.h>

#include "handlers/blended_frame.h"
#include "handlers/presented_picture.h"
#include "handlers/shown_frame.h"
#include "handlers/subtracted_frame.h"

bool presented_frame_rule(struct frame_work *work, const struct presented_gray *gray, struct error *err)
{
    const struct presented_voi *voi = presented_gray_voi(gray, &work->record->key.instance, work->frame);
    const struct pixel_shape *shape = &work->record->shape;
    const double all = exp2(shape->bits_stored ? shape->bits_stored : shape->bits_allocated);

    if (!voi && work->rule.samples != SAMPLES_INTEGER) { /* all that can be stored would be nothing to see */
        work->look = (struct gray_look){ .slope = 1 };
        if (!frame_work_range(work, err))
            return false;
    } else {
        work->rule.range = shape->is_signed ? (struct sample_range){ -all / 2, all / 2 - 1 }
                                            : (struct sample_range){ 0, all - 1 };
    }
    work->look = gray->modality;
    if (voi) {
        work->look.has_window = voi->look.has_window;
        work->look.window = voi->look.window;
        work->look.voi = voi->look.voi;
    }
    work->rule.inverse = work->rule.wide = false;
    if (work->rule.palette_is_supplement)
        work->rule.palette_or_null = NULL;
    return true;
}

static uint8_t byte_of(const struct lut *table, uint32_t entry)
{
    const uint32_t most = (1u << table->bits) - 1;

    return (uint8_t)((table->values[entry] * 255u + most / 2) / most);
}

bool presented_frame_colours(const struct palette *palette, struct pixels *picture, struct error *err)
{
    const struct lut *const tables[] = { &palette->red, &palette->green, &palette->blue };
    const size_t count = (size_t)picture->shape.rows * picture->shape.columns;
    struct pixels colours = { 0 };

    if (!picture_take(picture->shape.rows, picture->shape.columns, 3, 8, &colours, err))
        return false;
    const uint16_t *gray = (const uint16_t *)(const void *)block_bytes(picture->block).data;
    uint8_t *room = picture_room(&colours);
    for (size_t i = 0; i < count; i++)
        for (unsigned k = 0; k < 3; k++)
            room[3 * i + k] =
                byte_of(tables[k], (uint32_t)(((uint64_t)gray[i] * (tables[k]->count - 1) + 32767) / 65535));
    pixels_done(picture);
    *picture = colours;
    return true;
}

/* The whole frame as the state makes gray or colours of it. */
static bool make_picture(struct frame_work *work, const struct rendering_parameters *parameters,
                         struct pixels *ret, struct error *err)
{
    const struct presentation_state *state = parameters->state;
    const struct pixel_shape *shape = &work->record->shape;
    const bool to_colours = state->palette.red.count > 0 && shape->samples_per_pixel == 1;
    struct rendering_task task = { .region = { 0, 0, shape->columns, shape->rows },
                                   .rows = shape->rows,
                                   .columns = shape->columns };

    if (!presented_frame_rule(work, &state->gray, err))
        return false;
    work->rule.presentation = state->presentation;
    work->rule.inverse = state->inverse;
    if (state->above.images.count > 0)
        return blended_frame(work, parameters, &task, ret, err);
    if (to_colours) {
        work->rule.palette_or_null = NULL;
        work->rule.wide = true;
    }
    if (!subtracted_frame_applies(work, state)) {
        if (!frame_work_render(work, &task, ret, err))
            return false;
    } else if (!subtracted_frame(work, state, &task, ret, err)) {
        return false;
    }
    return !to_colours || presented_frame_colours(&state->palette, ret, err);
}

bool presented_frame(struct frame_work *work, const struct rendering_parameters *parameters,
                     struct pixels *ret, struct error *err)
{
    SCOPED(pixels) struct pixels samples = { 0 };
    struct presented what = { .state = parameters->state,
                              .instance = &work->record->key.instance,
                              .frame = work->frame,
                              .display = work->display,
                              .font_path = work->service->font };

    if (!make_picture(work, parameters, ret, err))
        return false;
    if (presented_needs_samples(parameters->state, work->display)) {
        if (!shown_frame_decode(work->service, work->reader, work->record, work->frame, 0, &samples, err))
            return false;
        what.samples_or_null = &samples;
    }
    return presented_picture(&what, parameters, ret, err);
}
