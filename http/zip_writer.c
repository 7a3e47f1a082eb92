/* http/zip_writer.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The records of a ZIP archive, number by number; see zip_writer.h.
 */
#include "http/zip_writer.h"

#include <string.h>
#include <zlib.h>

enum {
    HEAD_SIGN = 0x04034b50,
    TAIL_SIGN = 0x08074b50,
    DIRECTORY_SIGN = 0x02014b50,
    END_SIGN = 0x06054b50,
    END64_SIGN = 0x06064b50,
    LOCATOR64_SIGN = 0x07064b50,
    VERSION = 20,
    VERSION64 = 45,
    MADE_BY_UNIX = 3 << 8,
    SIZES_IN_TAIL = 8, /* flag */
    METHOD_DEFLATE = 8,
    FIRST_OF_1980 = 0x21, /* a date that no clock changes: the same archive for the same files */
    EXTRA64 = 1,
    ENTRIES_MOST = 0xFFFF
};
#define NUMBER_MOST 0xFFFFFFFFu

struct record {
    uint8_t *data;
    size_t size;
};

static void put(struct record *record, uint64_t number, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        record->data[record->size++] = (uint8_t)(number >> 8 * i);
}

static struct record begin(struct arena *arena, size_t room)
{
    return (struct record){ arena_alloc(arena, room), 0 };
}

static void put_text(struct record *record, const char *text)
{
    const size_t size = strlen(text);

    memcpy(record->data + record->size, text, size);
    record->size += size;
}

static struct bytes finish(const struct record *record)
{
    return bytes_of(record->data, record->size);
}

uint32_t zip_crc(uint32_t crc_so_far, struct bytes more)
{
    return (uint32_t)crc32_z(crc_so_far, more.data, more.size);
}

uint64_t zip_packed_size(uint64_t size)
{
    const uint64_t blocks = size / ZIP_BLOCK_BYTES + (size % ZIP_BLOCK_BYTES != 0 || size == 0);

    return size + ZIP_BLOCK_HEAD_BYTES * blocks;
}

bool zip_is_large(uint64_t size)
{
    return zip_packed_size(size) >= NUMBER_MOST;
}

struct bytes zip_head(struct arena *arena, const struct zip_entry *entry)
{
    struct record record = begin(arena, 50 + strlen(entry->name));

    put(&record, HEAD_SIGN, 4);
    put(&record, entry->is_large ? VERSION64 : VERSION, 2);
    put(&record, SIZES_IN_TAIL, 2);
    put(&record, METHOD_DEFLATE, 2);
    put(&record, 0, 2); /* midnight */
    put(&record, FIRST_OF_1980, 2);
    put(&record, 0, 4);
    put(&record, entry->is_large ? NUMBER_MOST : 0, 4);
    put(&record, entry->is_large ? NUMBER_MOST : 0, 4);
    put(&record, strlen(entry->name), 2);
    put(&record, entry->is_large ? 20 : 0, 2);
    put_text(&record, entry->name);
    if (entry->is_large) {
        put(&record, EXTRA64, 2);
        put(&record, 16, 2);
        put(&record, 0, 8);
        put(&record, 0, 8);
    }
    return finish(&record);
}

/* RFC 1951 3.2.4: one bit for the last block, two for "stored", then the size and what is left of 16 ones. */
void zip_block_head(uint8_t into[ZIP_BLOCK_HEAD_BYTES], size_t size, bool is_last)
{
    into[0] = is_last;
    into[1] = (uint8_t)size;
    into[2] = (uint8_t)(size >> 8);
    into[3] = (uint8_t)~into[1];
    into[4] = (uint8_t)~into[2];
}

struct bytes zip_tail(struct arena *arena, const struct zip_entry *entry)
{
    const unsigned width = entry->is_large ? 8 : 4;
    struct record record = begin(arena, 24);

    put(&record, TAIL_SIGN, 4);
    put(&record, entry->crc, 4);
    put(&record, entry->packed, width);
    put(&record, entry->size, width);
    return finish(&record);
}

struct bytes zip_directory_entry(struct arena *arena, const struct zip_entry *entry)
{
    const bool far = entry->offset >= NUMBER_MOST;
    const unsigned extra = (entry->is_large ? 16u : 0u) + (far ? 8u : 0u);
    struct record record = begin(arena, 46 + 28 + strlen(entry->name));

    put(&record, DIRECTORY_SIGN, 4);
    put(&record, MADE_BY_UNIX | VERSION64, 2);
    put(&record, extra ? VERSION64 : VERSION, 2);
    put(&record, SIZES_IN_TAIL, 2);
    put(&record, METHOD_DEFLATE, 2);
    put(&record, 0, 2);
    put(&record, FIRST_OF_1980, 2);
    put(&record, entry->crc, 4);
    put(&record, entry->is_large ? NUMBER_MOST : entry->packed, 4);
    put(&record, entry->is_large ? NUMBER_MOST : entry->size, 4);
    put(&record, strlen(entry->name), 2);
    put(&record, extra ? extra + 4 : 0, 2);
    put(&record, 0, 2); /* comment */
    put(&record, 0, 2); /* disk */
    put(&record, 0, 2);
    put(&record, (uint32_t)0100644 << 16, 4);
    put(&record, far ? NUMBER_MOST : entry->offset, 4);
    put_text(&record, entry->name);
    if (extra) {
        put(&record, EXTRA64, 2);
        put(&record, extra, 2);
        if (entry->is_large) {
            put(&record, entry->size, 8);
            put(&record, entry->packed, 8);
        }
        if (far)
            put(&record, entry->offset, 8);
    }
    return finish(&record);
}

struct bytes zip_end(struct arena *arena, uint64_t entries, uint64_t directory_offset,
                     uint64_t directory_size)
{
    const bool large =
        entries >= ENTRIES_MOST || directory_offset >= NUMBER_MOST || directory_size >= NUMBER_MOST;
    struct record record = begin(arena, 98);

    if (large) {
        put(&record, END64_SIGN, 4);
        put(&record, 44, 8);
        put(&record, MADE_BY_UNIX | VERSION64, 2);
        put(&record, VERSION64, 2);
        put(&record, 0, 8); /* disks */
        put(&record, entries, 8);
        put(&record, entries, 8);
        put(&record, directory_size, 8);
        put(&record, directory_offset, 8);
        put(&record, LOCATOR64_SIGN, 4);
        put(&record, 0, 4);
        put(&record, directory_offset + directory_size, 8);
        put(&record, 1, 4);
    }
    put(&record, END_SIGN, 4);
    put(&record, 0, 4); /* disks */
    put(&record, large ? ENTRIES_MOST : entries, 2);
    put(&record, large ? ENTRIES_MOST : entries, 2);
    put(&record, large ? NUMBER_MOST : directory_size, 4);
    put(&record, large ? NUMBER_MOST : directory_offset, 4);
    put(&record, 0, 2);
    return finish(&record);
}
