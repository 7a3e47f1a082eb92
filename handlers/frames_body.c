/* handlers/frames_body.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Frames of one instance as a response body. Most are sent as they lie in the file; native ones that are big
 * endian or do not begin on a byte are put right in a block first, on a worker.
 */
#include "handlers/frames_body.h"

#include <inttypes.h>

#include "base/number.h"
#include "codec/codec.h"
#include "handlers/links.h"
#include "handlers/parts_body.h"

struct frame_parts {
    struct parts parts; /* first: the two are one */
    const struct instance_record *record;
    const struct frame_list *wanted; /* NULL: the whole value of native pixel data */
    const struct offer *offer;
    const char *base, *location_or_null;
};

bool frame_list_parse(struct bytes text, uint32_t ceiling, struct arena *arena, struct frame_list *ret,
                      struct error *err)
{
    size_t count = 1;

    for (size_t i = 0; i < text.size; i++)
        count += text.data[i] == ',';
    if (count > ceiling)
        return error_tell(err, FAULT_TOO_LARGE, "%zu frames in one request; at most %" PRIu32 ".", count,
                          ceiling);

    ret->frames = arena_array(arena, count, sizeof(*ret->frames));
    ret->count = count;
    for (size_t i = 0; i < count; i++) {
        uint64_t frame;

        if (!number_parse(bytes_cut(&text, ','), 1, UINT32_MAX, &frame))
            return error_tell(err, FAULT_MALFORMED, "Frames are numbers from 1, separated by commas.");
        ret->frames[i] = (uint32_t)frame;
    }
    return true;
}

bool frames_exist(const struct instance_record *record, struct error *err)
{
    if (record->frames)
        return true;
    if (record->syntax == SYNTAX_DEFLATED_LE && record->shape.rows > 0)
        return error_tell(err, FAULT_NOT_ACCEPTABLE,
                          "The data set is deflated; its pixel data cannot be sent.");
    return error_tell(err, FAULT_NOT_FOUND, "The instance has no pixel data.");
}

static const struct frame_parts *of_parts(const struct parts *parts)
{
    return (const struct frame_parts *)parts;
}

static bool is_converted(const struct frame_table *table)
{
    const enum frame_kind kind = frame_table_kind(table);

    return kind == FRAMES_NATIVE_BIG || kind == FRAMES_NATIVE_BITS;
}

static void describe_frame(const struct parts *parts, size_t n, struct arena *scratch, struct part *ret)
{
    const struct frame_parts *all = of_parts(parts);
    const struct frame_table *table = all->record->frames;
    const uint32_t frame = all->wanted->frames[n];
    const uint64_t bits = frame_table_frame_bits(table);
    struct error err = { 0 };

    *ret = (struct part){
        .media_type = all->offer->media_type,
        .transfer_syntax = all->offer->transfer_syntax,
        .location = all->location_or_null,
        .generation = all->record->generation,
        .size = is_converted(table) ? bits / 8 + (bits % 8 != 0) : frame_table_frame_bytes(table, frame),
        .converted = is_converted(table),
    };
    if (!ret->location)
        ret->location =
            link_to(scratch, all->base, &all->record->key, arena_printf(scratch, "/frames/%" PRIu32, frame));
    /* The handler has looked at every number: a frame that is not there cannot come this far. */
    if (!frame_table_find(table, frame, &ret->extents, &err))
        ret->extents = 0;
}

static struct extent extent_of_frame(const struct parts *parts, size_t n, uint32_t extent_index)
{
    const struct frame_parts *all = of_parts(parts);

    return frame_table_extent(all->record->frames, all->wanted->frames[n], extent_index);
}

/* OB pixels of big endian files do not reach this: the frame table calls them native (PS3.5 7.3). */
static unsigned swapped_bits(const struct instance_record *record)
{
    return record->shape.bits_allocated > 16 ? record->shape.bits_allocated : 16;
}

static bool convert_frame(const struct parts *parts, size_t n, struct store_reader *reader,
                          struct block **ret, struct error *err)
{
    const struct frame_parts *all = of_parts(parts);
    const struct frame_table *table = all->record->frames;
    const uint64_t bits = frame_table_frame_bits(table), size = bits / 8 + (bits % 8 != 0);
    const uint32_t frame = all->wanted->frames[n];
    const unsigned bit_offset = frame_table_bit_offset(table, frame);
    struct block *stored = NULL;

    if (!parts_body_gather(parts, n, 1, (bit_offset + bits + 7) / 8, reader, &stored, err))
        return false;
    uint8_t *room = block_room(stored, NULL);
    if (frame_table_kind(table) == FRAMES_NATIVE_BIG)
        codec_swap_bytes(room, (size_t)size, swapped_bits(all->record));
    else /* to the left within the same bytes: each is written after it was read */
        codec_shift_bits(bytes_of(room, (size_t)((bit_offset + bits + 7) / 8)), bit_offset, bits, room);
    block_seal(stored, (size_t)size);
    *ret = stored;
    return true;
}

bool frames_body(const struct service *service, const struct request *request,
                 const struct instance_record *record, const struct frame_list *wanted,
                 const struct offer *offer, const char *location_or_null, struct bytes boundary,
                 struct body_source **ret, struct error *err)
{
    struct frame_parts *all = arena_alloc(request->arena, sizeof(*all));

    *all = (struct frame_parts){
        .parts = { wanted->count, describe_frame, extent_of_frame, convert_frame },
        .record = record,
        .wanted = wanted,
        .offer = offer,
        .base = request->public_base,
        .location_or_null = location_or_null,
    };
    return parts_body(service, request, &all->parts, boundary, ret, err);
}

static void describe_pixels(const struct parts *parts, size_t n, struct arena *scratch, struct part *ret)
{
    const struct frame_parts *all = of_parts(parts);

    (void)n;
    (void)scratch;
    *ret = (struct part){
        .media_type = all->offer->media_type,
        .transfer_syntax = all->offer->transfer_syntax,
        .location = all->location_or_null,
        .generation = all->record->generation,
        .size = frame_table_value(all->record->frames).size,
        .extents = 1,
        .converted = frame_table_kind(all->record->frames) == FRAMES_NATIVE_BIG,
    };
}

static struct extent extent_of_pixels(const struct parts *parts, size_t n, uint32_t extent_index)
{
    (void)n;
    (void)extent_index;
    return frame_table_value(of_parts(parts)->record->frames);
}

static bool convert_pixels(const struct parts *parts, size_t n, struct store_reader *reader,
                           struct block **ret, struct error *err)
{
    const struct instance_record *record = of_parts(parts)->record;
    const uint64_t size = frame_table_value(record->frames).size;
    struct block *stored = NULL;

    if (!parts_body_gather(parts, n, 1, size, reader, &stored, err))
        return false;
    codec_swap_bytes(block_room(stored, NULL), (size_t)size, swapped_bits(record));
    block_seal(stored, (size_t)size);
    *ret = stored;
    return true;
}

bool pixels_body(const struct service *service, const struct request *request,
                 const struct instance_record *record, const struct offer *offer, const char *location,
                 struct bytes boundary, struct body_source **ret, struct error *err)
{
    struct frame_parts *all = arena_alloc(request->arena, sizeof(*all));

    *all = (struct frame_parts){
        .parts = { 1, describe_pixels, extent_of_pixels, convert_pixels },
        .record = record,
        .offer = offer,
        .base = request->public_base,
        .location_or_null = location,
    };
    return parts_body(service, request, &all->parts, boundary, ret, err);
}
