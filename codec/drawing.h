/* codec/drawing.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Letters and lines on pictures (FreeType). Whatever lies outside is cut off. One thread at a time per
 * picture.
 */
#ifndef GANTRY_CODEC_DRAWING_H
#define GANTRY_CODEC_DRAWING_H

#include "codec/codec.h"

/* Red, green, blue; on gray pictures their mean. */
struct colour {
    uint8_t red, green, blue;
};

struct pen; /* fonts at a size; any number of them in any threads */
/* Up to 8 font files, with colons between them: the first that has a letter draws it. `size` pixels from the
 * top of the highest letter to the bottom of the lowest. INTERNAL: no such font file. */
MUST_USE bool pen_new(const char *font_paths, unsigned size, struct pen **ret, struct error *err);
void pen_free(struct pen *pen); /* NULL is fine */
void pen_drop(struct pen **pen);
/* Has a font every letter of it? */
bool pen_has(const struct pen *pen, struct bytes utf8);
/* Pixels that a text is wide. */
unsigned pen_width(const struct pen *pen, struct bytes utf8);
unsigned pen_line(const struct pen *pen); /* from one line to the next */
/* The upper left corner of the text at (x, y), with a dark rim, so that it can be read on anything. */
void pen_write(const struct pen *pen, const struct pixels *picture, int x, int y, struct bytes utf8,
               struct colour colour);

/* A colour of PS3.3 C.10.7.1.1: CIELab of white point D50, each of 0..65535, as sRGB. */
struct colour colour_of_cielab(const uint16_t lab[3]);

/* Points are given in pixels from the upper left corner of the picture: the middle of its first pixel is 0.5,
 * 0.5. Each returns about how much work it was, so that whoever draws what a file says can stop in time. */
struct stroke {
    struct colour colour;
    double thickness; /* pixels; 1 and less: one */
    bool dashed;
};
uint64_t draw_line(const struct pixels *picture, double x0, double y0, double x1, double y1,
                   const struct stroke *stroke);
/* Pixels whose middle is inside (even and odd), of `count` points x, y, x, y ... */
uint64_t fill_polygon(const struct pixels *picture, const double *points, uint32_t count,
                      struct colour colour);
/* The pixels [left, right) of the rows [top, bottom). */
uint64_t fill_box(const struct pixels *picture, double left, double top, double right, double bottom,
                  struct colour colour);
void draw_dot(const struct pixels *picture, int x, int y, struct colour colour);

/* Which of `columns` places 0, 1, 2 ... on the line at `y` are inside the polygon: 1 or 0 each. Of each pair
 * of values x is the first one, or the second one where `x_is_second`. */
void polygon_row(const double *points, uint32_t count, bool x_is_second, double y, uint32_t columns,
                 uint8_t *inside);

#endif
