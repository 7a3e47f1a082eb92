/* tests/unit/codec/rle_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/made_pixels.h"

static const struct codec_wish all = { 0 };
static const struct codec_parameters usual = { 0 };

static bool decode(const struct pixel_shape *shape, const void *coded, size_t size, struct pixels *ret,
                   struct error *err)
{
    struct block *block = made_block(bytes_of(coded, size));
    const bool ok = codec_decode(SYNTAX_RLE_LOSSLESS, shape, block, &all, ret, err);

    block_unref(block);
    return ok;
}

/* A header and its segments behind it, one byte each of `lengths`. */
static size_t make_coded(uint8_t *into, const char *const *segments, const size_t *lengths, unsigned count)
{
    size_t at = 64;

    memset(into, 0, 64);
    into[0] = (uint8_t)count;
    for (unsigned i = 0; i < count; i++) {
        into[4 + 4 * i] = (uint8_t)at;
        into[5 + 4 * i] = (uint8_t)(at >> 8);
        memcpy(into + at, segments[i], lengths[i]);
        at += lengths[i];
    }
    return at;
}

TEST(TSX_08_the_most_significant_byte_plane_comes_first)
{
    const struct pixel_shape shape = { .rows = 1,
                                       .columns = 3,
                                       .samples_per_pixel = 1,
                                       .bits_allocated = 16,
                                       .bits_stored = 16,
                                       .photometric = MONOCHROME2 };
    uint8_t coded[80];
    const size_t size = make_coded(coded, (const char *const[]){ "\x02\x01\x02\x03", "\xFE\x09" },
                                   (const size_t[]){ 4, 2 }, 2);
    SCOPED(pixels) struct pixels got = { 0 };
    struct error err = { 0 };

    EXPECT(decode(&shape, coded, size, &got, &err), "%s", err.detail);
    EXPECT(bytes_equal(block_bytes(got.block), bytes_of("\x09\x01\x09\x02\x09\x03", 6)), "words differ");
}

TEST(TSX_08_every_shape_comes_back_bit_by_bit)
{
    for (unsigned bits = 8; bits <= 32; bits *= 2)
        for (unsigned samples = 1; samples <= 3; samples += 2)
            for (unsigned planar = 0; planar < (samples > 1 ? 2u : 1u); planar++) {
                const struct pixel_shape shape = { .rows = 37,
                                                   .columns = 301,
                                                   .samples_per_pixel = (uint16_t)samples,
                                                   .bits_allocated = (uint16_t)bits,
                                                   .bits_stored = (uint16_t)bits,
                                                   .is_signed = bits == 16,
                                                   .planar = planar,
                                                   .photometric = samples == 3 ? RGB : MONOCHROME2 };
                SCOPED(pixels) struct pixels made = made_pixels(&shape), coded = { 0 }, back = { 0 };
                struct error err = { 0 };

                EXPECT(codec_encode(SYNTAX_RLE_LOSSLESS, &made, &usual, &coded, &err), "%u bits: %s", bits,
                       err.detail);
                EXPECT(block_bytes(coded.block).size % 2 == 0, "odd");
                EXPECT(coded.shape.planar == (samples > 1), "planar");
                EXPECT(codec_decode(SYNTAX_RLE_LOSSLESS, &shape, coded.block, &all, &back, &err), "%s",
                       err.detail);
                EXPECT(made_difference(&made, &back) == 0, "%u bits, %u samples, planar %u", bits, samples,
                       planar);
                EXPECT(back.shape.planar == planar, "planar");
            }
}

TEST(TSX_08_runs_of_every_length_come_back)
{
    for (unsigned run = 1; run < 300; run++) {
        const struct pixel_shape shape = { .rows = 2,
                                           .columns = 300,
                                           .samples_per_pixel = 1,
                                           .bits_allocated = 8,
                                           .bits_stored = 8,
                                           .photometric = MONOCHROME2 };
        SCOPED(pixels) struct pixels made = made_pixels(&shape), coded = { 0 }, back = { 0 };
        struct error err = { 0 };

        memset(block_room(made.block, NULL) + run / 2, 7, run);
        EXPECT(codec_encode(SYNTAX_RLE_LOSSLESS, &made, &usual, &coded, &err) &&
                   codec_decode(SYNTAX_RLE_LOSSLESS, &shape, coded.block, &all, &back, &err) &&
                   made_difference(&made, &back) == 0,
               "a run of %u: %s", run, err.detail);
    }
}

TEST(broken_segments_are_corrupt_pixels)
{
    const struct pixel_shape shape = { .rows = 1,
                                       .columns = 3,
                                       .samples_per_pixel = 1,
                                       .bits_allocated = 8,
                                       .bits_stored = 8,
                                       .photometric = MONOCHROME2 };
    static const struct {
        const char *what, *segment;
        size_t size;
    } cases[] = {
        { "a run that ends early", "\x01\x01\x01", 3 }, { "literals that are not there", "\x02\x01\x01", 3 },
        { "a run without its byte", "\xFE", 1 },        { "nothing at all", "", 0 },
        { "fillers alone", "\x80\x80\x80\x80", 4 },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t coded[80];
        const size_t size = make_coded(coded, &cases[i].segment, &cases[i].size, 1);
        SCOPED(pixels) struct pixels got = { 0 };
        struct error err = { 0 };
        EXPECT(!decode(&shape, coded, size, &got, &err) && err.fault == FAULT_CORRUPT_PIXELS, "%s: fault %d",
               cases[i].what, err.fault);
    }
}

TEST(broken_headers_are_corrupt_pixels)
{
    const struct pixel_shape shape = { .rows = 1,
                                       .columns = 3,
                                       .samples_per_pixel = 1,
                                       .bits_allocated = 8,
                                       .bits_stored = 8,
                                       .photometric = MONOCHROME2 };
    static const struct {
        unsigned count, offset;
        size_t size;
    } cases[] = { { 1, 64, 63 }, { 2, 64, 66 }, { 0, 64, 66 },         { 1, 0, 66 },
                  { 1, 63, 66 }, { 1, 67, 66 }, { 1, 0xFFFFFFFF, 66 }, { 0x10001, 64, 66 } };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t coded[66] = { 0 };
        SCOPED(pixels) struct pixels got = { 0 };
        struct error err = { 0 };
        for (unsigned b = 0; b < 4; b++) {
            coded[b] = (uint8_t)(cases[i].count >> (8 * b));
            coded[4 + b] = (uint8_t)(cases[i].offset >> (8 * b));
        }
        coded[64] = 0xFE;
        EXPECT(!decode(&shape, coded, cases[i].size, &got, &err) && err.fault == FAULT_CORRUPT_PIXELS,
               "case %zu: fault %d", i, err.fault);
    }
}
