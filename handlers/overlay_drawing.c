/* handlers/overlay_drawing.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each pixel of the picture looks for the overlay's bit that lies under its middle.
 */
#include "handlers/overlay_drawing.h"

#include "codec/drawing.h"

bool overlays_lie_in_samples(const struct image_display *display)
{
    for (size_t i = 0; i < display->overlay_count; i++)
        if (display->overlays[i].in_pixels)
            return true;
    return false;
}

/* One above the other bits of a sample: the plane is as large as the image. */
static bool sample_bit(const struct overlay *overlay, const struct pixels *samples, int64_t row,
                       int64_t column)
{
    const struct pixel_shape *shape = &samples->shape;
    const size_t width = shape->bits_allocated / 8u;

    if (row < 0 || column < 0 || row >= shape->rows || column >= shape->columns ||
        shape->samples_per_pixel != 1 || (width != 1 && width != 2) ||
        overlay->bit_position >= shape->bits_allocated)
        return false;
    const uint8_t *at =
        block_bytes(samples->block).data + ((size_t)row * shape->columns + (size_t)column) * width;
    return at[overlay->bit_position / 8] >> (overlay->bit_position % 8) & 1;
}

static bool plane_bit(const struct overlay *overlay, uint32_t frame, int64_t row, int64_t column)
{
    const int64_t r = row - (overlay->row - 1), c = column - (overlay->column - 1);
    const uint32_t n = overlay->frames > 1 ? frame - overlay->first_frame : 0;

    if (r < 0 || c < 0 || r >= overlay->rows || c >= overlay->columns)
        return false;
    if (overlay->frames > 1 && (frame < overlay->first_frame || n >= overlay->frames))
        return false;
    const uint64_t bit = ((uint64_t)n * overlay->rows + (uint64_t)r) * overlay->columns + (uint64_t)c;
    return overlay->bits.data[bit / 8] >> (bit % 8) & 1;
}

bool overlay_bit(const struct overlay *overlay, uint32_t frame, const struct pixels *samples_or_null,
                 int64_t row, int64_t column)
{
    if (!overlay->in_pixels)
        return plane_bit(overlay, frame, row, column);
    return samples_or_null && sample_bit(overlay, samples_or_null, row, column);
}

static void draw_one(const struct overlay *overlay, uint32_t frame, const struct pixels *samples_or_null,
                     const struct rendering_parameters *parameters, const struct region *region,
                     const struct pixels *picture)
{
    static const struct colour white = { 255, 255, 255 };
    const uint32_t rows = picture->shape.rows, columns = picture->shape.columns;
    const double x = region->width / columns, y = region->height / rows;

    for (uint32_t r = 0; r < rows; r++)
        for (uint32_t c = 0; c < columns; c++) {
            const int64_t row = (int64_t)(region->y + ((parameters->flip_rows ? rows - 1 - r : r) + 0.5) * y);
            const int64_t column =
                (int64_t)(region->x + ((parameters->flip_columns ? columns - 1 - c : c) + 0.5) * x);
            if (overlay_bit(overlay, frame, samples_or_null, row, column))
                draw_dot(picture, (int)c, (int)r, white);
        }
}

void overlays_draw(const struct image_display *display, uint32_t frame, const struct pixels *samples_or_null,
                   const struct rendering_parameters *parameters, const struct region *region,
                   const struct pixels *picture)
{
    for (size_t i = 0; i < display->overlay_count; i++)
        draw_one(&display->overlays[i], frame, samples_or_null, parameters, region, picture);
}
