/* codec/deflated_frame.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Deflated Image Frame Compression (PS3.5 A.4.13): each frame is one raw RFC 1951 stream of its native bytes.
 */
#include "codec/inside.h"

#include <zlib.h>

enum { RAW_WINDOW = -15, MEMORY = 8, LEVEL = 6 };

bool deflated_frame_decode(const struct decoding *task, struct pixels *ret, struct error *err)
{
    z_stream stream = { 0 };

    if (task->coded.size > UINT32_MAX || pixel_shape_frame_bytes(&task->shape) > UINT32_MAX)
        return decoding_failed(err, "Deflate: %zu bytes", task->coded.size);
    if (!pixels_take(&task->shape, ret, err))
        return false;
    stream.next_in = (uint8_t *)(uintptr_t)task->coded.data; /* zlib only reads it */
    stream.avail_in = (uInt)task->coded.size;
    stream.next_out = block_room(ret->block, NULL);
    stream.avail_out = (uInt)block_bytes(ret->block).size;
    if (inflateInit2(&stream, RAW_WINDOW) != Z_OK)
        return error_set(err, FAULT_BUSY, "zlib: no memory");
    const int outcome = inflate(&stream, Z_FINISH);
    const uInt missing = stream.avail_out;
    inflateEnd(&stream);
    /* A stream that goes on beyond the frame (Z_BUF_ERROR with no room left) has whatever it likes behind it.
     */
    if (missing || (outcome != Z_STREAM_END && outcome != Z_BUF_ERROR && outcome != Z_OK))
        return decoding_failed(err, "Deflate: %d, %u bytes missing", outcome, missing);
    return true;
}

bool deflated_frame_encode(enum transfer_syntax to, const struct pixels *pixels,
                           const struct codec_parameters *parameters, struct pixels *ret, struct error *err)
{
    const struct bytes from = block_bytes(pixels->block);
    z_stream stream = { 0 };

    (void)to;
    (void)parameters;
    if (from.size > UINT32_MAX / 2)
        return error_set(err, FAULT_INTERNAL, "Deflate: %zu bytes", from.size);
    if (deflateInit2(&stream, LEVEL, Z_DEFLATED, RAW_WINDOW, MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
        return error_set(err, FAULT_BUSY, "zlib: no memory");
    const uLong bound = deflateBound(&stream, from.size);
    if (!block_take(bound, &ret->block, err)) {
        deflateEnd(&stream);
        return false;
    }
    stream.next_in = (uint8_t *)(uintptr_t)from.data;
    stream.avail_in = (uInt)from.size;
    stream.next_out = block_room(ret->block, NULL);
    stream.avail_out = (uInt)bound;
    const int outcome = deflate(&stream, Z_FINISH);
    deflateEnd(&stream);
    if (outcome != Z_STREAM_END)
        return error_set(err, FAULT_INTERNAL, "zlib: %d", outcome);
    block_seal(ret->block, bound - stream.avail_out);
    block_trim(&ret->block);
    ret->shape = pixels->shape;
    return true;
}
