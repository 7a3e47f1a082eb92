/* handlers/parts_body.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Bytes of stored files as a response body.
 *
 *   ┌─ head ─┬─ extent ─┬─ extent ─┐┌─ head ─┬─ extent ─┐ … ┌─ tail ─┐
 *   │  part 0: a frame in two      ││  part 1: a frame  │   │ --b--  │
 *   └────────┴──────────┴──────────┘└────────┴──────────┘   └────────┘
 *
 * The text of the head under way, and what a part that is made needs, live in a scratch arena that ends with
 * the part; an answer with one part, the usual one, does without. The first part is made at once, so that a
 * failure has a status; of the others one whose size only its making tells is made before its head is
 * written:
 *
 *   [MAKE ─►] TEXT ─► DATA ─► next part, or the tail's TEXT ─► END
 */
#include "handlers/parts_body.h"

#include <inttypes.h>

#include "http/multipart_writer.h"

enum stage { STAGE_MAKE, STAGE_TEXT, STAGE_DATA, STAGE_END };

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
    struct extent left;       /* of the extent under way */
    struct body_source *made; /* the bytes of a part that is made, once they are wanted */
    uint64_t passed;          /* bytes of such a part that went out or were skipped */
    uint64_t behind;          /* how many of them `made` has still to skip */

    struct store_reader *reader;
    uint64_t reader_generation;
};

static void parts_source_close(void *closed)
{
    struct parts_source *source = closed;

    arena_release(&source->own_scratch);
    if (source->reader != source->parts->held)
        store_reader_close(source->reader);
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
    source->made = NULL;
    if (source->scratch == &source->own_scratch)
        arena_release(&source->own_scratch);
    source->n = n;
    source->stage = STAGE_TEXT;
    source->extent_index = 0;
    source->left = (struct extent){ 0, 0 };
    source->passed = source->behind = 0;
    if (n == source->parts->count) {
        source->in_tail = true;
        source->text =
            source->boundary.data ? multipart_tail(source->scratch, source->boundary) : bytes_of(NULL, 0);
        return;
    }
    source->parts->describe(source->parts, n, source->scratch, &source->part);
    if (source->part.size == BODY_SIZE_UNKNOWN)
        source->stage = STAGE_MAKE;
    else
        source->text = part_head(source, n, &source->part);
}

static bool reader_at_part(struct parts_source *source, enum patience patience, struct error *err)
{
    if (source->reader && (source->parts->held || source->reader_generation == source->part.generation))
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

/* Files are open, the bytes of a part that is made at hand. */
static bool make_part(struct parts_source *source, enum patience patience, struct error *err)
{
    if (!reader_at_part(source, patience, err))
        return false;
    if (!source->part.made || source->made)
        return true;
    if (!source->parts->make(source->parts, source->n, source->reader, patience, source->scratch,
                             &source->part, &source->made, err))
        return false;
    if (source->part.size == BODY_SIZE_UNKNOWN)
        source->part.size = source->made->size;
    source->behind = source->passed;
    return true;
}

static bool read_made(struct parts_source *source, uint8_t *into, size_t capacity, enum patience patience,
                      size_t *ret_size, struct error *err)
{
    const uint64_t whole = source->part.size;

    if (whole != BODY_SIZE_UNKNOWN && capacity > whole - source->passed)
        capacity = (size_t)(whole - source->passed);
    *ret_size = 0;
    if (capacity == 0)
        return true;
    while (source->behind > 0) {
        uint64_t skipped = 0;
        if (!body_skip(source->made, source->behind, patience, &skipped, err))
            return false;
        if (skipped == 0)
            return error_set(err, FAULT_INTERNAL, "%" PRIu64 " bytes to skip in a part's rest",
                             source->behind);
        source->behind -= skipped;
    }
    if (!source->made->read(source->made, into, capacity, patience, ret_size, err))
        return false;
    if (*ret_size == 0 && whole != BODY_SIZE_UNKNOWN)
        return error_set(err, FAULT_INTERNAL, "a part of %" PRIu64 " bytes ends after %" PRIu64, whole,
                         source->passed);
    source->passed += *ret_size;
    return true;
}

static bool while_sending(const struct parts_source *source, struct error *err)
{
    return error_while(err, "sending part %zu of %zu, generation %" PRIu64, source->n + 1,
                       source->parts->count, source->part.generation);
}

/* One piece: of a text, of an extent, or nothing but the step to the next stage. */
static bool read_piece(struct parts_source *source, uint8_t *into, size_t capacity, enum patience patience,
                       size_t *ret_size, struct error *err)
{
    *ret_size = 0;
    if (source->stage == STAGE_MAKE) {
        if (!make_part(source, patience, err))
            return while_sending(source, err);
        source->text = part_head(source, source->n, &source->part);
        source->stage = STAGE_TEXT;
    }
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
    if (!make_part(source, patience, err) ||
        !(source->part.made ? read_made : read_extents)(source, into, capacity, patience, ret_size, err))
        return while_sending(source, err);
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
 * beginning. Only of a body whose size is known: nobody skips in another. */
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
        } else if (source->part.made) {
            const uint64_t left = source->part.size - source->passed;
            const uint64_t step = left < wanted ? left : wanted;
            source->passed += step;
            source->behind += source->made ? step : 0;
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
        if (source->stage == STAGE_MAKE) {
            size = BODY_SIZE_UNKNOWN;
            break;
        }
        size += source->text.size + (n < source->parts->count ? source->part.size : 0);
    }
    source->in_tail = false;
    return size;
}

/* A part alone knows its size once it is made. */
static bool measure_one(struct parts_source *source, const struct request *request, struct error *err)
{
    begin_part(source, 0);
    if (source->stage == STAGE_MAKE) {
        if (!make_part(source, request->patience, err))
            return while_sending(source, err);
        source->text = part_head(source, 0, &source->part);
        source->stage = STAGE_TEXT;
    }
    source->source.size = source->part.size;
    if (source->part.size != BODY_SIZE_UNKNOWN)
        source->source.size +=
            source->text.size +
            (source->boundary.data ? multipart_tail(request->arena, source->boundary).size : 0);
    return true;
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
        .reader = parts->held,
    };
    source->scratch = parts->count > 1 ? &source->own_scratch : request->arena;
    arena_defer(request->arena, parts_source_close, source);

    if (parts->count == 1) {
        if (!measure_one(source, request, err))
            return false;
    } else {
        source->source.size = measure(source);
        begin_part(source, 0);
    }
    if (!(request->method == METHOD_HEAD ? reader_at_part : make_part)(source, request->patience, err))
        return false;
    *ret = &source->source;
    return true;
}
