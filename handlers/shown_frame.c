/* handlers/shown_frame.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Native rows come straight from the file; everything else is gathered and given to the codec.
 */
#include "handlers/shown_frame.h"

#include <inttypes.h>

#include "handlers/frames_body.h"
#include "handlers/made_frame.h"

/* What the codec is told: stored_frame gives native frames, those in items too, in little endian. */
static enum transfer_syntax syntax_of(const struct instance_record *record)
{
    const bool coded =
        frame_table_kind(record->frames) == FRAMES_ENCAPSULATED && record->syntax != SYNTAX_ENCAPSULATED_LE;

    return coded ? record->syntax : SYNTAX_EXPLICIT_LE;
}

bool shown_frame_is_image(const struct instance_record *record)
{
    return record->frames && record->shape.rows > 0 && record->shape.columns > 0 &&
           frame_table_count(record->frames) > 0 && frame_table_kind(record->frames) != FRAMES_VIDEO &&
           codec_can_decode(syntax_of(record), &record->shape);
}

bool shown_frame_check(const struct instance_record *record, uint32_t frame, struct error *err)
{
    if (!frame_exists(record, frame, err))
        return false;
    if (frame_table_kind(record->frames) == FRAMES_VIDEO)
        return error_tell(err, FAULT_NOT_ACCEPTABLE, "A video is sent as it is stored, not as pictures.");
    if (record->shape.rows == 0 || record->shape.columns == 0)
        return error_tell(err, FAULT_NOT_ACCEPTABLE, "Rows or Columns is missing.");
    if (!codec_can_decode(syntax_of(record), &record->shape))
        return error_tell(err, FAULT_NOT_ACCEPTABLE, "Pixel data stored as %s cannot be rendered.",
                          record->syntax_uid.text);
    return true;
}

bool shown_frame_has_plain_rows(const struct instance_record *record)
{
    const struct pixel_shape *shape = &record->shape;
    const unsigned bits = shape->bits_allocated;

    if (!stored_frame_lies_ready(record) || frame_table_kind(record->frames) != FRAMES_NATIVE || bits < 8 ||
        bits % 8 != 0)
        return false;
    return shape->samples_per_pixel == 1 ||
           (shape->samples_per_pixel == 3 && shape->photometric == RGB && !shape->planar);
}

bool shown_frame_rows(struct store_reader *reader, const struct instance_record *record, uint32_t frame,
                      uint32_t first_row, uint32_t count, uint8_t *into, struct error *err)
{
    const struct pixel_shape *shape = &record->shape;
    const uint64_t row = (uint64_t)shape->columns * shape->samples_per_pixel * shape->bits_allocated / 8;
    const struct extent extent = frame_table_extent(record->frames, frame, 0);

    if (row * ((uint64_t)first_row + count) > extent.size)
        return error_set(err, FAULT_CORRUPT_PIXELS, "a frame of %" PRIu64 " bytes is too short", extent.size);
    return store_reader_read(reader, extent.offset + row * first_row, into, (size_t)(row * count), MAY_WAIT,
                             err);
}

bool shown_frame_decode(const struct service *service, struct store_reader *reader,
                        const struct instance_record *record, uint32_t frame, unsigned halvings,
                        struct pixels *ret, struct error *err)
{
    const struct codec_wish wish = { .halvings = halvings,
                                     .for_display = true,
                                     .ceiling_bytes = service->limits->decode_ceiling_bytes };
    struct block *coded = NULL;

    if (frame_table_frame_bytes(record->frames, frame) >
        (service->limits->decode_ceiling_bytes ? service->limits->decode_ceiling_bytes : CODEC_CEILING_BYTES))
        return error_tell(err, FAULT_NOT_ACCEPTABLE, "The frame is larger than can be rendered.");
    if (!stored_frame(record, frame, reader, &coded, err))
        return error_while(err, "reading frame %" PRIu32, frame);
    const bool done = codec_decode(syntax_of(record), &record->shape, coded, &wish, ret, err);
    block_unref(coded);
    if (!done && err->fault == FAULT_TOO_LARGE) /* nobody has sent too much */
        err->fault = FAULT_NOT_ACCEPTABLE;
    return done || error_while(err, "decoding frame %" PRIu32, frame);
}
