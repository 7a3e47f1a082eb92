/* codec/jpeg_ls.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * JPEG-LS (ITU-T T.87) by CharLS. Never link DCMTK's JPEG-LS beside it: both export the same names, and
 * crash.
 */
#include "codec/inside.h"

#include <charls/charls.h>

#include "codec/samples.h"

enum { SOF_LS = 0xF7, LEAST_BITS = 2, LEAST_WIDE_BITS = 9, NEAR_STEP = 5, SLACK_BYTES = 64 * 1024 };

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

static void close_encoder(charls_jpegls_encoder **encoder)
{
    charls_jpegls_encoder_destroy(*encoder);
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

/* Streams of up to 8 bits come out as bytes, others as words. */
bool jpeg_ls_decode(const struct decoding *task, struct pixels *ret, struct error *err)
{
    __attribute__((cleanup(close_decoder))) charls_jpegls_decoder *decoder = charls_jpegls_decoder_create();
    __attribute__((cleanup(drop_block))) struct block *ended = NULL;
    struct pixel_shape shape = task->shape;
    struct bytes coded;
    charls_interleave_mode interleave = CHARLS_INTERLEAVE_MODE_NONE;
    struct jpeg_header header;
    charls_jpegls_errc code;

    if (!jpeg_header_read(task->coded, &header, err) || !decoding_check(task, &header.facts, err))
        return false;
    if (header.sof != SOF_LS)
        return decoding_failed(err, "JPEG-LS: SOF %02X", header.sof);
    if (!decoder)
        return error_set(err, FAULT_BUSY, "CharLS: no memory for a decoder");
    if (!with_end(task->coded, &ended, &coded, err))
        return false;
    if ((code = charls_jpegls_decoder_set_source_buffer(decoder, coded.data, coded.size)) != 0 ||
        (code = charls_jpegls_decoder_read_header(decoder)) != 0 ||
        (code = charls_jpegls_decoder_get_interleave_mode(decoder, &interleave)) != 0)
        return charls_failed(code, "reading the header", err);
    shape.planar = shape.samples_per_pixel > 1 && interleave == CHARLS_INTERLEAVE_MODE_NONE;
    if (shape.photometric == YBR_FULL_422)
        shape.photometric = YBR_FULL; /* JPEG-LS of DICOM is never subsampled */
    if (!pixels_take(&shape, ret, err))
        return false;

    uint8_t *room = block_room(ret->block, NULL);
    const size_t samples = (size_t)shape.rows * shape.columns * shape.samples_per_pixel;
    const bool bytes = header.facts.bits <= 8, wide = shape.bits_allocated == 16;
    code = charls_jpegls_decoder_decode_to_buffer(decoder, bytes && wide ? room + samples : room,
                                                  samples * (bytes ? 1u : 2u), 0);
    if (code != 0)
        return charls_failed(code, "decoding", err);
    if (bytes && wide)
        samples_widen(room, samples);
    if (shape.is_signed)
        samples_sign(room, samples, shape.bits_allocated, header.facts.bits);
    return true;
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
    __attribute__((cleanup(close_encoder))) charls_jpegls_encoder *encoder = charls_jpegls_encoder_create();
    SCOPED(pixels) struct pixels plain = { block_ref(pixels->block), pixels->shape };
    const struct pixel_shape *shape = &plain.shape;
    unsigned bits = samples_pattern_precision(&plain);
    size_t estimate = 0, written = 0;
    charls_jpegls_errc code;

    if (!encoder)
        return error_set(err, FAULT_BUSY, "CharLS: no memory for an encoder");
    /* The stream has cells as wide as the attributes say: decoders elsewhere insist. */
    if (bits < (shape->bits_allocated == 16 ? LEAST_WIDE_BITS : LEAST_BITS))
        bits = shape->bits_allocated == 16 ? LEAST_WIDE_BITS : LEAST_BITS;
    int32_t near = to == SYNTAX_JPEG_LS_NEAR_LOSSLESS ? near_of(parameters) : 0;
    if (near >= 1 << (samples_precision(&plain) - 1))
        near = 0;
    /* Two's complement goes through as a pattern, and its largest and smallest number lie beside each other.
     */
    if (near && shape->is_signed &&
        !samples_keep_inside(&plain, samples_precision(&plain), (unsigned)near, err))
        return false;
    if (!samples_unsign(&plain, bits, err))
        return false;
    struct bytes from = block_bytes(plain.block);
    const charls_frame_info info = { shape->columns, shape->rows, (int32_t)bits, shape->samples_per_pixel };
    if ((code = charls_jpegls_encoder_set_frame_info(encoder, &info)) != 0 ||
        (code = charls_jpegls_encoder_set_near_lossless(encoder, near)) != 0 ||
        (code = charls_jpegls_encoder_set_interleave_mode(encoder, shape->samples_per_pixel > 1
                                                                       ? CHARLS_INTERLEAVE_MODE_SAMPLE
                                                                       : CHARLS_INTERLEAVE_MODE_NONE)) != 0 ||
        (code = charls_jpegls_encoder_get_estimated_destination_size(encoder, &estimate)) != 0)
        return error_set(err, FAULT_INTERNAL, "CharLS: %s", charls_get_error_message(code));
    /* Noise grows a little: no more than a bit in each sample. */
    estimate += estimate / 8 + SLACK_BYTES;
    if (!block_take(estimate, &ret->block, err))
        return false;
    if ((code = charls_jpegls_encoder_set_destination_buffer(encoder, block_room(ret->block, NULL),
                                                             estimate)) != 0 ||
        (code = charls_jpegls_encoder_encode_from_buffer(encoder, from.data, from.size, 0)) != 0 ||
        (code = charls_jpegls_encoder_get_bytes_written(encoder, &written)) != 0)
        return error_set(err, FAULT_INTERNAL, "CharLS: %s", charls_get_error_message(code));
    block_seal(ret->block, written);
    block_trim(&ret->block);
    ret->shape = *shape;
    return true;
}
