/* handlers/rendered_frame.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See rendered_frame.h.
 */
#include "handlers/rendered_frame.h"

#include <inttypes.h>

#include "codec/colour_profile.h"
#include "handlers/annotation.h"
#include "handlers/frame_work.h"
#include "handlers/made_frame.h"
#include "handlers/overlay_drawing.h"
#include "handlers/presented_frame.h"
#include "handlers/shown_frame.h"

/* A small image on a huge viewport must not take the memory of everybody else. */
static bool check_size(const struct frame_work *work, const struct rendering_task *task, struct error *err)
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

static bool render(struct frame_work *work, const struct rendering_parameters *parameters, struct pixels *ret,
                   struct error *err)
{
    const struct pixel_shape *shape = &work->record->shape;
    struct rendering_task task = { .flip_rows = parameters->flip_rows,
                                   .flip_columns = parameters->flip_columns };

    if (parameters->state)
        return presented_frame(work, parameters, ret, err);
    return rendering_parameters_fit(parameters, shape->rows, shape->columns, &task.region, &task.rows,
                                    &task.columns, err) &&
           check_size(work, &task, err) && frame_work_range(work, err) &&
           frame_work_render(work, &task, ret, err);
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
    *ret = frame_work_middle(record, display);
    return true;
}

/* ── what is drawn on it, and how it is written ── */

static bool draw_overlays(const struct frame_work *work, const struct rendering_parameters *parameters,
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

/* That of the state, of the data set, or of the stored stream (REN-33). `room` holds the last. */
static bool find_profile(const struct frame_work *work, const struct rendering_parameters *parameters,
                         struct buffer *room, struct bytes *ret, struct error *err)
{
    struct block *stored = NULL;

    *ret = parameters->state && parameters->state->icc_profile.size > 0 ? parameters->state->icc_profile
                                                                        : work->display->icc_profile;
    if (ret->size > 0 || frame_table_kind(work->record->frames) != FRAMES_ENCAPSULATED ||
        work->record->shape.samples_per_pixel != 3)
        return true;
    if (!stored_frame(work->record, work->frame, work->reader, &stored, err))
        return false;
    picture_profile_of_jpeg(block_bytes(stored), room);
    block_unref(stored);
    *ret = buffer_bytes(room);
    return true;
}

static bool apply_profile(const struct frame_work *work, const struct rendering_parameters *parameters,
                          struct pixels *picture, struct buffer *profile, struct error *err)
{
    static const enum colour_space spaces[] = { [ICC_YES] = COLOURS_AS_THEY_ARE,
                                                [ICC_SRGB] = COLOURS_SRGB,
                                                [ICC_ADOBERGB] = COLOURS_ADOBE_RGB,
                                                [ICC_ROMMRGB] = COLOURS_ROMM_RGB };

    SCOPED(buffer) struct buffer room = { 0 };
    struct bytes source;

    if (parameters->icc == ICC_ABSENT || parameters->icc == ICC_NO || picture->shape.bits_allocated != 8)
        return true;
    buffer_init(&room, IMAGE_DISPLAY_CEILING);
    return find_profile(work, parameters, &room, &source, err) &&
           colour_profile_apply(picture, source, spaces[parameters->icc], profile, err);
}

/* All that is drawn, and the profile that goes with the colours. */
static bool draw_on(const struct frame_work *work, const struct rendering_parameters *parameters,
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
    struct frame_work work;

    buffer_init(&profile, IMAGE_DISPLAY_CEILING);
    narrowed.wide = false;
    const bool done = frame_work_open(service, record, frame, &narrowed, &work, err) &&
                      render(&work, &narrowed, ret, err) && draw_on(&work, &narrowed, ret, &profile, err);
    frame_work_close(&work);
    return done || error_while(err, "rendering frame %" PRIu32, frame);
}

/* Nothing is asked for that would change a pixel, and nothing in the data set would (REN-22). */
static bool may_stay(const struct frame_work *work, const struct rendering_parameters *parameters,
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
static bool take_stored(const struct frame_work *work, const struct rendering_parameters *parameters,
                        struct block **ret, struct error *err)
{
    SCOPED(buffer) struct buffer profile = { 0 };
    const struct pixel_shape *shape = &work->record->shape;
    struct block *stored = NULL;
    size_t size = 0;

    if (!stored_frame(work->record, work->frame, work->reader, &stored, err))
        return false;
    buffer_init(&profile, IMAGE_DISPLAY_CEILING);
    if (parameters->icc == ICC_NO) /* then none that is in it may go out */
        picture_profile_of_jpeg(block_bytes(stored), &profile);
    if (buffer_bytes(&profile).size == 0 &&
        picture_is_plain_jpeg(block_bytes(stored), shape->rows, shape->columns, shape->samples_per_pixel,
                              &size)) {
        block_seal(stored, size);
        *ret = stored;
        return true;
    }
    block_unref(stored);
    return true;
}

static bool make_file(struct frame_work *work, const struct rendering_parameters *parameters,
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
    struct frame_work work;

    narrowed.wide = parameters->wide && format == PICTURE_PNG;
    bool done = frame_work_open(service, record, frame, &narrowed, &work, err) &&
                (!may_stay(&work, parameters, format) || take_stored(&work, parameters, &made, err));
    if (done && !made)
        done = make_file(&work, &narrowed, format, &made, err);
    frame_work_close(&work);
    *ret = made;
    return done || error_while(err, "rendering frame %" PRIu32, frame);
}
