/* tests/fuzz/dicom_frame_table_fuzz.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a stored frame table (first byte even) or as a file with pixel data (odd). Whatever table
 * comes of them must name bytes within its value, and be the same after it was stored and read.
 *
 *   scan:  flags, frames (4), frame bits (4), length of extended table (1), that table, file
 */
#include "dicom/frame_table.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool sound)
{
    if (!sound)
        abort();
}

static void check_table(const struct frame_table *table)
{
    const struct extent value = frame_table_value(table);
    const uint32_t count = frame_table_count(table);

    for (uint32_t i = 0; i < count && i < 300; i++) {
        const uint32_t frame = i < 150 ? i + 1 : count - (i - 150);
        struct error err = { 0 };
        uint32_t extents = 0;
        uint64_t sum = 0;
        check(frame_table_find(table, frame, &extents, &err));
        for (uint32_t k = 0; k < extents && k < 1000; k++) {
            const struct extent extent = frame_table_extent(table, frame, k);
            check(extent.offset >= value.offset && extent.offset - value.offset <= value.size);
            check(extent.size <= value.size - (extent.offset - value.offset));
            sum += extent.size;
        }
        check(extents >= 1000 || sum == frame_table_frame_bytes(table, frame));
        check(frame_table_bit_offset(table, frame) < 8);
    }
    struct error err = { 0 };
    uint32_t extents;
    check(!frame_table_find(table, 0, &extents, &err));
    check(count == UINT32_MAX || !frame_table_find(table, count + 1, &extents, &err));
}

static void check_round_trip(const struct frame_table *table)
{
    SCOPED(frame_table) struct frame_table *read = NULL;
    SCOPED(buffer) struct buffer first, second;
    struct error err = { 0 };

    buffer_init(&first, 1 << 26);
    buffer_init(&second, 1 << 26);
    frame_table_write(table, &first);
    check(frame_table_parse(buffer_bytes(&first), &read, &err));
    check(frame_table_count(read) == frame_table_count(table) &&
          frame_table_kind(read) == frame_table_kind(table));
    frame_table_write(read, &second);
    check(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
}

static void parse_stored(struct bytes stored)
{
    SCOPED(frame_table) struct frame_table *table = NULL;
    struct error err = { 0 };

    if (!frame_table_parse(stored, &table, &err)) {
        check(err.fault == FAULT_DISK);
        return;
    }
    check_table(table);
    check_round_trip(table);
}

static uint32_t number(struct bytes bytes, size_t at)
{
    uint32_t value;

    memcpy(&value, bytes.data + at, sizeof value);
    return value;
}

static void scan_file(struct bytes input)
{
    SCOPED(frame_table) struct frame_table *table = NULL;
    SCOPED(file) int fd = -1;
    struct error err = { 0 };

    if (input.size < 10 || input.size - 10 < (size_t)input.data[9] * 2)
        return;
    const uint8_t flags = input.data[0];
    const size_t extended = input.data[9];
    const struct bytes file = bytes_from(input, 10 + extended * 2);
    fd = memfd_create("fuzz", MFD_CLOEXEC);
    check(fd >= 0 && file_write(fd, file, &err));
    const struct frame_scan scan = {
        .fd = fd,
        .file_size = file.size,
        .explicit_vr = flags & 1,
        .big_endian = flags & 2,
        .encapsulated = flags & 4,
        .video = flags & 8,
        .tolerate_cut = flags & 16,
        .bits_allocated = flags & 32 ? 16 : 8,
        .frames = number(input, 1),
        .frame_bits = number(input, 5),
        .extended_offsets = bytes_of(input.data + 10, extended),
        .extended_lengths = bytes_of(input.data + 10 + extended, extended),
    };
    if (!frame_table_scan(&scan, &table, &err)) {
        check(err.fault == FAULT_NOT_DICOM);
        return;
    }
    const struct extent value = frame_table_value(table);
    check(value.offset <= file.size && value.size <= file.size - value.offset);
    check_table(table);
    check_round_trip(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct bytes input = bytes_of(data, size);

    if (size > 0 && data[0] % 2 == 0)
        parse_stored(bytes_from(input, 1));
    else if (size > 0)
        scan_file(bytes_from(input, 1));
    return 0;
}
