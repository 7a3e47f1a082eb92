/* tests/fuzz/codec_decode_fuzz.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Every codec's wrapper with foreign bytes:
 *
 *   │ syntax │ rows │ columns │ samples, sign, planes, halvings │ bits │ photometric │ code stream … │
 *
 * Whatever they are, a frame of the promised size comes out or a failure is told, and no block is left.
 *
 * HTJ2K is read up to its headers only: OpenJPH 0.9.0 asserts what foreign bytes can break, and ends the
 * process. In the server that is a decoder's (docs/decisions/0018), which
 * tests/unit/codec/decoder_process_test.c looks after.
 */
#include <stdlib.h>

#include "codec/codec.h"
#include "codec/inside.h"
#include "codec/j2k_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD_BYTES = 6, CEILING_BYTES = 1 << 20 };

static void expect(bool condition)
{
    if (!condition)
        abort();
}

/* Our own readers of headers see whatever comes, also what codec_decode would turn away before. True: HTJ2K.
 */
static bool read_headers(struct bytes coded)
{
    struct error err = { 0 };
    struct jpeg_header jpeg;
    struct j2k_stream j2k;

    expect(jpeg_header_read(coded, &jpeg, &err) || err.told[0]);
    err = (struct error){ 0 };
    expect(j2k_stream_read(coded, &j2k, &err) || err.told[0]);
    return err.fault == FAULT_NONE && j2k.is_high_throughput;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned bits[] = { 8, 16, 16, 32 };
    struct block *coded = NULL;
    struct pixels decoded = { 0 };
    struct error err = { 0 };

    if (size < HEAD_BYTES)
        return 0;
    const unsigned allocated = bits[data[4] & 3];
    const struct pixel_shape shape = {
        .rows = data[1] + 1u,
        .columns = data[2] + 1u,
        .samples_per_pixel = data[3] & 1 ? 3 : 1,
        .is_signed = data[3] & 2,
        .planar = data[3] & 4,
        .bits_allocated = (uint16_t)allocated,
        .bits_stored = (uint16_t)(1 + (data[4] >> 2) % allocated),
        .photometric = (enum photometric)(data[5] % (PALETTE_COLOR + 1)),
    };
    const struct codec_wish wish = { .halvings = data[3] >> 3 & 7,
                                     .for_display = data[3] >> 6 & 1,
                                     .ceiling_bytes = CEILING_BYTES };
    const enum transfer_syntax syntax = (enum transfer_syntax)(data[0] % SYNTAX_COUNT);
    const size_t rest = size - HEAD_BYTES;

    if (read_headers(bytes_of(data + HEAD_BYTES, rest)))
        return 0;
    expect(block_take(rest, &coded, &err));
    if (rest)
        memcpy(block_room(coded, NULL), data + HEAD_BYTES, rest);
    block_seal(coded, rest);
    if (codec_decode(syntax, &shape, coded, &wish, &decoded, &err)) {
        expect(decoded.shape.rows <= shape.rows && decoded.shape.columns <= shape.columns);
        expect(decoded.block == coded ||
               block_bytes(decoded.block).size == pixel_shape_frame_bytes(&decoded.shape));
        pixels_done(&decoded);
    } else {
        expect(err.fault != FAULT_NONE && err.fault != FAULT_WOULD_WAIT &&
               (err.told[0] || err.fault == FAULT_BUSY || err.fault == FAULT_INTERNAL));
    }
    block_unref(coded);
    expect(block_in_use() == 0);
    return 0;
}
