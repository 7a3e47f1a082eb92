/* storage/metadata_pack.c
 * SPDX-License-Identifier: Apache-2.0
 *
 *   body       deflate of chunk 0, 1, 2 … │ zstd of chunk 0, 1, 2 …
 *   directory  version │ per chunk: instances, crc, text size, deflate size, zstd size        (little endian)
 */
#include "storage/metadata_pack.h"

#include <endian.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

#define ZLIB_CONST
#include <zlib.h>

#include "base/block.h"
#include "base/splice.h"
#include "dicom/dicom_json.h"
#include "storage/metadata_text.h"

enum {
    DEFLATE_LEVEL = 6, /* 22 us an instance, in the background; level 1 leaves twice the bytes */
    ZSTD_LEVEL = 3,
    DIRECTORY_HEAD = 16,
    DIRECTORY_ENTRY = 4 + 4 + 8 + 8 + 8,
    CHUNKS_MOST = 1 << 20
};

/* ── versions ── */

static uint64_t mix(uint64_t number)
{
    number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9u;
    number = (number ^ number >> 27) * 0x94d049bb133111ebu;
    return number ^ number >> 31;
}

void metadata_version_add(struct metadata_version *version, uint64_t generation)
{
    version->sums[0] += mix(generation + 0x9e3779b97f4a7c15u);
    version->sums[1] += mix(~generation);
}

void metadata_version_join(struct metadata_version *version, const struct metadata_version *more)
{
    version->sums[0] += more->sums[0];
    version->sums[1] += more->sums[1];
}

/* ── counted ── */

struct counted_pack {
    struct metadata_pack pack; /* first: the two are one */
    atomic_size_t references;
    struct block *body;
    struct metadata_chunk chunks[];
};

static struct counted_pack *counted_of(const struct metadata_pack *pack)
{
    return (struct counted_pack *)(uintptr_t)pack;
}

const struct metadata_pack *metadata_pack_ref(const struct metadata_pack *pack)
{
    atomic_fetch_add_explicit(&counted_of(pack)->references, 1, memory_order_relaxed);
    return pack;
}

void metadata_pack_unref(const struct metadata_pack *pack)
{
    if (!pack || atomic_fetch_sub_explicit(&counted_of(pack)->references, 1, memory_order_acq_rel) != 1)
        return;
    block_unref(counted_of(pack)->body);
    free(counted_of(pack));
}

size_t metadata_pack_bytes(const struct metadata_pack *pack)
{
    return sizeof(struct counted_pack) + pack->count * sizeof(struct metadata_chunk) +
           block_bytes(counted_of(pack)->body).size;
}

struct bytes metadata_pack_body(const struct metadata_pack *pack)
{
    return block_bytes(counted_of(pack)->body);
}

static struct counted_pack *pack_new(size_t chunks, struct error *err)
{
    struct counted_pack *pack = calloc(1, sizeof *pack + chunks * sizeof *pack->chunks);

    if (!pack) {
        error_set(err, FAULT_BUSY, "no memory for a pack of %zu chunks", chunks);
        return NULL;
    }
    atomic_init(&pack->references, 1);
    pack->pack.chunks = pack->chunks;
    pack->pack.count = chunks;
    return pack;
}

/* The chunks' views, once their sizes stand there. False: the body has another size. */
static bool point_into_body(struct counted_pack *pack)
{
    struct bytes rest = block_bytes(pack->body);

    for (int form = 0; form < 2; form++)
        for (size_t i = 0; i < pack->pack.count; i++) {
            struct metadata_chunk *chunk = &pack->chunks[i];
            struct bytes *view = form == 0 ? &chunk->deflate : &chunk->zstd;
            if (view->size > rest.size)
                return false;
            view->data = rest.data;
            rest = bytes_from(rest, view->size);
        }
    return rest.size == 0;
}

static void sum_up(struct counted_pack *pack)
{
    for (size_t i = 0; i < pack->pack.count; i++) {
        pack->pack.instances += pack->chunks[i].instances;
        pack->pack.text_size += pack->chunks[i].size;
    }
}

/* ── making one ── */

struct metadata_packing {
    z_stream zlib;
    struct bytes base;
    struct metadata_version version;
    struct buffer text; /* of the chunk under way */
    uint32_t instances;
    struct buffer deflate, zstd, chunks;
};

bool metadata_packing_begin(const char *base, struct metadata_packing **ret, struct error *err)
{
    struct metadata_packing *packing = calloc(1, sizeof *packing);
    char *copy = strdup(base);

    if (!packing || !copy ||
        deflateInit2(&packing->zlib, DEFLATE_LEVEL, Z_DEFLATED, -MAX_WBITS, MAX_MEM_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        free(packing);
        free(copy);
        return error_set(err, FAULT_BUSY, "no memory to pack metadata");
    }
    packing->base = bytes_of_text(copy);
    buffer_init(&packing->text, 2 * (size_t)METADATA_TEXT_MOST);
    buffer_init(&packing->deflate, 2 * (size_t)METADATA_TEXT_MOST);
    buffer_init(&packing->zstd, 2 * (size_t)METADATA_TEXT_MOST);
    buffer_init(&packing->chunks, (size_t)CHUNKS_MOST * sizeof(struct metadata_chunk));
    *ret = packing;
    return true;
}

void metadata_packing_free(struct metadata_packing *packing)
{
    if (!packing)
        return;
    deflateEnd(&packing->zlib);
    free((void *)(uintptr_t)packing->base.data);
    buffer_done(&packing->text);
    buffer_done(&packing->deflate);
    buffer_done(&packing->zstd);
    buffer_done(&packing->chunks);
    free(packing);
}

/* The stream is made anew for each chunk, so that none refers to what lies before it. */
static bool deflate_chunk(struct metadata_packing *packing, size_t *ret_size, struct error *err)
{
    z_stream *zlib = &packing->zlib;
    const size_t most = deflateBound(zlib, packing->text.size) + 16;
    uint8_t *room = buffer_reserve(&packing->deflate, most);

    if (!room || most > UINT32_MAX)
        return error_set(err, FAULT_BUSY, "no memory to pack %zu bytes of metadata", packing->text.size);
    deflateReset(zlib);
    zlib->next_in = packing->text.data;
    zlib->avail_in = (uInt)packing->text.size;
    zlib->next_out = room;
    zlib->avail_out = (uInt)most;
    if (deflate(zlib, Z_SYNC_FLUSH) != Z_OK || zlib->avail_in > 0 || zlib->avail_out == 0)
        return error_set(err, FAULT_INTERNAL, "zlib left %u bytes", zlib->avail_in);
    *ret_size = most - zlib->avail_out;
    buffer_grew(&packing->deflate, *ret_size);
    return true;
}

static bool end_chunk(struct metadata_packing *packing, struct error *err)
{
    const struct bytes text = buffer_bytes(&packing->text);
    const size_t zstd_before = packing->zstd.size;
    struct metadata_chunk chunk = { .instances = packing->instances, .size = text.size };

    if (packing->instances == 0)
        return true;
    chunk.crc = (uint32_t)crc32_z(0, text.data, text.size);
    if (!deflate_chunk(packing, &chunk.deflate.size, err) ||
        !metadata_text_compress(text, ZSTD_LEVEL, &packing->zstd, err))
        return false;
    chunk.zstd.size = packing->zstd.size - zstd_before;
    buffer_append(&packing->chunks, bytes_of(&chunk, sizeof chunk));
    buffer_cut(&packing->text, 0);
    packing->instances = 0;
    return buffer_check(&packing->chunks, "a pack of metadata", err);
}

bool metadata_packing_add(struct metadata_packing *packing, uint64_t generation, struct bytes json,
                          struct error *err)
{
    if (packing->text.size > 0 && packing->text.size + 1 + json.size > METADATA_CHUNK_BYTES &&
        !end_chunk(packing, err))
        return false;
    if (packing->text.size > 0)
        buffer_append_byte(&packing->text, ',');
    splice_text(&packing->text, json, JSON_BASE_MARK, packing->base);
    packing->instances++;
    metadata_version_add(&packing->version, generation);
    return buffer_check(&packing->text, "metadata under the public base", err);
}

size_t metadata_packing_size(const struct metadata_packing *packing)
{
    return packing->deflate.size + packing->zstd.size;
}

bool metadata_packing_end(struct metadata_packing *packing, const struct metadata_pack **ret,
                          struct error *err)
{
    if (!end_chunk(packing, err))
        return false;
    const size_t count = packing->chunks.size / sizeof(struct metadata_chunk);
    const size_t size = metadata_packing_size(packing);
    struct counted_pack *pack = pack_new(count, err);

    if (!pack)
        return false;
    if (!block_take_exact(size, &pack->body, err)) {
        free(pack);
        return false;
    }
    uint8_t *room = block_room(pack->body, NULL);
    if (count > 0) {
        memcpy(pack->chunks, packing->chunks.data, packing->chunks.size);
        memcpy(room, packing->deflate.data, packing->deflate.size);
        memcpy(room + packing->deflate.size, packing->zstd.data, packing->zstd.size);
    }
    block_seal(pack->body, size);
    pack->pack.version = packing->version;
    sum_up(pack);
    if (!point_into_body(pack))
        abort();
    *ret = &pack->pack;
    return true;
}

/* ── as the catalog's rows have it ── */

static void put_number(struct buffer *into, uint64_t number, size_t width)
{
    number = htole64(number);
    buffer_append(into, bytes_of(&number, width));
}

static uint64_t get_number(const uint8_t **at, size_t width)
{
    uint64_t number = 0;

    memcpy(&number, *at, width);
    *at += width;
    return le64toh(number);
}

void metadata_pack_write_directory(const struct metadata_pack *pack, struct buffer *into)
{
    put_number(into, pack->version.sums[0], 8);
    put_number(into, pack->version.sums[1], 8);
    for (size_t i = 0; i < pack->count; i++) {
        const struct metadata_chunk *chunk = &pack->chunks[i];
        put_number(into, chunk->instances, 4);
        put_number(into, chunk->crc, 4);
        put_number(into, chunk->size, 8);
        put_number(into, chunk->deflate.size, 8);
        put_number(into, chunk->zstd.size, 8);
    }
}

static bool not_sound(struct counted_pack *pack, struct error *err)
{
    metadata_pack_unref(&pack->pack);
    return error_set(err, FAULT_DISK, "catalog: a pack of metadata is not sound");
}

bool metadata_pack_read(struct bytes directory, struct bytes body, const struct metadata_pack **ret,
                        struct error *err)
{
    const uint8_t *at = directory.data;

    if (directory.size < DIRECTORY_HEAD || (directory.size - DIRECTORY_HEAD) % DIRECTORY_ENTRY != 0)
        return error_set(err, FAULT_DISK, "catalog: a pack of metadata is not sound");
    struct counted_pack *pack = pack_new((directory.size - DIRECTORY_HEAD) / DIRECTORY_ENTRY, err);
    if (!pack)
        return false;
    pack->pack.version.sums[0] = get_number(&at, 8);
    pack->pack.version.sums[1] = get_number(&at, 8);
    for (size_t i = 0; i < pack->pack.count; i++) {
        struct metadata_chunk *chunk = &pack->chunks[i];
        chunk->instances = (uint32_t)get_number(&at, 4);
        chunk->crc = (uint32_t)get_number(&at, 4);
        chunk->size = get_number(&at, 8);
        chunk->deflate.size = get_number(&at, 8);
        chunk->zstd.size = get_number(&at, 8);
        if (chunk->size == 0 || chunk->size > 2 * (uint64_t)METADATA_TEXT_MOST)
            return not_sound(pack, err);
    }
    sum_up(pack);
    if (!block_take_exact(body.size, &pack->body, err)) {
        free(pack);
        return false;
    }
    if (body.size > 0)
        memcpy(block_room(pack->body, NULL), body.data, body.size);
    block_seal(pack->body, body.size);
    if (!point_into_body(pack))
        return not_sound(pack, err);
    *ret = &pack->pack;
    return true;
}
