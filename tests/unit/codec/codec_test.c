/* tests/unit/codec/codec_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/made_pixels.h"

static const struct codec_wish all = { 0 };

static const struct pixel_shape grey_16 = { .rows = 64,
                                            .columns = 64,
                                            .samples_per_pixel = 1,
                                            .bits_allocated = 16,
                                            .bits_stored = 12,
                                            .photometric = MONOCHROME2 };

TEST(any_syntax_is_itself_and_native_forms_become_explicit_little_endian)
{
    for (unsigned i = 0; i < SYNTAX_COUNT; i++)
        EXPECT(codec_can((enum transfer_syntax)i, (enum transfer_syntax)i, &grey_16), "%u", i);
    EXPECT(codec_can(SYNTAX_IMPLICIT_LE, SYNTAX_EXPLICIT_LE, &grey_16), "implicit");
    EXPECT(codec_can(SYNTAX_DEFLATED_LE, SYNTAX_EXPLICIT_LE, &grey_16), "deflated");
    EXPECT(codec_can(SYNTAX_EXPLICIT_BE, SYNTAX_EXPLICIT_LE, &grey_16), "big endian");
    EXPECT(!codec_can(SYNTAX_EXPLICIT_LE, SYNTAX_IMPLICIT_LE, &grey_16), "to implicit");
    EXPECT(!codec_can(SYNTAX_UNKNOWN, SYNTAX_EXPLICIT_LE, &grey_16), "from unknown");
    EXPECT(!codec_can(SYNTAX_MPEG4_HIGH_41, SYNTAX_EXPLICIT_LE, &grey_16), "video");
}

TEST(a_native_frame_that_needs_no_change_is_not_copied)
{
    SCOPED(pixels) struct pixels made = made_pixels(&grey_16), back = { 0 };
    struct error err = { 0 };

    EXPECT(codec_decode(SYNTAX_EXPLICIT_LE, &grey_16, made.block, &all, &back, &err), "%s", err.detail);
    EXPECT(back.block == made.block, "a copy");
}

TEST(a_native_frame_that_is_cut_off_is_corrupt)
{
    struct pixel_shape larger = grey_16;
    SCOPED(pixels) struct pixels made = made_pixels(&grey_16), back = { 0 };
    struct error err = { 0 };

    larger.rows++;
    EXPECT(!codec_decode(SYNTAX_EXPLICIT_LE, &larger, made.block, &all, &back, &err), "decoded");
    EXPECT(err.fault == FAULT_CORRUPT_PIXELS, "fault %d", err.fault);
}

TEST(TSX_20_what_a_few_bytes_claim_is_refused_before_a_decoder_is_called)
{
    static uint8_t few[910];
    static const struct {
        uint32_t rows, columns;
        uint16_t bits;
        enum fault fault;
    } cases[] = {
        { 65535, 65535, 16, FAULT_TOO_LARGE }, /* over the ceiling */
        { 12000, 10000, 16, FAULT_TOO_LARGE }, /* under it, but not plausible */
        { 65535, 65535, 8, FAULT_TOO_LARGE },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (unsigned syntax = 0; syntax < SYNTAX_COUNT; syntax++) {
            const struct pixel_shape shape = { .rows = cases[i].rows,
                                               .columns = cases[i].columns,
                                               .samples_per_pixel = 1,
                                               .bits_allocated = cases[i].bits,
                                               .bits_stored = cases[i].bits,
                                               .photometric = MONOCHROME2 };
            struct block *block = made_block(bytes_of(few, sizeof few));
            SCOPED(pixels) struct pixels got = { 0 };
            struct error err = { 0 };
            const size_t before = block_in_use();

            if (transfer_syntax_info((enum transfer_syntax)syntax)->encapsulated &&
                codec_can_decode((enum transfer_syntax)syntax, &shape) && syntax != SYNTAX_ENCAPSULATED_LE) {
                EXPECT(!codec_decode((enum transfer_syntax)syntax, &shape, block, &all, &got, &err),
                       "decoded");
                EXPECT(err.fault == cases[i].fault, "syntax %u: fault %d: %s", syntax, err.fault, err.detail);
                EXPECT(block_in_use() == before, "blocks were taken");
            }
            block_unref(block);
        }
}

TEST(a_frame_over_the_callers_ceiling_names_the_setting)
{
    const struct codec_wish wish = { .ceiling_bytes = 64 * 64 * 2 - 1 };
    struct block *block = made_block(bytes_of_text("abc"));
    SCOPED(pixels) struct pixels got = { 0 };
    struct error err = { 0 };

    EXPECT(!codec_decode(SYNTAX_RLE_LOSSLESS, &grey_16, block, &wish, &got, &err), "decoded");
    EXPECT(err.fault == FAULT_TOO_LARGE && strstr(err.told, "decode_ceiling"), "%d: %s", err.fault, err.told);
    block_unref(block);
}

TEST(blank_frames_are_plausible_and_bombs_are_not)
{
    EXPECT(codec_is_plausible(16 << 20, 1), "a blank frame");
    EXPECT(codec_is_plausible((uint64_t)80 << 20, 400 * 1000), "a mammogram, nearly all of it air");
    EXPECT(!codec_is_plausible((uint64_t)80 << 20, 910), "a bomb");
    EXPECT(!codec_is_plausible(UINT64_MAX, UINT32_MAX), "everything");
}

TEST(for_display_every_native_colour_is_interleaved_rgb)
{
    static const enum photometric kinds[] = { RGB, YBR_FULL, YBR_FULL_422 };
    const struct codec_wish shown = { .for_display = true };

    for (size_t k = 0; k < COUNT_OF(kinds); k++)
        for (unsigned planar = 0; planar < (kinds[k] == YBR_FULL_422 ? 1u : 2u); planar++) {
            const struct pixel_shape shape = { .rows = 4,
                                               .columns = 4,
                                               .samples_per_pixel = 3,
                                               .bits_allocated = 8,
                                               .bits_stored = 8,
                                               .planar = planar,
                                               .photometric = kinds[k] };
            SCOPED(pixels) struct pixels grey = made_pixels(&shape), got = { 0 };
            struct error err = { 0 };
            uint8_t *room = block_room(grey.block, NULL);

            memset(room, 128, 48); /* neutral in each of them */
            EXPECT(codec_decode(SYNTAX_EXPLICIT_LE, &shape, grey.block, &shown, &got, &err), "%s",
                   err.detail);
            EXPECT(got.shape.photometric == RGB && !got.shape.planar, "photometric %d",
                   got.shape.photometric);
            EXPECT(block_bytes(got.block).size == 48, "%zu bytes", block_bytes(got.block).size);
            for (size_t i = 0; i < 48; i++)
                EXPECT(block_bytes(got.block).data[i] == 128, "kind %zu: byte %zu is %u", k, i,
                       block_bytes(got.block).data[i]);
        }
}
