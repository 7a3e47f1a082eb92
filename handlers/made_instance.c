/* handlers/made_instance.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * A whole instance in another transfer syntax.
 *
 *   ┌ plan (dicom/rewrite.h) ─────────┐┌ pixel data ─────────────────────────────────┐┌ plan ──────┐
 *   │ meta, elements before the pixels ││ head │ [table] │ [item] frame │ [item] frame … ││ those behind │
 *   └─────────────────────────────────┘└─────────────────────────────────────────────┘└────────────┘
 *                                         native: frames alone; encapsulated: items, and a delimiter
 */
#include "handlers/made_instance.h"

#include <inttypes.h>
#include <stdio.h>

#include "dicom/tag.h"
#include "handlers/made_changes.h"
#include "handlers/made_frame.h"
#include "handlers/stored_body.h"

enum {
    HEAD_BYTES = 12 + 8, /* of the element, of the offset table's item */
    ITEM_BYTES = 8
};

/* ── the pixel data element ── */

struct pixels_source {
    struct body_source source; /* first: the two are one */
    const struct service *service;
    const struct request *request;
    const struct instance_record *record;
    struct store_reader *reader;
    enum transfer_syntax to;
    uint32_t next, count; /* frames, from 1 */
    bool encapsulated, bare, ended;
    uint64_t written;      /* bytes of frames, for the padding */
    uint64_t frame_bits;   /* of native frames of bits that do not end on a byte; 0: they do */
    uint8_t carried;       /* of those: the bits of the last byte, */
    unsigned carried_bits; /* so many, that go out with the next frame */
    uint8_t head[HEAD_BYTES + ITEM_BYTES];
    struct bytes text; /* what of it is still to be sent */
    struct block *block;
    struct bytes data;
};

static void put_32(uint8_t *at, uint64_t value)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static void put_tag(uint8_t *at, uint32_t tag)
{
    put_32(at, tag >> 16 | tag << 16);
}

static void drop_pixels(void *dropped)
{
    block_unref(((struct pixels_source *)dropped)->block);
}

/* A frame of bits behind the one before, without a gap (PS3.5 8.1.1). What does not fill a byte waits for the
 * next one, or for the end. */
static bool close_ranks(struct pixels_source *self, struct block **block, struct error *err)
{
    const struct bytes frame = block_bytes(*block);
    const uint64_t bits = self->carried_bits + self->frame_bits;
    const bool last = self->next == self->count;
    const size_t size = (size_t)(last ? (bits + 7) / 8 : bits / 8);
    struct block *joined = NULL;
    unsigned held = self->carried;

    if (!block_take(size + 1, &joined, err))
        return false;
    uint8_t *into = block_room(joined, NULL);
    for (size_t i = 0; i < frame.size; i++) {
        held |= (unsigned)frame.data[i] << self->carried_bits;
        if (i < size + 1)
            into[i] = (uint8_t)held;
        held >>= 8;
    }
    if (frame.size < size + 1)
        into[frame.size] = (uint8_t)held;
    self->carried = last ? 0 : into[size];
    self->carried_bits = (unsigned)(bits % 8);
    block_seal(joined, size);
    block_unref(*block);
    *block = joined;
    return true;
}

static bool next_frame(struct pixels_source *self, enum patience patience, struct error *err)
{
    struct block *block = NULL;

    if (!made_frame(self->service, self->request, self->record, self->next, self->to, self->reader, patience,
                    &block, err))
        return false;
    if (self->frame_bits && !close_ranks(self, &block, err)) {
        block_unref(block);
        return false;
    }
    block_unref(self->block);
    self->block = block;
    self->data = block_bytes(block);
    self->next++;
    self->written += self->data.size;
    if (self->encapsulated) {
        put_tag(self->head, 0xFFFEE000);
        put_32(self->head + 4, self->data.size + self->data.size % 2);
        self->text = bytes_of(self->head, ITEM_BYTES);
    }
    return true;
}

/* Items are of even length, and so is native pixel data as a whole. */
static void pad(struct pixels_source *self)
{
    static const uint8_t zero[1];
    if (self->bare)
        return;
    const uint64_t size = self->encapsulated         ? block_bytes(self->block).size
                          : self->next > self->count ? self->written
                                                     : 0;

    if (size % 2)
        self->text = bytes_of(zero, 1);
}

static void end_pixels(struct pixels_source *self)
{
    self->ended = true;
    if (!self->encapsulated)
        return;
    put_tag(self->head, 0xFFFEE0DD);
    put_32(self->head + 4, 0);
    self->text = bytes_of(self->head, ITEM_BYTES);
}

static size_t take(struct bytes *from, uint8_t *into, size_t capacity)
{
    const size_t size = from->size < capacity ? from->size : capacity;

    if (size > 0)
        memcpy(into, from->data, size);
    *from = bytes_from(*from, size);
    return size;
}

/* head │ (item head │ data │ padding) … │ end */
static bool pixels_read(struct body_source *source, void *into, size_t capacity, enum patience patience,
                        size_t *ret_size, struct error *err)
{
    struct pixels_source *self = (struct pixels_source *)source;
    size_t total = 0;

    while (total < capacity) {
        if (self->text.size > 0) {
            total += take(&self->text, (uint8_t *)into + total, capacity - total);
        } else if (self->data.size > 0) {
            total += take(&self->data, (uint8_t *)into + total, capacity - total);
            if (self->data.size == 0)
                pad(self);
        } else if (self->next <= self->count) {
            if (!next_frame(self, patience, err)) {
                if (err->fault != FAULT_WOULD_WAIT || total == 0)
                    return false;
                error_clear(err);
                break;
            }
        } else if (!self->ended) {
            end_pixels(self);
        } else {
            break;
        }
    }
    *ret_size = total;
    return true;
}

/* Of Bits Allocated 1, where a frame ends within a byte; else 0. */
static uint64_t bits_of_a_frame(const struct instance_record *record)
{
    const struct pixel_shape *shape = &record->shape;
    const uint64_t bits = (uint64_t)shape->rows * shape->columns * shape->samples_per_pixel;

    return shape->bits_allocated == 1 && bits % 8 ? bits : 0;
}

uint64_t made_pixels_size(const struct instance_record *record, uint32_t frames, uint64_t frame_bytes)
{
    const uint64_t bits = bits_of_a_frame(record);

    return bits ? (bits * frames + 7) / 8 : frame_bytes * frames;
}

static bool pixels_source(const struct service *service, const struct request *request,
                          const struct instance_record *record, enum transfer_syntax to,
                          const struct made_shape *made, struct store_reader *reader, struct arena *arena,
                          struct body_source **ret, struct error *err)
{
    const bool encapsulated = transfer_syntax_info(to)->encapsulated;
    const uint32_t frames = frame_table_count(record->frames);
    const uint64_t size = made_pixels_size(record, frames, made->frame_bytes), most = UINT32_MAX - 1;

    if (!encapsulated && size > most)
        return error_tell(err, FAULT_NOT_ACCEPTABLE,
                          "The pixels do not fit an uncompressed data set (NEG-32).");
    struct pixels_source *self = arena_alloc(arena, sizeof *self);
    *self = (struct pixels_source){
        .source = { encapsulated ? BODY_SIZE_UNKNOWN : 12 + size + size % 2, pixels_read, NULL },
        .service = service,
        .request = request,
        .record = record,
        .reader = reader,
        .to = to,
        .next = 1,
        .count = frames,
        .encapsulated = encapsulated,
        .frame_bits = encapsulated ? 0 : bits_of_a_frame(record),
    };
    arena_defer(arena, drop_pixels, self);
    put_tag(self->head, TAG_PIXEL_DATA);
    memcpy(self->head + 4, encapsulated || made->shape.bits_allocated <= 8 ? "OB\0\0" : "OW\0\0", 4);
    put_32(self->head + 8, encapsulated ? UINT32_MAX : size + size % 2);
    put_tag(self->head + 12, 0xFFFEE000);
    put_32(self->head + 16, 0);
    self->text = bytes_of(self->head, encapsulated ? HEAD_BYTES : 12);
    *ret = &self->source;
    return true;
}

struct body_source *made_pixels_body(const struct service *service, const struct request *request,
                                     const struct instance_record *record, struct store_reader *reader,
                                     uint64_t size, struct arena *arena)
{
    struct pixels_source *self = arena_alloc(arena, sizeof *self);

    *self = (struct pixels_source){
        .source = { size, pixels_read, NULL },
        .service = service,
        .request = request,
        .record = record,
        .reader = reader,
        .to = SYNTAX_EXPLICIT_LE,
        .next = 1,
        .count = frame_table_count(record->frames),
        .bare = true,
        .frame_bits = bits_of_a_frame(record),
    };
    arena_defer(arena, drop_pixels, self);
    return &self->source;
}

bool made_instance_body(const struct service *service, const struct request *request,
                        const struct instance_record *record, enum transfer_syntax to,
                        struct store_reader *reader, struct arena *arena, struct body_source **ret,
                        struct error *err)
{
    struct rewrite_source with = { .frames = 0 };
    struct body_source *parts[3] = { NULL, NULL, NULL };
    struct made_shape made;

    if (!record->frames || frame_table_count(record->frames) == 0)
        return error_tell(err, FAULT_NOT_ACCEPTABLE, "The frames of the instance cannot be told apart.");
    if (!made_frame_shape(service, request, record, to, reader, &made, err))
        return false;
    with.frames = frame_table_count(record->frames);
    made_changes(arena, record, to, &made, service->limits->lossy_uid_is_new, &with);
    return pixels_source(service, request, record, to, &made, reader, arena, &parts[1], err) &&
           stored_body_around_pixels(arena, reader, record, to, &with, service->limits->decode_ceiling_bytes,
                                     &parts[0], &parts[2], err) &&
           (*ret = body_chain(arena, parts, COUNT_OF(parts))) != NULL;
}
