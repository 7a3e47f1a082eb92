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

/* ── a JPEG as it is stored ── */

struct jpeg_look {
    bool baseline, other_frame, jfif, adobe, adobe_ycc;
    uint32_t rows, columns;
    unsigned samples;
};

static void look_at_segment(unsigned marker, struct bytes body, void *context)
{
    struct jpeg_look *look = context;

    if (marker == 0xC0 && body.size >= 6) {
        look->baseline = body.data[0] == 8;
        look->rows = (uint32_t)body.data[1] << 8 | body.data[2];
        look->columns = (uint32_t)body.data[3] << 8 | body.data[4];
        look->samples = body.data[5];
    } else if (marker > 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC) {
        look->other_frame = true;
    } else if (marker == 0xE0 && bytes_starts_with(body, bytes_of("JFIF", 5))) {
        look->jfif = true;
    } else if (marker == 0xEE && body.size >= 12 && bytes_starts_with(body, bytes_of_text("Adobe"))) {
        look->adobe = true;
        look->adobe_ycc = body.data[11] == 1;
    }
}

/* Calls `look_at` with each segment before the scan; false: they are not sound. */
static bool each_segment(struct bytes jpeg,
                         void (*look_at)(unsigned marker, struct bytes body, void *context), void *context)
{
    size_t at = 2;

    if (!bytes_starts_with(jpeg, bytes_of_text("\xFF\xD8")))
        return false;
    while (jpeg.size - at >= 4 && jpeg.data[at] == 0xFF) {
        const unsigned marker = jpeg.data[at + 1];
        const size_t size = (size_t)jpeg.data[at + 2] << 8 | jpeg.data[at + 3];

        if (marker == 0xDA)
            return true;
        if (marker < 0xC0 || size < 2 || jpeg.size - at - 2 < size)
            return false;
        look_at(marker, bytes_of(jpeg.data + at + 4, size - 2), context);
        at += 2 + size;
    }
    return false;
}

bool picture_is_plain_jpeg(struct bytes jpeg, uint32_t rows, uint32_t columns, unsigned samples,
                           size_t *ret_size)
{
    struct jpeg_look look = { 0 };

    while (jpeg.size > 0 && jpeg.data[jpeg.size - 1] == 0) /* padding to even length (TSX-07) */
        jpeg.size--;
    if (jpeg.size < 4 || memcmp(jpeg.data + jpeg.size - 2, "\xFF\xD9", 2) != 0 ||
        !each_segment(jpeg, look_at_segment, &look))
        return false;
    *ret_size = jpeg.size;
    return look.baseline && !look.other_frame && look.rows == rows && look.columns == columns &&
           look.samples == samples &&
           (samples == 1 || (samples == 3 && (look.adobe ? look.adobe_ycc : look.jfif)));
}

/* ── the profile of a JPEG ── */

/* ICC.1 B.4: "ICC_PROFILE" NUL, the number of the part from 1, how many there are. */
enum { PROFILE_HEAD = 14 };
struct profile_part {
    unsigned wanted, count;
    struct bytes found;
};

static void look_for_part(unsigned marker, struct bytes body, void *context)
{
    struct profile_part *part = context;

    if (marker == 0xE2 && body.size > PROFILE_HEAD && bytes_starts_with(body, bytes_of("ICC_PROFILE", 12)) &&
        body.data[12] == part->wanted) {
        part->count = body.data[13];
        part->found = bytes_from(body, PROFILE_HEAD);
    }
}

void picture_profile_of_jpeg(struct bytes jpeg, struct buffer *into)
{
    struct profile_part part = { .wanted = 1, .count = 1 };

    for (; part.wanted <= part.count; part.wanted++) {
        part.found = bytes_of(NULL, 0);
        if (!each_segment(jpeg, look_for_part, &part) || !part.found.data) {
            buffer_cut(into, 0);
            return;
        }
        buffer_append(into, part.found);
    }
}
