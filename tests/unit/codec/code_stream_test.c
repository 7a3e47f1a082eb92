/* tests/unit/codec/code_stream_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "dicom/code_stream.h"

#include "codec/codec.h"

#include "tests/support/expect.h"

static const uint8_t baseline[] = {
    0xFF, 0xD8, 0xFF, 0xE0, 0, 16,   'J',  'F',  'I',  'F', 0,    1,    1,  0, 0,    1, 0, 1,    0, 0, /* */
    0xFF, 0xC0, 0,    17,   8, 0x01, 0x00, 0x02, 0x00, 3,   1,    0x22, 0,  2, 0x11, 1, 3, 0x11, 1,    /* */
    0xFF, 0xDA, 0,    12,   3, 1,    0,    2,    0x11, 3,   0x11, 0,    63, 0,
};
static const uint8_t lossless[] = {
    0xFF, 0xD8, 0xFF, 0xC3, 0, 11, 12, 0x00, 0x40, 0x00, 0x20, 1, 1, 0x11, 0, /* */
    0xFF, 0xDA, 0,    8,    1, 1,  0,  1,    0,    0,
};
static const uint8_t near_lossless[] = {
    0xFF, 0xD8, 0xFF, 0xF7, 0, 11, 16, 0x00, 0x40, 0x00, 0x20, 1, 1, 0x11, 0, /* */
    0xFF, 0xDA, 0,    8,    1, 1,  0,  3,    0,    0,
};
static const uint8_t j2k[] = {
    0xFF, 0x4F, 0xFF, 0x51, 0, 47, 0, 0, 0,  0, 0, 70, 0,  0, 0, 50, 0, 0, 0,
    6,    0,    0,    0,    2, 0,  0, 0, 70, 0, 0, 0,  50,                    /* */
    0,    0,    0,    0,    0, 0,  0, 0, 0,  3, 7, 1,  1,  7, 1, 1,  7, 1, 1, /* */
    0xFF, 0x52, 0,    12,   0, 2,  0, 1, 1,  5, 4, 4,  0,  1,                 /* */
    0xFF, 0x90, 0,    10,
};

TEST(a_stream_tells_its_syntax_and_its_shape)
{
    static const struct {
        const uint8_t *data;
        size_t size;
        enum transfer_syntax syntax;
        struct pixel_shape shape;
    } cases[] = {
        { baseline,
          sizeof baseline,
          SYNTAX_JPEG_BASELINE_8,
          { 256, 512, 3, 8, 8, false, false, YBR_FULL_422 } },
        { lossless,
          sizeof lossless,
          SYNTAX_JPEG_LOSSLESS_SV1,
          { 64, 32, 1, 16, 12, false, false, MONOCHROME2 } },
        { near_lossless,
          sizeof near_lossless,
          SYNTAX_JPEG_LS_NEAR_LOSSLESS,
          { 64, 32, 1, 16, 16, false, false, MONOCHROME2 } },
        { j2k, sizeof j2k, SYNTAX_JPEG_2000_LOSSLESS, { 48, 64, 3, 8, 8, false, false, YBR_RCT } },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct code_stream got;
        if (!EXPECT(code_stream_read(bytes_of(cases[i].data, cases[i].size), &got), "case %zu is not read",
                    i))
            continue;
        const struct pixel_shape *a = &got.shape, *b = &cases[i].shape;
        EXPECT(got.syntax == cases[i].syntax, "case %zu: syntax %d", i, got.syntax);
        EXPECT(a->rows == b->rows && a->columns == b->columns &&
                   a->samples_per_pixel == b->samples_per_pixel && a->bits_allocated == b->bits_allocated &&
                   a->bits_stored == b->bits_stored && a->is_signed == b->is_signed &&
                   a->photometric == b->photometric,
               "case %zu: %u x %u, %u samples of %u in %u bits, photometric %d", i, a->rows, a->columns,
               a->samples_per_pixel, a->bits_stored, a->bits_allocated, a->photometric);
    }
}

TEST(boxes_around_a_code_stream_are_measured)
{
    uint8_t file[200] = { 0, 0,  0,   12,  'j', 'P', ' ', ' ', 0x0D, 0x0A, 0x87, 0x0A, 0, 0,
                          0, 16, 'f', 't', 'y', 'p', 'j', 'p', '2',  ' ',  0,    0,    0, 0 };
    struct code_stream got;

    const size_t length = sizeof j2k + 8;
    const uint8_t box[] = { 0, 0, 0, (uint8_t)length, 'j', 'p', '2', 'c' };
    memcpy(file + 28, box, sizeof box);
    memcpy(file + 36, j2k, sizeof j2k);
    EXPECT(code_stream_read(bytes_of(file, 36 + sizeof j2k), &got) && got.begin == 36 &&
               got.size == sizeof j2k,
           "begins at %llu", (unsigned long long)got.begin);
}

TEST(a_stream_cut_anywhere_is_none_or_the_same)
{
    static const struct {
        const uint8_t *data;
        size_t size;
    } streams[] = { { baseline, sizeof baseline }, { lossless, sizeof lossless }, { j2k, sizeof j2k } };
    struct code_stream whole, cut;

    for (size_t i = 0; i < COUNT_OF(streams); i++) {
        EXPECT(code_stream_read(bytes_of(streams[i].data, streams[i].size), &whole), "stream %zu", i);
        for (size_t size = 0; size < streams[i].size; size++)
            if (code_stream_read(bytes_of(streams[i].data, size), &cut))
                EXPECT(cut.shape.rows == whole.shape.rows, "stream %zu cut at %zu", i, size);
    }
}

TEST(wider_labels_fit_and_narrower_do_not)
{
    EXPECT(code_stream_fits(SYNTAX_JPEG_2000_LOSSLESS, SYNTAX_JPEG_2000),
           "reversible under the general label");
    EXPECT(!code_stream_fits(SYNTAX_JPEG_2000, SYNTAX_JPEG_2000_LOSSLESS), "irreversible as lossless");
    EXPECT(!code_stream_fits(SYNTAX_JPEG_LS_NEAR_LOSSLESS, SYNTAX_JPEG_LS_LOSSLESS),
           "near-lossless as lossless");
    EXPECT(!code_stream_fits(SYNTAX_JPEG_BASELINE_8, SYNTAX_JPEG_LOSSLESS_SV1), "baseline as lossless");
}

static struct pixels made_pixels(uint32_t rows, uint32_t columns, unsigned samples, unsigned bits)
{
    struct pixels made = { .shape = { .rows = rows,
                                      .columns = columns,
                                      .samples_per_pixel = (uint16_t)samples,
                                      .bits_allocated = bits > 8 ? 16 : 8,
                                      .bits_stored = (uint16_t)bits,
                                      .photometric = samples == 1 ? MONOCHROME2 : RGB } };
    struct error err = { 0 };
    const size_t size = (size_t)pixel_shape_frame_bytes(&made.shape);

    EXPECT(block_take(size, &made.block, &err), "%s", err.detail);
    for (size_t i = 0; i < size; i++)
        block_room(made.block, NULL)[i] = bits > 8 && i % 2 ? 3 : (uint8_t)(i * 5 + i / 31);
    block_seal(made.block, size);
    return made;
}

/* Sizes that its header writes in each of its ways. */
TEST(STO_38_jpeg_xl_tells_its_size_its_bits_and_whether_it_is_lossless)
{
    static const uint32_t sizes[][2] = { { 8, 8 },     { 64, 256 }, { 256, 256 },   { 7, 13 },
                                         { 300, 200 }, { 90, 160 }, { 1000, 1500 }, { 3, 700 } };

    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        for (unsigned kind = 0; kind < 5; kind++) {
            static const struct {
                unsigned samples, bits;
                enum transfer_syntax syntax;
            } kinds[] = { { 1, 8, SYNTAX_JPEG_XL_LOSSLESS },
                          { 3, 8, SYNTAX_JPEG_XL_LOSSLESS },
                          { 1, 16, SYNTAX_JPEG_XL_LOSSLESS },
                          { 1, 8, SYNTAX_JPEG_XL },
                          { 3, 8, SYNTAX_JPEG_XL } };
            SCOPED(pixels)
            struct pixels made = made_pixels(sizes[i][0], sizes[i][1], kinds[kind].samples, kinds[kind].bits);
            SCOPED(pixels) struct pixels coded = { 0 };
            struct code_stream got;
            struct error err = { 0 };

            if (!EXPECT(
                    codec_encode(kinds[kind].syntax, &made, &(struct codec_parameters){ 0 }, &coded, &err),
                    "kind %u: %s", kind, err.detail) ||
                !EXPECT(code_stream_read(block_bytes(coded.block), &got), "kind %u of %u x %u is not read",
                        kind, sizes[i][1], sizes[i][0]))
                continue;
            EXPECT(got.syntax == kinds[kind].syntax && got.shape.rows == sizes[i][0] &&
                       got.shape.columns == sizes[i][1] &&
                       got.shape.samples_per_pixel == kinds[kind].samples && got.begin == 0,
                   "kind %u: syntax %d, %u x %u, %u samples", kind, got.syntax, got.shape.columns,
                   got.shape.rows, got.shape.samples_per_pixel);
        }
}

TEST(STO_38_a_jpeg_within_jpeg_xl_is_known)
{
    SCOPED(pixels) struct pixels made = made_pixels(48, 64, 3, 8);
    SCOPED(pixels) struct pixels jpeg = { 0 }, coded = { 0 };
    struct code_stream got;
    struct error err = { 0 };

    EXPECT(codec_encode(SYNTAX_JPEG_BASELINE_8, &made, &(struct codec_parameters){ 0 }, &jpeg, &err) &&
               codec_transcode(SYNTAX_JPEG_BASELINE_8, SYNTAX_JPEG_XL_RECOMPRESSION, &jpeg.shape, jpeg.block,
                               &(struct codec_parameters){ 0 }, 0, &coded, &err),
           "%s", err.detail);
    EXPECT(code_stream_read(block_bytes(coded.block), &got) && got.syntax == SYNTAX_JPEG_XL_RECOMPRESSION &&
               got.shape.rows == 48 && got.shape.columns == 64 && got.shape.samples_per_pixel == 3,
           "syntax %d", got.syntax);
    EXPECT(code_stream_fits(SYNTAX_JPEG_XL_LOSSLESS, SYNTAX_JPEG_XL) &&
               !code_stream_fits(SYNTAX_JPEG_XL, SYNTAX_JPEG_XL_LOSSLESS),
           "lossy as lossless");
}
