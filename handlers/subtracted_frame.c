/* handlers/subtracted_frame.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See subtracted_frame.h.
 *
 *   mask frames ─► their mean ─► moved ──► subtracted ◄── mean ◄── contrast frames, from the one at hand on
 *
 * Two planes of floats at most, whatever the number of frames.
 */
#include "handlers/subtracted_frame.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "handlers/shown_frame.h"

struct plane {
    struct block *block;
    float *values;
};

bool subtracted_frame_applies(const struct frame_work *work, const struct presentation_state *state)
{
    const uint32_t frames = frame_table_count(work->record->frames);

    return work->record->shape.samples_per_pixel == 1 && work->record->shape.bits_allocated >= 8 &&
           !work->rule.palette_or_null && frames > 1 &&
           (state->has_unknown_mask || presentation_state_mask(state, work->frame, frames));
}

static size_t pixels_of(const struct frame_work *work)
{
    return (size_t)work->record->shape.rows * work->record->shape.columns;
}

static bool take_plane(const struct frame_work *work, struct plane *ret, struct error *err)
{
    const size_t size = pixels_of(work) * sizeof(float);

    if (!block_take(size, &ret->block, err))
        return false;
    ret->values = (float *)(void *)block_room(ret->block, NULL);
    memset(ret->values, 0, size);
    return true;
}

/* What each sample of 8 or 16 bits is worth, so that it is reckoned once; NULL for wider ones. */
static bool make_table(const struct frame_work *work, float **ret, struct error *err)
{
    const unsigned bits = work->record->shape.bits_allocated;
    const size_t count = bits <= 16 ? (size_t)1 << bits : 0;
    uint8_t *samples = malloc(count * 2 + 1);
    float *table = malloc(count * sizeof(*table) + 1);

    *ret = NULL;
    if (!samples || !table) {
        free(samples);
        free(table);
        return error_set(err, FAULT_BUSY, "no memory for a table of samples");
    }
    for (size_t i = 0; i < count; i++) {
        samples[i * (bits / 8)] = (uint8_t)i;
        if (bits == 16)
            samples[2 * i + 1] = (uint8_t)(i >> 8);
    }
    sample_values(&work->rule, samples, count, table);
    free(samples);
    if (count > 0)
        *ret = table;
    else
        free(table);
    return true;
}

static void add_by_table(const float *table, unsigned bits, const uint8_t *samples, size_t count, float share,
                         float *into)
{
    for (size_t i = 0; i < count; i++)
        into[i] +=
            share * table[bits == 8 ? samples[i] : (size_t)samples[2 * i] | (size_t)samples[2 * i + 1] << 8];
}

/* Adds `share` of a frame. */
static bool add_frame(const struct frame_work *work, const float *table_or_null, uint32_t frame, float share,
                      const struct plane *into, struct error *err)
{
    SCOPED(pixels) struct pixels pixels = { 0 };
    const size_t columns = work->record->shape.columns;
    struct sample_rule rule = work->rule;

    if (!shown_frame_decode(work->service, work->reader, work->record, frame, 0, &pixels, err))
        return false;
    if (table_or_null) {
        add_by_table(table_or_null, work->record->shape.bits_allocated, block_bytes(pixels.block).data,
                     pixels_of(work), share, into->values);
        return true;
    }
    rule.shape = pixels.shape;
    float *row = malloc(columns * sizeof(*row));
    if (!row)
        return error_set(err, FAULT_BUSY, "no memory for a row");
    for (size_t r = 0; r < work->record->shape.rows; r++) {
        sample_values(
            &rule, block_bytes(pixels.block).data + r * columns * (work->record->shape.bits_allocated / 8u),
            columns, row);
        for (size_t c = 0; c < columns; c++)
            into->values[r * columns + c] += share * row[c];
    }
    free(row);
    return true;
}

static float value_at(const struct frame_work *work, const float *values, double row, double column)
{
    const double rows = work->record->shape.rows, columns = work->record->shape.columns;
    const double y = fmin(fmax(row, 0), rows - 1), x = fmin(fmax(column, 0), columns - 1);
    const size_t r = (size_t)y, c = (size_t)x, stride = work->record->shape.columns;
    const size_t below = r + 1 < work->record->shape.rows ? stride : 0, right = c + 1 < stride ? 1 : 0;
    const float *at = values + r * stride + c;
    const float fy = (float)(y - (double)r), fx = (float)(x - (double)c);
    const float above = fx > 0 ? at[0] + (at[right] - at[0]) * fx : at[0];
    const float under = fx > 0 ? at[below] + (at[below + right] - at[below]) * fx : at[below];

    return fy > 0 ? above + (under - above) * fy : above;
}

/* The mask as it is seen after it was moved down and to the right; its edge goes on beyond it. */
static void subtract(const struct frame_work *work, const struct frame_mask *mask, const float *values,
                     const struct plane *from)
{
    const uint32_t rows = work->record->shape.rows, columns = work->record->shape.columns;

    for (uint32_t r = 0; r < rows; r++)
        for (uint32_t c = 0; c < columns; c++)
            from->values[(size_t)r * columns + c] -=
                mask->shift_rows == 0 && mask->shift_columns == 0
                    ? values[(size_t)r * columns + c]
                    : value_at(work, values, r - mask->shift_rows, c - mask->shift_columns);
}

static uint32_t start_of_range(const struct frame_mask *mask, uint32_t frame)
{
    for (uint32_t i = 0; i < mask->range_count; i++)
        if (frame >= mask->ranges[2 * i] && frame <= mask->ranges[2 * i + 1])
            return mask->ranges[2 * i];
    return frame;
}

/* The n-th frame of the mask for the frame at hand. */
static int64_t mask_frame(const struct frame_mask *mask, uint32_t frame, uint32_t n)
{
    switch (mask->operation) {
    case MASK_AVERAGE:
        return mask->frames[n];
    case MASK_EARLIER_FRAME:
        return (int64_t)frame - mask->offset;
    case MASK_REVERSED: /* one further back for each frame that the contrast goes on */
        break;
    }
    return (int64_t)frame - mask->offset - 2 * ((int64_t)frame - start_of_range(mask, frame));
}

static bool add_mask(const struct frame_work *work, const struct frame_mask *mask, const float *table,
                     const struct plane *into, struct error *err)
{
    const uint32_t count = mask->operation == MASK_AVERAGE ? mask->frame_count : 1;
    const uint32_t frames = frame_table_count(work->record->frames);

    for (uint32_t i = 0; i < count; i++) {
        const int64_t frame = mask_frame(mask, work->frame, i);
        if (frame < 1 || frame > frames)
            return error_tell(err, FAULT_NOT_ACCEPTABLE,
                              "The presentation state subtracts frame %" PRId64 " of %" PRIu32 ".", frame,
                              frames);
        if (!add_frame(work, table, (uint32_t)frame, 1.0f / (float)count, into, err))
            return false;
    }
    return true;
}

static bool add_contrast(const struct frame_work *work, const struct frame_mask *mask, const float *table,
                         const struct plane *into, struct error *err)
{
    const uint32_t left = frame_table_count(work->record->frames) - work->frame + 1;
    const uint32_t count = mask->averaged < left ? mask->averaged : left;

    for (uint32_t i = 0; i < count; i++)
        if (!add_frame(work, table, work->frame + i, 1.0f / (float)count, into, err))
            return false;
    return true;
}

/* What differences can be: as far below nothing as above it. */
static double widest_difference(const struct frame_work *work)
{
    const struct gray_look *look = &work->look;

    if (look->modality.count > 0)
        return (double)((1u << look->modality.bits) - 1);
    return fabs((work->rule.range.to - work->rule.range.from) * (look->has_rescale ? look->slope : 1));
}

/* Differences are a frame of floats that no Modality LUT is applied to any more. */
static bool show(struct frame_work *work, struct rendering_task *task, const struct plane *plane,
                 struct pixels *ret, struct error *err)
{
    SCOPED(rendering) struct rendering *rendering = NULL;
    const double most = widest_difference(work);

    work->rule.range = (struct sample_range){ -most, most };
    work->look.has_rescale = false;
    work->look.modality.count = 0;
    work->rule.display_or_null = NULL;
    work->rule.samples = SAMPLES_FLOAT;
    work->rule.shape.bits_allocated = work->rule.shape.bits_stored = 32;
    task->rule = &work->rule;
    if (!rendering_new(task, &rendering, err))
        return false;
    rendering_add(rendering, 0, work->record->shape.rows, (const uint8_t *)plane->values);
    return rendering_finish(rendering, ret, err);
}

static bool check(const struct frame_work *work, const struct presentation_state *state, struct error *err)
{
    const uint64_t most = work->service->limits->decode_ceiling_bytes
                              ? work->service->limits->decode_ceiling_bytes
                              : CODEC_CEILING_BYTES;

    const unsigned bits = work->record->shape.bits_allocated;

    if (bits != 8 && bits != 16 && bits != 32 && bits != 64)
        return error_tell(err, FAULT_NOT_ACCEPTABLE, "Bits Allocated %u cannot be rendered.", bits);
    if (state->has_unknown_mask)
        return error_tell(err, FAULT_NOT_ACCEPTABLE,
                          "The Mask Operation (0028,6101) of the presentation state is not known.");
    if (pixels_of(work) > most / (2 * sizeof(float)))
        return error_tell(err, FAULT_NOT_ACCEPTABLE, "The frames are larger than can be subtracted.");
    return true;
}

bool subtracted_frame(struct frame_work *work, const struct presentation_state *state,
                      struct rendering_task *task, struct pixels *ret, struct error *err)
{
    struct plane difference = { 0 }, mask_plane = { 0 };
    float *table = NULL;

    if (!check(work, state, err) || !make_table(work, &table, err))
        return false;
    const struct frame_mask *mask =
        presentation_state_mask(state, work->frame, frame_table_count(work->record->frames));
    bool done = take_plane(work, &mask_plane, err) && add_mask(work, mask, table, &mask_plane, err) &&
                take_plane(work, &difference, err) && add_contrast(work, mask, table, &difference, err);
    if (done)
        subtract(work, mask, mask_plane.values, &difference);
    block_unref(mask_plane.block);
    free(table);
    done = done && show(work, task, &difference, ret, err);
    block_unref(difference.block);
    return done || error_while(err, "subtracting a mask");
}
