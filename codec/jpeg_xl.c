/* codec/jpeg_xl.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * JPEG XL (ISO/IEC 18181) by libjxl, on one thread: frames run beside each other, not inside one another.
 *
 * This version of the library takes and gives bytes and words over their whole range, 0 to 255 or 65535,
 * whatever the image's bits: a value v of n bits is v * 65535 / (2^n - 1), rounded, and comes back exactly.
 */
#include "codec/inside.h"

#include <stdlib.h>

#include <jxl/decode.h>
#include <jxl/encode.h>

#include "codec/samples.h"

enum { EFFORT = 3, WHOLE = 65535, GROW_BYTES = 64 * 1024 };

static void close_decoder(JxlDecoder **decoder)
{
    JxlDecoderDestroy(*decoder);
}

static void close_encoder(JxlEncoder **encoder)
{
    JxlEncoderDestroy(*encoder);
}

/* ── cells over their whole range ── */

static void spread_bytes(uint8_t *data, size_t count, unsigned bits)
{
    const unsigned most = (1u << bits) - 1;

    for (size_t i = 0; i < count; i++)
        data[i] = (uint8_t)(((data[i] & most) * 255u + most / 2) / most);
}

static void gather_bytes(uint8_t *data, size_t count, unsigned bits)
{
    const unsigned most = (1u << bits) - 1;

    for (size_t i = 0; i < count; i++)
        data[i] = (uint8_t)((data[i] * most + 127u) / 255u);
}

static void spread(uint8_t *data, size_t count, unsigned bits)
{
    const uint32_t most = (1u << bits) - 1;

    for (size_t i = 0; i < count; i++) {
        uint16_t word;
        memcpy(&word, data + 2 * i, sizeof word);
        word = (uint16_t)(((word & most) * (uint32_t)WHOLE + most / 2) / most);
        memcpy(data + 2 * i, &word, sizeof word);
    }
}

static void gather(uint8_t *data, size_t count, unsigned bits)
{
    const uint32_t most = (1u << bits) - 1;

    for (size_t i = 0; i < count; i++) {
        uint16_t word;
        memcpy(&word, data + 2 * i, sizeof word);
        word = (uint16_t)((word * most + WHOLE / 2) / WHOLE);
        memcpy(data + 2 * i, &word, sizeof word);
    }
}

/* ── decoding ── */

static bool check_info(const struct decoding *task, const JxlBasicInfo *info, struct stream_facts *facts,
                       struct error *err)
{
    *facts = (struct stream_facts){
        .rows = info->ysize,
        .columns = info->xsize,
        .components = info->num_color_channels,
        .bits = info->bits_per_sample,
    };
    if (info->exponent_bits_per_sample || info->num_extra_channels || info->have_animation)
        return decoding_failed(err, "JPEG XL: floats, extra channels or animation");
    return decoding_check(task, facts, err);
}

static bool set_room(JxlDecoder *decoder, const struct decoding *task, const struct stream_facts *facts,
                     struct pixels *ret, struct error *err)
{
    struct pixel_shape shape = task->shape;
    const bool bytes = facts->bits <= 8;
    const size_t samples = (size_t)shape.rows * shape.columns * shape.samples_per_pixel;
    const JxlPixelFormat format = { shape.samples_per_pixel, bytes ? JXL_TYPE_UINT8 : JXL_TYPE_UINT16,
                                    JXL_LITTLE_ENDIAN, 0 };
    size_t size = 0;

    shape.planar = false;
    if (shape.samples_per_pixel == 3 && shape.photometric != YBR_FULL)
        shape.photometric = RGB;
    if (!pixels_take(&shape, ret, err))
        return false;
    uint8_t *room = block_room(ret->block, NULL);
    if (JxlDecoderImageOutBufferSize(decoder, &format, &size) != JXL_DEC_SUCCESS ||
        size != samples * (bytes ? 1u : 2u) ||
        JxlDecoderSetImageOutBuffer(decoder, &format,
                                    bytes && shape.bits_allocated == 16 ? room + samples : room,
                                    size) != JXL_DEC_SUCCESS)
        return decoding_failed(err, "libjxl: %zu bytes come out", size);
    return true;
}

static void finish_samples(const struct stream_facts *facts, struct pixels *pixels)
{
    const struct pixel_shape *shape = &pixels->shape;
    const size_t samples = (size_t)shape->rows * shape->columns * shape->samples_per_pixel;
    uint8_t *room = block_room(pixels->block, NULL);

    const bool wide = shape->bits_allocated == 16;
    if (facts->bits < 8)
        gather_bytes(wide ? room + samples : room, samples, facts->bits);
    if (facts->bits <= 8 && wide)
        samples_widen(room, samples);
    else if (facts->bits > 8 && facts->bits < 16)
        gather(room, samples, facts->bits);
    if (shape->is_signed)
        samples_sign(room, samples, shape->bits_allocated, facts->bits);
}

bool jpeg_xl_decode(const struct decoding *task, struct pixels *ret, struct error *err)
{
    __attribute__((cleanup(close_decoder))) JxlDecoder *decoder = JxlDecoderCreate(NULL);
    struct stream_facts facts = { 0 };
    bool complete = false;

    if (!decoder)
        return error_set(err, FAULT_BUSY, "libjxl: no memory for a decoder");
    if (JxlDecoderSubscribeEvents(decoder, JXL_DEC_BASIC_INFO | JXL_DEC_FULL_IMAGE) != JXL_DEC_SUCCESS ||
        JxlDecoderSetKeepOrientation(decoder, JXL_TRUE) != JXL_DEC_SUCCESS ||
        JxlDecoderSetInput(decoder, task->coded.data, task->coded.size) != JXL_DEC_SUCCESS)
        return error_set(err, FAULT_INTERNAL, "libjxl: a decoder that takes nothing");
    JxlDecoderCloseInput(decoder);
    while (!complete) {
        JxlBasicInfo info;

        switch (JxlDecoderProcessInput(decoder)) {
        case JXL_DEC_BASIC_INFO:
            if (JxlDecoderGetBasicInfo(decoder, &info) != JXL_DEC_SUCCESS ||
                !check_info(task, &info, &facts, err))
                return err->fault != FAULT_NONE ? false : decoding_failed(err, "libjxl: no header");
            break;
        case JXL_DEC_NEED_IMAGE_OUT_BUFFER:
            if (ret->block)
                return decoding_failed(err, "JPEG XL: a second frame");
            if (!set_room(decoder, task, &facts, ret, err))
                return false;
            break;
        case JXL_DEC_FULL_IMAGE:
        case JXL_DEC_SUCCESS:
            complete = ret->block != NULL;
            if (!complete)
                return decoding_failed(err, "libjxl: no image");
            break;
        default:
            return decoding_failed(err, "libjxl: the code stream is broken or cut off");
        }
    }
    finish_samples(&facts, ret);
    return true;
}

/* ── encoding ── */

/* All that the encoder has to say, in one block; it is known to end, since each turn adds bytes. */
static bool collect(JxlEncoder *encoder, size_t first, struct block **ret, struct error *err)
{
    size_t capacity = first, size = 0;
    struct block *block = NULL;

    if (!block_take(capacity, &block, err))
        return false;
    for (;;) {
        uint8_t *next = block_room(block, NULL) + size;
        size_t left = capacity - size;
        const JxlEncoderStatus status = JxlEncoderProcessOutput(encoder, &next, &left);
        struct block *larger = NULL;

        size = capacity - left;
        if (status == JXL_ENC_SUCCESS)
            break;
        if (status != JXL_ENC_NEED_MORE_OUTPUT) {
            block_unref(block);
            return error_set(err, FAULT_INTERNAL, "libjxl: encoding failed");
        }
        capacity = 2 * capacity + GROW_BYTES;
        if (!block_take(capacity, &larger, err)) {
            block_unref(block);
            return false;
        }
        memcpy(block_room(larger, NULL), block_room(block, NULL), size);
        block_unref(block);
        block = larger;
    }
    block_seal(block, size);
    block_trim(&block);
    *ret = block;
    return true;
}

static bool describe_image(JxlEncoder *encoder, const struct pixel_shape *shape, unsigned bits, bool lossless)
{
    JxlBasicInfo info;
    JxlColorEncoding colours;

    JxlEncoderInitBasicInfo(&info);
    info.xsize = shape->columns;
    info.ysize = shape->rows;
    info.bits_per_sample = bits;
    info.num_color_channels = shape->samples_per_pixel;
    info.uses_original_profile = lossless || shape->photometric == YBR_FULL;
    JxlColorEncodingSetToSRGB(&colours, shape->samples_per_pixel == 1);
    return JxlEncoderSetBasicInfo(encoder, &info) == JXL_ENC_SUCCESS &&
           JxlEncoderSetColorEncoding(encoder, &colours) == JXL_ENC_SUCCESS;
}

/* The samples as the library wants them: bytes up to 8 bits, words over their whole range above. */
static bool ready_samples(const struct pixels *pixels, unsigned bits, struct block **ret, struct error *err)
{
    SCOPED(pixels) struct pixels plain = { block_ref(pixels->block), pixels->shape };
    const size_t samples =
        (size_t)pixels->shape.rows * pixels->shape.columns * pixels->shape.samples_per_pixel;
    struct block *made = NULL;

    if (!samples_unsign(&plain, bits, err))
        return false;
    if (bits == pixels->shape.bits_allocated) {
        *ret = TAKE(plain.block);
        return true;
    }
    const struct bytes from = block_bytes(plain.block);
    if (!block_take(from.size, &made, err))
        return false;
    uint8_t *room = block_room(made, NULL);
    if (bits <= 8 && pixels->shape.bits_allocated == 16)
        samples_narrow(from.data, samples, room);
    else
        memcpy(room, from.data, from.size);
    if (bits < 8)
        spread_bytes(room, samples, bits);
    else if (bits > 8)
        spread(room, samples, bits);
    block_seal(made, samples * (bits <= 8 ? 1u : 2u));
    *ret = made;
    return true;
}

bool jpeg_xl_encode(enum transfer_syntax to, const struct pixels *pixels,
                    const struct codec_parameters *parameters, struct pixels *ret, struct error *err)
{
    __attribute__((cleanup(close_encoder))) JxlEncoder *encoder = JxlEncoderCreate(NULL);
    const bool lossless = to == SYNTAX_JPEG_XL_LOSSLESS;
    const unsigned bits = samples_pattern_precision(pixels);
    const unsigned quality = parameters->quality ? parameters->quality : CODEC_QUALITY;
    struct block *samples = NULL;

    if (!encoder)
        return error_set(err, FAULT_BUSY, "libjxl: no memory for an encoder");
    if (!ready_samples(pixels, bits, &samples, err))
        return false;
    const JxlPixelFormat format = { pixels->shape.samples_per_pixel,
                                    bits <= 8 ? JXL_TYPE_UINT8 : JXL_TYPE_UINT16, JXL_LITTLE_ENDIAN, 0 };
    JxlEncoderFrameSettings *settings = JxlEncoderFrameSettingsCreate(encoder, NULL);
    const struct bytes from = block_bytes(samples);
    const bool fed =
        settings && describe_image(encoder, &pixels->shape, bits, lossless) &&
        JxlEncoderFrameSettingsSetOption(settings, JXL_ENC_FRAME_SETTING_EFFORT, EFFORT) == JXL_ENC_SUCCESS &&
        (lossless ? JxlEncoderSetFrameLossless(settings, JXL_TRUE)
                  : JxlEncoderSetFrameDistance(settings, 0.1f + 0.09f * (float)(100 - quality))) ==
            JXL_ENC_SUCCESS &&
        JxlEncoderAddImageFrame(settings, &format, from.data, from.size) == JXL_ENC_SUCCESS;
    block_unref(samples);
    if (!fed)
        return error_set(err, FAULT_INTERNAL, "libjxl: the encoder takes no such image");
    JxlEncoderCloseInput(encoder);
    ret->shape = pixels->shape;
    if (!lossless && pixels->shape.photometric == RGB)
        ret->shape.photometric = XYB;
    if (!lossless)
        ret->shape.bits_stored = (uint16_t)bits;
    return collect(encoder, from.size / 2 + GROW_BYTES, &ret->block, err);
}

/* ── JPEG inside JPEG XL and back (TSX-14) ── */

bool jpeg_xl_from_jpeg(struct bytes jpeg, struct block **ret, struct error *err)
{
    __attribute__((cleanup(close_encoder))) JxlEncoder *encoder = JxlEncoderCreate(NULL);
    JxlEncoderFrameSettings *settings = encoder ? JxlEncoderFrameSettingsCreate(encoder, NULL) : NULL;

    if (!settings)
        return error_set(err, FAULT_BUSY, "libjxl: no memory for an encoder");
    if (JxlEncoderUseContainer(encoder, JXL_TRUE) != JXL_ENC_SUCCESS ||
        JxlEncoderStoreJPEGMetadata(encoder, JXL_TRUE) != JXL_ENC_SUCCESS ||
        JxlEncoderAddJPEGFrame(settings, jpeg.data, jpeg.size) != JXL_ENC_SUCCESS)
        return error_tell(err, FAULT_CORRUPT_PIXELS, "The stored JPEG cannot be recompressed as JPEG XL.");
    JxlEncoderCloseInput(encoder);
    return collect(encoder, jpeg.size + GROW_BYTES, ret, err);
}

bool jpeg_xl_to_jpeg(struct bytes coded, uint64_t ceiling_bytes, struct block **ret, struct error *err)
{
    __attribute__((cleanup(close_decoder))) JxlDecoder *decoder = JxlDecoderCreate(NULL);
    size_t capacity = coded.size * 2 + GROW_BYTES, size = 0;
    struct block *block = NULL;
    bool ok = true, complete = false;

    if (!decoder)
        return error_set(err, FAULT_BUSY, "libjxl: no memory for a decoder");
    if (!block_take(capacity, &block, err))
        return false;
    if (JxlDecoderSubscribeEvents(decoder, JXL_DEC_JPEG_RECONSTRUCTION | JXL_DEC_FULL_IMAGE) !=
            JXL_DEC_SUCCESS ||
        JxlDecoderSetInput(decoder, coded.data, coded.size) != JXL_DEC_SUCCESS)
        ok = error_set(err, FAULT_INTERNAL, "libjxl: a decoder that takes nothing");
    JxlDecoderCloseInput(decoder);
    while (ok && !complete) {
        const JxlDecoderStatus status = JxlDecoderProcessInput(decoder);

        if (status == JXL_DEC_JPEG_RECONSTRUCTION) {
            ok = JxlDecoderSetJPEGBuffer(decoder, block_room(block, NULL), capacity) == JXL_DEC_SUCCESS ||
                 decoding_failed(err, "libjxl: no JPEG comes out");
        } else if (status == JXL_DEC_JPEG_NEED_MORE_OUTPUT) {
            struct block *larger = NULL;
            size = capacity - JxlDecoderReleaseJPEGBuffer(decoder);
            capacity = 2 * capacity;
            if (capacity > ceiling_bytes || !block_take(capacity, &larger, err)) {
                ok = err->fault != FAULT_NONE
                         ? false
                         : decoding_failed(err, "libjxl: a JPEG of more than %zu bytes", capacity / 2);
                break;
            }
            memcpy(block_room(larger, NULL), block_room(block, NULL), size);
            block_unref(block);
            block = larger;
            ok = JxlDecoderSetJPEGBuffer(decoder, block_room(block, NULL) + size, capacity - size) ==
                     JXL_DEC_SUCCESS ||
                 decoding_failed(err, "libjxl: no JPEG comes out");
        } else if (status == JXL_DEC_FULL_IMAGE || status == JXL_DEC_SUCCESS) {
            complete = true;
        } else {
            ok = decoding_failed(err, "JPEG XL: no JPEG stream to restore");
        }
    }
    if (ok) {
        block_seal(block, capacity - JxlDecoderReleaseJPEGBuffer(decoder));
        block_trim(&block);
        *ret = TAKE(block);
    }
    block_unref(block);
    return ok;
}
