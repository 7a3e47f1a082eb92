/* handlers/rendered_frame.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See rendered_frame.h.
 */
#include "handlers/rendered_frame.h"

#include <inttypes.h>
#include <math.h>

#include "codec/colour_profile.h"
#include "codec/rendering.h"
#include "handlers/annotation.h"
#include "handlers/made_frame.h"
#include "handlers/overlay_drawing.h"
#include "handlers/presented_picture.h"
#include "handlers/shown_frame.h"

enum { STRIP_BYTES = 192 * 1024, HALVINGS_MOST = 3 };

/* What one rendering works with. */
struct work {
    const struct service *service;
    const struct instance_record *record;
    const struct image_display *display;
    struct store_reader *reader;
    uint32_t frame;
    struct gray_look look;
    struct sample_rule rule;
};

static bool open_work(const struct service *service, const struct instance_record *record, uint32_t frame,
                      struct work *ret, struct error *err)
{
    *ret = (struct work){ .service = service, .record = record, .frame = frame };
    return shown_frame_check(record, frame, err) &&
           display_cache_get(service->displays, service->store, record->generation, MAY_WAIT, &ret->display,
                             err) &&
           store_reader_open(service->store, record->generation, MAY_WAIT, &ret->reader, err);
}

static void close_work(struct work *work)
{
    image_display_unref(work->display);
    store_reader_close(work->reader);
}

static bool is_palette(const struct work *work)
{
    return work->record->shape.photometric == PALETTE_COLOR && work->display->palette.red.count > 0;
}

/* Encapsulated samples come with their bits at the bottom; RLE is the stored bytes as they are (PS3.5 Annex
 * G). */
static unsigned high_bit_of(const struct work *work)
{
    const bool as_stored = frame_table_kind(work->record->frames) != FRAMES_ENCAPSULATED ||
                           work->record->syntax == SYNTAX_RLE_LOSSLESS;

    return as_stored ? work->display->high_bit : UINT32_MAX;
}

static void make_rule(struct work *work, const struct rendering_parameters *parameters)
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

/* What the state says takes the place of what the image says; what it does not say is the identity (REN-71):
 * all that can be stored, from black to white. */
static void present(struct work *work, const struct presentation_state *state)
{
    const struct presented_voi *voi = presentation_state_voi(state, &work->record->key.instance, work->frame);
    const struct pixel_shape *shape = &work->record->shape;
    const double all = exp2(shape->bits_stored);

    work->look = state->modality;
    if (voi) {
        work->look.has_window = voi->look.has_window;
        work->look.window = voi->look.window;
        work->look.voi = voi->look.voi;
    }
    work->rule.presentation = state->presentation;
    work->rule.inverse = state->inverse;
    work->rule.wide = false;
    work->rule.range = shape->is_signed ? (struct sample_range){ -all / 2, all / 2 - 1 }
                                        : (struct sample_range){ 0, all - 1 };
}

/* ── black and white where nothing is stored ── */

static uint32_t middle_frame(const struct instance_record *record, const struct image_display *display)
{
    const uint32_t count = frame_table_count(record->frames), told = display->representative_frame;

    return told >= 1 && told <= count ? told : count / 2 + 1 <= count ? count / 2 + 1 : count;
}

static size_t samples_of(const struct pixels *pixels)
{
    return (size_t)pixels->shape.rows * pixels->shape.columns;
}

static bool needs_range(const struct work *work)
{
    return work->rule.shape.samples_per_pixel == 1 && !work->look.has_window && work->look.voi.count == 0 &&
           (!work->rule.palette_or_null || work->rule.palette_is_supplement);
}

/* From the frame that stands for the instance, so that all its frames are shown alike. */
static bool find_range(struct work *work, struct error *err)
{
    float from, to;

    if (!image_display_recall(work->display, &from, &to)) {
        SCOPED(pixels) struct pixels pixels = { 0 };
        struct sample_range found = { 0, 1 };

        if (work->rule.shape.bits_allocated > 1) {
            if (!shown_frame_decode(work->service, work->reader, work->record,
                                    middle_frame(work->record, work->display), 0, &pixels, err))
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

static bool add_strips(const struct work *work, struct rendering *rendering, struct error *err)
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

static bool render_plain(const struct work *work, const struct rendering_task *task, struct pixels *ret,
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
static bool render_decoded(struct work *work, struct rendering_task *task, struct pixels *ret,
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

/* Gray through the palette of a pseudo-colour state, whose entries stand for P-Values from 0 on. */
static bool pseudo_colour(const struct palette *palette, struct pixels *picture, struct error *err)
{
    const struct lut *const tables[] = { &palette->red, &palette->green, &palette->blue };

    if (!picture_to_colours(picture, err))
        return false;
    uint8_t *pixels = picture_room(picture);
    for (size_t i = 0; i < block_bytes(picture->block).size; i++) {
        const struct lut *table = tables[i % 3];
        const uint32_t entry = (uint32_t)((uint64_t)pixels[i] * (table->count - 1) / 255);
        pixels[i] = (uint8_t)((uint32_t)table->values[entry] * 255u / ((1u << table->bits) - 1));
    }
    return true;
}

static bool render_samples(struct work *work, struct rendering_task *task, struct pixels *ret,
                           struct error *err)
{
    return shown_frame_has_plain_rows(work->record) ? render_plain(work, task, ret, err)
                                                    : render_decoded(work, task, ret, err);
}

static bool render_presented(struct work *work, const struct rendering_parameters *parameters,
                             struct pixels *ret, struct error *err)
{
    const struct pixel_shape *shape = &work->record->shape;
    struct rendering_task task = { .rule = &work->rule,
                                   .region = { 0, 0, shape->columns, shape->rows },
                                   .rows = shape->rows,
                                   .columns = shape->columns };

    present(work, parameters->state);
    return render_samples(work, &task, ret, err) &&
           (ret->shape.samples_per_pixel == 3 || parameters->state->palette.red.count == 0 ||
            pseudo_colour(&parameters->state->palette, ret, err)) &&
           presented_picture(parameters->state, &work->record->key.instance, work->frame, parameters,
                             work->service->font, ret, err);
}

/* A small image on a huge viewport must not take the memory of everybody else. */
static bool check_size(const struct work *work, const struct rendering_task *task, struct error *err)
{
    const uint64_t pixels = (uint64_t)task->rows * task->columns,
                   most = work->service->limits->picture_ceiling_pixels;

    if (pixels <= most || pixels <= (uint64_t)work->record->shape.rows * work->record->shape.columns)
        return true;
    return error_tell(err, FAULT_MALFORMED,
                      "The query parameter \"viewport\" asks for a picture of %" PRIu64
                      " pixels; at most %" PRIu64 " (setting picture_ceiling).",
                      pixels, most);
}

static bool render(struct work *work, const struct rendering_parameters *parameters, struct pixels *ret,
                   struct error *err)
{
    const struct pixel_shape *shape = &work->record->shape;
    struct rendering_task task = { .rule = &work->rule,
                                   .flip_rows = parameters->flip_rows,
                                   .flip_columns = parameters->flip_columns };

    make_rule(work, parameters);
    if (parameters->state)
        return render_presented(work, parameters, ret, err);
    return rendering_parameters_fit(parameters, shape->rows, shape->columns, &task.region, &task.rows,
                                    &task.columns, err) &&
           check_size(work, &task, err) && (!needs_range(work) || find_range(work, err)) &&
           render_samples(work, &task, ret, err);
}

bool rendered_frame_representative(const struct service *service, const struct instance_record *record,
                                   enum patience patience, uint32_t *ret, struct error *err)
{
    SCOPED(image_display) const struct image_display *display = NULL;

    if (!shown_frame_check(record, 1, err))
        return false;
    if (frame_table_count(record->frames) == 1) {
        *ret = 1;
        return true;
    }
    if (!display_cache_get(service->displays, service->store, record->generation, patience, &display, err))
        return false;
    *ret = middle_frame(record, display);
    return true;
}

/* ── what is drawn on it, and how it is written ── */

static bool draw_overlays(const struct work *work, const struct rendering_parameters *parameters,
                          const struct pixels *picture, struct error *err)
{
    const struct pixel_shape *shape = &work->record->shape;
    SCOPED(pixels) struct pixels samples = { 0 };
    struct region region;
    uint32_t rows, columns;

    if (!parameters->overlays || parameters->state)
        return true;
    if (!rendering_parameters_fit(parameters, shape->rows, shape->columns, &region, &rows, &columns, err))
        return false;
    if (overlays_lie_in_samples(work->display) &&
        !shown_frame_decode(work->service, work->reader, work->record, work->frame, 0, &samples, err))
        return false;
    overlays_draw(work->display, work->frame, samples.block ? &samples : NULL, parameters, &region, picture);
    return true;
}

static bool apply_profile(const struct work *work, const struct rendering_parameters *parameters,
                          struct pixels *picture, struct buffer *profile, struct error *err)
{
    static const enum colour_space spaces[] = { [ICC_YES] = COLOURS_AS_THEY_ARE,
                                                [ICC_SRGB] = COLOURS_SRGB,
                                                [ICC_ADOBERGB] = COLOURS_ADOBE_RGB,
                                                [ICC_ROMMRGB] = COLOURS_ROMM_RGB };

    const struct bytes source = parameters->state && parameters->state->icc_profile.size > 0
                                    ? parameters->state->icc_profile
                                    : work->display->icc_profile;

    if (parameters->icc == ICC_ABSENT || parameters->icc == ICC_NO || picture->shape.bits_allocated != 8)
        return true;
    return colour_profile_apply(picture, source, spaces[parameters->icc], profile, err);
}

/* All that is drawn, and the profile that goes with the colours. */
static bool draw_on(const struct work *work, const struct rendering_parameters *parameters,
                    struct pixels *picture, struct buffer *profile, struct error *err)
{
    return draw_overlays(work, parameters, picture, err) &&
           apply_profile(work, parameters, picture, profile, err) &&
           annotation_draw(work->service, work->record, work->frame, parameters, picture, err);
}

bool rendered_frame_annotated(const struct service *service, const struct instance_record *record,
                              uint32_t frame, const struct rendering_parameters *parameters,
                              struct pixels *ret, struct error *err)
{
    struct rendering_parameters narrowed = *parameters;
    SCOPED(buffer) struct buffer profile;
    struct work work;

    buffer_init(&profile, IMAGE_DISPLAY_CEILING);
    narrowed.wide = false;
    const bool done = open_work(service, record, frame, &work, err) && render(&work, &narrowed, ret, err) &&
                      draw_on(&work, &narrowed, ret, &profile, err);
    close_work(&work);
    return done || error_while(err, "rendering frame %" PRIu32, frame);
}

/* Nothing is asked for that would change a pixel, and nothing in the data set would (REN-22). */
static bool may_stay(const struct work *work, const struct rendering_parameters *parameters,
                     enum picture_format format)
{
    const struct pixel_shape *shape = &work->record->shape;
    const struct gray_look *look = image_display_look(work->display, work->frame);

    if (format != PICTURE_JPEG || work->record->syntax != SYNTAX_JPEG_BASELINE_8 ||
        !parameters->quality_is_default || parameters->has_viewport || parameters->has_region ||
        parameters->has_window || parameters->annotate_patient || parameters->annotate_technique ||
        parameters->overlays || parameters->state || parameters->icc > ICC_NO)
        return false;
    if (shape->samples_per_pixel == 3)
        return shape->bits_stored == 8;
    return shape->photometric == MONOCHROME2 && shape->bits_stored == 8 && !shape->is_signed &&
           !work->display->inverse && !work->display->has_padding && work->display->palette.red.count == 0 &&
           !look->has_window && look->voi.count == 0 && look->modality.count == 0 && look->slope > 0;
}

/* The stored stream itself, if any browser shows it rightly; *ret stays NULL where it has to be made. */
static bool take_stored(const struct work *work, struct block **ret, struct error *err)
{
    const struct pixel_shape *shape = &work->record->shape;
    struct block *stored = NULL;
    size_t size = 0;

    if (!stored_frame(work->record, work->frame, work->reader, &stored, err))
        return false;
    if (picture_is_plain_jpeg(block_bytes(stored), shape->rows, shape->columns, shape->samples_per_pixel,
                              &size)) {
        block_seal(stored, size);
        *ret = stored;
        return true;
    }
    block_unref(stored);
    return true;
}

static bool make_file(struct work *work, const struct rendering_parameters *parameters,
                      enum picture_format format, struct block **ret, struct error *err)
{
    SCOPED(pixels) struct pixels picture = { 0 };
    SCOPED(buffer) struct buffer profile = { 0 };

    buffer_init(&profile, IMAGE_DISPLAY_CEILING);
    if (!render(work, parameters, &picture, err) || !draw_on(work, parameters, &picture, &profile, err))
        return false;
    const struct picture_wish wish = { .quality = parameters->quality,
                                       .icc_profile = buffer_bytes(&profile) };
    return picture_write(format, &picture, &wish, ret, err);
}

bool rendered_frame_write(const struct service *service, const struct instance_record *record, uint32_t frame,
                          const struct rendering_parameters *parameters, enum picture_format format,
                          struct block **ret, struct error *err)
{
    struct rendering_parameters narrowed = *parameters;
    struct block *made = NULL;
    struct work work;

    narrowed.wide = parameters->wide && format == PICTURE_PNG;
    bool done = open_work(service, record, frame, &work, err) &&
                (!may_stay(&work, parameters, format) || take_stored(&work, &made, err));
    if (done && !made)
        done = make_file(&work, &narrowed, format, &made, err);
    close_work(&work);
    *ret = made;
    return done || error_while(err, "rendering frame %" PRIu32, frame);
}
