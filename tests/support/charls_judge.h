/* tests/support/charls_judge.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * CharLS as an independent judge of JPEG-LS: whoever includes this is linked with the room that has it.
 */
#ifndef GANTRY_TESTS_CHARLS_JUDGE_H
#define GANTRY_TESTS_CHARLS_JUDGE_H

#include <charls/charls.h>
#include <stdlib.h>

#include "codec/jpeg_ls_stream.h"

/* Cells of one byte for up to 8 bits, of two for more. */
static inline size_t judge_cell_bytes(const struct ls_stream *stream)
{
    return stream->bits <= 8 ? 1 : 2;
}

static inline size_t judge_frame_bytes(const struct ls_stream *stream)
{
    return (size_t)stream->rows * stream->columns * stream->components * judge_cell_bytes(stream);
}

/* `preset`: MAXVAL, T1, T2, T3, RESET or NULL. The caller frees the result; NULL: CharLS refuses. */
static inline uint8_t *judge_encode(const struct ls_stream *stream, int32_t near, const int32_t *preset,
                                    const uint8_t *cells, size_t *ret_size)
{
    const size_t most = 4096 + 5 * judge_frame_bytes(stream) + (size_t)stream->rows * 16;
    const charls_frame_info info = { stream->columns, stream->rows, (int32_t)stream->bits,
                                     (int32_t)stream->components };
    charls_jpegls_encoder *encoder = charls_jpegls_encoder_create();
    uint8_t *room = malloc(most);
    bool ok =
        encoder && room && charls_jpegls_encoder_set_frame_info(encoder, &info) == 0 &&
        charls_jpegls_encoder_set_near_lossless(encoder, near) == 0 &&
        charls_jpegls_encoder_set_interleave_mode(encoder, (charls_interleave_mode)stream->interleave) == 0 &&
        charls_jpegls_encoder_set_destination_buffer(encoder, room, most) == 0;

    if (ok && preset) {
        const charls_jpegls_pc_parameters parameters = { preset[0], preset[1], preset[2], preset[3],
                                                         preset[4] };
        ok = charls_jpegls_encoder_set_preset_coding_parameters(encoder, &parameters) == 0;
    }
    ok = ok && charls_jpegls_encoder_encode_from_buffer(encoder, cells, judge_frame_bytes(stream), 0) == 0 &&
         charls_jpegls_encoder_get_bytes_written(encoder, ret_size) == 0;
    charls_jpegls_encoder_destroy(encoder);
    if (!ok) {
        free(room);
        return NULL;
    }
    return room;
}

/* Decodes a frame of `stream` into judge_frame_bytes. */
static inline bool judge_decode(const struct ls_stream *stream, struct bytes coded, uint8_t *into)
{
    charls_jpegls_decoder *decoder = charls_jpegls_decoder_create();
    const bool ok = decoder &&
                    charls_jpegls_decoder_set_source_buffer(decoder, coded.data, coded.size) == 0 &&
                    charls_jpegls_decoder_read_header(decoder) == 0 &&
                    charls_jpegls_decoder_decode_to_buffer(decoder, into, judge_frame_bytes(stream), 0) == 0;

    charls_jpegls_decoder_destroy(decoder);
    return ok;
}

#endif
