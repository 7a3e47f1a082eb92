/* handlers/made_frame.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * One frame's bytes; see made_frame.h.
 */
#include "handlers/made_frame.h"

#include <inttypes.h>
#include <stdio.h>

#include "codec/codec.h"
#include "handlers/stored_body.h"

static bool is_deflated(const struct instance_record *record)
{
    return record->syntax == SYNTAX_DEFLATED_LE;
}

bool stored_frame_lies_ready(const struct instance_record *record)
{
    const enum frame_kind kind = frame_table_kind(record->frames);

    return kind != FRAMES_NATIVE_BIG && kind != FRAMES_NATIVE_BITS && !is_deflated(record);
}

/* OB pixels of big endian files do not reach this: the frame table calls them native (PS3.5 7.3). */
static unsigned unit_bytes(const struct instance_record *record)
{
    return record->shape.bits_allocated > 16 ? record->shape.bits_allocated / 8 : 2;
}

/* Words count from the beginning of the pixel data, where a frame of bytes in them need not begin on one. */
static struct body_source *turned(const struct instance_record *record, uint32_t frame,
                                  struct store_reader *reader, struct arena *arena)
{
    const struct extent value = frame_table_value(record->frames);
    const struct extent extent = frame_table_extent(record->frames, frame, 0);
    const unsigned unit = unit_bytes(record);
    const uint64_t lead = (extent.offset - value.offset) % unit, start = extent.offset - lead;
    const uint64_t left = value.offset + value.size - start, used = lead + extent.size;
    const uint64_t rounded = used + (unit - used % unit) % unit;
    const struct extent whole = { start, rounded < left ? rounded : left };

    return body_slice(arena, stored_body_turned(arena, reader, whole, unit), lead, extent.size);
}

/* Fragments one behind the other. */
static struct body_source *joined(const struct instance_record *record, uint32_t frame, uint32_t extents,
                                  struct store_reader *reader, struct arena *arena)
{
    struct body_source **parts = arena_array(arena, extents, sizeof(struct body_source *));

    for (uint32_t i = 0; i < extents; i++)
        parts[i] = stored_body_turned(arena, reader, frame_table_extent(record->frames, frame, i), 1);
    return extents == 1 ? parts[0] : body_chain(arena, parts, extents);
}

/* Moved to the left within the same bytes: each is written after it was read. */
static bool shifted(const struct instance_record *record, uint32_t frame, struct body_source *source,
                    struct arena *arena, struct body_source **ret, struct error *err)
{
    const uint64_t bits = frame_table_frame_bits(record->frames);
    struct block *block = NULL;

    if (!stored_body_gather(source, &block, err))
        return false;
    uint8_t *room = block_room(block, NULL);
    codec_shift_bits(bytes_of(room, (size_t)source->size), frame_table_bit_offset(record->frames, frame),
                     bits, room);
    block_seal(block, (size_t)(bits / 8 + (bits % 8 != 0)));
    *ret = body_of_block(arena, block);
    return true;
}

bool stored_frame_body(const struct instance_record *record, uint32_t frame, struct store_reader *reader,
                       struct arena *arena, struct body_source **ret, struct error *err)
{
    const enum frame_kind kind = frame_table_kind(record->frames);
    struct body_source *source = NULL;
    uint32_t extents;

    if (!frame_table_find(record->frames, frame, &extents, err))
        return false;
    if (is_deflated(record)) {
        if (!stored_body_inflated(arena, reader, record->data_set_offset, record->file_size,
                                  frame_table_extent(record->frames, frame, 0), &source, err))
            return false;
    } else if (kind == FRAMES_NATIVE_BIG) {
        source = turned(record, frame, reader, arena);
    } else {
        source = joined(record, frame, extents, reader, arena);
    }
    if (kind == FRAMES_NATIVE_BITS)
        return shifted(record, frame, source, arena, ret, err);
    *ret = source;
    return true;
}

bool stored_pixels_body(const struct instance_record *record, struct store_reader *reader,
                        struct arena *arena, struct body_source **ret, struct error *err)
{
    const struct extent value = frame_table_value(record->frames);

    if (is_deflated(record))
        return stored_body_inflated(arena, reader, record->data_set_offset, record->file_size, value, ret,
                                    err);
    *ret = stored_body_turned(arena, reader, value,
                              frame_table_kind(record->frames) == FRAMES_NATIVE_BIG ? unit_bytes(record) : 1);
    return true;
}

bool stored_frame(const struct instance_record *record, uint32_t frame, struct store_reader *reader,
                  struct block **ret, struct error *err)
{
    struct arena arena = { 0 };
    struct body_source *source = NULL;
    const bool read = stored_frame_body(record, frame, reader, &arena, &source, err) &&
                      stored_body_gather(source, ret, err);

    arena_release(&arena);
    return read;
}

/* Native frames, and those that are native in items, are little endian by now. */
static enum transfer_syntax syntax_of_stored_frame(const struct instance_record *record)
{
    const bool coded =
        transfer_syntax_info(record->syntax)->encapsulated && record->syntax != SYNTAX_ENCAPSULATED_LE;

    return coded ? record->syntax : SYNTAX_EXPLICIT_LE;
}

struct making {
    const struct service *service;
    const struct instance_record *record;
    uint32_t frame;
    enum transfer_syntax to;
    struct store_reader *reader;
};

static bool transcode(const struct making *making, struct pixels *ret, struct error *err)
{
    static const struct codec_parameters usual;
    const struct instance_record *record = making->record;
    struct block *stored = NULL;

    if (!stored_frame(record, making->frame, making->reader, &stored, err))
        return false;
    const bool ok = codec_transcode(syntax_of_stored_frame(record), making->to, &record->shape, stored,
                                    &usual, making->service->limits->decode_ceiling_bytes, ret, err);
    block_unref(stored);
    return ok || error_while(err, "making frame %" PRIu32 " in %s of %s", making->frame,
                             transfer_syntax_info(making->to)->uid, record->syntax_uid.text);
}

static bool make(void *context, struct block **ret, struct error *err)
{
    SCOPED(pixels) struct pixels made = { 0 };

    if (!transcode(context, &made, err))
        return false;
    *ret = TAKE(made.block);
    return true;
}

static struct frame_key key_of(const struct making *making, const char *what)
{
    return frame_key_of(making->record->generation, making->record->digest, making->frame, what);
}

bool made_frame(const struct service *service, const struct request *request,
                const struct instance_record *record, uint32_t frame, enum transfer_syntax to,
                struct store_reader *reader, enum patience patience, struct block **ret, struct error *err)
{
    struct making making = { service, record, frame, to, reader };
    const struct frame_key key = key_of(&making, transfer_syntax_info(to)->uid);

    return frame_cache_get(service->frame_cache, &key, patience, request->waiter, make, &making, ret, err);
}

/* ── the shape ── */

static bool give(void *context, struct block **ret, struct error *err)
{
    (void)err;
    *ret = block_ref(context);
    return true;
}

/* The frame itself goes to the cache by the way: it will be asked for next. */
static bool make_shape(void *context, struct block **ret, struct error *err)
{
    const struct making *making = context;
    const struct frame_key key = key_of(making, transfer_syntax_info(making->to)->uid);
    SCOPED(pixels) struct pixels pixels = { 0 };
    struct block *same = NULL;
    struct made_shape made;

    if (!transcode(making, &pixels, err))
        return false;
    memset(&made, 0, sizeof made);
    made.shape = pixels.shape;
    made.frame_bytes = block_bytes(pixels.block).size;
    if (!frame_cache_get(making->service->frame_cache, &key, MAY_WAIT, NULL, give, pixels.block, &same,
                         err) ||
        !block_take(sizeof made, ret, err)) {
        block_unref(same);
        return false;
    }
    block_unref(same);
    memcpy(block_room(*ret, NULL), &made, sizeof made);
    block_seal(*ret, sizeof made);
    return true;
}

bool made_frame_shape(const struct service *service, const struct request *request,
                      const struct instance_record *record, enum transfer_syntax to,
                      struct store_reader *reader, struct made_shape *ret, struct error *err)
{
    struct making making = { service, record, 1, to, reader };
    char what[96];
    struct block *block = NULL;

    snprintf(what, sizeof what, "shape %zu %s", sizeof *ret, transfer_syntax_info(to)->uid);
    const struct frame_key key = key_of(&making, what);
    if (!frame_cache_get(service->frame_cache, &key, MAY_WAIT, request->waiter, make_shape, &making, &block,
                         err))
        return false;
    memcpy(ret, block_bytes(block).data, sizeof *ret);
    block_unref(block);
    return true;
}
