/* http/zip_writer.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * ZIP archives (APPNOTE 6.3) as they can be streamed: what stands around the bytes of the files, as text.
 * Files are not compressed, but in deflate's stored blocks, not by method 0: readers that stream too find
 * their end in them. So every size is known beforehand but those of files whose own size is not. Zip64 where
 * something needs it.
 *
 *   per file: │ head │ 5 bytes, up to 65535 of the file │ 5 bytes, … │ tail: checksum, sizes │
 *   then:     │ directory entry of each │ end │
 */
#ifndef GANTRY_HTTP_ZIP_WRITER_H
#define GANTRY_HTTP_ZIP_WRITER_H

#include "base/arena.h"
#include "base/bytes.h"

enum { ZIP_BLOCK_BYTES = 65535, ZIP_BLOCK_HEAD_BYTES = 5 };

struct zip_entry {
    const char *name;      /* ASCII, slashes between folders */
    uint64_t offset;       /* of its head in the archive */
    uint64_t size, packed; /* bytes of the file, and with its blocks' heads; known from its tail on */
    uint32_t crc;          /* zip_crc of the file; likewise */
    bool is_large;         /* 4 GiB may be reached: decided before the head, zip_is_large or not known */
};

uint32_t zip_crc(uint32_t crc_so_far, struct bytes more); /* 0 before the first */
/* Of a file of this size. */
uint64_t zip_packed_size(uint64_t size);
bool zip_is_large(uint64_t size);

struct bytes zip_head(struct arena *arena, const struct zip_entry *entry);
void zip_block_head(uint8_t into[ZIP_BLOCK_HEAD_BYTES], size_t size, bool is_last);
struct bytes zip_tail(struct arena *arena, const struct zip_entry *entry);
struct bytes zip_directory_entry(struct arena *arena, const struct zip_entry *entry);
struct bytes zip_end(struct arena *arena, uint64_t entries, uint64_t directory_offset,
                     uint64_t directory_size);

#endif
