/* handlers/presented_picture.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See presented_picture.h.
 */
#include "handlers/presented_picture.h"

#include <math.h>
#include <stdlib.h>

#include "codec/drawing.h"
#include "codec/scaling.h"
#include "handlers/overlay_drawing.h"

enum { PIXELS_MOST = 64 * 1024 * 1024 };

/* A state may tell any area and magnification; the memory for it is everybody's. */
static bool check_size(double rows, double columns, struct error *err)
{
    return rows * columns <= PIXELS_MOST ||
           error_tell(err, FAULT_NOT_ACCEPTABLE,
                      "With this presentation state the picture would be larger than can be rendered.");
}

static size_t pixel_bytes(const struct pixels *picture)
{
    return (size_t)picture->shape.samples_per_pixel * (picture->shape.bits_allocated / 8);
}

/* ── shutter ── */

/* Which pixels of a row are shut, one a byte. `inside`: as much room. */
static void shut_row(const struct presented *what, uint32_t row, uint32_t columns, uint8_t *inside,
                     uint8_t *shut)
{
    const struct shutter *shutter = &what->state->shutter;
    const double y = row + 1.0;

    memset(shut, 0, columns);
    if (shutter->polygonal) {
        /* Vertices count from 1, as places do from the middle of the first column. */
        polygon_row(shutter->vertices, shutter->vertex_count, true, y, columns + 1, inside);
        for (uint32_t c = 0; c < columns; c++)
            shut[c] = !inside[c + 1];
    }
    for (uint32_t c = 0; c < columns; c++) {
        const double x = c + 1.0;
        if (shutter->rectangular &&
            (x < shutter->left || x > shutter->right || y < shutter->top || y > shutter->bottom))
            shut[c] = 1;
        if (shutter->circular && hypot(y - shutter->row, x - shutter->column) > shutter->radius)
            shut[c] = 1;
        if (shutter->bitmap_or_null && overlay_bit(shutter->bitmap_or_null, what->frame, NULL, row, c))
            shut[c] = 1;
    }
}

static bool apply_shutter(const struct presented *what, const struct pixels *picture, struct error *err)
{
    const struct shutter *shutter = &what->state->shutter;
    const uint32_t columns = picture->shape.columns;
    const struct colour colour = presented_colour_of(&shutter->colour, picture, (struct colour){ 0, 0, 0 });

    if (!shutter->rectangular && !shutter->circular && !shutter->polygonal && !shutter->bitmap_or_null)
        return true;
    uint8_t *room = malloc(2 * (size_t)columns + 1);
    if (!room)
        return error_set(err, FAULT_BUSY, "no memory for a row of a shutter");
    for (uint32_t r = 0; r < picture->shape.rows; r++) {
        shut_row(what, r, columns, room + columns, room);
        for (uint32_t c = 0; c < columns; c++)
            if (room[c])
                draw_dot(picture, (int)c, (int)r, colour);
    }
    free(room);
    return true;
}

/* ── displayed area and turning ── */

static bool cut_area(struct pixels *picture, const struct displayed_area *area, struct error *err)
{
    const int32_t columns = area->right - area->left + 1, rows = area->bottom - area->top + 1;
    const int32_t have_columns = (int32_t)picture->shape.columns, have_rows = (int32_t)picture->shape.rows;
    const size_t size = pixel_bytes(picture);
    struct pixels part = { 0 };

    if (area->left == 1 && area->top == 1 && columns == have_columns && rows == have_rows)
        return true;
    if (!check_size(rows, columns, err))
        return false;
    if (!picture_take((uint32_t)rows, (uint32_t)columns, picture->shape.samples_per_pixel,
                      picture->shape.bits_allocated, &part, err))
        return false;
    memset(picture_room(&part), 0, block_bytes(part.block).size);
    const int32_t first = area->left < 1 ? 1 : area->left,
                  last = area->right > have_columns ? have_columns : area->right;
    for (int32_t r = area->top; r <= area->bottom && first <= last; r++)
        if (r >= 1 && r <= have_rows)
            memcpy(picture_room(&part) +
                       ((size_t)(r - area->top) * (size_t)columns + (size_t)(first - area->left)) * size,
                   picture_room(picture) +
                       ((size_t)(r - 1) * (size_t)have_columns + (size_t)(first - 1)) * size,
                   (size_t)(last - first + 1) * size);
    pixels_done(picture);
    *picture = part;
    return true;
}

static bool turn(struct pixels *picture, const struct presentation_state *state, struct error *err)
{
    for (unsigned angle = 0; angle < state->rotation; angle += 90) {
        struct pixels turned = { 0 };
        if (!rotate_quarter(picture, &turned, err))
            return false;
        pixels_done(picture);
        *picture = turned;
    }
    if (state->flipped)
        flip_columns(picture);
    return true;
}

/* ── scaling ── */

static bool resize(struct pixels *picture, uint32_t rows, uint32_t columns, struct error *err)
{
    const struct region whole = { 0, 0, picture->shape.columns, picture->shape.rows };
    const size_t stride = pixel_bytes(picture) * picture->shape.columns;
    SCOPED(shrinker) struct shrinker *shrinker = NULL;
    struct pixels into = { 0 };

    if (rows == picture->shape.rows && columns == picture->shape.columns)
        return true;
    if (!picture_take(rows, columns, picture->shape.samples_per_pixel, picture->shape.bits_allocated, &into,
                      err))
        return false;
    if (rows <= picture->shape.rows && columns <= picture->shape.columns) {
        if (!shrinker_new(&whole, picture->shape.columns, &into, &shrinker, err)) {
            pixels_done(&into);
            return false;
        }
        for (uint32_t r = 0; r < picture->shape.rows; r++)
            shrinker_add(shrinker, r, picture_room(picture) + r * stride);
    } else {
        enlarge(picture, &whole, &into);
    }
    pixels_done(picture);
    *picture = into;
    return true;
}

/* Pixels that are no squares are made so, by more of the longer side (C.10.4). */
static void square(const struct displayed_area *area_or_null, const struct presentation_state *state,
                   const struct pixels *picture, double *ret_rows, double *ret_columns)
{
    const double told = area_or_null ? area_or_null->aspect : 1;
    const double aspect = state->rotation % 180 == 90 ? 1 / told : told;

    *ret_rows = picture->shape.rows * fmax(1, aspect);
    *ret_columns = picture->shape.columns * fmax(1, 1 / aspect);
}

static bool resize_to(struct pixels *picture, double rows, double columns, struct error *err)
{
    return check_size(rows, columns, err) && resize(picture, rows < 1 ? 1 : (uint32_t)(rows + 0.5),
                                                    columns < 1 ? 1 : (uint32_t)(columns + 0.5), err);
}

/* Each pixel so large, then cut to the viewport from the upper left corner (REN-75). */
static bool magnify(struct pixels *picture, double rows, double columns, double times,
                    const struct rendering_parameters *parameters, struct error *err)
{
    if (!resize_to(picture, rows * times, columns * times, err))
        return false;
    const double right =
        fmin(picture->shape.columns,
             parameters->has_viewport ? (double)parameters->viewport_columns : (double)INFINITY);
    const double bottom = fmin(
        picture->shape.rows, parameters->has_viewport ? (double)parameters->viewport_rows : (double)INFINITY);
    return cut_area(
        picture,
        &(struct displayed_area){ .left = 1, .top = 1, .right = (int32_t)right, .bottom = (int32_t)bottom },
        err);
}

/* SCALE TO FIT and TRUE SIZE fill the viewport. */
static bool fit(struct pixels *picture, double rows, double columns,
                const struct rendering_parameters *parameters, struct error *err)
{
    const uint32_t square_rows = (uint32_t)(rows + 0.5), square_columns = (uint32_t)(columns + 0.5);
    const double x = picture->shape.columns / (double)square_columns,
                 y = picture->shape.rows / (double)square_rows;
    struct region region;
    uint32_t made_rows, made_columns;

    if (!check_size(rows, columns, err) || !rendering_parameters_fit(parameters, square_rows, square_columns,
                                                                     &region, &made_rows, &made_columns, err))
        return false;
    /* A source region (of WADO-URI) is cut by whole pixels. */
    const struct displayed_area part = { .left = (int32_t)(region.x * x) + 1,
                                         .top = (int32_t)(region.y * y) + 1,
                                         .right = (int32_t)ceil((region.x + region.width) * x - 1e-6),
                                         .bottom = (int32_t)ceil((region.y + region.height) * y - 1e-6) };
    return cut_area(picture, &part, err) && check_size(made_rows, made_columns, err) &&
           resize(picture, made_rows, made_columns, err);
}

bool presented_picture(const struct presented *what, const struct rendering_parameters *parameters,
                       struct pixels *picture, struct error *err)
{
    const struct presentation_state *state = what->state;
    const struct displayed_area *told = presentation_state_area(state, what->instance, what->frame);
    struct placing placing = { .rotation = state->rotation, .flipped = state->flipped };
    double rows, columns;

    placing.area = told ? *told
                        : (struct displayed_area){ .left = 1,
                                                   .top = 1,
                                                   .right = (int32_t)picture->shape.columns,
                                                   .bottom = (int32_t)picture->shape.rows };
    if (!apply_shutter(what, picture, err) || !cut_area(picture, &placing.area, err) ||
        !turn(picture, state, err))
        return false;
    const double turned_columns = picture->shape.columns, turned_rows = picture->shape.rows;
    const bool magnified = told && told->mode == SIZE_MAGNIFY;
    square(told, state, picture, &rows, &columns);
    if (magnified ? !magnify(picture, rows, columns, told->magnification, parameters, err)
                  : !fit(picture, rows, columns, parameters, err))
        return false;
    placing.scale_x =
        magnified ? columns * told->magnification / turned_columns : picture->shape.columns / turned_columns;
    placing.scale_y =
        magnified ? rows * told->magnification / turned_rows : picture->shape.rows / turned_rows;
    return presented_graphics(what, &placing, picture, err);
}
