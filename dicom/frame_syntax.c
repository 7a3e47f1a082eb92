/* dicom/frame_syntax.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "dicom/frame_syntax.h"

#include <stdlib.h>

#include "base/file.h"
#include "dicom/code_stream.h"

enum { RLE_HEADER_BYTES = 64, RLE_SEGMENTS_MOST = 15 };

static uint32_t number_32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* PS3.5 Annex G: the number of segments, their offsets ascending from 64 on within the frame, zeros. */
static bool is_rle(struct bytes head, uint64_t frame_bytes)
{
    if (head.size < RLE_HEADER_BYTES)
        return false;
    const uint32_t segments = number_32(head.data);
    uint64_t before = RLE_HEADER_BYTES - 1;

    if (segments < 1 || segments > RLE_SEGMENTS_MOST || number_32(head.data + 4) != RLE_HEADER_BYTES)
        return false;
    for (uint32_t i = 1; i <= RLE_SEGMENTS_MOST; i++) {
        const uint32_t offset = number_32(head.data + (size_t)4 * i);
        if (i <= segments ? offset <= before || offset >= frame_bytes : offset != 0)
            return false;
        if (i <= segments)
            before = offset;
    }
    return true;
}

static bool is_native(uint64_t frame_bytes, const struct pixel_shape *shape)
{
    const uint64_t native = pixel_shape_frame_bytes(shape);

    return native > 0 && (frame_bytes == native || frame_bytes == native + native % 2);
}

bool frame_syntax_find(int fd, const struct frame_table *table, const struct pixel_shape *shape,
                       enum transfer_syntax *ret, struct error *err)
{
    struct code_stream stream;
    uint32_t extents;

    *ret = SYNTAX_UNKNOWN;
    if (frame_table_count(table) == 0)
        return true;
    if (!frame_table_find(table, 1, &extents, err))
        return false;
    if (extents == 0)
        return true;
    /* What tells stands in the first fragment, unless an encoder cuts within a head; then it is not known. */
    const struct extent first = frame_table_extent(table, 1, 0);
    const size_t size = first.size < CODE_STREAM_HEAD_BYTES ? (size_t)first.size : CODE_STREAM_HEAD_BYTES;
    uint8_t *room = malloc(size ? size : 1);
    if (!room)
        return error_set(err, FAULT_BUSY, "no memory for the head of a frame");
    const bool read = file_read_at(fd, room, size, first.offset, err);
    if (read && code_stream_read(bytes_of(room, size), &stream))
        *ret = stream.syntax;
    else if (read && is_rle(bytes_of(room, size), frame_table_frame_bytes(table, 1)))
        *ret = SYNTAX_RLE_LOSSLESS;
    else if (read && is_native(frame_table_frame_bytes(table, 1), shape))
        *ret = SYNTAX_ENCAPSULATED_LE;
    free(room);
    return read;
}
