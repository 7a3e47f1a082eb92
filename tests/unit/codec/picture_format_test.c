/* tests/unit/codec/picture_format_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pictures as files: their beginnings, that they can be written at every size, and what does not go.
 */
#include "codec/picture_format.h"

#include <malloc.h>

#include "codec/colour_profile.h"
#include "codec/drawing.h"
#include "codec/scaling.h"
#include "tests/support/expect.h"

static struct pixels picture(uint32_t rows, uint32_t columns, unsigned samples, unsigned bits)
{
    struct pixels made = { 0 };
    struct error err = { 0 };

    EXPECT(picture_take(rows, columns, samples, bits, &made, &err), "%s", err.detail);
    const size_t size = block_bytes(made.block).size;
    for (size_t i = 0; i < size; i++)
        picture_room(&made)[i] = (uint8_t)(i * 7 + i / 13);
    return made;
}

TEST(every_format_writes_gray_and_colours_of_any_size)
{
    static const char *const beginnings[] = { "\xFF\xD8\xFF", "\x89PNG", "GIF89a", "RIFF" };
    static const uint32_t sizes[][2] = { { 1, 1 }, { 1, 17 }, { 16, 16 }, { 33, 5 }, { 100, 300 } };

    for (unsigned format = 0; format < PICTURE_FORMATS; format++)
        for (size_t i = 0; i < COUNT_OF(sizes); i++)
            for (unsigned samples = 1; samples <= 3; samples += 2) {
                SCOPED(pixels) struct pixels made = picture(sizes[i][0], sizes[i][1], samples, 8);
                struct block *file = NULL;
                struct error err = { 0 };
                if (EXPECT(picture_write(format, &made, &(struct picture_wish){ 0 }, &file, &err),
                           "%s of %u x %u x %u: %s", picture_format_info(format)->media_type, sizes[i][1],
                           sizes[i][0], samples, err.detail))
                    EXPECT(bytes_starts_with(block_bytes(file), bytes_of_text(beginnings[format])),
                           "format %u", format);
                block_unref(file);
            }
}

/* As in matrix_test.c. Under a sanitizer, whose heap is its own, memory holds what it may. */
TEST(a_picture_becomes_the_same_bytes_whatever_memory_held_before)
{
    static const int fills[] = { 0x00, 0x55, 0xFF };

    for (unsigned format = 0; format < PICTURE_FORMATS; format++)
        for (uint32_t columns = 1; columns <= 40; columns++) {
            struct block *first = NULL;
            for (size_t i = 0; i < COUNT_OF(fills); i++) {
                SCOPED(pixels) struct pixels made = picture(9, columns, columns % 2 ? 1 : 3, 8);
                struct block *file = NULL;
                struct error err = { 0 };

                mallopt(M_PERTURB, fills[i]);
                const bool done = picture_write((enum picture_format)format, &made,
                                                &(struct picture_wish){ 0 }, &file, &err);
                mallopt(M_PERTURB, 0);
                if (EXPECT(done, "%s", err.detail) && first)
                    EXPECT(bytes_equal(block_bytes(first), block_bytes(file)), "%s, %u columns",
                           picture_format_info((enum picture_format)format)->media_type, columns);
                if (first)
                    block_unref(file);
                else
                    first = file;
            }
            block_unref(first);
        }
}

TEST(REN_02_a_jpeg_is_baseline_with_jfif)
{
    for (unsigned samples = 1; samples <= 3; samples += 2) {
        SCOPED(pixels) struct pixels made = picture(64, 64, samples, 8);
        struct block *file = NULL;
        struct error err = { 0 };

        EXPECT(picture_write(PICTURE_JPEG, &made, &(struct picture_wish){ .quality = 100 }, &file, &err),
               "%s", err.detail);
        const struct bytes jpeg = block_bytes(file);
        EXPECT(memmem(jpeg.data, 20, "JFIF", 4), "no JFIF");
        EXPECT(memmem(jpeg.data, jpeg.size, "\xFF\xC0\x00", 3), "no SOF0");
        EXPECT(!memmem(jpeg.data, jpeg.size, "\xFF\xC2\x00", 3), "progressive");
        block_unref(file);
    }
}

TEST(REN_33_profiles_are_made_and_broken_ones_do_not_count)
{
    static const enum colour_space spaces[] = { COLOURS_AS_THEY_ARE, COLOURS_SRGB, COLOURS_ADOBE_RGB,
                                                COLOURS_ROMM_RGB };

    for (size_t i = 0; i < COUNT_OF(spaces); i++) {
        SCOPED(pixels) struct pixels made = picture(8, 8, i % 2 ? 3 : 1, 8);
        SCOPED(buffer) struct buffer profile;
        struct error err = { 0 };

        buffer_init(&profile, 1 << 20);
        EXPECT(colour_profile_apply(&made, bytes_of_text("no profile at all"), spaces[i], &profile, &err),
               "%s", err.detail);
        EXPECT(made.shape.samples_per_pixel == 3 && profile.size > 128 &&
                   memcmp(profile.data + 36, "acsp", 4) == 0,
               "space %d: %zu bytes", (int)spaces[i], profile.size);
    }
}

TEST(what_is_drawn_outside_the_picture_is_cut_off)
{
    static const struct colour white = { 255, 255, 255 };
    SCOPED(pixels) struct pixels made = picture(20, 20, 1, 8);
    SCOPED(pen) struct pen *pen = NULL;
    struct error err = { 0 };

    memset(picture_room(&made), 0, 400);
    /* Installed with what the build needs. */
    if (!EXPECT(pen_new("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", 12, &pen, &err), "%s", err.detail))
        return;
    draw_line(&made, -1e5, -1e5, 1e5, 1e5, &(struct stroke){ white, 1, false });
    EXPECT(picture_room(&made)[0] == 255 && picture_room(&made)[399] == 255 && picture_room(&made)[1] == 0,
           "a diagonal from far away");
    draw_line(&made, 1e300, 0, 0, 1e300, &(struct stroke){ white, 1, true });
    draw_line(&made, -1e300, 5, 1e300, 6, &(struct stroke){ white, 50, true });
    for (int x = -50; x <= 50; x += 10)
        pen_write(pen, &made, x, x, bytes_of_text("Wg\xC3\xA4\xFF\xE2\x82"), white);
    EXPECT(pen_width(pen, bytes_of_text("WW")) > pen_width(pen, bytes_of_text("W")), "widths");
    EXPECT(!pen_new("/nonexistent.ttf", 12, &pen, &err) && err.fault == FAULT_INTERNAL, "no font, fault %d",
           err.fault);
}

TEST(a_letter_comes_from_the_first_font_that_has_it)
{
    static const char sans[] = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf";
    static const char both[] = "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf:"
                               "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf";
    /* Lisu letters are in DejaVu Sans, not in its typewriter face. */
    const struct bytes lisu = bytes_of_text("\uA4D0"), latin = bytes_of_text("iiii");
    SCOPED(pen) struct pen *one = NULL, *two = NULL, *mono = NULL;
    struct error err = { 0 };

    if (!EXPECT(pen_new(sans, 20, &one, &err) && pen_new(both, 20, &two, &err) &&
                    pen_new("/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf", 20, &mono, &err),
                "%s", err.detail))
        return;
    EXPECT(pen_has(one, lisu) && pen_has(two, lisu) && !pen_has(mono, lisu), "which has it");
    EXPECT(pen_width(two, lisu) == pen_width(one, lisu) && pen_width(two, latin) == pen_width(mono, latin) &&
               pen_width(two, latin) != pen_width(one, latin),
           "which draws it");
    EXPECT(!pen_new("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf:/nonexistent", 20, &mono, &err),
           "the second is looked at too");
}

TEST(REN_33_the_profile_in_a_jpeg_is_found_whole_or_not_at_all)
{
    SCOPED(pixels) struct pixels made = picture(20, 30, 3, 8);
    SCOPED(buffer) struct buffer profile = { 0 }, found = { 0 };
    struct block *file = NULL;
    struct error err = { 0 };

    buffer_init(&profile, 200000);
    buffer_init(&found, 200000);
    for (unsigned i = 0; i < 150000; i++) /* three segments */
        buffer_append_byte(&profile, (uint8_t)(i * 7 >> 3));
    EXPECT(picture_write(PICTURE_JPEG, &made, &(struct picture_wish){ .icc_profile = buffer_bytes(&profile) },
                         &file, &err),
           "%s", err.detail);
    picture_profile_of_jpeg(block_bytes(file), &found);
    EXPECT(bytes_equal(buffer_bytes(&found), buffer_bytes(&profile)), "%zu bytes", buffer_bytes(&found).size);
    for (size_t size = 0; size < 140000; size += 997) {
        buffer_cut(&found, 0);
        picture_profile_of_jpeg(bytes_of(block_bytes(file).data, size), &found);
        EXPECT(buffer_bytes(&found).size == 0, "of %zu bytes %zu", size, buffer_bytes(&found).size);
    }
    block_unref(file);
}

TEST(REN_22_only_a_plain_jpeg_may_be_shown_as_it_is)
{
    SCOPED(pixels) struct pixels made = picture(20, 30, 3, 8);
    struct block *file = NULL;
    struct error err = { 0 };
    size_t size = 0;

    EXPECT(picture_write(PICTURE_JPEG, &made, &(struct picture_wish){ 0 }, &file, &err), "%s", err.detail);
    const struct bytes jpeg = block_bytes(file);
    EXPECT(picture_is_plain_jpeg(jpeg, 20, 30, 3, &size) && size == jpeg.size, "our own is none");
    EXPECT(!picture_is_plain_jpeg(jpeg, 20, 31, 3, &size) && !picture_is_plain_jpeg(jpeg, 20, 30, 1, &size),
           "another size");
    uint8_t copy[8192];
    if (!EXPECT(jpeg.size < sizeof(copy), "%zu bytes", jpeg.size))
        return;
    for (size_t n = 0; n < jpeg.size; n++) /* cut anywhere: no reading beyond, and no end */
        EXPECT(!picture_is_plain_jpeg(bytes_of(jpeg.data, n), 20, 30, 3, &size), "cut at %zu", n);
    memcpy(copy, jpeg.data, jpeg.size);
    uint8_t *frame = memmem(copy, jpeg.size, "\xFF\xC0", 2), *jfif = memmem(copy, jpeg.size, "JFIF", 4);
    frame[1] = 0xC2;
    EXPECT(!picture_is_plain_jpeg(bytes_of(copy, jpeg.size), 20, 30, 3, &size), "progressive");
    frame[1] = 0xC0;
    memcpy(jfif, "NONE", 4);
    EXPECT(!picture_is_plain_jpeg(bytes_of(copy, jpeg.size), 20, 30, 3, &size), "whose colours?");
    block_unref(file);
}
