/* tests/unit/codec/layout_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "codec/layout.h"

#include <math.h>

#include "tests/support/made_pixels.h"

enum { MOST = 1000 };

/* Each kernel set against the definition, at every length up to some registers' worth and at every alignment.
 */
static void check_set(const struct layout_kernels *set)
{
    static uint8_t room[3 * MOST + 64], planes[3][MOST + 64], got[3 * MOST + 64];
    uint32_t state = 7;

    for (size_t count = 0; count < 200; count += count < 70 ? 1 : 13)
        for (size_t shift = 0; shift < 3; shift++) {
            uint8_t *from = room + shift;
            for (size_t i = 0; i < 3 * count; i++)
                from[i] = (uint8_t)made_random(&state);
            uint8_t *const apart[3] = { planes[0] + shift, planes[1] + shift, planes[2] + shift };
            set->deinterleave_8(from, count, apart);
            for (size_t i = 0; i < 3 * count; i++)
                EXPECT(apart[i % 3][i / 3] == from[i], "%s: apart, %zu of %zu", set->name, i, count);
            memset(got, 0xEE, sizeof got);
            set->interleave_8((const uint8_t *const[]){ apart[0], apart[1], apart[2] }, count, got + shift);
            EXPECT(memcmp(got + shift, from, 3 * count) == 0, "%s: together, %zu", set->name, count);
            EXPECT(got[shift + 3 * count] == 0xEE, "%s: written behind the end", set->name);
            set->merge_16(from, from + count, count, got);
            for (size_t i = 0; i < count; i++)
                EXPECT(got[2 * i] == from[count + i] && got[2 * i + 1] == from[i], "%s: merged, %zu",
                       set->name, i);
            memcpy(got, from, 2 * count);
            set->swap_16(got, count);
            for (size_t i = 0; i < count; i++)
                EXPECT(got[2 * i] == from[2 * i + 1] && got[2 * i + 1] == from[2 * i], "%s: swapped",
                       set->name);
        }
}

TEST(plain_kernels_do_what_they_say)
{
    check_set(&layout_plain);
}

TEST(avx2_kernels_do_what_they_say)
{
    if (layout_kernels() != &layout_avx2)
        SKIP("this machine has no AVX2");
    check_set(&layout_avx2);
}

static double bounded(double value)
{
    return value < 0 ? 0 : value > 255 ? 255 : value;
}

/* All 2^24 colours are many; every 5th of each is 140 000. */
static void check_colours(const struct layout_kernels *set)
{
    double worst = 0;

    for (unsigned y = 0; y < 256; y += 5)
        for (unsigned cb = 0; cb < 256; cb += 5) {
            uint8_t from[52 * 3], into[52 * 3];
            for (unsigned i = 0; i < 52; i++) {
                from[3 * i] = (uint8_t)y;
                from[3 * i + 1] = (uint8_t)cb;
                from[3 * i + 2] = (uint8_t)(5 * i);
            }
            set->ybr_to_rgb(from, 52, into);
            for (unsigned i = 0; i < 52; i++) {
                const double u = (double)cb - 128, v = 5.0 * i - 128;
                const double want[3] = { bounded(y + 1.402 * v), bounded(y - 0.344136 * u - 0.714136 * v),
                                         bounded(y + 1.772 * u) };
                for (unsigned k = 0; k < 3; k++)
                    worst = fmax(worst, fabs(want[k] - into[3 * i + k]));
            }
        }
    EXPECT(worst <= 0.51, "%s: off by %f", set->name, worst);
}

TEST(REN_ybr_becomes_rgb_within_rounding)
{
    check_colours(&layout_plain);
    if (layout_kernels() == &layout_avx2)
        check_colours(&layout_avx2);
}

TEST(planes_of_words_are_rearranged_and_come_back)
{
    for (unsigned bits = 8; bits <= 32; bits += 8) {
        const struct pixel_shape shape = { .rows = 13,
                                           .columns = 11,
                                           .samples_per_pixel = 3,
                                           .bits_allocated = (uint16_t)bits,
                                           .bits_stored = (uint16_t)bits,
                                           .photometric = RGB };
        SCOPED(pixels) struct pixels made = made_pixels(&shape), moved = { block_ref(made.block), shape };
        struct error err = { 0 };

        EXPECT(layout_planar(&moved, true, &err) && moved.shape.planar, "%s", err.detail);
        for (size_t i = 0; i < 143; i++)
            for (size_t k = 0; k < 3; k++)
                EXPECT(made_sample_at(block_bytes(moved.block).data, k * 143 + i, bits) ==
                           made_sample_at(block_bytes(made.block).data, 3 * i + k, bits),
                       "%u bits, sample %zu of pixel %zu", bits, k, i);
        EXPECT(layout_planar(&moved, false, &err) && made_difference(&made, &moved) == 0, "back");
    }
}

TEST(pixels_of_422_share_their_chrominance)
{
    const struct pixel_shape shape = { .rows = 1,
                                       .columns = 4,
                                       .samples_per_pixel = 3,
                                       .bits_allocated = 8,
                                       .bits_stored = 8,
                                       .photometric = YBR_FULL_422 };
    struct pixels pixels = { made_block(bytes_of("\1\2\3\4\5\6\7\x8", 8)), shape };
    struct error err = { 0 };

    EXPECT(layout_full_chroma(&pixels, &err), "%s", err.detail);
    EXPECT(bytes_equal(block_bytes(pixels.block), bytes_of("\1\3\4\2\3\4\5\7\x8\6\7\x8", 12)),
           "bytes differ");
    EXPECT(pixels.shape.photometric == YBR_FULL, "photometric");
    pixels_done(&pixels);
}
