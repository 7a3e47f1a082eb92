/* tests/unit/dicom/frame_scan_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "dicom/frame_table.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/support/expect.h"
#include "tests/support/make_dicom.h"

static const char jpeg[] = "1.2.840.10008.1.2.4.50", j2k[] = "1.2.840.10008.1.2.4.90",
                  rle[] = "1.2.840.10008.1.2.5", jxl[] = "1.2.840.10008.1.2.4.110",
                  big[] = "1.2.840.10008.1.2.2", implicit[] = "1.2.840.10008.1.2",
                  deflated_frame[] = "1.2.840.10008.1.2.8.1", mpeg[] = "1.2.840.10008.1.2.4.100";

struct sample {
    struct buffer file;
    struct frame_scan scan;
};

static void sample_make(struct sample *sample, const struct make_dicom *what)
{
    static const uint8_t little[] = { 0xE0, 0x7F, 0x10, 0x00 }, large[] = { 0x7F, 0xE0, 0x00, 0x10 };
    const bool big_endian = what->transfer_syntax && strcmp(what->transfer_syntax, big) == 0;
    const uint64_t samples = what->samples_per_pixel ? what->samples_per_pixel : 1;

    buffer_init(&sample->file, 1 << 26);
    make_dicom(&sample->file, what);
    const uint8_t *at = memmem(sample->file.data, sample->file.size, big_endian ? large : little, 4);
    sample->scan = (struct frame_scan){
        .fd = -1,
        .element_offset = (uint64_t)(at - sample->file.data),
        .explicit_vr = !what->transfer_syntax || strcmp(what->transfer_syntax, implicit) != 0,
        .big_endian = big_endian,
        .encapsulated = what->fragment_count > 0,
        .frames = what->frames ? what->frames : 1,
        .frame_bits = samples * (what->rows ? what->rows : 8) * (what->columns ? what->columns : 8) *
                      (what->bits_allocated ? what->bits_allocated : 16),
        .bits_allocated = what->bits_allocated ? what->bits_allocated : 16,
    };
}

static bool sample_scan(struct sample *sample, struct frame_table **ret, struct error *err)
{
    SCOPED(file) int fd = memfd_create("sample", MFD_CLOEXEC);

    EXPECT(file_write(fd, buffer_bytes(&sample->file), err), "%s", err->detail);
    sample->scan.fd = fd;
    sample->scan.file_size = sample->file.size;
    return frame_table_scan(&sample->scan, ret, err);
}

/* The bytes of a frame as the table says they lie. */
static void frame_bytes(const struct sample *sample, const struct frame_table *table, uint32_t frame,
                        struct buffer *into)
{
    struct error err = { 0 };
    uint32_t extents = 0;

    buffer_init(into, 1 << 26);
    if (!EXPECT(frame_table_find(table, frame, &extents, &err), "%s", err.detail))
        return;
    for (uint32_t i = 0; i < extents; i++) {
        const struct extent extent = frame_table_extent(table, frame, i);
        if (EXPECT(extent.offset + extent.size <= sample->file.size, "extent beyond the file"))
            buffer_append(into, bytes_of(sample->file.data + extent.offset, (size_t)extent.size));
    }
}

static void expect_frames(struct sample *sample, const struct make_dicom *what, const char *which)
{
    SCOPED(frame_table) struct frame_table *table = NULL;
    struct error err = { 0 };
    const uint32_t frames = what->frames ? what->frames : 1;

    if (!EXPECT(sample_scan(sample, &table, &err), "%s: %s", which, err.detail))
        return;
    if (!EXPECT(frame_table_count(table) == frames, "%s: %u frames", which, frame_table_count(table)))
        return;
    for (uint32_t frame = 1; frame <= frames; frame++) {
        SCOPED(buffer) struct buffer got, want;
        buffer_init(&want, 1 << 26);
        make_dicom_frame(&want, what, frame);
        frame_bytes(sample, table, frame, &got);
        EXPECT(bytes_equal(buffer_bytes(&got), buffer_bytes(&want)), "%s: frame %u: %zu bytes, want %zu",
               which, frame, got.size, want.size);
        EXPECT(frame_table_frame_bytes(table, frame) == want.size, "%s: frame %u", which, frame);
    }
}

TEST(RET_50_RET_51_frames_are_found_in_every_form)
{
    static const struct make_dicom cases[] = {
        { 0 },
        { .transfer_syntax = implicit, .frames = 3 },
        { .transfer_syntax = big, .frames = 3 },
        { .rows = 3, .columns = 3, .samples_per_pixel = 3, .bits_allocated = 8, .frames = 3 },
        { .bits_allocated = 32, .frames = 2 },
        { .transfer_syntax = jpeg, .fragment_count = 1 },
        { .transfer_syntax = jpeg, .fragment_count = 5 },
        { .transfer_syntax = jpeg, .fragment_count = 1, .frames = 7 },
        { .transfer_syntax = jpeg, .fragment_count = 1, .frames = 7, .offset_table = true },
        { .transfer_syntax = jpeg, .fragment_count = 3, .frames = 7, .offset_table = true },
        { .transfer_syntax = jpeg, .fragment_count = 3, .frames = 7 },
        { .transfer_syntax = j2k, .fragment_count = 3, .frames = 7 },
        { .transfer_syntax = jxl, .fragment_count = 3, .frames = 7 },
        { .transfer_syntax = rle, .fragment_count = 1, .frames = 4 },
        { .transfer_syntax = deflated_frame, .fragment_count = 1, .frames = 4 },
        { .transfer_syntax = deflated_frame, .fragment_count = 2, .frames = 4, .offset_table = true },
        { .transfer_syntax = jpeg, .fragment_count = 2, .frames = 3000, .fragment_bytes = 10 },
        { .transfer_syntax = j2k, .fragment_count = 2, .frames = 3, .fragment_bytes = 200000 },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct sample sample;
        char which[32];
        snprintf(which, sizeof which, "case %zu", i);
        sample_make(&sample, &cases[i]);
        expect_frames(&sample, &cases[i], which);
        buffer_done(&sample.file);
    }
}

TEST(RET_52_frames_of_single_bits_are_packed)
{
    const struct make_dicom what = { .rows = 7, .columns = 5, .bits_allocated = 1, .frames = 9 };
    SCOPED(frame_table) struct frame_table *table = NULL;
    struct sample sample;
    struct error err = { 0 };

    sample_make(&sample, &what);
    EXPECT(sample_scan(&sample, &table, &err), "%s", err.detail);
    EXPECT(frame_table_kind(table) == FRAMES_NATIVE_BITS && frame_table_count(table) == 9, "%u",
           frame_table_count(table));
    for (uint32_t frame = 1; frame <= 9; frame++) {
        SCOPED(buffer) struct buffer want;
        buffer_init(&want, 100);
        make_dicom_frame(&want, &what, frame);
        const struct extent extent = frame_table_extent(table, frame, 0);
        for (unsigned i = 0; i < 35; i++) {
            const unsigned at = i + frame_table_bit_offset(table, frame);
            const unsigned got = sample.file.data[extent.offset + at / 8] >> (at % 8) & 1u;
            EXPECT(got == (want.data[i / 8] >> (i % 8) & 1u), "frame %u bit %u", frame, i);
        }
    }
    buffer_done(&sample.file);
}

TEST(RET_54_big_endian_is_told_where_it_matters)
{
    static const struct {
        struct make_dicom what;
        enum frame_kind kind;
        uint32_t frames;
    } cases[] = {
        { { .transfer_syntax = big, .bits_allocated = 16 }, FRAMES_NATIVE_BIG, 1 },
        { { .transfer_syntax = big, .bits_allocated = 32 }, FRAMES_NATIVE_BIG, 1 },
        { { .transfer_syntax = big, .bits_allocated = 8 }, FRAMES_NATIVE, 1 }, /* OB */
        { { .transfer_syntax = implicit, .bits_allocated = 16 }, FRAMES_NATIVE, 1 },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        SCOPED(frame_table) struct frame_table *table = NULL;
        struct sample sample;
        struct error err = { 0 };
        sample_make(&sample, &cases[i].what);
        EXPECT(sample_scan(&sample, &table, &err), "%s", err.detail);
        EXPECT(table && frame_table_kind(table) == cases[i].kind, "case %zu", i);
        EXPECT(table && frame_table_count(table) == cases[i].frames, "case %zu", i);
        buffer_done(&sample.file);
    }
}

TEST(bytes_in_big_endian_words_are_frames_though_words_hold_two_of_them)
{
    const struct make_dicom odd = { .transfer_syntax = big, .rows = 3, .columns = 3, .bits_allocated = 8 };
    const struct make_dicom even = { .transfer_syntax = big, .rows = 4, .columns = 3, .bits_allocated = 8 };
    const struct make_dicom *cases[] = { &odd, &even };

    for (uint32_t i = 0; i < 2; i++) {
        SCOPED(frame_table) struct frame_table *table = NULL;
        struct sample sample;
        struct error err = { 0 };
        sample_make(&sample, cases[i]);
        sample.file.data[sample.scan.element_offset + 5] = 'W';
        EXPECT(sample_scan(&sample, &table, &err), "%s", err.detail);
        EXPECT(frame_table_kind(table) == FRAMES_NATIVE_BIG && frame_table_count(table) == 1, "%u frames",
               frame_table_count(table));
        buffer_done(&sample.file);
    }
}

TEST(TSX_05_an_offset_table_that_points_at_no_items_is_left_aside)
{
    const struct make_dicom what = {
        .transfer_syntax = jpeg, .fragment_count = 2, .frames = 3, .offset_table = true
    };
    static const uint32_t wrong[][3] = {
        { 0, 0, 0 },           /* all the same */
        { 0, 8, 16 },          /* at no item */
        { 0, 288, 144 },       /* not in order */
        { 8, 152, 296 },       /* counted from another place */
        { 0, 144, 0xFFFFFFF0 } /* beyond the end */
    };

    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct sample sample;
        char which[32];
        snprintf(which, sizeof which, "table %zu", i);
        sample_make(&sample, &what);
        uint8_t *const table = sample.file.data + sample.scan.element_offset + 20;
        for (unsigned k = 0; k < 3; k++)
            for (unsigned byte = 0; byte < 4; byte++)
                table[4 * k + byte] = (uint8_t)(wrong[i][k] >> (8 * byte));
        expect_frames(&sample, &what, which);
        buffer_done(&sample.file);
    }
}

static void put_64(uint8_t *into, uint64_t number)
{
    for (unsigned i = 0; i < 8; i++)
        into[i] = (uint8_t)(number >> (8 * i));
}

TEST(TSX_04_an_extended_offset_table_is_used)
{
    /* No code stream of this syntax has a mark, and there are more fragments than frames: only the table
     * tells. */
    const struct make_dicom what = { .transfer_syntax = deflated_frame, .fragment_count = 2, .frames = 3 };
    uint8_t offsets[24], lengths[24];
    struct sample sample;

    for (unsigned i = 0; i < 3; i++) {
        put_64(offsets + (size_t)8 * i, (uint64_t)i * 144);
        put_64(lengths + (size_t)8 * i, 127);
    }
    sample_make(&sample, &what);
    sample.scan.extended_offsets = bytes_of(offsets, 24);
    sample.scan.extended_lengths = bytes_of(lengths, 24);
    expect_frames(&sample, &what, "padded lengths");

    SCOPED(frame_table) struct frame_table *table = NULL;
    struct error err = { 0 };
    put_64(lengths + 8, 99);
    EXPECT(sample_scan(&sample, &table, &err), "%s", err.detail);
    EXPECT(frame_table_count(table) == 0, "a wrong length was believed");
    buffer_done(&sample.file);
}

TEST(TSX_06_frames_that_cannot_be_told_apart_are_not_in_the_table)
{
    const struct make_dicom what = { .transfer_syntax = jpeg, .fragment_count = 3, .frames = 7 };
    SCOPED(frame_table) struct frame_table *table = NULL;
    struct sample sample;
    struct error err = { 0 };

    sample_make(&sample, &what);
    sample.scan.frames = 6;
    EXPECT(sample_scan(&sample, &table, &err), "%s", err.detail);
    EXPECT(frame_table_count(table) == 0, "%u", frame_table_count(table));
    EXPECT(frame_table_value(table).size == 8 + 21 * 72, "%llu",
           (unsigned long long)frame_table_value(table).size);
    buffer_done(&sample.file);
}

TEST(TSX_06_where_starts_do_not_tell_ends_do)
{
    const struct make_dicom what = { .transfer_syntax = jpeg, .fragment_count = 2, .frames = 3 };
    struct sample sample;

    sample_make(&sample, &what);
    uint8_t *const items = sample.file.data + sample.scan.element_offset + 20;
    for (size_t fragment = 0; fragment < 6; fragment++) {
        uint8_t *const data = items + fragment * 72 + 8;
        memset(data, 0x22, 64);
        if (fragment % 2)
            memcpy(data + 61, "\xFF\xD9", 3);
    }
    SCOPED(frame_table) struct frame_table *table = NULL;
    struct error err = { 0 };
    EXPECT(sample_scan(&sample, &table, &err), "%s", err.detail);
    EXPECT(frame_table_count(table) == 3, "%u", frame_table_count(table));
    EXPECT(frame_table_frame_bytes(table, 2) == 128, "frame 2");
    buffer_done(&sample.file);
}

TEST(RET_42_video_is_one_stream)
{
    const struct make_dicom what = { .transfer_syntax = mpeg, .fragment_count = 3, .frames = 2 };
    SCOPED(frame_table) struct frame_table *table = NULL;
    struct sample sample;
    struct error err = { 0 };
    uint32_t extents = 0;

    sample_make(&sample, &what);
    sample.scan.video = true;
    sample.scan.frames = 500;
    EXPECT(sample_scan(&sample, &table, &err), "%s", err.detail);
    EXPECT(frame_table_kind(table) == FRAMES_VIDEO && frame_table_count(table) == 1, "%u",
           frame_table_count(table));
    EXPECT(frame_table_find(table, 1, &extents, &err) && extents == 6, "%u extents", extents);
    buffer_done(&sample.file);
}

TEST(a_file_cut_anywhere_is_refused_or_gives_whole_frames)
{
    const struct make_dicom what = {
        .transfer_syntax = jpeg, .fragment_count = 2, .frames = 3, .offset_table = true
    };
    struct sample sample;
    size_t refused = 0;

    sample_make(&sample, &what);
    const size_t whole = sample.file.size;
    for (size_t size = (size_t)sample.scan.element_offset; size < whole; size++) {
        SCOPED(frame_table) struct frame_table *table = NULL;
        struct error err = { 0 };
        sample.file.size = size;
        sample.scan.tolerate_cut = false;
        if (!sample_scan(&sample, &table, &err)) {
            refused++;
            EXPECT(err.fault == FAULT_NOT_DICOM, "cut at %zu: fault %d", size, err.fault);
        }
        frame_table_drop(&table);
        sample.scan.tolerate_cut = true;
        if (!sample_scan(&sample, &table, &err))
            continue;
        for (uint32_t frame = 1; frame <= frame_table_count(table); frame++) {
            SCOPED(buffer) struct buffer got, want;
            buffer_init(&want, 1 << 20);
            make_dicom_frame(&want, &what, frame);
            frame_bytes(&sample, table, frame, &got);
            EXPECT(bytes_equal(buffer_bytes(&got), buffer_bytes(&want)), "cut at %zu: frame %u", size, frame);
        }
    }
    EXPECT(refused > whole - sample.scan.element_offset - 20, "%zu refused", refused);
    sample.file.size = whole;
    buffer_done(&sample.file);
}

TEST(STO_29_short_native_pixels_give_the_frames_that_are_whole)
{
    const struct make_dicom what = { .frames = 3 };
    SCOPED(frame_table) struct frame_table *table = NULL;
    struct sample sample;
    struct error err = { 0 };

    sample_make(&sample, &what);
    sample.scan.frames = 5;
    EXPECT(sample_scan(&sample, &table, &err) && frame_table_count(table) == 3, "%s", err.detail);
    frame_table_drop(&table);
    sample.scan.frames = UINT32_MAX;
    EXPECT(sample_scan(&sample, &table, &err) && frame_table_count(table) == 3, "%s", err.detail);
    buffer_done(&sample.file);
}

TEST(items_within_a_defined_length_are_fragments_all_the_same)
{
    const struct make_dicom what = { .transfer_syntax = jpeg, .fragment_count = 1, .frames = 2 };
    struct sample sample;

    sample_make(&sample, &what);
    const uint32_t length = (uint32_t)(sample.file.size - sample.scan.element_offset - 12);
    memcpy(sample.file.data + sample.scan.element_offset + 8, &length, 4);
    expect_frames(&sample, &what, "defined length");
    buffer_done(&sample.file);
}

TEST(a_missing_offset_table_item_is_noticed)
{
    const struct make_dicom what = { .transfer_syntax = jpeg, .fragment_count = 1, .frames = 2 };
    struct sample sample;

    sample_make(&sample, &what);
    uint8_t *const value = sample.file.data + sample.scan.element_offset + 12;
    memmove(value, value + 8, sample.file.size - sample.scan.element_offset - 20);
    sample.file.size -= 8;
    expect_frames(&sample, &what, "no table item");
    buffer_done(&sample.file);
}

TEST(another_element_at_that_place_is_refused)
{
    const struct make_dicom what = { 0 };
    SCOPED(frame_table) struct frame_table *table = NULL;
    struct sample sample;
    struct error err = { 0 };

    sample_make(&sample, &what);
    sample.scan.element_offset = 132;
    EXPECT(!sample_scan(&sample, &table, &err) && err.fault == FAULT_NOT_DICOM, "fault %d", err.fault);
    sample.scan.element_offset = UINT64_MAX;
    EXPECT(!sample_scan(&sample, &table, &err) && err.fault == FAULT_NOT_DICOM, "fault %d", err.fault);
    buffer_done(&sample.file);
}
