/* handlers/parts_body.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Bytes of stored files as a response body.
 *
 *   ┌─ head ─┬─ extent ─┬─ extent ─┐┌─ head ─┬─ extent ─┐ … ┌─ tail ─┐
 *   │  part 0: a frame in two      ││  part 1: a frame  │   │ --b--  │
 *   └────────┴──────────┴──────────┘└────────┴──────────┘   └────────┘
 *
 * The text of the head under way lives in a scratch arena that ends with its part; an answer with one part,
 * the usual one, does without.
 */
#include "handlers/parts_body.h"

#include <inttypes.h>

#include "http/multipart_writer.h"

enum stage { STAGE_TEXT, STAGE_DATA, STAGE_END };

struct parts_source {
    struct body_source source; /* first: the two are one */
    struct store *store;
    const struct parts *parts;
    struct bytes boundary; /* data NULL: one part, alone */
    struct arena own_scratch, *scratch;

    enum stage stage;
    struct bytes text; /* what is left of the head or tail */
    bool in_tail;
    size_t n; /* the part under way */
    struct part part;
    uint32_t extent_index;
    struct extent left;  /* of the extent under way */
    struct block *block; /* the bytes of a converted part */
    struct bytes block_left;
    uint64_t passed; /* bytes of a converted part that went out or were skipped */

    struct store_reader *reader;
    uint64_t reader_generation;
};

static void parts_source_close(void *closed)
{
    struct parts_source *source = closed;

    store_reader_close(source->reader);
    block_unref(source->block);
    arena_release(&source->own_scratch);
}

static struct bytes part_head(const struct parts_source *source, size_t n, const struct part *part)
{
    if (!source->boundary.data)
        return bytes_of(NULL, 0);
    return multipart_part_head(source->scratch, source->boundary, n == 0, part->media_type,
                               part->transfer_syntax, part->location, part->size);
}

static void begin_part(struct parts_source *source, size_t n)
{
    block_unref(TAKE(source->block));
    if (source->scratch == &source->own_scratch)
        arena_release(&source->own_scratch);
    source->n = n;
    source->stage = STAGE_TEXT;
    source->extent_index = 0;
    source->left = (struct extent){ 0, 0 };
    source->passed = 0;
    if (n == source->parts->count) {
        source->in_tail = true;
        source->text =
            source->boundary.data ? multipart_tail(source->scratch, source->boundary) : bytes_of(NULL, 0);
        return;
    }
    source->parts->describe(source->parts, n, source->scratch, &source->part);
    source->text = part_head(source, n, &source->part);
}

static bool reader_at_part(struct parts_source *source, enum patience patience, struct error *err)
{
    if (source->reader && source->reader_generation == source->part.generation)
        return true;
    struct store_reader *next = NULL;
    if (!store_reader_open(source->store, source->part.generation, patience, &next, err))
        return false;
    store_reader_close(source->reader);
    source->reader = next;
    source->reader_generation = source->part.generation;
    return true;
}

static void next_extent(struct parts_source *source)
{
    while (source->left.size == 0 && source->extent_index < source->part.extents)
        source->left = source->parts->extent(source->parts, source->n, source->extent_index++);
}

/* Of a part that is sent as it lies in the file. */
static bool read_extents(struct parts_source *source, uint8_t *into, size_t capacity, enum patience patience,
                         size_t *ret_size, struct error *err)
{
    next_extent(source);
    const size_t size = source->left.size < capacity ? (size_t)source->left.size : capacity;
    if (size > 0 && !store_reader_read(source->reader, source->left.offset, into, size, patience, err))
        return false;
    source->left.offset += size;
    source->left.size -= size;
    *ret_size = size;
    return true;
}

static bool read_converted(struct parts_source *source, uint8_t *into, size_t capacity,
                           enum patience patience, size_t *ret_size, struct error *err)
{
    if (!source->block) {
        if (patience == MUST_NOT_WAIT)
            return error_set(err, FAULT_WOULD_WAIT, "converting a part");
        if (!source->parts->convert(source->parts, source->n, source->reader, &source->block, err))
            return false;
        source->block_left = bytes_from(block_bytes(source->block), (size_t)source->passed);
    }
    const size_t size = source->block_left.size < capacity ? source->block_left.size : capacity;
    if (size > 0)
        memcpy(into, source->block_left.data, size);
    source->block_left = bytes_from(source->block_left, size);
    source->passed += size;
    *ret_size = size;
    return true;
}

/* One piece: of a text, of an extent, or nothing but the step to the next stage. */
static bool read_piece(struct parts_source *source, uint8_t *into, size_t capacity, enum patience patience,
                       size_t *ret_size, struct error *err)
{
    *ret_size = 0;
    if (source->stage == STAGE_TEXT) {
        const size_t size = source->text.size < capacity ? source->text.size : capacity;
        if (size > 0)
            memcpy(into, source->text.data, size);
        source->text = bytes_from(source->text, size);
        *ret_size = size;
        if (source->text.size == 0)
            source->stage = source->in_tail ? STAGE_END : STAGE_DATA;
        return true;
    }
    if (!reader_at_part(source, patience, err) || !(source->part.converted ? read_converted : read_extents)(
                                                      source, into, capacity, patience, ret_size, err))
        return error_while(err, "sending part %zu of %zu, generation %" PRIu64, source->n + 1,
                           source->parts->count, source->part.generation);
    if (*ret_size == 0)
        begin_part(source, source->n + 1);
    return true;
}

static bool parts_source_read(struct body_source *body, void *into, size_t capacity, enum patience patience,
                              size_t *ret_size, struct error *err)
{
    struct parts_source *source = (struct parts_source *)body;
    size_t total = 0;

    while (total < capacity && source->stage != STAGE_END) {
        size_t size = 0;

        if (!read_piece(source, (uint8_t *)into + total, capacity - total, patience, &size, err)) {
            if (err->fault != FAULT_WOULD_WAIT || total == 0)
                return false;
            error_clear(err); /* what was read so far is an answer */
            break;
        }
        total += size;
    }
    *ret_size = total;
    return true;
}

/* Whole parts are passed over by their size alone: a range at the end of a series reads nothing of its
 * beginning. */
static bool parts_source_skip(struct body_source *body, uint64_t size, enum patience patience,
                              uint64_t *ret_skipped, struct error *err)
{
    struct parts_source *source = (struct parts_source *)body;
    uint64_t total = 0;

    (void)patience;
    (void)err;
    while (total < size && source->stage != STAGE_END) {
        const uint64_t wanted = size - total;

        if (source->stage == STAGE_TEXT) {
            const size_t step = source->text.size < wanted ? source->text.size : (size_t)wanted;
            source->text = bytes_from(source->text, step);
            total += step;
            if (source->text.size == 0)
                source->stage = source->in_tail ? STAGE_END : STAGE_DATA;
        } else if (source->part.converted) {
            /* The bytes are not there yet: `passed` is taken off once they are. */
            const uint64_t left = source->part.size - source->passed;
            const uint64_t step = left < wanted ? left : wanted;
            source->passed += step;
            if (source->block)
                source->block_left = bytes_from(source->block_left, (size_t)step);
            total += step;
            if (step == left)
                begin_part(source, source->n + 1);
        } else {
            next_extent(source);
            const uint64_t step = source->left.size < wanted ? source->left.size : wanted;
            source->left.offset += step;
            source->left.size -= step;
            total += step;
            if (step == 0)
                begin_part(source, source->n + 1);
        }
    }
    *ret_skipped = total;
    return true;
}

/* The size of all, with heads and tail: they are made twice, here only to be measured. */
static uint64_t measure(struct parts_source *source)
{
    uint64_t size = 0;

    for (size_t n = 0; n <= source->parts->count; n++) {
        begin_part(source, n);
        size += source->text.size + (n < source->parts->count ? source->part.size : 0);
    }
    source->in_tail = false;
    return size;
}

bool parts_body(const struct service *service, const struct request *request, const struct parts *parts,
                struct bytes boundary, struct body_source **ret, struct error *err)
{
    struct parts_source *source = arena_alloc(request->arena, sizeof(*source));

    *source = (struct parts_source){
        .source = { .read = parts_source_read, .skip = parts_source_skip },
        .store = service->store,
        .parts = parts,
        .boundary = boundary,
    };
    source->scratch = parts->count > 1 ? &source->own_scratch : request->arena;
    arena_defer(request->arena, parts_source_close, source);

    if (parts->count == 1) {
        begin_part(source, 0);
        source->source.size = source->part.size + source->text.size +
                              (boundary.data ? multipart_tail(request->arena, boundary).size : 0);
    } else {
        source->source.size = measure(source);
        begin_part(source, 0);
    }
    if (!reader_at_part(source, request->patience, err))
        return false;
    *ret = &source->source;
    return true;
}

bool parts_body_gather(const struct parts *parts, size_t n, uint32_t extents, uint64_t size,
                       struct store_reader *reader, struct block **ret, struct error *err)
{
    struct block *block = NULL;
    size_t filled = 0;

    if (size > SIZE_MAX / 2)
        return error_set(err, FAULT_TOO_LARGE, "%" PRIu64 " bytes in one block", size);
    if (!block_take((size_t)size, &block, err))
        return false;
    for (uint32_t i = 0; i < extents; i++) {
        const struct extent extent = parts->extent(parts, n, i);

        if (extent.size > size - filled)
            break;
        if (!store_reader_read(reader, extent.offset, block_room(block, NULL) + filled, (size_t)extent.size,
                               MAY_WAIT, err)) {
            block_unref(block);
            return false;
        }
        filled += (size_t)extent.size;
    }
    if (filled != size) {
        block_unref(block);
        return error_set(err, FAULT_CORRUPT_PIXELS, "%zu of %" PRIu64 " bytes in the extents", filled, size);
    }
    *ret = block;
    return true;
}
