/* codec/picture_format.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Which writer writes what.
 */
#include "codec/picture_format.h"

#include <assert.h>

enum { PICTURE_CEILING_BYTES = 1 << 30 };

static const struct picture_format_info formats[PICTURE_FORMATS] = {
    [PICTURE_JPEG] = { "image/jpeg", true, false },
    [PICTURE_PNG] = { "image/png", true, false },
    [PICTURE_GIF] = { "image/gif", false, true },
    [PICTURE_WEBP] = { "image/webp", true, false },
};

const struct picture_format_info *picture_format_info(enum picture_format format)
{
    return &formats[format];
}

static bool write_jpeg(const struct pixels *picture, const struct picture_wish *wish, struct block **ret,
                       struct error *err)
{
    SCOPED(pixels) struct pixels coded = { 0 };
    const unsigned quality = wish->quality ? wish->quality : PICTURE_QUALITY;
    /* From 95 on whoever asks wants to see edges of colour, too. */
    const struct codec_parameters parameters = { .quality = quality,
                                                 .full_chroma = quality >= 95,
                                                 .icc_profile = wish->icc_profile };

    if (!codec_encode(SYNTAX_JPEG_BASELINE_8, picture, &parameters, &coded, err))
        return false;
    *ret = TAKE(coded.block);
    return true;
}

static bool write_gif(const struct pixels *picture, struct block **ret, struct error *err)
{
    SCOPED(gif_animation) struct gif_animation *one = NULL;

    return gif_animation_new(picture->shape.rows, picture->shape.columns, &one, err) &&
           gif_animation_add(one, picture, 0, err) && gif_animation_finish(one, ret, err);
}

static bool to_block(const struct buffer *written, struct block **ret, struct error *err)
{
    if (!buffer_check(written, "a picture", err) || !block_take(written->size, ret, err))
        return false;
    memcpy(block_room(*ret, NULL), written->data, written->size);
    block_seal(*ret, written->size);
    return true;
}

bool picture_write(enum picture_format format, const struct pixels *picture, const struct picture_wish *wish,
                   struct block **ret, struct error *err)
{
    SCOPED(buffer) struct buffer written;

    assert(picture->shape.bits_allocated == 8 ||
           (format == PICTURE_PNG && picture->shape.bits_allocated == 16));
    buffer_init(&written, PICTURE_CEILING_BYTES);
    switch (format) {
    case PICTURE_JPEG:
        return write_jpeg(picture, wish, ret, err);
    case PICTURE_GIF:
        return write_gif(picture, ret, err);
    case PICTURE_PNG:
        return png_write(picture, wish, &written, err) && to_block(&written, ret, err);
    case PICTURE_WEBP:
        return webp_write(picture, wish, &written, err) && to_block(&written, ret, err);
    case PICTURE_FORMATS:
        break;
    }
    return error_set(err, FAULT_INTERNAL, "picture format %d", (int)format);
}
