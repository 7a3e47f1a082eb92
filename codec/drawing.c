/* codec/drawing.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See drawing.h. Pictures here have 8 bits a sample, or 16 of gray, which are drawn on alike.
 */
#include "codec/drawing.h"

#include <ft2build.h>
#include FT_FREETYPE_H
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "codec/scaling.h"
#include "codec/text_order.h"
#include "dicom/utf8.h"

enum { PEN_FONTS = 8, TEXT_CEILING_BYTES = 256 * 1024 };

struct pen {
    FT_Library library;
    FT_Face faces[PEN_FONTS]; /* the first one that has a letter draws it */
    unsigned count;
};

static bool open_face(struct pen *pen, struct bytes path, unsigned size, struct error *err)
{
    char name[4096];

    if (path.size == 0 || path.size >= sizeof(name) || pen->count == PEN_FONTS)
        return error_set(err, FAULT_INTERNAL, "more or longer paths than are taken (setting font)");
    memcpy(name, path.data, path.size);
    name[path.size] = '\0';
    if (FT_New_Face(pen->library, name, 0, &pen->faces[pen->count]) != 0)
        return error_set(err, FAULT_INTERNAL, "the font %s cannot be read (setting font)", name);
    if (FT_Set_Pixel_Sizes(pen->faces[pen->count++], 0, size < 6 ? 6 : size) != 0)
        return error_set(err, FAULT_INTERNAL, "the font %s has no letters of %u pixels", name, size);
    return true;
}

bool pen_new(const char *font_paths, unsigned size, struct pen **ret, struct error *err)
{
    SCOPED(pen) struct pen *pen = calloc(1, sizeof(*pen));
    struct bytes left = bytes_of_text(font_paths);

    if (!pen || FT_Init_FreeType(&pen->library) != 0)
        return error_set(err, FAULT_BUSY, "no memory for letters");
    while (left.data)
        if (!open_face(pen, bytes_cut(&left, ':'), size, err))
            return false;
    *ret = TAKE(pen);
    return true;
}

void pen_free(struct pen *pen)
{
    if (!pen)
        return;
    for (unsigned i = 0; i < pen->count; i++)
        FT_Done_Face(pen->faces[i]);
    if (pen->library)
        FT_Done_FreeType(pen->library);
    free(pen);
}

void pen_drop(struct pen **pen)
{
    pen_free(*pen);
}

static uint32_t next_character(struct bytes *text)
{
    uint32_t character;

    *text = bytes_from(*text, utf8_read(*text, &character));
    return character == UTF8_BROKEN ? 0xFFFD : character;
}

/* Of the font that has it, else of the first one, which draws a box; NULL: not even that. */
static FT_Face load_letter(const struct pen *pen, uint32_t character, FT_Int32 flags)
{
    for (unsigned i = 0; i < pen->count; i++)
        if (FT_Get_Char_Index(pen->faces[i], character) != 0 &&
            FT_Load_Char(pen->faces[i], character, flags) == 0)
            return pen->faces[i];
    return FT_Load_Char(pen->faces[0], character, flags) == 0 ? pen->faces[0] : NULL;
}

bool pen_has(const struct pen *pen, struct bytes utf8)
{
    while (utf8.size > 0) {
        const uint32_t character = next_character(&utf8);
        bool any = character <= ' ';

        for (unsigned i = 0; !any && i < pen->count; i++)
            any = FT_Get_Char_Index(pen->faces[i], character) != 0;
        if (!any)
            return false;
    }
    return true;
}

/* The text as it is drawn; `room` holds it where that is another one. */
static struct bytes drawn_text(struct bytes utf8, struct buffer *room)
{
    buffer_init(room, TEXT_CEILING_BYTES);
    if (!text_order_matters(utf8) || utf8.size > TEXT_CEILING_BYTES / 4)
        return utf8;
    text_order_apply(utf8, room);
    return buffer_bytes(room);
}

unsigned pen_width(const struct pen *pen, struct bytes utf8)
{
    SCOPED(buffer) struct buffer room = { 0 };
    struct bytes left = drawn_text(utf8, &room);
    unsigned width = 0;

    while (left.size > 0) {
        const FT_Face face = load_letter(pen, next_character(&left), FT_LOAD_DEFAULT);
        width += face ? (unsigned)(face->glyph->advance.x >> 6) : 0;
    }
    return width;
}

unsigned pen_line(const struct pen *pen)
{
    return (unsigned)(pen->faces[0]->size->metrics.height >> 6);
}

/* `share` 0..255 of the colour over what is there. */
static void blend(const struct pixels *picture, int x, int y, struct colour colour, unsigned share)
{
    const uint8_t three[3] = { colour.red, colour.green, colour.blue };
    const unsigned gray = ((unsigned)three[0] + three[1] + three[2]) / 3u;

    if (x < 0 || y < 0 || (uint32_t)x >= picture->shape.columns || (uint32_t)y >= picture->shape.rows)
        return;
    const size_t at = (size_t)y * picture->shape.columns + (size_t)x;
    if (picture->shape.bits_allocated == 16) {
        uint16_t *pixel = (uint16_t *)(void *)picture_room(picture) + at;
        *pixel = (uint16_t)((*pixel * (255u - share) + gray * 257u * share) / 255u);
        return;
    }
    const unsigned samples = picture->shape.samples_per_pixel;
    uint8_t *pixel = picture_room(picture) + at * samples;
    for (unsigned k = 0; k < samples; k++)
        pixel[k] = (uint8_t)((pixel[k] * (255u - share) + (samples == 3 ? three[k] : gray) * share) / 255u);
}

static void put_glyph(const FT_Bitmap *bitmap, const struct pixels *picture, int x, int y,
                      struct colour colour)
{

    for (unsigned r = 0; r < bitmap->rows; r++)
        for (unsigned c = 0; c < bitmap->width; c++) {
            const unsigned share = bitmap->buffer[(size_t)r * (unsigned)bitmap->pitch + c];
            if (share > 0)
                blend(picture, x + (int)c, y + (int)r, colour, share);
        }
}

static void write_at(const struct pen *pen, const struct pixels *picture, int x, int y, struct bytes text,
                     struct colour colour)
{
    const int baseline = y + (int)(pen->faces[0]->size->metrics.ascender >> 6);

    while (text.size > 0) {
        const FT_Face face = load_letter(pen, next_character(&text), FT_LOAD_RENDER);
        if (!face)
            continue;
        const FT_GlyphSlot glyph = face->glyph;
        if (glyph->bitmap.pixel_mode == FT_PIXEL_MODE_GRAY)
            put_glyph(&glyph->bitmap, picture, x + glyph->bitmap_left, baseline - glyph->bitmap_top, colour);
        x += (int)(glyph->advance.x >> 6);
    }
}

void pen_write(const struct pen *pen, const struct pixels *picture, int x, int y, struct bytes utf8,
               struct colour colour)
{
    static const int rim[][2] = { { -1, -1 }, { -1, 1 }, { 1, -1 }, { 1, 1 } };
    SCOPED(buffer) struct buffer room = { 0 };
    const struct bytes text = drawn_text(utf8, &room);

    for (size_t i = 0; i < COUNT_OF(rim); i++)
        write_at(pen, picture, x + rim[i][0], y + rim[i][1], text, (struct colour){ 0, 0, 0 });
    write_at(pen, picture, x, y, text, colour);
}

void draw_dot(const struct pixels *picture, int x, int y, struct colour colour)
{
    blend(picture, x, y, colour, 255);
}

/* ── lines and areas ── */

/* Cuts the line to the rectangle (Liang and Barsky); false: nothing of it is inside. */
static bool clip_line(double left, double top, double right, double bottom, double *x0, double *y0,
                      double *x1, double *y1)
{
    const double dx = *x1 - *x0, dy = *y1 - *y0;
    const double along[4] = { -dx, dx, -dy, dy };
    const double room[4] = { *x0 - left, right - *x0, *y0 - top, bottom - *y0 };
    double from = 0, to = 1;

    for (unsigned i = 0; i < 4; i++) {
        if (along[i] == 0) {
            if (room[i] < 0)
                return false;
            continue;
        }
        const double at = room[i] / along[i];
        if (along[i] < 0)
            from = fmax(from, at);
        else
            to = fmin(to, at);
    }
    if (!(from <= to))
        return false;
    const double x = *x0, y = *y0;
    *x0 = x + from * dx;
    *y0 = y + from * dy;
    *x1 = x + to * dx;
    *y1 = y + to * dy;
    return true;
}

static uint64_t draw_thin(const struct pixels *picture, double x0, double y0, double x1, double y1,
                          struct colour colour)
{
    const double steps = fmax(1, ceil(fmax(fabs(x1 - x0), fabs(y1 - y0))));

    for (double i = 0; i <= steps; i++)
        draw_dot(picture, (int)floor(x0 + (x1 - x0) * i / steps), (int)floor(y0 + (y1 - y0) * i / steps),
                 colour);
    return (uint64_t)steps + 1;
}

static uint64_t draw_piece(const struct pixels *picture, double x0, double y0, double x1, double y1,
                           const struct stroke *stroke)
{
    const double length = hypot(x1 - x0, y1 - y0);

    if (stroke->thickness <= 1 || length == 0)
        return draw_thin(picture, x0, y0, x1, y1, stroke->colour);
    const double x = (y1 - y0) / length * stroke->thickness / 2,
                 y = (x0 - x1) / length * stroke->thickness / 2;
    const double corners[8] = { x0 + x, y0 + y, x1 + x, y1 + y, x1 - x, y1 - y, x0 - x, y0 - y };
    return fill_polygon(picture, corners, 4, stroke->colour);
}

uint64_t draw_line(const struct pixels *picture, double x0, double y0, double x1, double y1,
                   const struct stroke *stroke)
{
    const double dash = 6 * fmax(1, stroke->thickness), rim = fmax(1, stroke->thickness);

    /* Steps are bounded by the picture, wherever the ends are said to lie. */
    if (!isfinite(x0 + y0 + x1 + y1) ||
        !clip_line(-rim, -rim, picture->shape.columns + rim, picture->shape.rows + rim, &x0, &y0, &x1, &y1))
        return 1;
    if (!stroke->dashed)
        return draw_piece(picture, x0, y0, x1, y1, stroke);
    const double length = hypot(x1 - x0, y1 - y0);
    uint64_t work = 1;
    for (double at = 0; at < length; at += 2 * dash) {
        const double a = at / length, b = fmin(at + dash, length) / length;
        work += draw_piece(picture, x0 + (x1 - x0) * a, y0 + (y1 - y0) * a, x0 + (x1 - x0) * b,
                           y0 + (y1 - y0) * b, stroke);
    }
    return work;
}

void polygon_row(const double *points, uint32_t count, bool x_is_second, double y, uint32_t columns,
                 uint8_t *inside)
{
    const unsigned x_at = x_is_second, y_at = !x_is_second;

    /* Each edge that crosses the line turns inside and outside round for all places behind it. */
    memset(inside, 0, columns);
    for (uint32_t i = 0, k = count - 1; i < count; k = i++) {
        const double x0 = points[2 * i + x_at], y0 = points[2 * i + y_at];
        const double x1 = points[2 * k + x_at], y1 = points[2 * k + y_at];
        if ((y0 > y) == (y1 > y))
            continue;
        const double x = ceil((x1 - x0) * (y - y0) / (y1 - y0) + x0);
        if (x < columns)
            inside[x > 0 ? (uint32_t)x : 0] ^= 1;
    }
    for (uint32_t c = 1; c < columns; c++)
        inside[c] ^= inside[c - 1];
}

uint64_t fill_polygon(const struct pixels *picture, const double *points, uint32_t count,
                      struct colour colour)
{
    const uint32_t columns = picture->shape.columns;
    double top = INFINITY, bottom = -INFINITY, left = INFINITY, right = -INFINITY;

    if (count < 3)
        return 1;
    for (uint32_t i = 0; i < count; i++) {
        left = fmin(left, points[2 * i]);
        right = fmax(right, points[2 * i]);
        top = fmin(top, points[2 * i + 1]);
        bottom = fmax(bottom, points[2 * i + 1]);
    }
    uint8_t *inside = malloc((size_t)columns * 2 + 16);
    double *moved = malloc((size_t)count * 2 * sizeof(double));
    if (!(left <= right) || !(top <= bottom) || !inside || !moved) {
        free(inside);
        free(moved);
        return 1;
    }
    for (uint32_t i = 0; i < 2 * count; i++)
        moved[i] = points[i] - 0.5;
    const int64_t first = top > 0 ? (int64_t)fmin(top, picture->shape.rows) : 0;
    const int64_t last = (int64_t)fmin(ceil(fmax(bottom, 0)), picture->shape.rows);
    const uint32_t from = left > 0 ? (uint32_t)fmin(left, columns) : 0;
    const uint32_t to = (uint32_t)fmin(ceil(fmax(right, 0)), columns);
    for (int64_t row = first; row < last; row++) {
        polygon_row(moved, count, false, (double)row, to, inside);
        for (uint32_t c = from; c < to; c++)
            if (inside[c])
                draw_dot(picture, (int)c, (int)row, colour);
    }
    free(inside);
    free(moved);
    return (uint64_t)(last > first ? last - first : 0) * (count + to) + 1;
}

static uint32_t clamp_to(double value, uint32_t most)
{
    return value > 0 ? value < most ? (uint32_t)value : most : 0;
}

uint64_t fill_box(const struct pixels *picture, double left, double top, double right, double bottom,
                  struct colour colour)
{
    const uint32_t columns = picture->shape.columns, rows = picture->shape.rows;
    const uint32_t from = clamp_to(left, columns), to = clamp_to(right, columns);
    const uint32_t first = clamp_to(top, rows), last = clamp_to(bottom, rows);

    for (uint32_t row = first; row < last; row++)
        for (uint32_t c = from; c < to; c++)
            draw_dot(picture, (int)c, (int)row, colour);
    return (uint64_t)(last > first ? last - first : 0) * (to > from ? to - from : 0) + 1;
}

/* ── colours ── */

static double lab_inverse(double t)
{
    return t > 6.0 / 29 ? t * t * t : 3 * (6.0 / 29) * (6.0 / 29) * (t - 4.0 / 29);
}

static uint8_t srgb_byte(double linear)
{
    const double share = linear <= 0.0031308 ? 12.92 * linear : 1.055 * pow(linear, 1 / 2.4) - 0.055;

    return share <= 0 ? 0 : share >= 1 ? 255 : (uint8_t)(share * 255 + 0.5);
}

struct colour colour_of_cielab(const uint16_t lab[3])
{
    const double lightness = lab[0] / 65535.0 * 100;
    const double a = lab[1] / 65535.0 * 255 - 128, b = lab[2] / 65535.0 * 255 - 128;
    const double fy = (lightness + 16) / 116;
    /* D50, and sRGB's primaries adapted to it (Bradford). */
    const double x = 0.96422 * lab_inverse(fy + a / 500), y = lab_inverse(fy),
                 z = 0.82521 * lab_inverse(fy - b / 200);

    return (struct colour){ srgb_byte(3.1338561 * x - 1.6168667 * y - 0.4906146 * z),
                            srgb_byte(-0.9787684 * x + 1.9161415 * y + 0.0334540 * z),
                            srgb_byte(0.0719453 * x - 0.2289914 * y + 1.4052427 * z) };
}
