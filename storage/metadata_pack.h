/* storage/metadata_pack.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The metadata of a whole series as they are sent: links under the public base already, compressed in both
 * ways that clients take, in chunks that stand alone.
 *
 *   chunk    {"00080005":…},{"00080005":…},…     some 256 KiB of text: neighbours say almost the same, so a
 *              │                                 chunk of 30 CT instances shrinks to a fiftieth
 *              ├─► deflate, ends on a byte, not final: chunks and commas joined by copying are one stream
 *              └─► one zstd frame: joined by copying too; and what is expanded when plain text is wanted,
 *                  at some 20 GB/s
 *
 * A pack is derived: made from the rows in storage/metadata_packer.c, or in memory for a short series, and
 * thrown away when its series changes. Immutable, shared, counted; its bytes are a block of the one budget.
 */
#ifndef GANTRY_STORAGE_METADATA_PACK_H
#define GANTRY_STORAGE_METADATA_PACK_H

#include <stdint.h>

#include "base/attributes.h"
#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"

/* Which instances: the sum of a hash of each generation, so that packs of series add up to that of a study.
 * Generations are never used again, hence neither is a version. */
struct metadata_version {
    uint64_t sums[2];
};
void metadata_version_add(struct metadata_version *version, uint64_t generation);
void metadata_version_join(struct metadata_version *version, const struct metadata_version *more);

struct metadata_chunk {
    uint32_t instances;
    uint32_t crc;  /* CRC-32 of the text */
    uint64_t size; /* bytes of the text */
    struct bytes deflate, zstd;
};

enum {
    METADATA_CHUNK_BYTES = 256 * 1024,    /* of text; a longer instance is a chunk by itself */
    METADATA_PACK_MOST = 16 * 1024 * 1024 /* compressed bytes of a series; larger ones are read row by row */
};

struct metadata_pack {
    struct metadata_version version;
    uint64_t instances, text_size;
    size_t count; /* chunks */
    const struct metadata_chunk *chunks;
};

const struct metadata_pack *metadata_pack_ref(const struct metadata_pack *pack);
void metadata_pack_unref(const struct metadata_pack *pack);   /* NULL is fine */
size_t metadata_pack_bytes(const struct metadata_pack *pack); /* of memory */

/* ── making one ── */

struct metadata_packing;

/* `base` is copied. BUSY without memory. */
MUST_USE bool metadata_packing_begin(const char *base, struct metadata_packing **ret, struct error *err);
/* The next instance: its JSON with marks (dicom/dicom_json.h), in the order in which they are to be sent. */
MUST_USE bool metadata_packing_add(struct metadata_packing *packing, uint64_t generation, struct bytes json,
                                   struct error *err);
/* Compressed bytes so far. */
size_t metadata_packing_size(const struct metadata_packing *packing);
MUST_USE bool metadata_packing_end(struct metadata_packing *packing, const struct metadata_pack **ret,
                                   struct error *err);
void metadata_packing_free(struct metadata_packing *packing); /* NULL is fine */

/* ── as the catalog's rows have it ── */

void metadata_pack_write_directory(const struct metadata_pack *pack, struct buffer *into);
struct bytes metadata_pack_body(const struct metadata_pack *pack);
/* Copies both. DISK: they do not belong together. */
MUST_USE bool metadata_pack_read(struct bytes directory, struct bytes body, const struct metadata_pack **ret,
                                 struct error *err);

#endif
