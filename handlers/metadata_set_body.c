/* handlers/metadata_set_body.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Packs of metadata, joined:
 *
 *   identity   [ │ text of chunk 0 │ , │ text of chunk 1 │ … │ ]
 *   gzip       head │ stored "[" │ deflate of chunk 0 │ stored "," │ … │ stored "]", final │ CRC-32, size
 *   zstd       frame of "[" │ frame of chunk 0 │ frame of "," │ … │ frame of "]"
 *
 * The gzip form is one member, since browsers pass over what stands behind the first. A zstd stream of
 * several frames is one to its decoders.
 */
#include "handlers/metadata_body.h"

#include "base/block.h"
#include "storage/metadata_text.h"

/* ── joined by copying ── */

/* Views of constants and of the packs, one behind the other. */
struct joined {
    struct arena *arena;
    struct body_source **parts;
    size_t count;
};

static void join(struct joined *joined, struct bytes piece)
{
    joined->parts[joined->count++] = body_of_bytes(joined->arena, piece);
}

static struct bytes gzip_trailer(struct arena *arena, const struct metadata_set *set)
{
    const uint64_t size = set->text_size + 2; /* the brackets; only the lower half of it is kept */
    uint8_t *trailer = arena_alloc(arena, 8);

    for (unsigned i = 0; i < 4; i++) {
        trailer[i] = (uint8_t)(set->crc >> 8 * i);
        trailer[4 + i] = (uint8_t)(size >> 8 * i);
    }
    return bytes_of(trailer, 8);
}

static struct body_source *joined_body(struct arena *arena, const struct metadata_set *set, bool gzip)
{
    /* Head and the stored blocks of one byte: not final, length, its complement, the byte. */
    static const uint8_t gzip_open[] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 0, 1, 0, 0xfe, 0xff, '[' };
    static const uint8_t gzip_comma[] = { 0, 1, 0, 0xfe, 0xff, ',' };
    static const uint8_t gzip_close[] = { 1, 1, 0, 0xfe, 0xff, ']' };
    /* Magic, a single segment of one byte, one last raw block of one byte. */
    static const uint8_t zstd_open[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x20, 1, 9, 0, 0, '[' };
    static const uint8_t zstd_comma[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x20, 1, 9, 0, 0, ',' };
    static const uint8_t zstd_close[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x20, 1, 9, 0, 0, ']' };
    struct joined joined = { .arena = arena };

    joined.parts = arena_array(arena, 2 * set->chunks + 3, sizeof(*joined.parts));
    join(&joined, gzip ? bytes_of(gzip_open, sizeof(gzip_open)) : bytes_of(zstd_open, sizeof(zstd_open)));
    for (size_t i = 0; i < set->count; i++)
        for (size_t n = 0; n < set->packs[i]->count; n++) {
            if (joined.count > 1)
                join(&joined, gzip ? bytes_of(gzip_comma, sizeof(gzip_comma))
                                   : bytes_of(zstd_comma, sizeof(zstd_comma)));
            const struct metadata_chunk *chunk = &set->packs[i]->chunks[n];
            join(&joined, gzip ? chunk->deflate : chunk->zstd);
        }
    join(&joined, gzip ? bytes_of(gzip_close, sizeof(gzip_close)) : bytes_of(zstd_close, sizeof(zstd_close)));
    if (gzip)
        join(&joined, gzip_trailer(arena, set));
    return body_chain(arena, joined.parts, joined.count);
}

/* ── expanded ── */

enum {
    EXPANDED_AT_ONCE = 1024 * 1024 /* bytes of text, some 100 us; the instance of a longer chunk is a giant */
};

/* A chunk is expanded when its turn comes, which takes less than sending it: so an I/O thread may do it. */
struct expanded {
    struct body_source source; /* first: the two are one */
    const struct metadata_set *set;
    size_t pack, chunk;  /* the next one */
    struct block *block; /* the one under way */
    struct bytes left;
    bool begun, ended;
};

static void expanded_close(void *closed)
{
    struct expanded *expanded = closed;

    block_unref(expanded->block);
    metadata_set_unref(expanded->set);
}

/* NULL: no more. */
static const struct metadata_chunk *next_chunk(struct expanded *expanded)
{
    const struct metadata_set *set = expanded->set;

    while (expanded->pack < set->count && expanded->chunk == set->packs[expanded->pack]->count) {
        expanded->pack++;
        expanded->chunk = 0;
    }
    return expanded->pack < set->count ? &set->packs[expanded->pack]->chunks[expanded->chunk] : NULL;
}

/* The bracket or comma before it, and the chunk. */
static bool expand(struct expanded *expanded, const struct metadata_chunk *chunk, uint8_t *room,
                   struct error *err)
{
    room[0] = expanded->begun ? ',' : '[';
    if (!metadata_text_expand_into(chunk->zstd, room + 1, (size_t)chunk->size, err))
        return false;
    expanded->begun = true;
    expanded->chunk++;
    return true;
}

/* The next chunk into a block, or the closing bracket. */
static bool advance(struct expanded *expanded, struct error *err)
{
    const struct metadata_chunk *chunk = next_chunk(expanded);
    struct block *block = NULL;

    if (!chunk) {
        expanded->ended = true;
        expanded->left = bytes_of_text(expanded->begun ? "]" : "[]");
        return true;
    }
    if (!block_take((size_t)chunk->size + 1, &block, err))
        return error_while(err, "expanding metadata");
    if (!expand(expanded, chunk, block_room(block, NULL), err)) {
        block_unref(block);
        return false;
    }
    block_seal(block, (size_t)chunk->size + 1);
    block_unref(expanded->block);
    expanded->block = block;
    expanded->left = block_bytes(block);
    return true;
}

static bool expanded_read(struct body_source *source, void *into, size_t capacity, enum patience patience,
                          size_t *ret_size, struct error *err)
{
    struct expanded *expanded = (struct expanded *)source;
    size_t filled = 0;

    while (filled < capacity) {
        const size_t room = capacity - filled;
        const struct metadata_chunk *chunk = expanded->left.size == 0 ? next_chunk(expanded) : NULL;
        if (chunk && chunk->size > EXPANDED_AT_ONCE && patience == MUST_NOT_WAIT) {
            if (filled == 0)
                return error_set(err, FAULT_WOULD_WAIT, "expanding metadata");
            break;
        }
        if (chunk && chunk->size < room) { /* straight to where it is wanted */
            if (!expand(expanded, chunk, (uint8_t *)into + filled, err))
                return false;
            filled += (size_t)chunk->size + 1;
            continue;
        }
        if (expanded->left.size == 0) {
            if (expanded->ended)
                break;
            if (!advance(expanded, err))
                return false;
        }
        const size_t size = expanded->left.size < room ? expanded->left.size : room;
        memcpy((uint8_t *)into + filled, expanded->left.data, size);
        expanded->left = bytes_from(expanded->left, size);
        filled += size;
    }
    *ret_size = filled;
    return true;
}

/* Of a range: whole chunks before it are passed over as they are. */
static bool expanded_skip(struct body_source *source, uint64_t size, enum patience patience,
                          uint64_t *ret_skipped, struct error *err)
{
    struct expanded *expanded = (struct expanded *)source;
    const struct metadata_chunk *chunk = expanded->left.size == 0 ? next_chunk(expanded) : NULL;

    if (chunk && chunk->size + 1 <= size) {
        expanded->begun = true;
        expanded->chunk++;
        *ret_skipped = chunk->size + 1;
        return true;
    }
    if (chunk && chunk->size > EXPANDED_AT_ONCE && patience == MUST_NOT_WAIT)
        return error_set(err, FAULT_WOULD_WAIT, "expanding metadata");
    if (expanded->left.size == 0 && !expanded->ended && !advance(expanded, err))
        return false;
    const size_t step = expanded->left.size < size ? expanded->left.size : (size_t)size;
    expanded->left = bytes_from(expanded->left, step);
    *ret_skipped = step;
    return true;
}

static struct body_source *expanded_body(struct arena *arena, const struct metadata_set *taken)
{
    struct expanded *expanded = arena_alloc(arena, sizeof(*expanded));

    *expanded = (struct expanded){
        .source = { .size = taken->text_size + 2, .read = expanded_read, .skip = expanded_skip }, .set = taken
    };
    arena_defer(arena, expanded_close, expanded);
    return &expanded->source;
}

static void unref_set(void *set)
{
    metadata_set_unref(set);
}

struct body_source *metadata_set_body(struct arena *arena, const struct metadata_set *taken,
                                      enum content_coding coding)
{
    if (coding == CODING_IDENTITY)
        return expanded_body(arena, taken);
    arena_defer(arena, unref_set, (void *)(uintptr_t)taken);
    return joined_body(arena, taken, coding == CODING_GZIP);
}
