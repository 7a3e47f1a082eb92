/* tests/unit/codec/jpeg_turbo_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/made_pixels.h"

static const struct codec_wish all = { 0 };
static const struct codec_parameters usual = { 0 };

static struct pixel_shape shape_of(unsigned samples, unsigned allocated, enum photometric photometric)
{
    return (struct pixel_shape){ .rows = 61,
                                 .columns = 83,
                                 .samples_per_pixel = (uint16_t)samples,
                                 .bits_allocated = (uint16_t)allocated,
                                 .bits_stored = 8,
                                 .photometric = photometric };
}

TEST(a_grey_image_comes_back_nearly_the_same_in_bytes_and_in_words)
{
    for (unsigned allocated = 8; allocated <= 16; allocated += 8) {
        const struct pixel_shape shape = shape_of(1, allocated, MONOCHROME2);
        const struct codec_parameters best = { .quality = 100 };
        SCOPED(pixels) struct pixels made = made_pixels(&shape), coded = { 0 }, back = { 0 };
        struct error err = { 0 };

        EXPECT(codec_encode(SYNTAX_JPEG_BASELINE_8, &made, &best, &coded, &err), "%s", err.detail);
        EXPECT(block_bytes(coded.block).data[0] == 0xFF && block_bytes(coded.block).data[1] == 0xD8,
               "no JPEG");
        EXPECT(codec_decode(SYNTAX_JPEG_BASELINE_8, &shape, coded.block, &all, &back, &err), "%s",
               err.detail);
        EXPECT(made_difference(&made, &back) <= 3, "%lld", (long long)made_difference(&made, &back));
        EXPECT(back.shape.bits_allocated == allocated && back.shape.photometric == MONOCHROME2, "shape");
    }
}

TEST(TSX_11_rgb_is_encoded_as_ybr_full_422_and_decoded_as_rgb)
{
    const struct pixel_shape shape = shape_of(3, 8, RGB);
    SCOPED(pixels) struct pixels made = made_pixels(&shape), coded = { 0 }, back = { 0 };
    struct error err = { 0 };

    EXPECT(codec_encode(SYNTAX_JPEG_BASELINE_8, &made, &usual, &coded, &err), "%s", err.detail);
    EXPECT(coded.shape.photometric == YBR_FULL_422 && !coded.shape.planar, "photometric %d",
           coded.shape.photometric);
    EXPECT(codec_decode(SYNTAX_JPEG_BASELINE_8, &coded.shape, coded.block, &all, &back, &err), "%s",
           err.detail);
    EXPECT(back.shape.photometric == RGB, "photometric %d", back.shape.photometric);
    EXPECT(made_difference(&made, &back) < 40, "%lld", (long long)made_difference(&made, &back));
}

TEST(TSX_11_ybr_full_stays_ybr_full_and_becomes_rgb_for_display)
{
    const struct pixel_shape shape = shape_of(3, 8, YBR_FULL);
    const struct codec_parameters fine = { .quality = 98, .full_chroma = true };
    const struct codec_wish shown = { .for_display = true };
    SCOPED(pixels) struct pixels made = made_pixels(&shape), coded = { 0 }, back = { 0 }, seen = { 0 };
    struct error err = { 0 };

    EXPECT(codec_encode(SYNTAX_JPEG_BASELINE_8, &made, &fine, &coded, &err), "%s", err.detail);
    EXPECT(coded.shape.photometric == YBR_FULL, "photometric %d", coded.shape.photometric);
    EXPECT(codec_decode(SYNTAX_JPEG_BASELINE_8, &coded.shape, coded.block, &all, &back, &err), "%s",
           err.detail);
    EXPECT(back.shape.photometric == YBR_FULL && made_difference(&made, &back) <= 6, "%lld",
           (long long)made_difference(&made, &back));
    EXPECT(codec_decode(SYNTAX_JPEG_BASELINE_8, &coded.shape, coded.block, &shown, &seen, &err), "%s",
           err.detail);
    EXPECT(seen.shape.photometric == RGB, "photometric %d", seen.shape.photometric);
}

TEST(half_and_quarter_sizes_come_without_decoding_all)
{
    const struct pixel_shape shape = shape_of(1, 8, MONOCHROME2);
    SCOPED(pixels) struct pixels made = made_pixels(&shape), coded = { 0 };
    struct error err = { 0 };

    EXPECT(codec_encode(SYNTAX_JPEG_BASELINE_8, &made, &usual, &coded, &err), "%s", err.detail);
    for (unsigned halvings = 1; halvings <= 5; halvings++) {
        const struct codec_wish small = { .halvings = halvings };
        const unsigned step = 1u << (halvings < 3 ? halvings : 3);
        SCOPED(pixels) struct pixels back = { 0 };
        EXPECT(codec_decode(SYNTAX_JPEG_BASELINE_8, &shape, coded.block, &small, &back, &err), "%s",
               err.detail);
        EXPECT(back.shape.rows == (61 + step - 1) / step && back.shape.columns == (83 + step - 1) / step,
               "%u x %u", back.shape.columns, back.shape.rows);
    }
}

TEST(a_stream_that_is_cut_off_is_corrupt_and_no_grey_image)
{
    const struct pixel_shape shape = shape_of(1, 8, MONOCHROME2);
    SCOPED(pixels) struct pixels made = made_pixels(&shape), coded = { 0 };
    struct error err = { 0 };

    EXPECT(codec_encode(SYNTAX_JPEG_BASELINE_8, &made, &usual, &coded, &err), "%s", err.detail);
    const struct bytes whole = block_bytes(coded.block);
    for (size_t size = 0; size < whole.size - 8; size += 1 + size / 16) {
        struct block *cut = made_block(bytes_of(whole.data, size));
        SCOPED(pixels) struct pixels back = { 0 };
        err = (struct error){ 0 };
        EXPECT(!codec_decode(SYNTAX_JPEG_BASELINE_8, &shape, cut, &all, &back, &err) &&
                   err.fault == FAULT_CORRUPT_PIXELS,
               "%zu of %zu bytes: fault %d", size, whole.size, err.fault);
        block_unref(cut);
    }
}

TEST(attributes_that_contradict_the_stream_are_corrupt_pixels)
{
    const struct pixel_shape shape = shape_of(3, 8, RGB);
    SCOPED(pixels) struct pixels made = made_pixels(&shape), coded = { 0 };
    struct pixel_shape wrong[3] = { shape, shape, shape };
    struct error err = { 0 };

    wrong[0].rows++;
    wrong[1].columns--;
    wrong[2].samples_per_pixel = 1;
    EXPECT(codec_encode(SYNTAX_JPEG_BASELINE_8, &made, &usual, &coded, &err), "%s", err.detail);
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        SCOPED(pixels) struct pixels back = { 0 };
        err = (struct error){ 0 };
        EXPECT(!codec_decode(SYNTAX_JPEG_BASELINE_8, &wrong[i], coded.block, &all, &back, &err) &&
                   err.fault == FAULT_CORRUPT_PIXELS,
               "case %zu: fault %d", i, err.fault);
    }
}

TEST(a_profile_is_written_when_it_is_given)
{
    const struct pixel_shape shape = shape_of(3, 8, RGB);
    const struct codec_parameters profiled = { .icc_profile = bytes_of_text("a profile") };
    SCOPED(pixels) struct pixels made = made_pixels(&shape), coded = { 0 };
    struct error err = { 0 };

    EXPECT(codec_encode(SYNTAX_JPEG_BASELINE_8, &made, &profiled, &coded, &err), "%s", err.detail);
    EXPECT(memmem(block_bytes(coded.block).data, block_bytes(coded.block).size, "ICC_PROFILE\0\1\1a profile",
                  23),
           "no APP2");
}
