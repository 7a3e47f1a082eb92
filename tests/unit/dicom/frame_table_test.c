/* tests/unit/dicom/frame_table_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "dicom/frame_table.h"

#include <stdlib.h>

#include "tests/support/expect.h"

static struct frame_table *stored_and_read(const struct frame_table *table, size_t *ret_size)
{
    struct buffer stored;
    struct error err = { 0 };
    struct frame_table *read = NULL;

    buffer_init(&stored, 1 << 24);
    frame_table_write(table, &stored);
    *ret_size = stored.size;
    EXPECT(frame_table_parse(buffer_bytes(&stored), &read, &err), "%s", err.detail);
    buffer_done(&stored);
    return read;
}

/* `count` fragments of 100, 102, 104 ... bytes behind an empty offset table at offset 1000. */
static struct frame_table *made(uint32_t fragments, uint32_t *firsts, uint32_t frames, enum frame_kind kind)
{
    uint64_t *starts = calloc(fragments + 1, sizeof *starts);
    uint64_t at = 1008;

    for (uint32_t i = 0; i <= fragments; i++) {
        starts[i] = at + 8;
        at = starts[i] + 100 + 2 * (uint64_t)i;
    }
    const uint64_t end = starts[fragments] - 8;
    return frame_table_of_fragments(kind, (struct extent){ 1000, end - 1000 }, starts, fragments, firsts,
                                    frames);
}

TEST(RET_51_native_frames_lie_one_behind_the_other)
{
    SCOPED(frame_table) struct frame_table *table = frame_table_of_native(FRAMES_NATIVE, 400, 1024, 3, 400);
    struct error err = { 0 };
    uint32_t extents = 0;

    EXPECT(frame_table_count(table) == 3 && frame_table_kind(table) == FRAMES_NATIVE, "%u",
           frame_table_count(table));
    EXPECT(frame_table_find(table, 3, &extents, &err) && extents == 1, "%s", err.detail);
    const struct extent last = frame_table_extent(table, 3, 0);
    EXPECT(last.offset == 656 && last.size == 128, "%llu %llu", (unsigned long long)last.offset,
           (unsigned long long)last.size);
    EXPECT(frame_table_value(table).size == 400, "value");
}

TEST(STO_29_frames_that_the_file_does_not_hold_are_not_in_the_table)
{
    SCOPED(frame_table) struct frame_table *cut = frame_table_of_native(FRAMES_NATIVE, 400, 1024, 3, 383);
    SCOPED(frame_table)
    struct frame_table *none = frame_table_of_native(FRAMES_NATIVE, 400, UINT64_MAX, 3, 100);
    SCOPED(frame_table)
    struct frame_table *hostile = frame_table_of_native(FRAMES_NATIVE, 400, 8, UINT32_MAX, 100);
    SCOPED(frame_table) struct frame_table *shapeless = frame_table_of_native(FRAMES_NATIVE, 400, 0, 5, 100);
    struct error err = { 0 };
    uint32_t extents;

    EXPECT(frame_table_count(cut) == 2, "%u", frame_table_count(cut));
    EXPECT(frame_table_count(none) == 0, "%u", frame_table_count(none));
    EXPECT(frame_table_count(hostile) == 100, "%u", frame_table_count(hostile));
    EXPECT(frame_table_count(shapeless) == 0, "%u", frame_table_count(shapeless));
    EXPECT(!frame_table_find(cut, 3, &extents, &err) && err.fault == FAULT_NOT_FOUND, "fault %d", err.fault);
    EXPECT(!frame_table_find(cut, 0, &extents, &err) && err.fault == FAULT_NOT_FOUND, "fault %d", err.fault);
    EXPECT(frame_table_frame_bytes(cut, 0) == 0 && frame_table_frame_bytes(cut, 3) == 0, "bytes outside");
}

TEST(RET_52_frames_of_35_bits_overlap_in_bytes)
{
    SCOPED(frame_table) struct frame_table *table = frame_table_of_native(FRAMES_NATIVE, 100, 35, 3, 14);

    EXPECT(frame_table_kind(table) == FRAMES_NATIVE_BITS && frame_table_count(table) == 3, "%u",
           frame_table_count(table));
    EXPECT(frame_table_bit_offset(table, 1) == 0 && frame_table_bit_offset(table, 2) == 3 &&
               frame_table_bit_offset(table, 3) == 6,
           "bit offset");
    const struct extent second = frame_table_extent(table, 2, 0);
    EXPECT(second.offset == 104 && second.size == 5, "%llu", (unsigned long long)second.offset);
    EXPECT(frame_table_frame_bits(table) == 35, "bits");
}

TEST(RET_50_a_frame_of_several_fragments_has_several_extents)
{
    uint32_t *firsts = calloc(3, sizeof *firsts);
    firsts[1] = 1;
    firsts[2] = 4;
    SCOPED(frame_table) struct frame_table *table = made(4, firsts, 2, FRAMES_ENCAPSULATED);
    struct error err = { 0 };
    uint32_t extents = 0;

    EXPECT(frame_table_find(table, 2, &extents, &err) && extents == 3, "%u", extents);
    EXPECT(frame_table_extent(table, 1, 0).offset == 1016 && frame_table_extent(table, 1, 0).size == 100,
           "first");
    EXPECT(frame_table_extent(table, 2, 0).offset == 1124 && frame_table_extent(table, 2, 2).size == 106,
           "last");
    EXPECT(frame_table_frame_bytes(table, 2) == 102 + 104 + 106, "sum");
}

TEST(a_table_read_back_is_the_same)
{
    uint32_t *firsts = calloc(3, sizeof *firsts);
    firsts[0] = 1;
    firsts[1] = 2;
    firsts[2] = 4;
    struct frame_table *tables[] = {
        frame_table_of_native(FRAMES_NATIVE, 1234567890123, 4096, 70000, UINT32_MAX),
        frame_table_of_native(FRAMES_NATIVE_BIG, 12, 4096, 2, 1024),
        frame_table_of_native(FRAMES_NATIVE_BITS, 12, 35, 9, 1024),
        made(4, firsts, 2, FRAMES_ENCAPSULATED),
        made(5, NULL, 5, FRAMES_ENCAPSULATED),
        made(5, NULL, 1, FRAMES_VIDEO),
        made(3, NULL, 0, FRAMES_ENCAPSULATED),
        frame_table_of_fragments(FRAMES_ENCAPSULATED, (struct extent){ 10, 0 }, NULL, 0, NULL, 0),
    };

    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        size_t size;
        SCOPED(frame_table) struct frame_table *table = tables[i];
        SCOPED(frame_table) struct frame_table *read = stored_and_read(table, &size);
        if (!read)
            continue;
        EXPECT(frame_table_kind(read) == frame_table_kind(table), "kind, table %zu", i);
        EXPECT(frame_table_count(read) == frame_table_count(table), "count, table %zu", i);
        EXPECT(frame_table_frame_bits(read) == frame_table_frame_bits(table), "bits, table %zu", i);
        EXPECT(frame_table_value(read).offset == frame_table_value(table).offset, "value, table %zu", i);
        EXPECT(frame_table_value(read).size == frame_table_value(table).size, "value, table %zu", i);
        for (uint32_t frame = 1; frame <= frame_table_count(table); frame++) {
            const struct extent a = frame_table_extent(table, frame, 0),
                                b = frame_table_extent(read, frame, 0);
            EXPECT(a.offset == b.offset && a.size == b.size, "table %zu frame %u", i, frame);
            EXPECT(frame_table_frame_bytes(table, frame) == frame_table_frame_bytes(read, frame), "table %zu",
                   i);
        }
    }
}

TEST(RET_57_a_slide_of_200000_frames_stays_small)
{
    size_t size;
    SCOPED(frame_table) struct frame_table *table = made(200000, NULL, 200000, FRAMES_ENCAPSULATED);
    SCOPED(frame_table) struct frame_table *read = stored_and_read(table, &size);

    EXPECT(size < 3 * 200000 + 32, "%zu bytes", size);
    EXPECT(frame_table_extent(read, 200000, 0).size == 100 + 2 * 199999, "size");
}

TEST(stored_bytes_that_are_not_sound_are_refused)
{
    uint32_t *firsts = calloc(3, sizeof *firsts);
    firsts[1] = 1;
    firsts[2] = 4;
    SCOPED(frame_table) struct frame_table *grouped = made(4, firsts, 2, FRAMES_ENCAPSULATED);
    SCOPED(buffer) struct buffer stored;
    struct error err = { 0 };
    struct frame_table *read = NULL;

    buffer_init(&stored, 4096);
    frame_table_write(grouped, &stored);
    for (size_t size = 0; size < stored.size; size++)
        EXPECT(!frame_table_parse(bytes_of(stored.data, size), &read, &err) && err.fault == FAULT_DISK,
               "accepted when cut at %zu", size);
    buffer_append_byte(&stored, 0);
    EXPECT(!frame_table_parse(buffer_bytes(&stored), &read, &err), "accepted with a byte more");

    static const uint8_t hostile[][16] = {
        { 2, 0, 1, 8, 8, 8 }, /* another version */
        { 1, 9, 1, 8, 8, 8 }, /* no such kind */
        { 1, 0, 2, 8, 1, 8 }, /* two bytes in a value of one */
        { 1, 0, 1, 8, 8, 7 }, /* native, but bits */
        { 1, 2, 1, 8, 8, 8 }, /* bits, but whole bytes */
        { 1, 3, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 8, 8, 0xFF, 0xFF, 0xFF,
          0x7F },                        /* fragments that are not there */
        { 1, 3, 1, 8, 20, 1, 16, 5, 0 }, /* a fragment beyond the value */
        { 1, 3, 1, 8, 20, 1, 4, 5, 0 },  /* a fragment before its header */
        { 1, 3, 2, 8, 20, 1, 8, 5, 0 },  /* more frames than fragments */
        { 1, 3, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F }, /* more than 64 bits */
    };
    static const size_t sizes[] = { 6, 6, 6, 6, 6, 13, 9, 9, 9, 13 };
    for (size_t i = 0; i < COUNT_OF(hostile); i++)
        EXPECT(!frame_table_parse(bytes_of(hostile[i], sizes[i]), &read, &err), "accepted case %zu", i);
}

TEST(a_table_lives_as_long_as_its_last_reference)
{
    struct frame_table *table = frame_table_of_native(FRAMES_NATIVE, 0, 8, 1, 1);
    struct frame_table *other = frame_table_ref(table);

    frame_table_unref(table);
    EXPECT(frame_table_count(other) == 1, "gone");
    frame_table_drop(&other);
    EXPECT(other == NULL, "not forgotten");
    frame_table_unref(NULL);
}
