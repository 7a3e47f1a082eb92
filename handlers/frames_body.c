/* handlers/frames_body.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Frames of one instance as a response body. Most are sent as they lie in the file; the others are put right
 * while they are sent (big endian, deflated), or made in memory first (bits, what a codec makes), by workers.
 */
#include "handlers/frames_body.h"

#include <inttypes.h>

#include "base/number.h"
#include "handlers/links.h"
#include "handlers/made_frame.h"
#include "handlers/made_instance.h"
#include "handlers/parts_body.h"

struct frame_parts {
    struct parts parts; /* first: the two are one */
    const struct service *service;
    const struct request *request;
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
    return error_tell(err, FAULT_NOT_FOUND, "The instance has no pixel data.");
}

bool frame_exists(const struct instance_record *record, uint32_t frame, struct error *err)
{
    const struct pixel_shape *shape = &record->shape;

    if (!frames_exist(record, err))
        return false;
    const uint32_t count = frame_table_count(record->frames);
    if (count == 0)
        return error_tell(err, FAULT_NOT_FOUND,
                          "The pixel data hold no whole frame of %" PRIu32 " x %" PRIu32
                          " pixels with %u samples of %u bits.",
                          shape->columns, shape->rows, shape->samples_per_pixel, shape->bits_allocated);
    return (frame >= 1 && frame <= count) ||
           error_tell(err, FAULT_NOT_FOUND, "Frame %" PRIu32 " of %" PRIu32 ".", frame, count);
}

static const struct frame_parts *of_parts(const struct parts *parts)
{
    return (const struct frame_parts *)parts;
}

/* Decoded, colours with fewer samples than pixels become whole ones (codec_decode); encoded, nobody can tell.
 */
static uint64_t made_size(const struct frame_parts *all)
{
    struct pixel_shape shape = all->record->shape;

    if (all->offer->syntax != SYNTAX_EXPLICIT_LE)
        return BODY_SIZE_UNKNOWN;
    if (shape.photometric == YBR_FULL_422 || shape.photometric == YBR_PARTIAL_420)
        shape.photometric = RGB;
    return pixel_shape_frame_bytes(&shape);
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
        .size = bits ? bits / 8 + (bits % 8 != 0) : frame_table_frame_bytes(table, frame),
        .made = all->offer->way == OFFER_MADE || !stored_frame_lies_ready(all->record),
    };
    if (all->offer->way == OFFER_MADE)
        ret->size = made_size(all);
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

static bool make_frame(const struct parts *parts, size_t n, struct store_reader *reader,
                       enum patience patience, struct arena *scratch, struct part *part,
                       struct body_source **ret, struct error *err)
{
    const struct frame_parts *all = of_parts(parts);
    const uint32_t frame = all->wanted->frames[n];
    struct block *block = NULL;

    (void)part;
    if (all->offer->way != OFFER_MADE && patience == MUST_NOT_WAIT)
        return error_set(err, FAULT_WOULD_WAIT, "putting a frame right");
    if (all->offer->way != OFFER_MADE)
        return stored_frame_body(all->record, frame, reader, scratch, ret, err);
    if (!made_frame(all->service, all->request, all->record, frame, all->offer->syntax, reader, patience,
                    &block, err))
        return false;
    *ret = body_of_block(scratch, block);
    return true;
}

bool frames_body(const struct service *service, const struct request *request,
                 const struct instance_record *record, const struct frame_list *wanted,
                 const struct offer *offer, const char *location_or_null, struct bytes boundary,
                 struct body_source **ret, struct error *err)
{
    struct frame_parts *all = arena_alloc(request->arena, sizeof(*all));

    *all = (struct frame_parts){
        .parts = { wanted->count, describe_frame, extent_of_frame, make_frame, wanted->held_or_null },
        .service = service,
        .request = request,
        .record = record,
        .wanted = wanted,
        .offer = offer,
        .base = request->public_base,
        .location_or_null = location_or_null,
    };
    return parts_body(service, request, &all->parts, boundary, ret, err);
}

bool pixels_are_one_part(const struct instance_record *record, const struct offer *offer)
{
    const enum frame_kind kind = frame_table_kind(record->frames);

    if (offer->syntax != SYNTAX_EXPLICIT_LE)
        return false;
    return offer->way == OFFER_MADE || (kind != FRAMES_ENCAPSULATED && kind != FRAMES_VIDEO);
}

/* Bits are sent as one run, so they stay where they are. */
static bool is_as_it_lies(const struct instance_record *record)
{
    return stored_frame_lies_ready(record) ||
           (frame_table_kind(record->frames) == FRAMES_NATIVE_BITS && record->syntax != SYNTAX_DEFLATED_LE);
}

static uint64_t pixels_size(const struct frame_parts *all)
{
    return all->offer->way == OFFER_MADE
               ? made_pixels_size(all->record, frame_table_count(all->record->frames), made_size(all))
               : frame_table_value(all->record->frames).size;
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
        .size = pixels_size(all),
        .extents = 1,
        .made = all->offer->way == OFFER_MADE || !is_as_it_lies(all->record),
    };
}

static struct extent extent_of_pixels(const struct parts *parts, size_t n, uint32_t extent_index)
{
    (void)n;
    (void)extent_index;
    return frame_table_value(of_parts(parts)->record->frames);
}

static bool make_pixels(const struct parts *parts, size_t n, struct store_reader *reader,
                        enum patience patience, struct arena *scratch, struct part *part,
                        struct body_source **ret, struct error *err)
{
    (void)n, (void)part;
    const struct frame_parts *all = of_parts(parts);

    if (all->offer->way == OFFER_MADE) {
        *ret = made_pixels_body(all->service, all->request, all->record, reader, pixels_size(all), scratch);
        return true;
    }
    if (patience == MUST_NOT_WAIT)
        return error_set(err, FAULT_WOULD_WAIT, "putting pixels right");
    return stored_pixels_body(all->record, reader, scratch, ret, err);
}

bool pixels_body(const struct service *service, const struct request *request,
                 const struct instance_record *record, const struct offer *offer, const char *location,
                 struct bytes boundary, struct store_reader *held_or_null, struct body_source **ret,
                 struct error *err)
{
    struct frame_parts *all = arena_alloc(request->arena, sizeof(*all));

    *all = (struct frame_parts){
        .parts = { 1, describe_pixels, extent_of_pixels, make_pixels, held_or_null },
        .service = service,
        .request = request,
        .record = record,
        .offer = offer,
        .base = request->public_base,
        .location_or_null = location,
    };
    return parts_body(service, request, &all->parts, boundary, ret, err);
}
