/* codec/picture_format.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pictures as files that browsers show: JPEG (libjpeg-turbo, by codec.h), PNG (libpng), GIF (giflib), WebP
 * (libwebp). Any thread; takes as long as compressing takes.
 */
#ifndef GANTRY_CODEC_PICTURE_FORMAT_H
#define GANTRY_CODEC_PICTURE_FORMAT_H

#include "base/buffer.h"
#include "codec/codec.h"

enum picture_format { PICTURE_JPEG, PICTURE_PNG, PICTURE_GIF, PICTURE_WEBP, PICTURE_FORMATS };

struct picture_format_info {
    const char *media_type;
    bool holds_profile; /* of colours (ICC) */
    bool holds_frames;  /* several, one behind the other */
};
const struct picture_format_info *picture_format_info(enum picture_format format);

enum { PICTURE_QUALITY = 90 };
struct picture_wish {
    unsigned quality;         /* 1..100 (JPEG: the IJG scale, WebP: its own), 0: PICTURE_QUALITY */
    struct bytes icc_profile; /* of RGB; empty: none */
};

/* 8-bit gray or RGB; 16-bit gray into PNG alone. A baseline JPEG has one component, or three as YCbCr with
 * JFIF's marker. BUSY, INTERNAL. */
MUST_USE bool picture_write(enum picture_format format, const struct pixels *picture,
                            const struct picture_wish *wish, struct block **ret, struct error *err);

/* Is it a JPEG that any browser shows as it is meant: baseline (SOF0), 8 bits, of this size, gray or YCbCr
 * with the marker of JFIF, or Adobe's, that says so? Reads the marker segments up to the scan; safe on any
 * bytes. *ret_size: up to its end. */
bool picture_is_plain_jpeg(struct bytes jpeg, uint32_t rows, uint32_t columns, unsigned samples,
                           size_t *ret_size);

/* The ICC profile in the APP2 segments of a JPEG or JPEG-LS stream; nothing where there is none, or not all
 * of it. Safe on any bytes. */
void picture_profile_of_jpeg(struct bytes jpeg, struct buffer *into);

/* An animated GIF that repeats for ever. Frames of one size. */
struct gif_animation;
MUST_USE bool gif_animation_new(uint32_t rows, uint32_t columns, struct gif_animation **ret,
                                struct error *err);
/* `show_ms` how long it is seen; GIF counts hundredths of seconds, browsers take less than two of them for
 * ten. */
MUST_USE bool gif_animation_add(struct gif_animation *animation, const struct pixels *picture, double show_ms,
                                struct error *err);
MUST_USE bool gif_animation_finish(struct gif_animation *animation, struct block **ret, struct error *err);
void gif_animation_free(struct gif_animation *animation); /* NULL is fine */
void gif_animation_drop(struct gif_animation **animation);

/* codec/png.c, codec/webp.c */
MUST_USE bool png_write(const struct pixels *picture, const struct picture_wish *wish, struct buffer *into,
                        struct error *err);
MUST_USE bool webp_write(const struct pixels *picture, const struct picture_wish *wish, struct buffer *into,
                         struct error *err);

#endif
