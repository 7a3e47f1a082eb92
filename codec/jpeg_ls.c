/* codec/jpeg_ls.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * JPEG-LS (ITU-T T.87): by our own decoder and encoder (jpeg_ls_stream.h); what that decoder does not take,
 * by CharLS. Never link DCMTK's JPEG-LS beside it: both export the same names, and crash.
 */
#include "codec/jpeg_ls_stream.h"

#include <charls/charls.h>

#include "codec/samples.h"

enum { SOF_LS = 0xF7, LEAST_BITS = 2, LEAST_WIDE_BITS = 9, NEAR_STEP = 5 };

static bool charls_failed(charls_jpegls_errc code, const char *doing, struct error *err)
{
    if (code == CHARLS_JPEGLS_ERRC_NOT_ENOUGH_MEMORY)
        return error_set(err, FAULT_BUSY, "CharLS: no memory while %s", doing);
    return decoding_failed(err, "CharLS: %s while %s", charls_get_error_message(code), doing);
}

static void close_decoder(charls_jpegls_decoder **decoder)
{
    charls_jpegls_decoder_destroy(*decoder);
}

/* CharLS looks for a marker where data end, for seconds when there is none: 467 bytes kept it busy for 4.7 s.
 * So a stream without an end marker gets one. */
static bool with_end(struct bytes coded, struct block **owned, struct bytes *ret, struct error *err)
{
    static const uint8_t end_of_image[] = { 0xFF, 0xD9 };
    size_t size = coded.size;

    while (size > 2 && (coded.data[size - 1] == 0 || coded.data[size - 1] == 0xFF)) /* padding */
        size--;
    *ret = coded;
    if (size >= 2 && memcmp(coded.data + size - 2, end_of_image, 2) == 0)
        return true;
    if (!block_take(coded.size + 2, owned, err))
        return false;
    uint8_t *room = block_room(*owned, NULL);
    memcpy(room, coded.data, coded.size);
    memcpy(room + coded.size, end_of_image, 2);
    block_seal(*owned, coded.size + 2);
    *ret = block_bytes(*owned);
    return true;
}

static void drop_block(struct block **block)
{
    block_unref(*block);
}

static void finish_samples(const struct pixel_shape *shape, unsigned bits, struct pixels *pixels)
{
    const size_t samples = (size_t)shape->rows * shape->columns * shape->samples_per_pixel;

    if (shape->is_signed)
        samples_sign(block_room(pixels->block, NULL), samples, shape->bits_allocated, bits);
}

/* False without an error: CharLS shall look at it. */
static bool decode_by_own(const struct decoding *task, const struct jpeg_header *header,
                          const struct pixel_shape *as_declared, struct pixels *ret, struct error *err)
{
    struct pixel_shape shape = *as_declared;
    struct ls_stream stream;

    if (shape.bits_allocated > 16 || !ls_stream_read(task->coded, &stream) ||
        stream.rows != header->facts.rows || stream.columns != header->facts.columns ||
        stream.components != header->facts.components || stream.bits != header->facts.bits)
        return false;
    shape.planar = shape.samples_per_pixel > 1 && stream.interleave == LS_PLANES;
    if (!pixels_take(&shape, ret, err))
        return false;
    if (!ls_decode(task->coded, &stream, shape.bits_allocated / 8u, block_room(ret->block, NULL))) {
        pixels_done(ret);
        return false;
    }
    finish_samples(&shape, stream.bits, ret);
    return true;
}

/* Streams of up to 8 bits come out as bytes, others as words. */
static bool decode_by_charls(const struct decoding *task, const struct jpeg_header *header,
                             const struct pixel_shape *as_declared, struct pixels *ret, struct error *err)
{
    __attribute__((cleanup(close_decoder))) charls_jpegls_decoder *decoder = charls_jpegls_decoder_create();
    __attribute__((cleanup(drop_block))) struct block *ended = NULL;
    struct pixel_shape shape = *as_declared;
    struct bytes coded;
    charls_interleave_mode interleave = CHARLS_INTERLEAVE_MODE_NONE;
    charls_jpegls_errc code;

    if (!decoder)
        return error_set(err, FAULT_BUSY, "CharLS: no memory for a decoder");
    if (!with_end(task->coded, &ended, &coded, err))
        return false;
    if ((code = charls_jpegls_decoder_set_source_buffer(decoder, coded.data, coded.size)) != 0 ||
        (code = charls_jpegls_decoder_read_header(decoder)) != 0 ||
        (code = charls_jpegls_decoder_get_interleave_mode(decoder, &interleave)) != 0)
        return charls_failed(code, "reading the header", err);
    shape.planar = shape.samples_per_pixel > 1 && interleave == CHARLS_INTERLEAVE_MODE_NONE;
    if (!pixels_take(&shape, ret, err))
        return false;

    uint8_t *room = block_room(ret->block, NULL);
    const size_t samples = (size_t)shape.rows * shape.columns * shape.samples_per_pixel;
    const bool bytes = header->facts.bits <= 8, wide = shape.bits_allocated == 16;
    code = charls_jpegls_decoder_decode_to_buffer(decoder, bytes && wide ? room + samples : room,
                                                  samples * (bytes ? 1u : 2u), 0);
    if (code != 0)
        return charls_failed(code, "decoding", err);
    if (bytes && wide)
        samples_widen(room, samples);
    finish_samples(&shape, header->facts.bits, ret);
    return true;
}

bool jpeg_ls_decode(const struct decoding *task, struct pixels *ret, struct error *err)
{
    struct pixel_shape shape = task->shape;
    struct jpeg_header header;

    if (!jpeg_header_read(task->coded, &header, err) || !decoding_check(task, &header.facts, err))
        return false;
    if (header.sof != SOF_LS)
        return decoding_failed(err, "JPEG-LS: SOF %02X", header.sof);
    if (shape.photometric == YBR_FULL_422)
        shape.photometric = YBR_FULL; /* JPEG-LS of DICOM is never subsampled */
    if (decode_by_own(task, &header, &shape, ret, err))
        return true;
    return err->fault == FAULT_NONE && decode_by_charls(task, &header, &shape, ret, err);
}

/* How far a sample may be off: 0 at quality 100. */
static int32_t near_of(const struct codec_parameters *parameters)
{
    const unsigned quality = parameters->quality ? parameters->quality : CODEC_QUALITY;
    const unsigned near = (100 - quality + NEAR_STEP - 1) / NEAR_STEP;

    return (int32_t)(near ? near : 1);
}

bool jpeg_ls_encode(enum transfer_syntax to, const struct pixels *pixels,
                    const struct codec_parameters *parameters, struct pixels *ret, struct error *err)
{
    SCOPED(pixels) struct pixels plain = { block_ref(pixels->block), pixels->shape };
    const struct pixel_shape *shape = &plain.shape;
    const unsigned pattern = samples_pattern_precision(&plain), precision = samples_precision(&plain);
    /* The stream has cells as wide as the attributes say: decoders elsewhere insist. */
    const unsigned least = shape->bits_allocated == 16 ? LEAST_WIDE_BITS : LEAST_BITS;
    const struct ls_stream stream = { .rows = shape->rows,
                                      .columns = shape->columns,
                                      .components = shape->samples_per_pixel,
                                      .bits = pattern < least ? least : pattern,
                                      .interleave = shape->samples_per_pixel > 1 ? LS_SAMPLES : LS_PLANES };
    int32_t near = to == SYNTAX_JPEG_LS_NEAR_LOSSLESS ? near_of(parameters) : 0;

    if (near >= 1 << (precision - 1))
        near = 0;
    /* Two's complement goes through as a pattern, and its largest and smallest number lie beside each other.
     */
    if (near && shape->is_signed && !samples_keep_inside(&plain, precision, (unsigned)near, err))
        return false;
    if (!samples_unsign(&plain, stream.bits, err) ||
        !ls_encode(&stream, near, shape->bits_allocated / 8u, block_bytes(plain.block), &ret->block, err))
        return false;
    block_trim(&ret->block);
    ret->shape = *shape;
    return true;
}
