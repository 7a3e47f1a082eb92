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

#include "codec/scaling.h"

struct pen {
    FT_Library library;
    FT_Face face;
};

bool pen_new(const char *font_path, unsigned size, struct pen **ret, struct error *err)
{
    SCOPED(pen) struct pen *pen = calloc(1, sizeof(*pen));

    if (!pen || FT_Init_FreeType(&pen->library) != 0)
        return error_set(err, FAULT_BUSY, "no memory for letters");
    if (FT_New_Face(pen->library, font_path, 0, &pen->face) != 0)
        return error_set(err, FAULT_INTERNAL, "the font %s cannot be read (setting font)", font_path);
    if (FT_Set_Pixel_Sizes(pen->face, 0, size < 6 ? 6 : size) != 0)
        return error_set(err, FAULT_INTERNAL, "the font %s has no letters of %u pixels", font_path, size);
    *ret = TAKE(pen);
    return true;
}

void pen_free(struct pen *pen)
{
    if (!pen)
        return;
    if (pen->face)
        FT_Done_Face(pen->face);
    if (pen->library)
        FT_Done_FreeType(pen->library);
    free(pen);
}

void pen_drop(struct pen **pen)
{
    pen_free(*pen);
}

/* The next character; bytes that are no UTF-8 count as U+FFFD. */
static uint32_t next_character(struct bytes *text)
{
    static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
    const uint8_t first = text->data[0];
    const unsigned more = first < 0x80 ? 0 : first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : first >= 0xC0 ? 1 : 4;
    uint32_t character = more == 0 ? (uint32_t)first : (uint32_t)first & (0x3Fu >> more);

    *text = bytes_from(*text, 1);
    if (more == 4)
        return 0xFFFD;
    for (unsigned i = 0; i < more; i++) {
        if (text->size == 0 || (text->data[0] & 0xC0) != 0x80)
            return 0xFFFD;
        character = character << 6 | (text->data[0] & 0x3Fu);
        *text = bytes_from(*text, 1);
    }
    return character >= least[more] ? character : 0xFFFD;
}

unsigned pen_width(const struct pen *pen, struct bytes utf8)
{
    unsigned width = 0;

    while (utf8.size > 0)
        if (FT_Load_Char(pen->face, next_character(&utf8), FT_LOAD_DEFAULT) == 0)
            width += (unsigned)(pen->face->glyph->advance.x >> 6);
    return width;
}

unsigned pen_line(const struct pen *pen)
{
    return (unsigned)(pen->face->size->metrics.height >> 6);
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

static void put_glyph(const struct pen *pen, const struct pixels *picture, int x, int y, struct colour colour)
{
    const FT_Bitmap *bitmap = &pen->face->glyph->bitmap;

    for (unsigned r = 0; r < bitmap->rows; r++)
        for (unsigned c = 0; c < bitmap->width; c++) {
            const unsigned share = bitmap->buffer[(size_t)r * (unsigned)bitmap->pitch + c];
            if (share > 0)
                blend(picture, x + (int)c, y + (int)r, colour, share);
        }
}

static void write_at(const struct pen *pen, const struct pixels *picture, int x, int y, struct bytes utf8,
                     struct colour colour)
{
    const int baseline = y + (int)(pen->face->size->metrics.ascender >> 6);

    while (utf8.size > 0) {
        if (FT_Load_Char(pen->face, next_character(&utf8), FT_LOAD_RENDER) != 0)
            continue;
        const FT_GlyphSlot glyph = pen->face->glyph;
        if (glyph->bitmap.pixel_mode == FT_PIXEL_MODE_GRAY)
            put_glyph(pen, picture, x + glyph->bitmap_left, baseline - glyph->bitmap_top, colour);
        x += (int)(glyph->advance.x >> 6);
    }
}

void pen_write(const struct pen *pen, const struct pixels *picture, int x, int y, struct bytes utf8,
               struct colour colour)
{
    static const int rim[][2] = { { -1, -1 }, { -1, 1 }, { 1, -1 }, { 1, 1 } };

    for (size_t i = 0; i < COUNT_OF(rim); i++)
        write_at(pen, picture, x + rim[i][0], y + rim[i][1], utf8, (struct colour){ 0, 0, 0 });
    write_at(pen, picture, x, y, utf8, colour);
}

void draw_dot(const struct pixels *picture, int x, int y, struct colour colour)
{
    blend(picture, x, y, colour, 255);
}

void draw_line(const struct pixels *picture, double x0, double y0, double x1, double y1, struct colour colour)
{
    const double length = fmax(fabs(x1 - x0), fabs(y1 - y0));
    const double most = 4.0 * (picture->shape.columns + picture->shape.rows);

    /* Steps are bounded by the picture, wherever the ends are said to lie. */
    if (!isfinite(length) || fabs(x0) > 1e6 || fabs(y0) > 1e6 || fabs(x1) > 1e6 || fabs(y1) > 1e6)
        return;
    const double steps = fmin(fmax(1, ceil(length)), fmax(most, 1e5));
    for (double i = 0; i <= steps; i++)
        draw_dot(picture, (int)floor(x0 + (x1 - x0) * i / steps + 0.5),
                 (int)floor(y0 + (y1 - y0) * i / steps + 0.5), colour);
}
