/* codec/rle.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * RLE Lossless, PS3.5 Annex G: each byte plane of each sample is a segment of PackBits runs.
 *
 *   ┌ 16 little endian words ─────────────┬ segment 1 ──────┬ segment 2 ──────┬ …
 *   │ count │ offset 1 │ offset 2 │ …     │ sample 1, high  │ sample 1, low   │ sample 2, high …
 *   └─────────────────────────────────────┴─────────────────┴─────────────────┴
 *
 *   run: n < 128: n + 1 bytes follow as they are; n > 128: the next byte 257 - n times; 128: nothing
 */
#include "codec/inside.h"

#include "codec/layout.h"
#include "codec/samples.h"

enum { HEADER_BYTES = 64, SEGMENTS_MOST = 15 };

static uint32_t word_at(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void set_word(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

/* At most `size` bytes out of a segment; what the segment has beyond them is padding. Returns how many. */
static size_t unpack(struct bytes segment, uint8_t *into, size_t size)
{
    const uint8_t *from = segment.data, *const end = segment.data + segment.size;
    size_t done = 0;

    while (done < size) {
        if (from == end)
            return done;
        const unsigned n = *from++;
        if (n < 128) {
            size_t run = n + 1;
            if ((size_t)(end - from) < run)
                return done;
            if (run > size - done)
                run = size - done;
            memcpy(into + done, from, run);
            from += n + 1;
            done += run;
        } else if (n > 128) {
            size_t run = 257 - n;
            if (from == end)
                return done;
            if (run > size - done)
                run = size - done;
            memset(into + done, *from++, run);
            done += run;
        }
    }
    return done;
}

/* Of Bits Allocated 1 a pixel is a byte (G.2: padded with zeros); some encoders give eight pixels to each,
 * as native data have them, and then there is an eighth of the bytes. */
static bool unpack_plane(struct bytes segment, bool of_bits, uint8_t *into, size_t pixels)
{
    const size_t done = unpack(segment, into, pixels), packed = (pixels + 7) / 8;
    struct block *bits = NULL;
    struct error ignored = { 0 };

    if (done == pixels || !of_bits || done < packed || done > packed + 1)
        return done == pixels;
    if (!block_take(packed, &bits, &ignored))
        return false;
    memcpy(block_room(bits, NULL), into, packed);
    samples_unpack_bits(block_room(bits, NULL), pixels, into);
    block_unref(bits);
    return true;
}

/* Segment i lies from its offset to the next one's, the last to the end of the frame. */
static bool find_segments(struct bytes coded, unsigned count, struct bytes segments[SEGMENTS_MOST],
                          struct error *err)
{
    if (coded.size < HEADER_BYTES)
        return decoding_failed(err, "RLE: %zu bytes hold no header", coded.size);
    if (word_at(coded.data) != count)
        return decoding_failed(err, "RLE: %lu segments, %u expected", (unsigned long)word_at(coded.data),
                               count);
    for (unsigned i = 0; i < count; i++) {
        const uint32_t from = word_at(coded.data + 4 + 4 * i);
        const size_t to = i + 1 < count ? word_at(coded.data + 8 + 4 * i) : coded.size;

        if (from < HEADER_BYTES || from > to || to > coded.size)
            return decoding_failed(err, "RLE: segment %u lies from %lu to %zu of %zu", i + 1,
                                   (unsigned long)from, to, coded.size);
        segments[i] = bytes_of(coded.data + from, to - from);
    }
    return true;
}

/* The byte planes of one sample, high byte first, into little endian samples `stride` bytes apart. */
static void merge_planes(const uint8_t *planes, size_t pixels, unsigned width, size_t stride, uint8_t *into)
{
    if (width == 2 && stride == 2) {
        layout_kernels()->merge_16(planes, planes + pixels, pixels, into);
        return;
    }
    for (unsigned i = 0; i < width; i++)
        for (size_t n = 0; n < pixels; n++)
            into[n * stride + (width - 1 - i)] = planes[i * pixels + n];
}

bool rle_decode(const struct decoding *task, struct pixels *ret, struct error *err)
{
    struct pixel_shape shape = task->shape;
    const unsigned width = shape.bits_allocated / 8u, samples = shape.samples_per_pixel;
    const size_t pixels = (size_t)shape.rows * shape.columns;
    struct bytes segments[SEGMENTS_MOST];
    struct block *scratch = NULL;
    bool ok = true;

    /* The standard's result is planar; which it is makes no difference to the work. Wide colour goes plane by
     * plane, bytes as they come. */
    shape.planar = samples > 1;
    /* RLE knows no subsampling: as many samples of each kind as there are pixels. */
    if (shape.photometric == YBR_FULL_422)
        shape.photometric = YBR_FULL;
    if (!find_segments(task->coded, width * samples, segments, err) || !pixels_take(&shape, ret, err) ||
        (width > 1 && !block_take(pixels * width, &scratch, err)))
        return false;
    uint8_t *into = block_room(ret->block, NULL);
    for (unsigned sample = 0; sample < samples && ok; sample++) {
        uint8_t *const sample_into = into + sample * pixels * width;
        uint8_t *const planes = width > 1 ? block_room(scratch, NULL) : sample_into;

        for (unsigned i = 0; i < width && ok; i++)
            if (!unpack_plane(segments[sample * width + i], task->of_bits, planes + i * pixels, pixels))
                ok = decoding_failed(err, "RLE: segment %u ends early", sample * width + i + 1);
        if (ok && width > 1)
            merge_planes(planes, pixels, width, width, sample_into);
    }
    block_unref(scratch);
    return ok;
}

/* ── encoding ── */

/* One row; runs do not cross rows (G.3.1). Returns where the next byte goes. */
static uint8_t *pack_row(const uint8_t *row, size_t size, uint8_t *into)
{
    size_t i = 0;

    while (i < size) {
        size_t run = 1;
        while (i + run < size && run < 128 && row[i + run] == row[i])
            run++;
        if (run > 2 || (run == 2 && i + run == size)) {
            *into++ = (uint8_t)(257 - run);
            *into++ = row[i];
            i += run;
            continue;
        }
        /* Literal bytes up to the next run of three. */
        size_t literal = run;
        while (i + literal < size && literal < 128 &&
               !(i + literal + 2 < size && row[i + literal] == row[i + literal + 1] &&
                 row[i + literal] == row[i + literal + 2]))
            literal++;
        *into++ = (uint8_t)(literal - 1);
        memcpy(into, row + i, literal);
        into += literal;
        i += literal;
    }
    return into;
}

bool rle_encode(enum transfer_syntax to, const struct pixels *pixels,
                const struct codec_parameters *parameters, struct pixels *ret, struct error *err)
{
    const struct pixel_shape *shape = &pixels->shape;
    const unsigned width = shape->bits_allocated / 8u, samples = shape->samples_per_pixel;
    const size_t count = (size_t)shape->rows * shape->columns, columns = shape->columns;
    /* A row grows by one byte in 128 at most, and each segment by one to be even. */
    const size_t worst = HEADER_BYTES + (count + shape->rows * (columns / 128 + 1) + 1) * width * samples;
    const size_t pixel_stride = shape->planar ? width : (size_t)width * samples;
    const size_t sample_stride = shape->planar ? count * width : width;
    struct block *row_block = NULL;

    (void)to;
    (void)parameters;
    if (!block_take(worst, &ret->block, err) || !block_take(columns, &row_block, err)) {
        block_unref(row_block);
        return false;
    }
    const uint8_t *from = block_bytes(pixels->block).data;
    uint8_t *const start = block_room(ret->block, NULL), *row = block_room(row_block, NULL);
    uint8_t *at = start + HEADER_BYTES;
    memset(start, 0, HEADER_BYTES);
    set_word(start, width * samples);
    for (unsigned segment = 0; segment < width * samples; segment++) {
        const uint8_t *plane = from + segment / width * sample_stride + (width - 1 - segment % width);

        set_word(start + 4 + 4 * segment, (uint32_t)(at - start));
        for (uint32_t r = 0; r < shape->rows; r++, plane += columns * pixel_stride) {
            for (size_t c = 0; c < columns; c++)
                row[c] = plane[c * pixel_stride];
            at = pack_row(row, columns, at);
        }
        if ((at - start) % 2)
            *at++ = 0;
    }
    block_unref(row_block);
    block_seal(ret->block, (size_t)(at - start));
    block_trim(&ret->block);
    ret->shape = *shape;
    ret->shape.planar =
        samples > 1; /* Annex G.2: "Planar Configuration ... 1" is what other readers expect */
    return true;
}
