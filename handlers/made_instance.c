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

#include "dicom/rewrite.h"
#include "dicom/tag.h"
#include "handlers/made_frame.h"
#include "handlers/stored_body.h"

enum {
    TAG_DERIVATION_DESCRIPTION = 0x00082111,
    TAG_LOSSY_IMAGE_COMPRESSION = 0x00282110,
    TAG_LOSSY_IMAGE_COMPRESSION_RATIO = 0x00282112,
    TAG_LOSSY_IMAGE_COMPRESSION_METHOD = 0x00282114,
    CHANGES_MOST = 16,
    HEAD_BYTES = 12 + 8, /* of the element, of the offset table's item */
    ITEM_BYTES = 8
};

/* PS3.3 C.7.6.1.1.5.1 */
static const struct {
    enum transfer_syntax syntax;
    const char *method, *description;
} lossy_methods[] = {
    { SYNTAX_JPEG_BASELINE_8, "ISO_10918_1", "Lossy compression, JPEG" },
    { SYNTAX_JPEG_EXTENDED_12, "ISO_10918_1", "Lossy compression, JPEG" },
    { SYNTAX_JPEG_LS_NEAR_LOSSLESS, "ISO_14495_1", "Lossy compression, JPEG-LS" },
    { SYNTAX_JPEG_2000, "ISO_15444_1", "Lossy compression, JPEG 2000" },
    { SYNTAX_HTJ2K, "ISO_15444_15", "Lossy compression, HTJ2K" },
    { SYNTAX_JPEG_XL, "ISO_18181_1", "Lossy compression, JPEG XL" },
};

/* ── what describes the pixels ── */

static const char *photometric_text(enum photometric photometric)
{
    switch (photometric) {
    case RGB:
        return "RGB";
    case YBR_FULL:
        return "YBR_FULL";
    case YBR_FULL_422:
        return "YBR_FULL_422";
    case YBR_ICT:
        return "YBR_ICT";
    case YBR_RCT:
        return "YBR_RCT";
    default:
        return NULL; /* those never come of others */
    }
}

struct changes {
    struct arena *arena;
    struct rewrite_change list[CHANGES_MOST];
    size_t count;
};

static void change_text(struct changes *changes, uint32_t tag, const char *vr, const char *text,
                        const char *join)
{
    changes->list[changes->count++] = (struct rewrite_change){ tag, vr, bytes_of_text(text), join };
}

static void change_number(struct changes *changes, uint32_t tag, unsigned number)
{
    uint8_t *value = arena_alloc(changes->arena, 2);

    value[0] = (uint8_t)number;
    value[1] = (uint8_t)(number >> 8);
    changes->list[changes->count++] = (struct rewrite_change){ tag, "US", bytes_of(value, 2), NULL };
}

static void leave_out(struct changes *changes, uint32_t tag)
{
    changes->list[changes->count++] = (struct rewrite_change){ .tag = tag };
}

static const char *ratio_text(struct arena *arena, const struct pixel_shape *shape, uint64_t coded_bytes)
{
    /* Against the bits that are used, not against the cells that they lie in. */
    const double bits = (double)shape->rows * shape->columns * shape->samples_per_pixel * shape->bits_stored;

    return arena_printf(arena, "%.2f", coded_bytes ? bits / 8 / (double)coded_bytes : 1.0);
}

/* Ascending by tag. */
static void list_changes(struct changes *changes, const struct instance_record *record,
                         enum transfer_syntax to, const struct made_shape *made)
{
    const struct pixel_shape *was = &record->shape, *now = &made->shape;
    const char *method = NULL, *description = NULL;

    for (size_t i = 0; i < COUNT_OF(lossy_methods); i++)
        if (lossy_methods[i].syntax == to) {
            method = lossy_methods[i].method;
            description = lossy_methods[i].description;
        }
    if (description)
        change_text(changes, TAG_DERIVATION_DESCRIPTION, "ST", description, "; ");
    if (now->photometric != was->photometric && photometric_text(now->photometric))
        change_text(changes, TAG_PHOTOMETRIC_INTERPRETATION, "CS", photometric_text(now->photometric), NULL);
    if (now->samples_per_pixel > 1)
        change_number(changes, TAG_PLANAR_CONFIGURATION, now->planar);
    if (now->bits_stored != was->bits_stored) {
        change_number(changes, TAG_BITS_STORED, now->bits_stored);
        change_number(changes, TAG_HIGH_BIT, now->bits_stored - 1u);
    }
    if (method) {
        change_text(changes, TAG_LOSSY_IMAGE_COMPRESSION, "CS", "01", NULL);
        change_text(changes, TAG_LOSSY_IMAGE_COMPRESSION_RATIO, "DS",
                    ratio_text(changes->arena, now, made->frame_bytes), "\\");
        change_text(changes, TAG_LOSSY_IMAGE_COMPRESSION_METHOD, "CS", method, "\\");
    }
    leave_out(changes, TAG_EXTENDED_OFFSET_TABLE);
    leave_out(changes, TAG_EXTENDED_OFFSET_TABLE_LENGTHS);
}

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
    uint64_t written; /* bytes of frames, for the padding */
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

static bool next_frame(struct pixels_source *self, enum patience patience, struct error *err)
{
    struct block *block = NULL;

    if (!made_frame(self->service, self->request, self->record, self->next, self->to, self->reader, patience,
                    &block, err))
        return false;
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

static bool pixels_source(const struct service *service, const struct request *request,
                          const struct instance_record *record, enum transfer_syntax to,
                          const struct made_shape *made, struct store_reader *reader, struct arena *arena,
                          struct body_source **ret, struct error *err)
{
    const bool encapsulated = transfer_syntax_info(to)->encapsulated;
    const uint32_t frames = frame_table_count(record->frames);
    const uint64_t size = (uint64_t)frames * made->frame_bytes, most = UINT32_MAX - 1;

    /* Frames of bits stand one behind the other without a gap: ours begin on bytes. */
    const bool gaps = record->shape.bits_allocated == 1 && frames > 1 &&
                      (uint64_t)record->shape.rows * record->shape.columns % 8 != 0;

    if (!encapsulated && (size > most || gaps))
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
    };
    arena_defer(arena, drop_pixels, self);
    return &self->source;
}

bool made_instance_body(const struct service *service, const struct request *request,
                        const struct instance_record *record, enum transfer_syntax to,
                        struct store_reader *reader, struct arena *arena, struct body_source **ret,
                        struct error *err)
{
    struct changes *changes = arena_alloc(arena, sizeof *changes);
    struct body_source *parts[3] = { NULL, NULL, NULL };
    struct made_shape made;

    if (!record->frames || frame_table_count(record->frames) == 0)
        return error_tell(err, FAULT_NOT_ACCEPTABLE, "The frames of the instance cannot be told apart.");
    if (!made_frame_shape(service, request, record, to, reader, &made, err))
        return false;
    changes->arena = arena;
    list_changes(changes, record, to, &made);
    return pixels_source(service, request, record, to, &made, reader, arena, &parts[1], err) &&
           stored_body_around_pixels(arena, reader, record, to, changes->list, changes->count, &parts[0],
                                     &parts[2], err) &&
           (*ret = body_chain(arena, parts, COUNT_OF(parts))) != NULL;
}
