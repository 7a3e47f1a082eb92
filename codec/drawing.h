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

struct pen; /* a font at a size; any number of them in any threads */
/* `size` pixels from the top of the highest letter to the bottom of the lowest. INTERNAL: no such font file.
 */
MUST_USE bool pen_new(const char *font_path, unsigned size, struct pen **ret, struct error *err);
void pen_free(struct pen *pen); /* NULL is fine */
void pen_drop(struct pen **pen);
/* Pixels that a text is wide. */
unsigned pen_width(const struct pen *pen, struct bytes utf8);
unsigned pen_line(const struct pen *pen); /* from one line to the next */
/* The upper left corner of the text at (x, y), with a dark rim, so that it can be read on anything. */
void pen_write(const struct pen *pen, const struct pixels *picture, int x, int y, struct bytes utf8,
               struct colour colour);

/* Between the middles of two pixels; the ends included. */
void draw_line(const struct pixels *picture, double x0, double y0, double x1, double y1,
               struct colour colour);
void draw_dot(const struct pixels *picture, int x, int y, struct colour colour);

#endif
