/* tests/unit/codec/matrix_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The matrix: images of many shapes, in every syntax that can hold them, made into every other one.
 */
#include <malloc.h>

#include "codec/decoder_area.h"
#include "codec/layout.h"
#include "tests/support/made_pixels.h"

static const struct codec_wish all = { 0 };
static const struct codec_parameters usual = { 0 }, fine = { .full_chroma = true };

static const struct pixel_shape shapes[] = {
    /* rows, columns, samples, allocated, stored, signed, planar, photometric */
    { 64, 64, 1, 8, 8, false, false, MONOCHROME2 },
    { 61, 83, 1, 8, 8, false, false, MONOCHROME1 },
    { 17, 33, 1, 8, 5, false, false, MONOCHROME2 },
    { 61, 83, 1, 8, 8, true, false, MONOCHROME2 },
    { 61, 83, 1, 16, 8, false, false, MONOCHROME2 },
    { 61, 83, 1, 16, 10, false, false, MONOCHROME2 },
    { 128, 96, 1, 16, 12, false, false, MONOCHROME2 },
    { 61, 83, 1, 16, 12, true, false, MONOCHROME2 },
    { 61, 83, 1, 16, 16, false, false, MONOCHROME2 },
    { 61, 83, 1, 16, 16, true, false, MONOCHROME2 },
    { 1, 1, 1, 16, 16, true, false, MONOCHROME2 },
    { 1, 200, 1, 8, 8, false, false, MONOCHROME2 },
    { 200, 1, 1, 16, 12, false, false, MONOCHROME2 },
    { 61, 83, 1, 32, 32, false, false, MONOCHROME2 },
    { 64, 64, 3, 8, 8, false, false, RGB },
    { 61, 83, 3, 8, 8, false, true, RGB },
    { 61, 83, 3, 8, 8, false, false, YBR_FULL },
    { 61, 83, 3, 16, 12, false, false, RGB },
    { 61, 83, 3, 16, 16, false, true, RGB },
    { 61, 83, 1, 8, 8, false, false, PALETTE_COLOR },
    { 61, 83, 1, 1, 1, false, false, MONOCHROME2 },
    { 64, 64, 1, 1, 1, false, false, MONOCHROME2 },
    { 1, 3, 1, 1, 1, false, false, MONOCHROME2 },
    { 61, 83, 1, 16, 9, false, false, MONOCHROME2 },
    { 61, 83, 1, 16, 9, true, false, MONOCHROME2 },
    { 61, 83, 1, 16, 5, true, false, MONOCHROME2 },
    { 33, 41, 1, 16, 8, true, false, MONOCHROME1 },
    { 61, 83, 3, 16, 12, false, true, RGB },
    { 33, 41, 3, 16, 8, false, false, RGB },
    { 61, 83, 3, 8, 8, false, true, YBR_FULL },
    { 1, 1, 3, 8, 8, false, false, RGB },
    { 33, 41, 1, 16, 12, false, false, PALETTE_COLOR },
    { 60, 82, 3, 8, 8, false, false, YBR_FULL_422 },
};

/* One frame of noise and edges; colour loses half its chrominance across each edge in 4:2:2, and of YBR_FULL
 * what no RGB is. */
static int64_t most_lost(enum transfer_syntax syntax, const struct pixel_shape *shape)
{
    const int64_t range = (int64_t)1 << shape->bits_stored;

    return transfer_syntax_info(syntax)->lossless ? 0
           : shape->samples_per_pixel == 3        ? range * 2 / 5
                                                  : range / 8 + 2;
}

/* Every bit that the image has, and what describes it, or a difference that the eye forgives. `coded` says
 * what of the shape the syntax changes: JPEG of 8 bits has cells of 8, losses reach into all bits. */
static void compare(size_t n, enum transfer_syntax syntax, struct pixels *made, const struct pixels *coded,
                    struct pixels *back)
{
    const struct pixel_shape *shape = &coded->shape;
    const char *uid = transfer_syntax_info(syntax)->uid;
    struct error err = { 0 };

    /* Planes follow the syntax, and lost colours are its own; what they hold is compared. */
    const bool as_shown = !transfer_syntax_info(syntax)->lossless;
    EXPECT(layout_full_chroma(made, &err) && layout_full_chroma(back, &err), "%s", err.detail);
    EXPECT(as_shown ? layout_for_display(made, &err) && layout_for_display(back, &err)
                    : layout_planar(made, false, &err) && layout_planar(back, false, &err),
           "%s", err.detail);
    EXPECT(back->shape.rows == shape->rows && back->shape.columns == shape->columns &&
               back->shape.samples_per_pixel == shape->samples_per_pixel &&
               back->shape.bits_allocated == shape->bits_allocated &&
               back->shape.bits_stored == shape->bits_stored && back->shape.is_signed == shape->is_signed,
           "shape %zu in %s: another shape", n, uid);
    if (made->shape.bits_allocated == 16 && shape->bits_allocated == 8) {
        uint8_t *room = block_room(made->block, NULL);
        const size_t count = block_bytes(made->block).size / 2;
        for (size_t i = 0; i < count; i++)
            room[i] = room[2 * i];
        block_seal(made->block, count);
        made->shape.bits_allocated = 8;
    }
    const int64_t off = made_difference(made, back);
    EXPECT(off <= most_lost(syntax, shape), "shape %zu in %s: off by %lld", n, uid, (long long)off);
}

TEST(TSX_02_every_shape_comes_back_from_every_syntax_that_can_hold_it)
{
    unsigned made_in[SYNTAX_COUNT] = { 0 };

    for (size_t n = 0; n < COUNT_OF(shapes); n++)
        for (unsigned to = 0; to < SYNTAX_COUNT; to++) {
            SCOPED(pixels) struct pixels made = { 0 }, coded = { 0 }, back = { 0 };
            struct error err = { 0 };

            if (!codec_can_encode((enum transfer_syntax)to, &shapes[n]))
                continue;
            made_in[to]++;
            made = made_pixels(&shapes[n]);
            if (!EXPECT(codec_encode((enum transfer_syntax)to, &made,
                                     shapes[n].photometric == YBR_FULL ? &fine : &usual, &coded, &err),
                        "shape %zu in %s: %s", n, transfer_syntax_info((enum transfer_syntax)to)->uid,
                        err.detail))
                continue;
            if (!EXPECT(codec_decode((enum transfer_syntax)to, &coded.shape, coded.block, &all, &back, &err),
                        "shape %zu in %s: %s", n, transfer_syntax_info((enum transfer_syntax)to)->uid,
                        err.detail))
                continue;
            compare(n, (enum transfer_syntax)to, &made, &coded, &back);
        }
    static const enum transfer_syntax must[] = { SYNTAX_JPEG_BASELINE_8,
                                                 SYNTAX_JPEG_EXTENDED_12,
                                                 SYNTAX_JPEG_LOSSLESS,
                                                 SYNTAX_JPEG_LOSSLESS_SV1,
                                                 SYNTAX_JPEG_LS_LOSSLESS,
                                                 SYNTAX_JPEG_LS_NEAR_LOSSLESS,
                                                 SYNTAX_JPEG_2000_LOSSLESS,
                                                 SYNTAX_JPEG_2000,
                                                 SYNTAX_JPEG_XL_LOSSLESS,
                                                 SYNTAX_JPEG_XL,
                                                 SYNTAX_HTJ2K_LOSSLESS,
                                                 SYNTAX_HTJ2K_LOSSLESS_RPCL,
                                                 SYNTAX_HTJ2K,
                                                 SYNTAX_RLE_LOSSLESS,
                                                 SYNTAX_DEFLATED_FRAME };
    for (size_t i = 0; i < COUNT_OF(must); i++)
        EXPECT(made_in[must[i]] >= 4, "%s: %u shapes", transfer_syntax_info(must[i])->uid, made_in[must[i]]);
}

/* The image as `from`, made into `to`: what comes out of it is what came out of `from`, or near it. */
static void go_over(size_t n, enum transfer_syntax from, enum transfer_syntax to)
{
    SCOPED(pixels) struct pixels made = made_pixels(&shapes[n]), first = { 0 }, second = { 0 };
    SCOPED(pixels) struct pixels native = { 0 }, back = { 0 };
    struct error err = { 0 };

    if (!EXPECT(codec_encode(from, &made, &usual, &first, &err) &&
                    codec_decode(from, &first.shape, first.block, &all, &native, &err),
                "shape %zu from %u: %s", n, from, err.detail) ||
        !codec_can(from, to, &first.shape))
        return;
    if (EXPECT(codec_transcode(from, to, &first.shape, first.block, &usual, 0, &second, &err) &&
                   codec_decode(to, &second.shape, second.block, &all, &back, &err),
               "shape %zu from %u to %u: %s", n, from, to, err.detail))
        compare(n, to, &native, &second, &back);
}

TEST(NEG_34_every_syntax_becomes_every_other_bit_by_bit_where_nothing_is_lost)
{
    for (size_t n = 0; n < COUNT_OF(shapes); n++)
        for (unsigned from = 0; from < SYNTAX_COUNT; from++)
            for (unsigned to = 0; to < SYNTAX_COUNT; to++)
                if (transfer_syntax_info((enum transfer_syntax)from)->encapsulated &&
                    transfer_syntax_info((enum transfer_syntax)to)->encapsulated && from != to &&
                    from != SYNTAX_ENCAPSULATED_LE && to != SYNTAX_ENCAPSULATED_LE &&
                    to != SYNTAX_JPEG_XL_RECOMPRESSION &&
                    codec_can_encode((enum transfer_syntax)from, &shapes[n]))
                    go_over(n, (enum transfer_syntax)from, (enum transfer_syntax)to);
}

TEST(signed_samples_are_off_by_little_near_zero_and_at_the_ends_of_their_range)
{
    static const enum transfer_syntax kinds[] = { SYNTAX_JPEG_LS_NEAR_LOSSLESS, SYNTAX_JPEG_2000,
                                                  SYNTAX_HTJ2K };
    static const unsigned depths[] = { 8, 9, 12, 16 };

    for (size_t k = 0; k < COUNT_OF(kinds); k++)
        for (size_t d = 0; d < COUNT_OF(depths); d++) {
            const uint16_t bits = (uint16_t)depths[d];
            const struct pixel_shape shape = { 64, 64, 1, bits > 8 ? 16 : 8, bits, true, false, MONOCHROME2 };
            SCOPED(pixels) struct pixels made = made_pixels(&shape), coded = { 0 }, back = { 0 };
            struct error err = { 0 };
            uint8_t *room = block_room(made.block, NULL);

            for (unsigned i = 0; i < 64 * 64; i++) { /* bands of zero and one less, and of both ends */
                const int32_t top = 1 << (bits - 1);
                const int32_t value = i / 64 < 32 ? -(int32_t)(i / 8 % 2) : i / 64 < 48 ? top - 1 : -top;
                if (bits > 8)
                    room[2 * i + 1] = (uint8_t)((uint32_t)value >> 8);
                room[bits > 8 ? 2 * i : i] = (uint8_t)value;
            }
            EXPECT(codec_encode(kinds[k], &made, &usual, &coded, &err) &&
                       codec_decode(kinds[k], &coded.shape, coded.block, &all, &back, &err),
                   "%s", err.detail);
            const int64_t off = back.block ? made_difference(&made, &back) : INT64_MAX;
            EXPECT(off <= (k == 0 ? 4 : 1 + (1 << bits) / 16), "%s, %u bits: off by %lld",
                   transfer_syntax_info(kinds[k])->uid, bits, (long long)off);
        }
}

TEST(TSX_18_what_no_encoder_can_is_said_with_its_reason)
{
    static const struct {
        struct pixel_shape shape;
        enum transfer_syntax to;
        const char *reason;
    } cases[] = {
        { { 8, 8, 1, 16, 12, true, false, MONOCHROME2 }, SYNTAX_JPEG_EXTENDED_12, "no signed samples" },
        { { 8, 8, 1, 16, 12, true, false, MONOCHROME2 }, SYNTAX_JPEG_XL, "no signed samples" },
        { { 8, 8, 1, 16, 12, false, false, MONOCHROME2 }, SYNTAX_JPEG_BASELINE_8, "8 bits" },
        { { 8, 8, 1, 16, 16, false, false, MONOCHROME2 }, SYNTAX_JPEG_EXTENDED_12, "12 bits" },
        { { 8, 8, 1, 8, 8, false, false, PALETTE_COLOR }, SYNTAX_JPEG_BASELINE_8, "palette" },
        { { 8, 8, 1, 1, 1, false, false, MONOCHROME2 }, SYNTAX_JPEG_2000, "single bits" },
        { { 8, 8, 1, 1, 1, false, false, MONOCHROME2 }, SYNTAX_JPEG_LS_LOSSLESS, "Bits Allocated 1" },
        { { 8, 8, 1, 32, 32, false, false, MONOCHROME2 }, SYNTAX_JPEG_2000_LOSSLESS, "16 bits" },
        { { 8, 8, 2, 8, 8, false, false, MONOCHROME2 }, SYNTAX_RLE_LOSSLESS, "2 samples" },
        { { 8, 8, 1, 16, 17, false, false, MONOCHROME2 }, SYNTAX_RLE_LOSSLESS, "contradict" },
        { { 8, 8, 1, 8, 8, false, false, MONOCHROME2 }, SYNTAX_MPEG4_HIGH_41, "no encoder" },
    };
    char text[CODEC_REASON_BYTES];

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        EXPECT(!codec_can(SYNTAX_EXPLICIT_LE, cases[i].to, &cases[i].shape), "case %zu", i);
        codec_why_not(SYNTAX_EXPLICIT_LE, cases[i].to, &cases[i].shape, text);
        EXPECT(strstr(text, cases[i].reason), "case %zu: %s", i, text);
    }
    codec_why_not(SYNTAX_MPEG2_MAIN, SYNTAX_EXPLICIT_LE, &cases[0].shape, text);
    EXPECT(strstr(text, "no decoder"), "%s", text);
}

TEST(TSX_08_of_single_bits_a_byte_of_rle_is_one_pixel_or_eight)
{
    const struct pixel_shape shape = { 5, 5, 1, 1, 1, false, false, MONOCHROME2 };
    SCOPED(pixels) struct pixels made = made_pixels(&shape), coded = { 0 }, back = { 0 }, packed = { 0 };
    struct error err = { 0 };
    uint8_t stream[64 + 6] = { 1, 0, 0, 0, 64, [64] = 3 };

    EXPECT(codec_encode(SYNTAX_RLE_LOSSLESS, &made, &usual, &coded, &err) &&
               codec_decode(SYNTAX_RLE_LOSSLESS, &coded.shape, coded.block, &all, &back, &err) &&
               made_difference(&made, &back) == 0,
           "%s", err.detail);
    EXPECT(coded.shape.bits_allocated == 1 && back.shape.bits_allocated == 1, "another shape");
    memcpy(stream + 65, block_bytes(made.block).data, 4);
    struct block *other = made_block(bytes_of(stream, sizeof stream));
    EXPECT(codec_decode(SYNTAX_RLE_LOSSLESS, &shape, other, &all, &packed, &err) &&
               made_difference(&made, &packed) == 0,
           "%s", err.detail);
    block_unref(other);
}

TEST(samples_with_bits_above_bits_stored_keep_them)
{
    for (unsigned to = 0; to < SYNTAX_COUNT; to++)
        for (unsigned is_signed = 0; is_signed < 2; is_signed++) {
            const struct pixel_shape shape = { 8, 8, 1, 16, 12, is_signed, false, MONOCHROME2 };
            SCOPED(pixels) struct pixels made = { 0 }, coded = { 0 }, back = { 0 };
            struct error err = { 0 };

            if (!transfer_syntax_info((enum transfer_syntax)to)->lossless ||
                !codec_can_encode((enum transfer_syntax)to, &shape))
                continue;
            made = made_pixels(&shape);
            block_room(made.block, NULL)[17] = 0x80; /* an overlay in bit 15, as old files have it */
            EXPECT(codec_encode((enum transfer_syntax)to, &made, &usual, &coded, &err) &&
                       codec_decode((enum transfer_syntax)to, &shape, coded.block, &all, &back, &err) &&
                       made_difference(&made, &back) == 0,
                   "%s: %s", transfer_syntax_info((enum transfer_syntax)to)->uid, err.detail);
        }
}

TEST(every_value_of_every_depth_survives_jpeg_xl)
{
    for (unsigned bits = 1; bits <= 16; bits++) {
        const struct pixel_shape shape = { 256, 256, 1, 16, (uint16_t)bits, false, false, MONOCHROME2 };
        SCOPED(pixels) struct pixels made = made_pixels(&shape), coded = { 0 }, back = { 0 };
        struct error err = { 0 };
        uint8_t *room = block_room(made.block, NULL);

        for (unsigned i = 0; i < 65536; i++) {
            room[2 * i] = (uint8_t)(i & ((1u << bits) - 1));
            room[2 * i + 1] = (uint8_t)((i & ((1u << bits) - 1)) >> 8);
        }
        EXPECT(codec_encode(SYNTAX_JPEG_XL_LOSSLESS, &made, &usual, &coded, &err) &&
                   codec_decode(SYNTAX_JPEG_XL_LOSSLESS, &shape, coded.block, &all, &back, &err) &&
                   made_difference(&made, &back) == 0,
               "%u bits: off by %lld %s", bits, (long long)made_difference(&made, &back), err.detail);
    }
}

TEST(TSX_14_jpeg_recompressed_as_jpeg_xl_gives_the_same_bytes_back)
{
    for (unsigned samples = 1; samples <= 3; samples += 2) {
        const struct pixel_shape shape = {
            61, 83, (uint16_t)samples, 8, 8, false, false, samples == 3 ? RGB : MONOCHROME2
        };
        SCOPED(pixels)
        struct pixels made = made_pixels(&shape), jpeg = { 0 }, jxl = { 0 }, again = { 0 }, shown = { 0 },
                      other = { 0 };
        struct error err = { 0 };

        EXPECT(codec_encode(SYNTAX_JPEG_BASELINE_8, &made, &usual, &jpeg, &err), "%s", err.detail);
        EXPECT(codec_can(SYNTAX_JPEG_BASELINE_8, SYNTAX_JPEG_XL_RECOMPRESSION, &jpeg.shape), "cannot");
        EXPECT(codec_transcode(SYNTAX_JPEG_BASELINE_8, SYNTAX_JPEG_XL_RECOMPRESSION, &jpeg.shape, jpeg.block,
                               &usual, 0, &jxl, &err),
               "%s", err.detail);
        EXPECT(codec_transcode(SYNTAX_JPEG_XL_RECOMPRESSION, SYNTAX_JPEG_BASELINE_8, &jpeg.shape, jxl.block,
                               &usual, 0, &again, &err),
               "%s", err.detail);
        EXPECT(again.block && bytes_equal(block_bytes(jpeg.block), block_bytes(again.block)), "other bytes");
        EXPECT(codec_decode(SYNTAX_JPEG_XL_RECOMPRESSION, &jpeg.shape, jxl.block, &all, &shown, &err) &&
                   codec_decode(SYNTAX_JPEG_BASELINE_8, &jpeg.shape, jpeg.block, &all, &other, &err),
               "%s", err.detail);
        /* libjxl smooths chrominance in its own way. */
        EXPECT(made_difference(&shown, &other) <= (samples == 3 ? 90 : 4), "off by %lld",
               (long long)made_difference(&shown, &other));
    }
}

static bool has_marker(struct bytes stream, unsigned marker)
{
    for (size_t i = 0; i + 1 < stream.size; i++)
        if (stream.data[i] == marker >> 8 && stream.data[i + 1] == (marker & 255))
            return true;
        else if (stream.data[i] == 0xFF && stream.data[i + 1] == 0x93)
            return false;
    return false;
}

TEST(TSX_13_rpcl_streams_have_tlm_and_a_small_lowest_resolution)
{
    static const uint32_t sides[] = { 1, 64, 65, 512, 2048, 3000 };

    for (size_t i = 0; i < COUNT_OF(sides); i++) {
        const struct pixel_shape shape = { sides[i], sides[i] + 7, 1, 16, 12, false, false, MONOCHROME2 };
        SCOPED(pixels) struct pixels made = made_pixels(&shape), coded = { 0 }, plain = { 0 }, small = { 0 };
        struct error err = { 0 };

        EXPECT(codec_encode(SYNTAX_HTJ2K_LOSSLESS_RPCL, &made, &usual, &coded, &err) &&
                   codec_encode(SYNTAX_HTJ2K_LOSSLESS, &made, &usual, &plain, &err),
               "%s", err.detail);
        EXPECT(has_marker(block_bytes(coded.block), 0xFF55) && !has_marker(block_bytes(plain.block), 0xFF55),
               "TLM");
        EXPECT(codec_decode(SYNTAX_HTJ2K_LOSSLESS_RPCL, &shape, coded.block,
                            &(struct codec_wish){ .halvings = 5 }, &small, &err),
               "%s", err.detail);
        EXPECT(sides[i] > 2048 || small.shape.rows <= 64, "%u rows", small.shape.rows);
    }
}

TEST(TSX_12_code_streams_have_no_boxes)
{
    static const enum transfer_syntax kinds[] = { SYNTAX_JPEG_2000_LOSSLESS, SYNTAX_JPEG_2000,
                                                  SYNTAX_HTJ2K_LOSSLESS, SYNTAX_HTJ2K_LOSSLESS_RPCL,
                                                  SYNTAX_HTJ2K };

    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        SCOPED(pixels) struct pixels made = made_pixels(&shapes[6]), coded = { 0 };
        struct error err = { 0 };
        EXPECT(codec_encode(kinds[i], &made, &usual, &coded, &err), "%s", err.detail);
        EXPECT(bytes_starts_with(block_bytes(coded.block), bytes_of("\xFF\x4F\xFF\x51", 4)), "kind %zu", i);
    }
}

TEST(TSX_10_colour_of_jpeg_2000_is_described_by_its_transform)
{
    const struct pixel_shape shape = { 61, 83, 3, 8, 8, false, false, RGB };
    static const struct {
        enum transfer_syntax syntax;
        enum photometric photometric;
    } cases[] = { { SYNTAX_JPEG_2000_LOSSLESS, YBR_RCT },
                  { SYNTAX_JPEG_2000, YBR_ICT },
                  { SYNTAX_HTJ2K_LOSSLESS, YBR_RCT },
                  { SYNTAX_HTJ2K, YBR_ICT } };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        SCOPED(pixels) struct pixels made = made_pixels(&shape), coded = { 0 }, back = { 0 };
        struct error err = { 0 };
        EXPECT(codec_encode(cases[i].syntax, &made, &usual, &coded, &err), "%s", err.detail);
        EXPECT(coded.shape.photometric == cases[i].photometric, "case %zu: %d", i, coded.shape.photometric);
        EXPECT(codec_decode(cases[i].syntax, &coded.shape, coded.block, &all, &back, &err) &&
                   back.shape.photometric == RGB,
               "case %zu: %s", i, err.detail);
    }
}

#if !DECODER_SANITIZED /* sanitizers have a heap of their own */
/* A strong ETag stands for bytes, so an encoder must not look at what memory happened to hold. Where it
 * would: at widths that are no multiple of what it takes at once, and of a black image, which has nothing
 * else. */
static void expect_same_bytes(enum transfer_syntax to, const struct pixel_shape *shape, bool is_black)
{
    static const int fills[] = { 0x00, 0x55, 0xFF };
    SCOPED(pixels) struct pixels first = { 0 };

    for (size_t i = 0; i < COUNT_OF(fills); i++) {
        SCOPED(pixels) struct pixels made = made_pixels(shape), coded = { 0 }, back = { 0 };
        struct error err = { 0 };

        if (is_black)
            memset(block_room(made.block, NULL), 0, block_bytes(made.block).size);
        mallopt(M_PERTURB, fills[i]);
        const bool done = codec_encode(to, &made, &usual, &coded, &err) &&
                          codec_decode(to, shape, coded.block, &all, &back, &err);
        mallopt(M_PERTURB, 0);
        EXPECT(done, "%s", err.detail);
        EXPECT(!done || !transfer_syntax_info(to)->lossless || made_difference(&made, &back) == 0,
               "%u columns in %s: another image", shape->columns, transfer_syntax_info(to)->uid);
        if (i == 0) {
            first = coded;
            coded = (struct pixels){ 0 };
        } else if (done && first.block) {
            EXPECT(bytes_equal(block_bytes(first.block), block_bytes(coded.block)),
                   "%u columns in %s: other bytes with memory full of %02x", shape->columns,
                   transfer_syntax_info(to)->uid, (unsigned)fills[i]);
        }
    }
}

TEST(an_image_becomes_the_same_bytes_whatever_memory_held_before)
{
    for (uint32_t columns = 1; columns <= 80; columns += columns < 20 ? 1 : 7)
        for (unsigned to = 0; to < SYNTAX_COUNT; to++) {
            const struct pixel_shape shape = {
                columns % 13 + 3, columns, 1, 16, 12, false, false, MONOCHROME2
            };
            if (!codec_can_encode((enum transfer_syntax)to, &shape))
                continue;
            expect_same_bytes((enum transfer_syntax)to, &shape, false);
            expect_same_bytes((enum transfer_syntax)to, &shape, true);
        }
}
#endif

TEST(halved_images_come_from_streams_that_have_them)
{
    const struct pixel_shape shape = { 100, 161, 1, 16, 12, false, false, MONOCHROME2 };
    static const enum transfer_syntax kinds[] = { SYNTAX_JPEG_2000_LOSSLESS, SYNTAX_HTJ2K_LOSSLESS };

    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        for (unsigned halvings = 0; halvings <= 5; halvings++) {
            SCOPED(pixels) struct pixels made = made_pixels(&shape), coded = { 0 }, back = { 0 };
            struct error err = { 0 };
            EXPECT(codec_encode(kinds[i], &made, &usual, &coded, &err) &&
                       codec_decode(kinds[i], &shape, coded.block,
                                    &(struct codec_wish){ .halvings = halvings }, &back, &err),
                   "%s", err.detail);
            EXPECT(back.shape.rows == (100 + (1u << halvings) - 1) >> halvings &&
                       back.shape.columns == (161 + (1u << halvings) - 1) >> halvings,
                   "kind %zu, %u halvings: %u x %u", i, halvings, back.shape.columns, back.shape.rows);
        }
}

TEST(TSX_10_a_stream_without_signs_of_signed_samples_is_never_halved)
{
    static const enum transfer_syntax syntaxes[] = { SYNTAX_JPEG_2000_LOSSLESS, SYNTAX_HTJ2K_LOSSLESS };
    const struct pixel_shape told = { .rows = 64,
                                      .columns = 64,
                                      .samples_per_pixel = 1,
                                      .bits_allocated = 16,
                                      .bits_stored = 16,
                                      .is_signed = true,
                                      .photometric = MONOCHROME2 };

    for (size_t i = 0; i < COUNT_OF(syntaxes); i++) {
        SCOPED(pixels) struct pixels made = made_pixels(&told);
        SCOPED(pixels) struct pixels coded = { 0 };
        SCOPED(pixels) struct pixels back = { 0 };
        struct error err = { 0 };

        made.shape.is_signed = false; /* the encoder sees bit patterns */
        EXPECT(codec_encode(syntaxes[i], &made, &(struct codec_parameters){ 0 }, &coded, &err), "%s",
               err.detail);
        EXPECT(
            codec_decode(syntaxes[i], &told, coded.block, &(struct codec_wish){ .halvings = 2 }, &back, &err),
            "%s", err.detail);
        made.shape.is_signed = true;
        EXPECT(back.shape.rows == 64 && made_difference(&made, &back) == 0, "kind %zu: %u rows", i,
               back.shape.rows);
    }
}

TEST(TSX_22_a_jpeg_stream_is_what_it_is_whatever_its_label)
{
    static const enum transfer_syntax labels[] = { SYNTAX_JPEG_BASELINE_8, SYNTAX_JPEG_EXTENDED_12,
                                                   SYNTAX_JPEG_PROGRESSIVE, SYNTAX_JPEG_LOSSLESS,
                                                   SYNTAX_JPEG_LOSSLESS_SV1 };
    static const enum transfer_syntax kinds[] = { SYNTAX_JPEG_BASELINE_8, SYNTAX_JPEG_LOSSLESS_SV1,
                                                  SYNTAX_JPEG_LS_LOSSLESS };

    for (size_t k = 0; k < COUNT_OF(kinds); k++)
        for (size_t l = 0; l < COUNT_OF(labels); l++) {
            SCOPED(pixels) struct pixels made = made_pixels(&shapes[1]), coded = { 0 }, back = { 0 };
            struct error err = { 0 };
            EXPECT(codec_encode(kinds[k], &made, &usual, &coded, &err) &&
                       codec_decode(labels[l], &shapes[1], coded.block, &all, &back, &err),
                   "kind %zu as %zu: %s", k, l, err.detail);
        }
}

/* Whatever is cut or turned around is an error or an image, never a crash; cut streams are no images. */
TEST(TSX_21_broken_streams_of_every_kind_are_refused_or_decoded)
{
    for (unsigned to = 0; to < SYNTAX_COUNT; to++) {
        const struct pixel_shape *shape =
            codec_can_encode((enum transfer_syntax)to, &shapes[6]) ? &shapes[6] : &shapes[0];
        SCOPED(pixels) struct pixels made = { 0 }, coded = { 0 };
        struct error err = { 0 };
        uint32_t state = to + 1;

        /* OpenJPH asserts what foreign bytes can break: see decoder_process_test.c. */
        if (to == SYNTAX_HTJ2K || to == SYNTAX_HTJ2K_LOSSLESS || to == SYNTAX_HTJ2K_LOSSLESS_RPCL)
            continue;
        if (to == SYNTAX_EXPLICIT_LE || !codec_can_encode((enum transfer_syntax)to, shape))
            continue;
        made = made_pixels(shape);
        EXPECT(codec_encode((enum transfer_syntax)to, &made, &usual, &coded, &err), "%s", err.detail);
        const struct bytes whole = block_bytes(coded.block);
        for (unsigned round = 0; round < 60; round++) {
            SCOPED(pixels) struct pixels back = { 0 };
            struct block *broken = made_block(whole);
            uint8_t *room = block_room(broken, NULL);
            if (round % 3 == 0)
                block_seal(broken, whole.size * (round / 3) / 20 * 9 / 10);
            for (unsigned i = 0; round % 3 && i < 1 + round / 10; i++)
                room[made_random(&state) % (round % 3 == 1 ? 120 : whole.size)] =
                    (uint8_t)made_random(&state);
            err = (struct error){ 0 };
            const bool ok = codec_decode((enum transfer_syntax)to, &coded.shape, broken, &all, &back, &err);
            EXPECT(ok || err.fault == FAULT_CORRUPT_PIXELS || err.fault == FAULT_TOO_LARGE ||
                       err.fault == FAULT_BUSY,
                   "%s: fault %d %s", transfer_syntax_info((enum transfer_syntax)to)->uid, err.fault,
                   err.detail);
            EXPECT(!ok || round % 3, "%s: %zu of %zu bytes made an image",
                   transfer_syntax_info((enum transfer_syntax)to)->uid, block_bytes(broken).size, whole.size);
            EXPECT(ok || err.told[0], "%s: nothing told", err.detail);
            block_unref(broken);
        }
    }
    EXPECT(block_in_use() == 0, "%zu bytes of blocks left", block_in_use());
}
