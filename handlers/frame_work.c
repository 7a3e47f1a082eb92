/* handlers/frame_work.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See frame_work.h.
 */
#include "handlers/frame_work.h"

#include <math.h>

#include "handlers/shown_frame.h"

enum { STRIP_BYTES = 192 * 1024, HALVINGS_MOST = 3 };

static bool is_palette(const struct frame_work *work)
{
    return work->record->shape.photometric == PALETTE_COLOR && work->display->palette.red.count > 0;
}

/* Encapsulated samples come with their bits at the bottom; RLE is the stored bytes as they are (PS3.5 Annex
 * G). */
static unsigned high_bit_of(const struct frame_work *work)
{
    const bool as_stored = frame_table_kind(work->record->frames) != FRAMES_ENCAPSULATED ||
                           work->record->syntax == SYNTAX_RLE_LOSSLESS;

    return as_stored ? work->display->high_bit : UINT32_MAX;
}

static void make_rule(struct frame_work *work, const struct rendering_parameters *parameters)
{
    const struct image_display *display = work->display;
    const struct pixel_shape *shape = &work->record->shape;
    const bool supplement = display->palette_is_supplement && shape->samples_per_pixel == 1;

    work->look = *image_display_look(display, work->frame);
    if (parameters->has_window) {
        work->look.has_window = true;
        work->look.window = parameters->window;
        work->look.voi.count = 0;
    }
    work->rule = (struct sample_rule){
        .shape = *shape,
        .samples = display->samples,
        .high_bit = high_bit_of(work),
        .display_or_null = display,
        .look = &work->look,
        .prefers_lut = display->prefers_lut,
        .palette_or_null = is_palette(work) || supplement ? &display->palette : NULL,
        .palette_is_supplement = !is_palette(work),
        .inverse = display->inverse || shape->photometric == MONOCHROME1,
        .wide = parameters->wide,
    };
}

bool frame_work_open(const struct service *service, const struct instance_record *record, uint32_t frame,
                     const struct rendering_parameters *parameters, struct frame_work *ret, struct error *err)
{
    *ret = (struct frame_work){ .service = service, .record = record, .frame = frame };
    if (!shown_frame_check(record, frame, err) ||
        !display_cache_get(service->displays, service->store, record->generation, MAY_WAIT, &ret->display,
                           err) ||
        !store_reader_open(service->store, record->generation, MAY_WAIT, &ret->reader, err))
        return false;
    if (ret->display->has_strange_colours) /* as RGB they would be anything but what they are */
        return error_tell(err, FAULT_NOT_ACCEPTABLE,
                          "The Photometric Interpretation (0028,0004), a retired one, cannot be rendered.");
    make_rule(ret, parameters);
    return true;
}

void frame_work_close(struct frame_work *work)
{
    image_display_unref(work->display);
    store_reader_close(work->reader);
}

/* ── black and white where nothing is stored ── */

uint32_t frame_work_middle(const struct instance_record *record, const struct image_display *display)
{
    const uint32_t count = frame_table_count(record->frames), told = display->representative_frame;

    return told >= 1 && told <= count ? told : count / 2 + 1 <= count ? count / 2 + 1 : count;
}

static size_t samples_of(const struct pixels *pixels)
{
    return (size_t)pixels->shape.rows * pixels->shape.columns;
}

static bool needs_range(const struct frame_work *work)
{
    return work->rule.shape.samples_per_pixel == 1 && !work->look.has_window && work->look.voi.count == 0 &&
           (!work->rule.palette_or_null || work->rule.palette_is_supplement);
}

bool frame_work_range(struct frame_work *work, struct error *err)
{
    float from, to;

    if (!needs_range(work))
        return true;
    if (!image_display_recall(work->display, &from, &to)) {
        SCOPED(pixels) struct pixels pixels = { 0 };
        struct sample_range found = { 0, 1 };

        if (work->rule.shape.bits_allocated > 1) {
            if (!shown_frame_decode(work->service, work->reader, work->record,
                                    frame_work_middle(work->record, work->display), 0, &pixels, err))
                return false;
            found = sample_range_of(&work->rule, block_bytes(pixels.block).data, samples_of(&pixels));
        }
        from = (float)found.from;
        to = (float)found.to;
        image_display_remember(work->display, from, to);
    }
    work->rule.range = (struct sample_range){ (double)from, (double)to };
    return true;
}

/* ── from samples to a picture ── */

static bool add_strips(const struct frame_work *work, struct rendering *rendering, struct error *err)
{
    const struct pixel_shape *shape = &work->record->shape;
    const uint64_t row = (uint64_t)shape->columns * shape->samples_per_pixel * shape->bits_allocated / 8;
    const uint32_t rows = row < STRIP_BYTES ? (uint32_t)(STRIP_BYTES / row) : 1;
    struct block *strip = NULL;
    uint32_t at, end;
    bool done = true;

    rendering_needs(rendering, &at, &end);
    if (!block_take((size_t)row * rows, &strip, err))
        return false;
    while (done && at < end) {
        const uint32_t count = end - at < rows ? end - at : rows;
        done = shown_frame_rows(work->reader, work->record, work->frame, at, count, block_room(strip, NULL),
                                err);
        if (done)
            rendering_add(rendering, at, count, block_room(strip, NULL));
        at += count;
    }
    block_unref(strip);
    return done;
}

static bool render_plain(const struct frame_work *work, const struct rendering_task *task, struct pixels *ret,
                         struct error *err)
{
    SCOPED(rendering) struct rendering *rendering = NULL;

    return rendering_new(task, &rendering, err) && add_strips(work, rendering, err) &&
           rendering_finish(rendering, ret, err);
}

/* How often the frame may be halved and still be no smaller than what is to be made of it. Indices of a
 * palette have no averages. */
static unsigned halvings_for(const struct rendering_task *task)
{
    unsigned halvings = 0;

    if (task->rule->palette_or_null)
        return 0;
    while (halvings < HALVINGS_MOST && task->region.width / (2u << halvings) >= task->columns &&
           task->region.height / (2u << halvings) >= task->rows)
        halvings++;
    return halvings;
}

/* The shape that came out of the decoder is what the rule goes by; the region shrinks with it. */
static bool render_decoded(struct frame_work *work, struct rendering_task *task, struct pixels *ret,
                           struct error *err)
{
    SCOPED(pixels) struct pixels pixels = { 0 };
    SCOPED(rendering) struct rendering *rendering = NULL;
    const struct pixel_shape *stored = &work->record->shape;

    if (!shown_frame_decode(work->service, work->reader, work->record, work->frame, halvings_for(task),
                            &pixels, err))
        return false;
    const double x = (double)pixels.shape.columns / stored->columns,
                 y = (double)pixels.shape.rows / stored->rows;
    task->region = (struct region){ task->region.x * x, task->region.y * y, task->region.width * x,
                                    task->region.height * y };
    work->rule.shape = pixels.shape;
    if (!rendering_new(task, &rendering, err))
        return false;
    rendering_add(rendering, 0, pixels.shape.rows, block_bytes(pixels.block).data);
    return rendering_finish(rendering, ret, err);
}

bool frame_work_render(struct frame_work *work, struct rendering_task *task, struct pixels *ret,
                       struct error *err)
{
    task->rule = &work->rule;
    return shown_frame_has_plain_rows(work->record) ? render_plain(work, task, ret, err)
                                                    : render_decoded(work, task, ret, err);
}
