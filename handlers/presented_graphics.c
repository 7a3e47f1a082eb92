/* handlers/presented_graphics.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See presented_graphics.h.
 */
#include "handlers/presented_graphics.h"

#include <math.h>

#include "base/buffer.h"
#include "codec/colour_profile.h"
#include "codec/scaling.h"
#include "dicom/charset.h"
#include "handlers/overlay_drawing.h"

enum {
    TEXT_CEILING_BYTES = 65536, /* of all texts on one picture */
    LETTERS = 14,
    LETTERS_LEAST = 9,
    LETTERS_MOST = 32,
    CURVE_STEPS = 64,
    TEXT_WORK = 5000,
    LETTER_WORK = 500
};
/* About so many dots are drawn on one picture, half a second of work. */
static const uint64_t WORK_MOST = 100 * 1000 * 1000;

static const struct colour yellow = { 255, 255, 0 };

struct drawing {
    const struct presented *what;
    const struct placing *placing;
    const struct pixels *picture;
    const struct graphic_layer *layer_or_null;
    struct charset charset;
    struct pen *pen;
    unsigned letters; /* that the pen has */
    size_t text_bytes;
    uint64_t work;
};

static bool go_on(const struct drawing *drawing, struct error *err)
{
    return drawing->work <= WORK_MOST ||
           error_tell(err, FAULT_NOT_ACCEPTABLE, "The presentation state draws more than can be rendered.");
}

/* ── where ── */

static void place(const struct drawing *drawing, bool in_display_units, double x, double y, double *ret_x,
                  double *ret_y)
{
    const struct placing *placing = drawing->placing;

    if (in_display_units) { /* of what is seen, turned already */
        *ret_x = x * drawing->picture->shape.columns;
        *ret_y = y * drawing->picture->shape.rows;
        return;
    }
    const double width = placing->area.right - placing->area.left + 1.0;
    const double height = placing->area.bottom - placing->area.top + 1.0;
    double a = x - (placing->area.left - 1.0), b = y - (placing->area.top - 1.0), wide = width;

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

/* ── colours ── */

static bool is_neutral(const struct presented_colour *colour)
{
    const struct colour seen = colour_of_cielab(colour->lab);

    return !colour->has_lab || (seen.red == seen.green && seen.green == seen.blue);
}

struct colour presented_colour_of(const struct presented_colour *colour, const struct pixels *picture,
                                  struct colour or)
{
    const uint8_t gray = (uint8_t)(colour->gray * 255u / 65535u + (colour->gray * 255u % 65535u >= 32768));

    if (colour->has_lab && (picture->shape.samples_per_pixel == 3 || !colour->has_gray))
        return colour_of_cielab(colour->lab);
    return colour->has_gray ? (struct colour){ gray, gray, gray } : or ;
}

static struct colour colour_for(const struct drawing *drawing, const struct presented_colour *own)
{
    const struct colour layer = drawing->layer_or_null ? presented_colour_of(&drawing->layer_or_null->colour,
                                                                             drawing->picture, yellow)
                                                       : yellow;

    return presented_colour_of(own, drawing->picture, layer);
}

/* Would anything be drawn in a colour that gray cannot show? */
static bool needs_colours(const struct presented *what)
{
    const struct presentation_state *state = what->state;

    for (uint32_t i = 0; i < state->layer_count; i++)
        if (!is_neutral(&state->layers[i].colour))
            return true;
    for (uint32_t i = 0; i < state->annotation_count; i++) {
        const struct graphic_annotation *annotation = &state->annotations[i];
        for (uint32_t k = 0; k < annotation->graphic_count; k++)
            if (!is_neutral(&annotation->graphics[k].colour) || !is_neutral(&annotation->graphics[k].fill))
                return true;
        for (uint32_t k = 0; k < annotation->text_count; k++)
            if (!is_neutral(&annotation->texts[k].colour))
                return true;
    }
    return false;
}

/* ── graphics ── */

/* The points of a graphic as those of a line through them. */
struct path {
    double *points; /* x, y ... in the picture */
    uint32_t count;
};

static bool path_take(uint32_t most, struct buffer *room, struct path *ret, struct error *err)
{
    ret->points = (double *)(void *)buffer_reserve(room, (size_t)most * 2 * sizeof(double));
    ret->count = 0;
    return ret->points || error_set(err, FAULT_BUSY, "no memory for a graphic");
}

static void path_add(const struct drawing *drawing, const struct graphic *graphic, struct path *path,
                     double x, double y)
{
    place(drawing, graphic->in_display_units, x, y, &path->points[2 * path->count],
          &path->points[2 * path->count + 1]);
    path->count++;
}

/* Two points of each axis, or the middle and one point around it. */
static void add_round(const struct drawing *drawing, const struct graphic *graphic, struct path *path)
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
    for (unsigned i = 0; i <= CURVE_STEPS; i++) {
        const double t = 2 * M_PI * i / CURVE_STEPS;
        path_add(drawing, graphic, path, x + ax * cos(t) + bx * sin(t), y + ay * cos(t) + by * sin(t));
    }
}

static double catmull(double a, double b, double c, double d, double t)
{
    return 0.5 *
           (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - a - 3 * c + d) * t * t * t);
}

/* A smooth line through all points (PS3.3 leaves the curve open). */
static void add_curve(const struct drawing *drawing, const struct graphic *graphic, struct path *path)
{
    const double *p = graphic->points;
    const uint32_t last = graphic->point_count - 1;

    path_add(drawing, graphic, path, p[0], p[1]);
    for (uint32_t i = 0; i < last; i++) {
        const double *a = p + 2 * (i > 0 ? i - 1 : 0), *b = p + 2 * i, *c = b + 2,
                     *d = p + 2 * (i + 2 <= last ? i + 2 : last);
        for (unsigned k = 1; k <= 8; k++)
            path_add(drawing, graphic, path, catmull(a[0], b[0], c[0], d[0], k / 8.0),
                     catmull(a[1], b[1], c[1], d[1], k / 8.0));
    }
}

static void draw_cross(struct drawing *drawing, const struct graphic *graphic, const struct stroke *stroke)
{
    double x, y;

    place(drawing, graphic->in_display_units, graphic->points[0], graphic->points[1], &x, &y);
    drawing->work += draw_line(drawing->picture, x - 3, y, x + 3, y, stroke);
    drawing->work += draw_line(drawing->picture, x, y - 3, x, y + 3, stroke);
}

static bool draw_graphic(struct drawing *drawing, const struct graphic *graphic, struct error *err)
{
    const struct stroke stroke = { colour_for(drawing, &graphic->colour), graphic->thickness,
                                   graphic->dashed };
    SCOPED(buffer) struct buffer room = { 0 };
    struct path path;

    if (graphic->kind == GRAPHIC_POINT) {
        draw_cross(drawing, graphic, &stroke);
        return true;
    }
    buffer_init(&room, ((size_t)graphic->point_count * 8 + CURVE_STEPS + 2) * 2 * sizeof(double));
    if (!path_take(graphic->point_count * 8 + CURVE_STEPS + 2, &room, &path, err))
        return false;
    if (graphic->kind == GRAPHIC_INTERPOLATED)
        add_curve(drawing, graphic, &path);
    else if (graphic->kind == GRAPHIC_POLYLINE)
        for (uint32_t i = 0; i < graphic->point_count; i++)
            path_add(drawing, graphic, &path, graphic->points[2 * i], graphic->points[2 * i + 1]);
    else
        add_round(drawing, graphic, &path);
    if (graphic->filled)
        drawing->work +=
            fill_polygon(drawing->picture, path.points, path.count,
                         graphic->fill.has_lab ? colour_for(drawing, &graphic->fill) : stroke.colour);
    for (uint32_t i = 0; i + 1 < path.count && go_on(drawing, err); i++)
        drawing->work += draw_line(drawing->picture, path.points[2 * i], path.points[2 * i + 1],
                                   path.points[2 * i + 2], path.points[2 * i + 3], &stroke);
    return go_on(drawing, err);
}

/* ── texts ── */

struct text_place {
    double left, top, right, bottom; /* pixels of the picture */
    double anchor_x, anchor_y;
    unsigned lines;
    uint32_t width; /* of the longest one */
};

static struct bytes next_line(struct bytes *left)
{
    struct bytes row = bytes_cut(left, '\n');

    if (row.size > 0 && row.data[row.size - 1] == '\r')
        row.size--;
    return row;
}

static bool take_pen(struct drawing *drawing, unsigned letters, struct error *err)
{
    if (drawing->pen && drawing->letters == letters)
        return true;
    pen_free(TAKE(drawing->pen));
    drawing->letters = letters;
    return pen_new(drawing->what->font_path, letters, &drawing->pen, err);
}

static void measure(const struct drawing *drawing, struct bytes text, struct text_place *ret)
{
    ret->lines = ret->width = 0;
    while (text.data) {
        const unsigned width = pen_width(drawing->pen, next_line(&text));
        ret->width = width > ret->width ? width : ret->width;
        ret->lines++;
    }
}

static void find_box(const struct drawing *drawing, const struct graphic_text *text, struct text_place *ret)
{
    double x0 = 0, y0 = 0, x1 = 0, y1 = 0;

    if (text->has_anchor)
        place(drawing, text->anchor_in_display_units, text->anchor_x, text->anchor_y, &ret->anchor_x,
              &ret->anchor_y);
    if (text->has_box) {
        place(drawing, text->box_in_display_units, text->box[0], text->box[1], &x0, &y0);
        place(drawing, text->box_in_display_units, text->box[2], text->box[3], &x1, &y1);
    } else { /* beside the anchor */
        x0 = x1 = ret->anchor_x + (text->anchor_is_visible ? 12 : 0);
        y0 = y1 = ret->anchor_y;
    }
    ret->left = fmin(x0, x1);
    ret->right = fmax(x0, x1);
    ret->top = fmin(y0, y1);
    ret->bottom = fmax(y0, y1);
}

/* As large as the box allows, within what can be read. */
static bool choose_letters(struct drawing *drawing, struct bytes text, struct text_place *at,
                           struct error *err)
{
    if (!take_pen(drawing, LETTERS, err))
        return false;
    measure(drawing, text, at);
    const double high = at->bottom - at->top, wide = at->right - at->left;
    if (high < 1 || wide < 1 || at->width == 0)
        return true;
    const double size =
        fmin(LETTERS * high / (at->lines * pen_line(drawing->pen)), LETTERS * wide / at->width);
    if (!take_pen(drawing, (unsigned)fmin(fmax(size, LETTERS_LEAST), LETTERS_MOST), err))
        return false;
    measure(drawing, text, at);
    return true;
}

/* Where a text of this size begins: at its side of the box, but inside the picture if it fits there. */
static double begin(double from, double to, double size, enum text_side side, double most)
{
    double at = from;

    if (side == TEXT_CENTER)
        at = (from + to - size) / 2;
    else if (side == TEXT_RIGHT && to > from)
        at = to - size;
    return fmax(0, fmin(at, most - size));
}

static bool draw_text(struct drawing *drawing, const struct graphic_text *text, struct error *err)
{
    SCOPED(buffer) struct buffer utf8;
    struct text_place at = { 0 };
    const struct colour colour = colour_for(drawing, &text->colour);

    buffer_init(&utf8, TEXT_CEILING_BYTES);
    charset_append(&drawing->charset, text->text, CHARSET_TEXT, &utf8);
    drawing->text_bytes += buffer_bytes(&utf8).size;
    drawing->work += TEXT_WORK + LETTER_WORK * (uint64_t)buffer_bytes(&utf8).size;
    if (drawing->text_bytes > TEXT_CEILING_BYTES)
        drawing->work += WORK_MOST;
    find_box(drawing, text, &at);
    /* What is written is looked at only if it could be seen. */
    if (!go_on(drawing, err))
        return false;
    if (!(fabs(at.left) < 1e6 && fabs(at.right) < 1e6 && fabs(at.top) < 1e6 && fabs(at.bottom) < 1e6))
        return true;
    if (!choose_letters(drawing, buffer_bytes(&utf8), &at, err))
        return false;
    const double high = (double)at.lines * pen_line(drawing->pen);
    const double left = begin(at.left, at.right, at.width, text->side, drawing->picture->shape.columns);
    const double top = begin(at.top, at.bottom, high, TEXT_LEFT, drawing->picture->shape.rows);
    if (text->has_anchor && text->anchor_is_visible)
        drawing->work += draw_line(
            drawing->picture, at.anchor_x, at.anchor_y, fmin(fmax(at.anchor_x, left), left + at.width),
            fmin(fmax(at.anchor_y, top), top + high), &(struct stroke){ colour, 1, false });
    struct bytes rest = buffer_bytes(&utf8);
    for (int y = (int)top; rest.data; y += (int)pen_line(drawing->pen)) {
        const struct bytes row = next_line(&rest);
        const double width = pen_width(drawing->pen, row);
        const double x = text->side == TEXT_CENTER  ? left + (at.width - width) / 2
                         : text->side == TEXT_RIGHT ? left + at.width - width
                                                    : left;
        pen_write(drawing->pen, drawing->picture, (int)x, y, row, colour);
    }
    return true;
}

/* ── overlays ── */

bool presented_needs_samples(const struct presentation_state *state, const struct image_display *display)
{
    for (size_t i = 0; i < state->shown_overlay_count; i++)
        for (size_t k = 0; k < display->overlay_count; k++)
            if (!state->shown_overlays[i].plane_or_null && display->overlays[k].in_pixels &&
                display->overlays[k].group == state->shown_overlays[i].group)
                return true;
    return false;
}

/* The state's, or the one of this group in the image. */
static const struct overlay *plane_of(const struct presented *what, const struct shown_overlay *shown)
{
    if (shown->plane_or_null)
        return shown->plane_or_null;
    for (size_t i = 0; i < what->display->overlay_count; i++)
        if (what->display->overlays[i].group == shown->group)
            return &what->display->overlays[i];
    return NULL;
}

/* Each pixel of the image that it covers becomes the box that this pixel is in the picture. */
static bool draw_overlay(struct drawing *drawing, const struct shown_overlay *shown, struct error *err)
{
    const struct overlay *plane = plane_of(drawing->what, shown);
    const struct displayed_area *area = &drawing->placing->area;
    const struct presented_colour nothing = { 0 };
    const struct colour colour = colour_for(drawing, &nothing);

    if (!plane)
        return true;
    for (int64_t row = area->top - 1; row < area->bottom && go_on(drawing, err); row++) {
        drawing->work += (uint64_t)(area->right - area->left + 1) / 8;
        for (int64_t column = area->left - 1; column < area->right; column++) {
            double x0, y0, x1, y1;
            if (!overlay_bit(plane, drawing->what->frame, drawing->what->samples_or_null, row, column))
                continue;
            place(drawing, false, (double)column, (double)row, &x0, &y0);
            place(drawing, false, (double)column + 1, (double)row + 1, &x1, &y1);
            drawing->work +=
                fill_box(drawing->picture, floor(fmin(x0, x1) + 1e-6), floor(fmin(y0, y1) + 1e-6),
                         ceil(fmax(x0, x1) - 1e-6), ceil(fmax(y0, y1) - 1e-6), colour);
        }
    }
    return go_on(drawing, err);
}

/* ── layers ── */

static bool is_of_layer(const struct drawing *drawing, struct bytes name)
{
    const struct graphic_layer *layer = drawing->layer_or_null;

    return layer ? bytes_equal(layer->name, name) : !presentation_state_layer(drawing->what->state, name);
}

static bool draw_layer(struct drawing *drawing, struct error *err)
{
    const struct presented *what = drawing->what;

    for (size_t i = 0; i < what->state->shown_overlay_count; i++)
        if (is_of_layer(drawing, what->state->shown_overlays[i].layer) &&
            !draw_overlay(drawing, &what->state->shown_overlays[i], err))
            return false;
    for (uint32_t i = 0; i < what->state->annotation_count; i++) {
        const struct graphic_annotation *annotation = &what->state->annotations[i];
        if (!is_of_layer(drawing, annotation->layer) ||
            !image_references_have(&annotation->to, what->instance, what->frame))
            continue;
        for (uint32_t k = 0; k < annotation->graphic_count; k++)
            if (!draw_graphic(drawing, &annotation->graphics[k], err))
                return false;
        for (uint32_t k = 0; k < annotation->text_count; k++)
            if (!draw_text(drawing, &annotation->texts[k], err))
                return false;
    }
    return true;
}

bool presented_graphics(const struct presented *what, const struct placing *placing, struct pixels *picture,
                        struct error *err)
{
    struct drawing drawing = { .what = what, .placing = placing, .picture = picture };
    bool done = true;

    if (what->state->annotation_count == 0 && what->state->shown_overlay_count == 0)
        return true;
    if (needs_colours(what) && !picture_to_colours(picture, err))
        return false;
    charset_parse(what->state->character_set, &drawing.charset);
    /* What is in no layer that is told of comes last. */
    for (uint32_t i = 0; done && i < what->state->layer_count; i++) {
        drawing.layer_or_null = &what->state->layers[i];
        done = draw_layer(&drawing, err);
    }
    drawing.layer_or_null = NULL;
    done = done && draw_layer(&drawing, err);
    charset_done(&drawing.charset);
    pen_free(drawing.pen);
    return done;
}
