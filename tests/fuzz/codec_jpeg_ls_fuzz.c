/* tests/fuzz/codec_jpeg_ls_fuzz.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Our own JPEG-LS decoder with foreign bytes, and its encoder with foreign samples, beside CharLS:
 *
 *   │ 0: a stream follows │ stream … │        │ 1..: bits, components │ near │ columns │ samples … │
 *
 * What both decode is the same; what is encoded is the stream that CharLS writes.
 */
#include "tests/support/charls_judge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_SAMPLES = 1 << 18 };

static void expect(bool condition)
{
    if (!condition)
        abort();
}

static void decode(struct bytes coded)
{
    struct ls_stream stream;

    if (!ls_stream_read(coded, &stream) || (uint64_t)stream.rows * stream.columns > MOST_SAMPLES)
        return;
    const size_t size = judge_frame_bytes(&stream);
    uint8_t *ours = malloc(size), *theirs = malloc(size);
    expect(ours && theirs);
    if (ls_decode(coded, &stream, (unsigned)judge_cell_bytes(&stream), ours) &&
        judge_decode(&stream, coded, theirs))
        expect(memcmp(ours, theirs, size) == 0);
    free(ours);
    free(theirs);
}

static void encode(unsigned kind, unsigned near, unsigned columns, struct bytes samples)
{
    struct ls_stream stream = { .columns = columns + 1,
                                .components = kind & 1 ? 3 : 1,
                                .bits = 2 + kind / 2 % 15 };
    const size_t cell = judge_cell_bytes(&stream), row = (size_t)stream.columns * stream.components * cell;
    struct block *own = NULL;
    struct error err = { 0 };
    size_t coded_bytes = 0;

    stream.interleave = stream.components == 1 ? LS_PLANES : LS_SAMPLES;
    stream.rows = (uint32_t)(samples.size / row);
    if (stream.rows == 0 || stream.rows > UINT16_MAX)
        return;
    uint8_t *cells = malloc(stream.rows * row);
    expect(cells);
    for (size_t i = 0; i < stream.rows * row; i++)
        cells[i] = cell == 2 && i % 2 ? samples.data[i] & (uint8_t)((1u << (stream.bits - 8)) - 1)
                   : cell == 1        ? samples.data[i] & (uint8_t)((1u << stream.bits) - 1)
                                      : samples.data[i];
    near %= 1u << (stream.bits - 1);
    uint8_t *theirs = judge_encode(&stream, (int32_t)near, NULL, cells, &coded_bytes);
    expect(
        theirs &&
        ls_encode(&stream, (int32_t)near, (unsigned)cell, bytes_of(cells, stream.rows * row), &own, &err) &&
        bytes_equal(block_bytes(own), bytes_of(theirs, coded_bytes)));
    decode(block_bytes(own));
    block_unref(own);
    free(theirs);
    free(cells);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size >= 1 && data[0] == 0)
        decode(bytes_of(data + 1, size - 1));
    else if (size > 3)
        encode(data[0], data[1], data[2], bytes_of(data + 3, size - 3));
    expect(block_in_use() == 0);
    return 0;
}
