/* handlers/presented_picture.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See presented_picture.h.
 */
#include "handlers/presented_picture.h"

#include <math.h>

#include "base/buffer.h"
#include "codec/drawing.h"
#include "codec/scaling.h"
#include "dicom/charset.h"

enum { TEXT_CEILING_BYTES = 65536, LETTERS = 14, CURVE_STEPS = 64, PIXELS_MOST = 64 * 1024 * 1024 };

static const struct colour yellow = { 255, 255, 0 };

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

static bool in_polygon(const struct shutter *shutter, double row, double column)
{
    bool inside = false;

    for (uint32_t i = 0, k = shutter->vertex_count - 1; i < shutter->vertex_count; k = i++) {
        const double r0 = shutter->vertices[2 * i], c0 = shutter->vertices[2 * i + 1];
        const double r1 = shutter->vertices[2 * k], c1 = shutter->vertices[2 * k + 1];
        if ((r0 > row) != (r1 > row) && column < (c1 - c0) * (row - r0) / (r1 - r0) + c0)
            inside = !inside;
    }
    return inside;
}

static bool is_shut(const struct shutter *shutter, int32_t row, int32_t column)
{
    if (shutter->rectangular &&
        (column < shutter->left || column > shutter->right || row < shutter->top || row > shutter->bottom))
        return true;
    if (shutter->circular && hypot(row - shutter->row, column - shutter->column) > shutter->radius)
        return true;
    return shutter->polygonal && !in_polygon(shutter, row, column);
}

static void apply_shutter(const struct shutter *shutter, const struct pixels *picture)
{
    const size_t size = pixel_bytes(picture);

    if (!shutter->rectangular && !shutter->circular && !shutter->polygonal)
        return;
    for (uint32_t r = 0; r < picture->shape.rows; r++)
        for (uint32_t c = 0; c < picture->shape.columns; c++)
            if (is_shut(shutter, (int32_t)r + 1, (int32_t)c + 1))
                memset(picture_room(picture) + ((size_t)r * picture->shape.columns + c) * size,
                       shutter->value >> 8, size);
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

/* Each pixel so large, then cut to the viewport from the upper left corner (REN-75). */
static bool magnify(struct pixels *picture, double times, const struct rendering_parameters *parameters,
                    struct error *err)
{
    const double rows = picture->shape.rows * times + 0.5, columns = picture->shape.columns * times + 0.5;

    if (!check_size(rows, columns, err))
        return false;
    if (!resize(picture, rows < 1 ? 1 : (uint32_t)rows, columns < 1 ? 1 : (uint32_t)columns, err))
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
static bool scale(struct pixels *picture, const struct displayed_area *area_or_null,
                  const struct rendering_parameters *parameters, struct error *err)
{
    struct region region;
    uint32_t rows, columns;

    if (area_or_null && area_or_null->mode == SIZE_MAGNIFY)
        return magnify(picture, area_or_null->magnification, parameters, err);
    if (!rendering_parameters_fit(parameters, picture->shape.rows, picture->shape.columns, &region, &rows,
                                  &columns, err))
        return false;
    /* A source region (of WADO-URI) is cut by whole pixels. */
    const struct displayed_area part = { .left = (int32_t)region.x + 1,
                                         .top = (int32_t)region.y + 1,
                                         .right = (int32_t)ceil(region.x + region.width),
                                         .bottom = (int32_t)ceil(region.y + region.height) };
    return cut_area(picture, &part, err) && check_size(rows, columns, err) &&
           resize(picture, rows, columns, err);
}

/* ── graphics ── */

/* From where a thing is said to be to where it is in the picture. */
struct placing {
    struct displayed_area area;
    unsigned rotation;
    bool flipped;
    double scale_x, scale_y; /* of the turned area */
    const struct pixels *picture;
};

static void place(const struct placing *placing, bool in_display_units, double x, double y, double *ret_x,
                  double *ret_y)
{
    if (in_display_units) { /* of what is seen, turned already */
        *ret_x = x * placing->picture->shape.columns;
        *ret_y = y * placing->picture->shape.rows;
        return;
    }
    const double width = placing->area.right - placing->area.left + 1.0;
    const double height = placing->area.bottom - placing->area.top + 1.0;
    double a = x - placing->area.left + 0.5, b = y - placing->area.top + 0.5, wide = width;

    if (placing->rotation == 90) {
        const double kept = a;
        a = height - b;
        b = kept;
        wide = height;
    } else if (placing->rotation == 180) {
        a = width - a;
        b = height - b;
    } else if (placing->rotation == 270) {
        const double kept = a;
        a = b;
        b = width - kept;
        wide = height;
    }
    if (placing->flipped)
        a = wide - a;
    *ret_x = a * placing->scale_x;
    *ret_y = b * placing->scale_y;
}

static void line(const struct placing *placing, const struct graphic *graphic, double x0, double y0,
                 double x1, double y1)
{
    double a, b, c, d;

    place(placing, graphic->in_display_units, x0, y0, &a, &b);
    place(placing, graphic->in_display_units, x1, y1, &c, &d);
    draw_line(placing->picture, a - 0.5, b - 0.5, c - 0.5, d - 0.5, yellow);
}

/* Two points of each axis, or the middle and one point around it. */
static void draw_round(const struct placing *placing, const struct graphic *graphic)
{
    const double *p = graphic->points;
    double x = p[0], y = p[1], ax, ay, bx, by;

    if (graphic->kind == GRAPHIC_ELLIPSE) {
        if (graphic->point_count < 4)
            return;
        x = (p[0] + p[2]) / 2;
        y = (p[1] + p[3]) / 2;
        ax = p[2] - x;
        ay = p[3] - y;
        bx = (p[6] - p[4]) / 2;
        by = (p[7] - p[5]) / 2;
    } else {
        if (graphic->point_count < 2)
            return;
        ax = hypot(p[2] - x, p[3] - y);
        ay = bx = 0;
        by = ax;
    }
    for (unsigned i = 0; i < CURVE_STEPS; i++) {
        const double s = 2 * M_PI * i / CURVE_STEPS, t = 2 * M_PI * (i + 1) / CURVE_STEPS;
        line(placing, graphic, x + ax * cos(s) + bx * sin(s), y + ay * cos(s) + by * sin(s),
             x + ax * cos(t) + bx * sin(t), y + ay * cos(t) + by * sin(t));
    }
}

static double catmull(double a, double b, double c, double d, double t)
{
    return 0.5 *
           (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - a - 3 * c + d) * t * t * t);
}

/* A smooth line through all points (PS3.3 leaves the curve open). */
static void draw_curve(const struct placing *placing, const struct graphic *graphic)
{
    const double *p = graphic->points;
    const uint32_t last = graphic->point_count - 1;

    for (uint32_t i = 0; i < last; i++) {
        const double *a = p + 2 * (i > 0 ? i - 1 : 0), *b = p + 2 * i, *c = b + 2,
                     *d = p + 2 * (i + 2 <= last ? i + 2 : last);
        double x = b[0], y = b[1];
        for (unsigned k = 1; k <= 8; k++) {
            const double t = k / 8.0, next_x = catmull(a[0], b[0], c[0], d[0], t),
                         next_y = catmull(a[1], b[1], c[1], d[1], t);
            line(placing, graphic, x, y, next_x, next_y);
            x = next_x;
            y = next_y;
        }
    }
}

static void draw_graphic(const struct placing *placing, const struct graphic *graphic)
{
    double x, y;

    switch (graphic->kind) {
    case GRAPHIC_POINT:
        place(placing, graphic->in_display_units, graphic->points[0], graphic->points[1], &x, &y);
        draw_line(placing->picture, x - 3.5, y - 0.5, x + 2.5, y - 0.5, yellow);
        draw_line(placing->picture, x - 0.5, y - 3.5, x - 0.5, y + 2.5, yellow);
        break;
    case GRAPHIC_POLYLINE:
        for (uint32_t i = 0; i + 1 < graphic->point_count; i++)
            line(placing, graphic, graphic->points[2 * i], graphic->points[2 * i + 1],
                 graphic->points[2 * i + 2], graphic->points[2 * i + 3]);
        break;
    case GRAPHIC_INTERPOLATED:
        draw_curve(placing, graphic);
        break;
    case GRAPHIC_CIRCLE:
    case GRAPHIC_ELLIPSE:
        draw_round(placing, graphic);
        break;
    }
}

static void draw_text(const struct placing *placing, const struct graphic_text *text, struct charset *charset,
                      const struct pen *pen)
{
    SCOPED(buffer) struct buffer utf8 = { 0 };
    double x, y;

    buffer_init(&utf8, TEXT_CEILING_BYTES);
    charset_append(charset, text->text, CHARSET_TEXT, &utf8);
    if (text->has_box)
        place(placing, text->box_in_display_units, text->box_left, text->box_top, &x, &y);
    else
        place(placing, text->anchor_in_display_units, text->anchor_x, text->anchor_y, &x, &y);
    struct bytes left = buffer_bytes(&utf8);
    while (left.data && fabs(x) < 1e6 && fabs(y) < 1e6) {
        struct bytes row = bytes_cut(&left, '\n');
        if (row.size > 0 && row.data[row.size - 1] == '\r')
            row.size--;
        pen_write(pen, placing->picture, (int)x, (int)y, row, yellow);
        y += pen_line(pen);
    }
}

static bool draw_annotations(const struct placing *placing, const struct presentation_state *state,
                             const struct uid *instance, uint32_t frame, const char *font_path,
                             struct error *err)
{
    struct charset charset = { 0 };
    SCOPED(pen) struct pen *pen = NULL;

    for (uint32_t i = 0; i < state->annotation_count; i++) {
        const struct graphic_annotation *annotation = &state->annotations[i];
        if (!image_references_have(&annotation->to, instance, frame))
            continue;
        for (uint32_t k = 0; k < annotation->graphic_count; k++)
            draw_graphic(placing, &annotation->graphics[k]);
        if (annotation->text_count > 0 && !pen && !pen_new(font_path, LETTERS, &pen, err))
            return false;
        charset_parse(state->character_set, &charset);
        for (uint32_t k = 0; k < annotation->text_count; k++)
            draw_text(placing, &annotation->texts[k], &charset, pen);
        charset_done(&charset);
    }
    return true;
}

bool presented_picture(const struct presentation_state *state, const struct uid *instance, uint32_t frame,
                       const struct rendering_parameters *parameters, const char *font_path,
                       struct pixels *picture, struct error *err)
{
    const struct displayed_area *told = presentation_state_area(state, instance, frame);
    struct placing placing = { .rotation = state->rotation, .flipped = state->flipped, .picture = picture };

    placing.area = told ? *told
                        : (struct displayed_area){ .left = 1,
                                                   .top = 1,
                                                   .right = (int32_t)picture->shape.columns,
                                                   .bottom = (int32_t)picture->shape.rows };
    apply_shutter(&state->shutter, picture);
    if (!cut_area(picture, &placing.area, err) || !turn(picture, state, err))
        return false;
    const double columns = picture->shape.columns, rows = picture->shape.rows;
    if (!scale(picture, told, parameters, err))
        return false;
    const bool magnified = told && told->mode == SIZE_MAGNIFY;
    placing.scale_x = magnified ? told->magnification : picture->shape.columns / columns;
    placing.scale_y = magnified ? told->magnification : picture->shape.rows / rows;
    return draw_annotations(&placing, state, instance, frame, font_path, err);
}
