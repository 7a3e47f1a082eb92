/* tests/unit/http/zip_writer_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The records of an archive, read back number by number as APPNOTE 6.3 has them; other programs read whole
 * archives in tests/web/test_archive.py.
 */
#include "http/zip_writer.h"

#include "tests/support/expect.h"

static uint64_t number(struct bytes record, size_t at, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size && at + i < record.size; i++)
        value |= (uint64_t)record.data[at + i] << 8 * i;
    return value;
}

TEST(small_files_need_no_zip64)
{
    struct arena arena = { 0 };
    const struct zip_entry entry = { "a/b.dcm", 1000, 70000, zip_packed_size(70000), 0x12345678, false };
    const struct bytes head = zip_head(&arena, &entry), tail = zip_tail(&arena, &entry);
    const struct bytes in_directory = zip_directory_entry(&arena, &entry),
                       end = zip_end(&arena, 1, 80000, 53);

    EXPECT(entry.packed == 70010, "two blocks: %llu", (unsigned long long)entry.packed);
    EXPECT(head.size == 37 && number(head, 0, 4) == 0x04034b50 && number(head, 28, 2) == 0, "%zu", head.size);
    EXPECT(tail.size == 16 && number(tail, 4, 4) == 0x12345678 && number(tail, 8, 4) == 70010 &&
               number(tail, 12, 4) == 70000,
           "%zu", tail.size);
    EXPECT(in_directory.size == 53 && number(in_directory, 42, 4) == 1000 &&
               number(in_directory, 24, 4) == 70000,
           "%zu", in_directory.size);
    EXPECT(end.size == 22 && number(end, 10, 2) == 1 && number(end, 16, 4) == 80000, "%zu", end.size);
    arena_release(&arena);
}

TEST(what_is_beyond_four_gigabytes_is_told_in_zip64)
{
    struct arena arena = { 0 };
    const uint64_t size = (uint64_t)5 << 30, offset = (uint64_t)7 << 30;
    const struct zip_entry entry = { "a", offset, size, zip_packed_size(size), 1, zip_is_large(size) };
    const struct zip_entry far = { "b", offset, 10, 15, 1, zip_is_large(10) };
    const struct bytes head = zip_head(&arena, &entry), tail = zip_tail(&arena, &entry);
    const struct bytes large = zip_directory_entry(&arena, &entry),
                       behind = zip_directory_entry(&arena, &far);
    const struct bytes end = zip_end(&arena, 70000, offset, 100), many = zip_end(&arena, 65535, 5, 5);

    EXPECT(entry.is_large && !far.is_large && zip_is_large(0xFFFFFFFFu - 300000) &&
               !zip_is_large(0xFFFFFFFFu - 400000),
           "the blocks' heads count");
    EXPECT(number(head, 18, 4) == 0xFFFFFFFF && number(head, 28, 2) == 20 && number(head, 31, 2) == 1,
           "head");
    EXPECT(tail.size == 24 && number(tail, 8, 8) == entry.packed && number(tail, 16, 8) == size, "tail");
    EXPECT(number(large, 30, 2) == 28 && number(large, 51, 8) == size &&
               number(large, 59, 8) == entry.packed && number(large, 67, 8) == offset && large.size == 75,
           "directory: size, packed, offset");
    EXPECT(number(behind, 30, 2) == 12 && number(behind, 42, 4) == 0xFFFFFFFF &&
               number(behind, 51, 8) == offset && number(behind, 24, 4) == 10,
           "directory: the offset alone");
    EXPECT(end.size == 98 && number(end, 32, 8) == 70000 && number(end, 48, 8) == offset &&
               number(end, 56, 4) == 0x07064b50 && number(end, 64, 8) == offset + 100 &&
               number(end, 86, 2) == 0xFFFF && number(end, 92, 4) == 0xFFFFFFFF,
           "end");
    EXPECT(many.size == 98, "65535 entries are too many for the old end");
    arena_release(&arena);
}

TEST(sizes_are_known_beforehand)
{
    static const struct {
        uint64_t size, packed;
    } cases[] = { { 0, 5 }, { 1, 6 }, { 65535, 65540 }, { 65536, 65546 }, { 131070, 131080 } };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        EXPECT(zip_packed_size(cases[i].size) == cases[i].packed, "%llu: %llu",
               (unsigned long long)cases[i].size, (unsigned long long)zip_packed_size(cases[i].size));
}
