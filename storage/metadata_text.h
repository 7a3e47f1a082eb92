/* storage/metadata_text.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The metadata JSON of one instance as the catalog keeps it: one zstd frame that says its size. Any thread,
 * never waits.
 */
#ifndef GANTRY_STORAGE_METADATA_TEXT_H
#define GANTRY_STORAGE_METADATA_TEXT_H

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"

enum { METADATA_TEXT_MOST = 64 * 1024 * 1024 /* bytes of JSON of one instance */ };

/* One frame, appended to `into`. zstd's level 1 on texts of 8 KiB: 9 us, to a sixth. BUSY without memory. */
MUST_USE bool metadata_text_compress(struct bytes text, int level, struct buffer *into, struct error *err);
/* Bytes that the frame says it holds; 0: no such frame. */
size_t metadata_text_size(struct bytes frame);
/* All of one frame, appended to `into`. DISK: not what metadata_text_compress made. */
MUST_USE bool metadata_text_expand(struct bytes frame, struct buffer *into, struct error *err);
/* The same into `room`, which must hold just metadata_text_size() bytes. */
MUST_USE bool metadata_text_expand_into(struct bytes frame, void *room, size_t size, struct error *err);

#endif
