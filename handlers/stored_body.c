/* handlers/stored_body.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Bodies out of stored files; see stored_body.h.
 */
#include "handlers/stored_body.h"

#include <inttypes.h>

#include "codec/codec.h"
#include "dicom/inflated.h"

enum { UNIT_MOST = 8 };

/* ── pieces of text and file, as a plan has them ── */

struct pieces_source {
    struct body_source source; /* first: the two are one */
    struct store_reader *reader;
    struct bytes text;
    const struct rewrite_piece *pieces;
    size_t count, at;
    uint64_t done; /* of the piece at `at` */
    struct rewrite_piece only;
    struct bytes inflated; /* not empty: what the file has behind `inflated_from`, inflated */
    uint64_t inflated_from;
};

static bool read_stored(struct pieces_source *self, uint64_t offset, uint8_t *into, size_t size,
                        enum patience patience, struct error *err)
{
    if (!self->inflated.data)
        return store_reader_read(self->reader, offset, into, size, patience, err);
    memcpy(into, self->inflated.data + (offset - self->inflated_from), size);
    return true;
}

static void turn_round(uint8_t *data, size_t size, unsigned unit)
{
    if (unit > 1)
        codec_swap_bytes(data, size, 8 * unit);
}

/* From the middle of a unit, or into room for less than one. */
static bool read_in_unit(struct pieces_source *self, const struct rewrite_piece *piece, uint8_t *into,
                         size_t capacity, enum patience patience, size_t *ret_size, struct error *err)
{
    uint8_t number[UNIT_MOST];
    const size_t inside = (size_t)(self->done % piece->unit);
    const uint64_t start = self->done - inside, left = piece->size - start;
    const size_t whole = left < piece->unit ? (size_t)left : piece->unit;
    const size_t size = whole - inside < capacity ? whole - inside : capacity;

    if (!read_stored(self, piece->offset + start, number, whole, patience, err))
        return false;
    if (whole == piece->unit)
        turn_round(number, whole, piece->unit);
    memcpy(into, number + inside, size);
    *ret_size = size;
    return true;
}

static bool read_piece(struct pieces_source *self, uint8_t *into, size_t capacity, enum patience patience,
                       size_t *ret_size, struct error *err)
{
    const struct rewrite_piece *piece = &self->pieces[self->at];
    const uint64_t left = piece->size - self->done;
    size_t size = left < capacity ? (size_t)left : capacity;

    if (piece->unit == 0) {
        memcpy(into, self->text.data + piece->offset + self->done, size);
    } else {
        if (piece->unit > 1) {
            if (size < piece->unit || self->done % piece->unit)
                return read_in_unit(self, piece, into, size, patience, ret_size, err);
            size -= size % piece->unit;
        }
        if (!read_stored(self, piece->offset + self->done, into, size, patience, err))
            return false;
        turn_round(into, size, piece->unit);
    }
    *ret_size = size;
    return true;
}

static bool pieces_read(struct body_source *source, void *into, size_t capacity, enum patience patience,
                        size_t *ret_size, struct error *err)
{
    struct pieces_source *self = (struct pieces_source *)source;
    size_t total = 0;

    while (total < capacity && self->at < self->count) {
        size_t size = 0;

        if (!read_piece(self, (uint8_t *)into + total, capacity - total, patience, &size, err)) {
            if (err->fault != FAULT_WOULD_WAIT || total == 0)
                return false;
            error_clear(err);
            break;
        }
        total += size;
        self->done += size;
        if (self->done == self->pieces[self->at].size) {
            self->at++;
            self->done = 0;
        }
    }
    *ret_size = total;
    return true;
}

static bool pieces_skip(struct body_source *source, uint64_t size, enum patience patience,
                        uint64_t *ret_skipped, struct error *err)
{
    struct pieces_source *self = (struct pieces_source *)source;
    uint64_t total = 0;

    (void)patience, (void)err;
    while (total < size && self->at < self->count) {
        const uint64_t left = self->pieces[self->at].size - self->done;
        const uint64_t step = left < size - total ? left : size - total;

        self->done += step;
        total += step;
        if (step == left) {
            self->at++;
            self->done = 0;
        }
    }
    *ret_skipped = total;
    return true;
}

struct body_source *stored_body_turned(struct arena *arena, struct store_reader *reader, struct extent extent,
                                       unsigned unit)
{
    struct pieces_source *self = arena_alloc(arena, sizeof *self);

    self->source = (struct body_source){ extent.size, pieces_read, pieces_skip };
    self->reader = reader;
    self->only = (struct rewrite_piece){ extent.offset, extent.size, (uint8_t)unit };
    self->pieces = &self->only;
    self->count = extent.size > 0;
    return &self->source;
}

/* ── inflated ── */

struct inflated_source {
    struct body_source source; /* first: the two are one */
    struct inflated *inflated;
    uint64_t before, left; /* to be dropped; to be given, or BODY_SIZE_UNKNOWN */
};

static bool read_file(void *reader, uint64_t offset, void *into, size_t size, struct error *err)
{
    return store_reader_read(reader, offset, into, size, MAY_WAIT, err);
}

static bool inflated_source_read(struct body_source *source, void *into, size_t capacity,
                                 enum patience patience, size_t *ret_size, struct error *err)
{
    struct inflated_source *self = (struct inflated_source *)source;
    uint8_t dropped[4096];

    if (patience == MUST_NOT_WAIT)
        return error_set(err, FAULT_WOULD_WAIT, "inflating");
    while (self->before > 0) {
        size_t size = self->before < sizeof dropped ? (size_t)self->before : sizeof dropped;

        if (!inflated_read(self->inflated, dropped, size, &size, err))
            return false;
        if (size == 0)
            return error_set(err, FAULT_CORRUPT_PIXELS, "the deflated data set ends %" PRIu64 " bytes early",
                             self->before);
        self->before -= size;
    }
    if (capacity > self->left)
        capacity = (size_t)self->left;
    if (!inflated_read(self->inflated, into, capacity, ret_size, err))
        return false;
    if (self->left != BODY_SIZE_UNKNOWN)
        self->left -= *ret_size;
    return true;
}

static void drop_block(void *block)
{
    block_unref(*(struct block **)block);
}

static void close_inflated(void *inflated)
{
    inflated_close(inflated);
}

bool stored_body_inflated(struct arena *arena, struct store_reader *reader, uint64_t data_set_offset,
                          uint64_t file_size, struct extent extent, struct body_source **ret,
                          struct error *err)
{
    struct inflated_source *self = arena_alloc(arena, sizeof *self);

    if (!inflated_open(read_file, reader, data_set_offset, file_size, &self->inflated, err))
        return false;
    arena_defer(arena, close_inflated, self->inflated);
    self->source = (struct body_source){ extent.size, inflated_source_read, NULL };
    self->before = extent.offset;
    self->left = extent.size;
    *ret = &self->source;
    return true;
}

/* ── written anew ── */

static void free_rewrite(void *rewrite)
{
    rewrite_free(rewrite);
}

/* What is wrong with the file is no fault of who asks for it. */
static bool plan(const struct rewrite_source *source, enum transfer_syntax to, struct rewrite **ret,
                 struct error *err)
{
    if (rewrite_plan(source, to, ret, err))
        return true;
    if (err->fault == FAULT_NOT_DICOM)
        err->fault = FAULT_CORRUPT_OBJECT;
    return false;
}

bool stored_body_rewritten(struct arena *arena, struct store_reader *reader,
                           const struct instance_record *record, struct body_source **ret, struct error *err)
{
    const struct rewrite_source source = {
        .read = read_file,
        .reader = reader,
        .file_size = record->file_size,
        .syntax = record->syntax,
        .data_set_offset = record->data_set_offset,
        .sop_class = record->sop_class,
        .sop_instance = record->key.instance,
        .shape = &record->shape,
    };
    struct pieces_source *self = arena_alloc(arena, sizeof *self);
    struct rewrite *rewrite = NULL;

    if (!plan(&source, SYNTAX_EXPLICIT_LE, &rewrite, err))
        return false;
    arena_defer(arena, free_rewrite, rewrite);
    self->source = (struct body_source){ rewrite->size, pieces_read, pieces_skip };
    self->reader = reader;
    self->text = block_bytes(rewrite->text);
    self->pieces = rewrite->pieces;
    self->count = rewrite->count;
    *ret = &self->source;
    if (record->syntax == SYNTAX_IMPLICIT_LE || record->syntax == SYNTAX_EXPLICIT_BE)
        return true;

    struct body_source *both[2] = { &self->source, NULL };
    const struct extent all = { 0, BODY_SIZE_UNKNOWN };
    if (!stored_body_inflated(arena, reader, rewrite->data_set_offset, record->file_size, all, &both[1], err))
        return false;
    *ret = body_chain(arena, both, COUNT_OF(both));
    return true;
}

static struct body_source *pieces_of(struct arena *arena, const struct pieces_source *of,
                                     const struct rewrite *rewrite, size_t from, size_t to)
{
    struct pieces_source *self = arena_alloc(arena, sizeof *self);
    uint64_t size = 0;

    *self = *of;
    for (size_t i = from; i < to; i++)
        size += rewrite->pieces[i].size;
    self->source = (struct body_source){ size, pieces_read, pieces_skip };
    self->text = block_bytes(rewrite->text);
    self->pieces = rewrite->pieces + from;
    self->count = to - from;
    return &self->source;
}

bool stored_body_headed(struct arena *arena, struct store_reader *reader,
                        const struct instance_record *record, struct body_source **ret, struct error *err)
{
    const struct rewrite_source source = {
        .read = read_file,
        .reader = reader,
        .file_size = record->file_size,
        .syntax = SYNTAX_EXPLICIT_LE, /* of which the head alone is written */
        .syntax_uid = record->syntax_uid.text,
        .data_set_offset = record->data_set_offset,
        .sop_class = record->sop_class,
        .sop_instance = record->key.instance,
        .shape = &record->shape,
    };
    const struct pieces_source of = { .reader = reader };
    struct body_source *both[2];
    struct rewrite *rewrite = NULL;

    if (!plan(&source, SYNTAX_EXPLICIT_LE, &rewrite, err))
        return false;
    arena_defer(arena, free_rewrite, rewrite);
    const struct extent rest = { rewrite->data_set_offset, record->file_size - rewrite->data_set_offset };
    both[0] = pieces_of(arena, &of, rewrite, 0, rewrite->count);
    both[1] = stored_body_turned(arena, reader, rest, 1);
    *ret = body_chain(arena, both, COUNT_OF(both));
    return true;
}

/* ── a deflated file as if it were none ── */

enum { INFLATED_FIRST_BYTES = 1024 * 1024 };

/* All of its data set in a block that ends with `arena`. TOO_LARGE: over `ceiling_bytes`. */
static bool inflate_all(struct arena *arena, struct store_reader *reader,
                        const struct instance_record *record, uint64_t ceiling_bytes, struct bytes *ret,
                        struct error *err)
{
    const struct extent all = { 0, BODY_SIZE_UNKNOWN };
    struct body_source *source = NULL;
    struct block **held = arena_alloc(arena, sizeof(struct block *));
    size_t capacity = INFLATED_FIRST_BYTES, size = 0, more = 1;

    if (!stored_body_inflated(arena, reader, record->data_set_offset, record->file_size, all, &source, err) ||
        !block_take(capacity, held, err))
        return false;
    arena_defer(arena, drop_block, held);
    while (more > 0) {
        if (size == capacity) {
            struct block *larger = NULL;
            if (capacity >= (ceiling_bytes ? ceiling_bytes : CODEC_CEILING_BYTES))
                return error_tell(err, FAULT_TOO_LARGE,
                                  "The deflated data set is larger than is inflated to be written anew.");
            if (!block_take(2 * capacity, &larger, err))
                return false;
            memcpy(block_room(larger, NULL), block_room(*held, NULL), size);
            block_unref(*held);
            *held = larger;
            capacity *= 2;
        }
        if (!source->read(source, block_room(*held, NULL) + size, capacity - size, MAY_WAIT, &more, err))
            return false;
        size += more;
    }
    block_seal(*held, size);
    *ret = block_bytes(*held);
    return true;
}

/* The file's head, and behind it the data set as it was before it was deflated. */
static bool read_as_inflated(void *of, uint64_t offset, void *into, size_t size, struct error *err)
{
    struct pieces_source *self = of;
    const uint64_t from = self->inflated_from;
    const size_t head = offset >= from ? 0 : from - offset < size ? (size_t)(from - offset) : size;

    if (head > 0 && !store_reader_read(self->reader, offset, into, head, MAY_WAIT, err))
        return false;
    if (head < size)
        memcpy((uint8_t *)into + head, self->inflated.data + (offset + head - from), size - head);
    return true;
}

bool stored_body_around_pixels(struct arena *arena, struct store_reader *reader,
                               const struct instance_record *record, enum transfer_syntax to,
                               const struct rewrite_source *with, uint64_t ceiling_bytes,
                               struct body_source **ret_before, struct body_source **ret_behind,
                               struct error *err)
{
    struct pieces_source *of = arena_alloc(arena, sizeof *of);
    struct rewrite_source source = {
        .read = read_file,
        .reader = reader,
        .file_size = record->file_size,
        .syntax = record->syntax,
        .data_set_offset = record->data_set_offset,
        .sop_class = record->sop_class,
        .sop_instance = with->sop_instance,
        .shape = &record->shape,
        .pixels_apart = true,
        .changes = with->changes,
        .change_count = with->change_count,
        .frame_type = with->frame_type,
        .frames = with->frames,
    };
    struct rewrite *rewrite = NULL;

    of->reader = reader;
    if (record->syntax == SYNTAX_DEFLATED_LE) {
        if (!inflate_all(arena, reader, record, ceiling_bytes, &of->inflated, err))
            return false;
        of->inflated_from = record->data_set_offset;
        source.read = read_as_inflated;
        source.reader = of;
        source.file_size = record->data_set_offset + of->inflated.size;
        source.syntax = SYNTAX_EXPLICIT_LE;
    }
    if (!plan(&source, to, &rewrite, err))
        return false;
    arena_defer(arena, free_rewrite, rewrite);
    *ret_before = pieces_of(arena, of, rewrite, 0, rewrite->pixels_at);
    *ret_behind = pieces_of(arena, of, rewrite, rewrite->pixels_at, rewrite->count);
    return true;
}

/* ── in memory ── */

bool stored_body_gather(struct body_source *source, struct block **ret, struct error *err)
{
    struct block *block = NULL;
    size_t filled = 0;

    if (source->size > SIZE_MAX / 2)
        return error_set(err, FAULT_TOO_LARGE, "%" PRIu64 " bytes in one block", source->size);
    if (!block_take((size_t)source->size, &block, err))
        return false;
    while (filled < source->size) {
        size_t size = 0;

        if (!source->read(source, block_room(block, NULL) + filled, (size_t)source->size - filled, MAY_WAIT,
                          &size, err)) {
            block_unref(block);
            return false;
        }
        if (size == 0) {
            block_unref(block);
            return error_set(err, FAULT_CORRUPT_PIXELS, "%zu of %" PRIu64 " bytes are there", filled,
                             source->size);
        }
        filled += size;
    }
    block_seal(block, filled);
    *ret = block;
    return true;
}
