/* codec/scaling.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Averages of areas and bilinear enlargement.
 *
 *   source rows ─► sums (one row of floats, each row weighed by how much of it lies in the row to be made)
 *                    └─ complete ─► averaged over columns ─► a row of the picture
 */
#include "codec/scaling.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codec/kernels.h"

/* Columns [first, last]; all but the two at the ends weigh 1. */
struct span {
    uint32_t first, last;
    float first_weight, last_weight;
};

struct shrinker {
    struct region region;
    uint32_t first_column, columns_in, columns, rows;
    unsigned samples, bits;
    uint8_t *into;
    double step_x, step_y;
    uint32_t row; /* of the picture, under way */
    float *sums;
    struct span *spans; /* which columns make up each column of the picture */
    const struct kernels *kernels;
};

bool picture_take(uint32_t rows, uint32_t columns, unsigned samples, unsigned bits, struct pixels *ret,
                  struct error *err)
{
    const uint64_t size = (uint64_t)rows * columns * samples * (bits / 8);

    if (size > (uint64_t)1 << 31)
        return error_set(err, FAULT_TOO_LARGE, "a picture of %u x %u", (unsigned)columns, (unsigned)rows);
    *ret = (struct pixels){ .shape = { .rows = rows,
                                       .columns = columns,
                                       .samples_per_pixel = (uint16_t)samples,
                                       .bits_allocated = (uint16_t)bits,
                                       .bits_stored = (uint16_t)bits,
                                       .photometric = samples == 3 ? RGB : MONOCHROME2 } };
    if (!block_take((size_t)size, &ret->block, err))
        return false;
    block_seal(ret->block, (size_t)size);
    return true;
}

/* Sealed, but nobody else has it yet. */
uint8_t *picture_room(const struct pixels *picture)
{
    return block_room(picture->block, NULL);
}

/* ── smaller ── */

static double overlap(double a_from, double a_to, double b_from, double b_to)
{
    const double from = a_from > b_from ? a_from : b_from, to = a_to < b_to ? a_to : b_to;

    return to > from ? to - from : 0;
}

static void plan_columns(struct shrinker *shrinker)
{
    const double x0 = shrinker->region.x - shrinker->first_column;

    for (uint32_t i = 0; i < shrinker->columns; i++) {
        struct span *span = &shrinker->spans[i];
        const double from = x0 + i * shrinker->step_x, to = from + shrinker->step_x;

        span->first = (uint32_t)from < shrinker->columns_in ? (uint32_t)from : shrinker->columns_in - 1;
        span->last =
            (uint32_t)ceil(to) - 1 < shrinker->columns_in ? (uint32_t)ceil(to) - 1 : shrinker->columns_in - 1;
        span->first_weight = (float)overlap(from, to, span->first, span->first + 1.0);
        span->last_weight = (float)overlap(from, to, span->last, span->last + 1.0);
    }
}

bool shrinker_new(const struct region *region, uint32_t columns_in, const struct pixels *into,
                  struct shrinker **ret, struct error *err)
{
    struct shrinker *shrinker = calloc(1, sizeof(*shrinker));

    if (!shrinker)
        return error_set(err, FAULT_BUSY, "no memory to make a picture smaller");
    *ret = shrinker;
    shrinker->region = *region;
    shrinker->first_column = (uint32_t)region->x;
    const double end = ceil(region->x + region->width);
    shrinker->columns_in = (uint32_t)(end < columns_in ? end : columns_in) - shrinker->first_column;
    shrinker->columns = into->shape.columns;
    shrinker->rows = into->shape.rows;
    shrinker->samples = into->shape.samples_per_pixel;
    shrinker->bits = into->shape.bits_allocated;
    shrinker->into = picture_room(into);
    shrinker->step_x = region->width / shrinker->columns;
    shrinker->step_y = region->height / shrinker->rows;
    shrinker->kernels = kernels();
    shrinker->sums = calloc((size_t)shrinker->columns_in * shrinker->samples + 1, sizeof(float));
    shrinker->spans = calloc(shrinker->columns, sizeof(*shrinker->spans));
    if (!shrinker->sums || !shrinker->spans)
        return error_set(err, FAULT_BUSY, "no memory to make a picture smaller");
    plan_columns(shrinker);
    return true;
}

void shrinker_free(struct shrinker *shrinker)
{
    if (!shrinker)
        return;
    free(shrinker->sums);
    free(shrinker->spans);
    free(shrinker);
}

void shrinker_drop(struct shrinker **shrinker)
{
    shrinker_free(*shrinker);
}

static void put(const struct shrinker *shrinker, uint32_t column, unsigned sample, double value)
{
    const size_t at = ((size_t)shrinker->row * shrinker->columns + column) * shrinker->samples + sample;
    const double most = shrinker->bits == 16 ? 65535.0 : 255.0,
                 kept = value + 0.5 < most ? value + 0.5 : most;

    if (shrinker->bits == 16)
        ((uint16_t *)(void *)shrinker->into)[at] = (uint16_t)kept;
    else
        shrinker->into[at] = (uint8_t)kept;
}

static float sum_of(const float *sums, const struct span *span, unsigned samples)
{
    float sum = sums[(size_t)span->first * samples] * span->first_weight;

    for (uint32_t column = span->first + 1; column < span->last; column++)
        sum += sums[(size_t)column * samples];
    return span->last > span->first ? sum + sums[(size_t)span->last * samples] * span->last_weight : sum;
}

static void finish_row(struct shrinker *shrinker)
{
    const double area = shrinker->step_x * shrinker->step_y;
    const unsigned samples = shrinker->samples;

    for (uint32_t i = 0; i < shrinker->columns; i++)
        for (unsigned k = 0; k < samples; k++)
            put(shrinker, i, k, (double)sum_of(shrinker->sums + k, &shrinker->spans[i], samples) / area);
    memset(shrinker->sums, 0, (size_t)shrinker->columns_in * samples * sizeof(float));
    shrinker->row++;
}

void shrinker_add(struct shrinker *shrinker, uint32_t row, const void *samples)
{
    const size_t skip = (size_t)shrinker->first_column * shrinker->samples;
    const size_t count = (size_t)shrinker->columns_in * shrinker->samples;

    while (shrinker->row < shrinker->rows) {
        const double from = shrinker->region.y + shrinker->row * shrinker->step_y,
                     to = from + shrinker->step_y;
        const double weight = overlap(from, to, row, row + 1.0);

        if (weight > 0 && shrinker->bits == 16)
            shrinker->kernels->add_u16((const uint16_t *)samples + skip, count, (float)weight,
                                       shrinker->sums);
        else if (weight > 0)
            shrinker->kernels->add_u8((const uint8_t *)samples + skip, count, (float)weight, shrinker->sums);
        /* The last one ends with the region whatever the sums of steps round to. */
        const bool last = shrinker->row + 1 == shrinker->rows;
        if (row + 1.0 < (last ? ceil(shrinker->region.y + shrinker->region.height - 1e-6) : to))
            return;
        finish_row(shrinker);
    }
}

/* ── larger ── */

/* Between which two samples, and how far from the first. */
struct between {
    uint32_t first, second;
    float share;
};

static struct between between(double at, double from, double to, uint32_t count)
{
    const double low = floor(from), high = fmin(ceil(to), count) - 1;
    const double clamped = at < low ? low : at > high ? high : at;
    const uint32_t first = (uint32_t)clamped;

    return (struct between){ first, first + 1 <= high ? first + 1 : first, (float)(clamped - first) };
}

static float mix(float a, float b, float share)
{
    return a + (b - a) * share;
}

static float sample_at(const struct pixels *from, uint32_t row, uint32_t column, unsigned k)
{
    const size_t at = ((size_t)row * from->shape.columns + column) * from->shape.samples_per_pixel + k;
    const uint8_t *data = picture_room(from);

    return from->shape.bits_allocated == 16 ? (float)((const uint16_t *)(const void *)data)[at]
                                            : (float)data[at];
}

static void enlarge_row(const struct pixels *from, const struct between *columns, struct between row,
                        const struct pixels *into, uint32_t n)
{
    const unsigned samples = into->shape.samples_per_pixel;
    uint8_t *room = picture_room(into);

    for (uint32_t i = 0; i < into->shape.columns; i++)
        for (unsigned k = 0; k < samples; k++) {
            const struct between x = columns[i];
            const float above =
                mix(sample_at(from, row.first, x.first, k), sample_at(from, row.first, x.second, k), x.share);
            const float below = mix(sample_at(from, row.second, x.first, k),
                                    sample_at(from, row.second, x.second, k), x.share);
            const size_t at = ((size_t)n * into->shape.columns + i) * samples + k;
            const float value = mix(above, below, row.share) + 0.5f;
            if (into->shape.bits_allocated == 16)
                ((uint16_t *)(void *)room)[at] = (uint16_t)value;
            else
                room[at] = (uint8_t)value;
        }
}

void enlarge(const struct pixels *from, const struct region *region, const struct pixels *into)
{
    const double step_x = region->width / into->shape.columns, step_y = region->height / into->shape.rows;
    struct between *columns = calloc(into->shape.columns, sizeof(*columns));

    if (!columns)
        return;
    for (uint32_t i = 0; i < into->shape.columns; i++)
        columns[i] = between(region->x + (i + 0.5) * step_x - 0.5, region->x, region->x + region->width,
                             from->shape.columns);
    for (uint32_t n = 0; n < into->shape.rows; n++)
        enlarge_row(from, columns,
                    between(region->y + (n + 0.5) * step_y - 0.5, region->y, region->y + region->height,
                            from->shape.rows),
                    into, n);
    free(columns);
}

/* ── turned ── */

static size_t pixel_bytes(const struct pixels *picture)
{
    return (size_t)picture->shape.samples_per_pixel * (picture->shape.bits_allocated / 8);
}

static void swap_pixels(uint8_t *a, uint8_t *b, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        const uint8_t kept = a[i];
        a[i] = b[i];
        b[i] = kept;
    }
}

void flip_columns(const struct pixels *picture)
{
    const size_t size = pixel_bytes(picture), columns = picture->shape.columns;

    for (uint32_t n = 0; n < picture->shape.rows; n++) {
        uint8_t *row = picture_room(picture) + n * columns * size;
        for (size_t i = 0; i < columns / 2; i++)
            swap_pixels(row + i * size, row + (columns - 1 - i) * size, size);
    }
}

void flip_rows(const struct pixels *picture)
{
    const size_t stride = pixel_bytes(picture) * picture->shape.columns;
    uint8_t *all = picture_room(picture);

    for (uint32_t n = 0; n < picture->shape.rows / 2; n++)
        swap_pixels(all + n * stride, all + (picture->shape.rows - 1 - n) * stride, stride);
}

bool rotate_quarter(const struct pixels *from, struct pixels *ret, struct error *err)
{
    const uint32_t rows = from->shape.rows, columns = from->shape.columns;
    const size_t size = pixel_bytes(from);

    if (!picture_take(columns, rows, from->shape.samples_per_pixel, from->shape.bits_allocated, ret, err))
        return false;
    for (uint32_t r = 0; r < rows; r++)
        for (uint32_t c = 0; c < columns; c++)
            memcpy(picture_room(ret) + ((size_t)c * rows + (rows - 1 - r)) * size,
                   picture_room(from) + ((size_t)r * columns + c) * size, size);
    return true;
}
