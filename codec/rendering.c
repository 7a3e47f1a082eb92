/* codec/rendering.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See rendering.h.
 *
 *   samples of a row ─► map (sample_map.h) or RGB ─► one row of bytes ─┬─► the picture, where the size is the
 * same ├─► shrinker └─► the region, enlarged at the end
 */
#include "codec/rendering.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct rendering {
    struct rendering_task task;
    struct pixel_shape shape;
    struct sample_map *map; /* NULL: RGB */
    unsigned samples, bits; /* of a pixel of the picture */
    uint32_t first_row, end_row, first_column, end_column;
    size_t row_bytes_in; /* 0 for packed bits */
    enum { AS_IT_IS, SMALLER, LARGER } way;
    struct pixels picture, part; /* `part`: the region as it is, to be enlarged */
    struct shrinker *shrinker;
    uint8_t *row, *unpacked;
};

static bool is_whole(double value)
{
    return value == floor(value);
}

/* To larger in one direction and smaller in the other comes only by rounding: larger does both. */
static void choose_way(struct rendering *rendering)
{
    const struct rendering_task *task = &rendering->task;
    const struct region *region = &task->region;

    if (is_whole(region->x) && is_whole(region->y) && region->width == task->columns &&
        region->height == task->rows)
        rendering->way = AS_IT_IS;
    else if (region->width >= task->columns && region->height >= task->rows)
        rendering->way = SMALLER;
    else
        rendering->way = LARGER;
}

static uint32_t end_of(double from, double size, uint32_t most)
{
    const double end = ceil(from + size);

    return end < most ? (uint32_t)end : most;
}

static bool take_rooms(struct rendering *rendering, struct error *err)
{
    const struct rendering_task *task = &rendering->task;
    const size_t columns = rendering->shape.columns;

    rendering->row = malloc(columns * rendering->samples * (rendering->bits / 8) + 1);
    if (rendering->shape.bits_allocated == 1)
        rendering->unpacked = malloc(columns);
    if (!rendering->row || (rendering->shape.bits_allocated == 1 && !rendering->unpacked))
        return error_set(err, FAULT_BUSY, "no memory for a row");
    if (!picture_take(task->rows, task->columns, rendering->samples, rendering->bits, &rendering->picture,
                      err))
        return false;
    if (rendering->way == SMALLER)
        return shrinker_new(&task->region, rendering->shape.columns, &rendering->picture,
                            &rendering->shrinker, err);
    return rendering->way == AS_IT_IS ||
           picture_take(rendering->end_row - rendering->first_row,
                        rendering->end_column - rendering->first_column, rendering->samples, rendering->bits,
                        &rendering->part, err);
}

bool rendering_new(const struct rendering_task *task, struct rendering **ret, struct error *err)
{
    const struct pixel_shape *shape = &task->rule->shape;
    SCOPED(rendering) struct rendering *rendering = calloc(1, sizeof(*rendering));

    if (!rendering)
        return error_set(err, FAULT_BUSY, "no memory for a rendering");
    rendering->task = *task;
    rendering->shape = *shape;
    rendering->samples = shape->samples_per_pixel;
    rendering->bits = 8;
    if (shape->samples_per_pixel == 1) {
        if (!sample_map_new(task->rule, &rendering->map, err))
            return false;
        rendering->samples = sample_map_channels(rendering->map);
        rendering->bits = task->rule->wide && rendering->samples == 1 ? 16 : 8;
    } else if (shape->samples_per_pixel != 3 ||
               (shape->bits_allocated != 8 && shape->bits_allocated != 16 && shape->bits_allocated != 32)) {
        return error_tell(err, FAULT_NOT_ACCEPTABLE, "%u samples of %u bits a pixel cannot be rendered.",
                          shape->samples_per_pixel, shape->bits_allocated);
    }
    rendering->row_bytes_in = shape->bits_allocated == 1 ? 0
                                                         : (size_t)shape->columns * shape->samples_per_pixel *
                                                               shape->bits_allocated / 8;
    rendering->first_row = (uint32_t)task->region.y;
    rendering->first_column = (uint32_t)task->region.x;
    rendering->end_row = end_of(task->region.y, task->region.height, shape->rows);
    rendering->end_column = end_of(task->region.x, task->region.width, shape->columns);
    choose_way(rendering);
    if (!take_rooms(rendering, err))
        return false;
    *ret = TAKE(rendering);
    return true;
}

void rendering_free(struct rendering *rendering)
{
    if (!rendering)
        return;
    sample_map_free(rendering->map);
    shrinker_free(rendering->shrinker);
    pixels_done(&rendering->picture);
    pixels_done(&rendering->part);
    free(rendering->row);
    free(rendering->unpacked);
    free(rendering);
}

void rendering_drop(struct rendering **rendering)
{
    rendering_free(*rendering);
}

void rendering_needs(const struct rendering *rendering, uint32_t *ret_first, uint32_t *ret_end)
{
    *ret_first = rendering->first_row;
    *ret_end = rendering->end_row;
}

static uint8_t byte_of(double value)
{
    return value <= 0 ? 0 : value + 0.5 >= 255 ? 255 : (uint8_t)(value + 0.5);
}

/* More than 8 bits of red, green and blue: the highest 8 of those stored (REN-56); YBR_FULL becomes RGB on
 * the way (C.7.6.3.1.2). */
static void narrow_colours(const struct pixel_shape *shape, const uint8_t *from, size_t count, uint8_t *into)
{
    const unsigned stored = shape->bits_stored >= 1 && shape->bits_stored <= shape->bits_allocated
                                ? shape->bits_stored
                                : shape->bits_allocated;
    const double scale = 255.0 / (exp2(stored) - 1), middle = exp2(stored - 1) * scale;
    const size_t width = shape->bits_allocated / 8u;

    for (size_t i = 0; i < 3 * count; i += 3) {
        double value[3];
        for (size_t k = 0; k < 3; k++) {
            uint32_t word = 0;
            memcpy(&word, from + (i + k) * width, width);
            value[k] = word * scale;
        }
        if (shape->photometric == YBR_FULL) {
            const double y = value[0], cb = value[1] - middle, cr = value[2] - middle;
            value[0] = y + 1.402 * cr;
            value[1] = y - 0.344136 * cb - 0.714136 * cr;
            value[2] = y + 1.772 * cb;
        }
        for (size_t k = 0; k < 3; k++)
            into[i + k] = byte_of(value[k]);
    }
}

/* The columns [first, first + count) of one row. */
static void map_row(const struct rendering *rendering, const uint8_t *samples, uint64_t row, uint32_t first,
                    uint32_t count, uint8_t *into)
{
    const struct pixel_shape *shape = &rendering->shape;

    if (shape->bits_allocated == 1) {
        sample_unpack_bits(samples, row * shape->columns + first, count, rendering->unpacked);
        sample_map_apply(rendering->map, rendering->unpacked, count, into);
        return;
    }
    const uint8_t *from = samples + row * rendering->row_bytes_in +
                          (size_t)first * shape->samples_per_pixel * shape->bits_allocated / 8;
    if (rendering->map)
        sample_map_apply(rendering->map, from, count, into);
    else if (shape->bits_allocated == 8)
        memcpy(into, from, (size_t)count * 3);
    else
        narrow_colours(shape, from, count, into);
}

void rendering_add(struct rendering *rendering, uint32_t first_row, uint32_t count, const uint8_t *samples)
{
    const uint32_t columns = rendering->end_column - rendering->first_column;
    const size_t pixel = (size_t)rendering->samples * (rendering->bits / 8);

    for (uint32_t i = 0; i < count; i++) {
        const uint32_t row = first_row + i;
        if (row < rendering->first_row || row >= rendering->end_row)
            continue;
        if (rendering->way == SMALLER) {
            map_row(rendering, samples, i, rendering->first_column, columns,
                    rendering->row + rendering->first_column * pixel);
            shrinker_add(rendering->shrinker, row, rendering->row);
        } else {
            const struct pixels *into = rendering->way == LARGER ? &rendering->part : &rendering->picture;
            map_row(rendering, samples, i, rendering->first_column, columns,
                    picture_room(into) + (size_t)(row - rendering->first_row) * columns * pixel);
        }
    }
}

bool rendering_finish(struct rendering *rendering, struct pixels *ret, struct error *err)
{
    (void)err;
    if (rendering->way == LARGER) {
        const struct region within = { rendering->task.region.x - rendering->first_column,
                                       rendering->task.region.y - rendering->first_row,
                                       rendering->task.region.width, rendering->task.region.height };
        enlarge(&rendering->part, &within, &rendering->picture);
    }
    if (rendering->task.flip_columns)
        flip_columns(&rendering->picture);
    if (rendering->task.flip_rows)
        flip_rows(&rendering->picture);
    *ret = rendering->picture;
    rendering->picture = (struct pixels){ 0 };
    return true;
}
