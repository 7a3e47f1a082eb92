/* codec/codec.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The table of codecs, and what holds for all of them: nothing is decoded before its size has been weighed.
 */
#include "codec/inside.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "codec/decoder_area.h"
#include "codec/layout.h"
#include "codec/samples.h"

static const char UNREADABLE[] = "The stored pixel data cannot be decoded";

enum { LARGE_FRAME_BYTES = 2 * 1024 * 1024, DETAIL_TOLD = 160 };

enum signs { UNSIGNED_ONLY, ANY_SIGN };

/* What a library can do; where two lines name one syntax, the first that fits. Decoding looks at the stream
 * as well: a stream that is not what its syntax says goes to the library that knows it (TSX-22). */
struct codec {
    enum transfer_syntax syntax;
    const char *library;
    unsigned least_allocated, most_allocated, most_stored; /* bits a sample */
    unsigned most_samples;
    enum signs signs;
    decode_fn *decode; /* NULL: cannot */
    encode_fn *encode;
};

/* clang-format off */
static const struct codec codecs[] = {
    /* syntax                       library          bits: cell, used; samples, signs          decode                encode */
    { SYNTAX_JPEG_BASELINE_8,        "libjpeg-turbo", 8, 16,  8, 3, UNSIGNED_ONLY, jpeg_decode,           jpeg_encode },
    { SYNTAX_JPEG_BASELINE_8,        "libjpeg-turbo", 8, 16, 16, 3, ANY_SIGN,      jpeg_decode,           NULL },
    { SYNTAX_JPEG_EXTENDED_12,       "libjpeg-turbo", 8, 16,  8, 3, UNSIGNED_ONLY, jpeg_decode,           jpeg_encode },
    { SYNTAX_JPEG_EXTENDED_12,       "DCMTK",         8, 16, 12, 3, UNSIGNED_ONLY, jpeg_decode,           jpeg_encode },
    { SYNTAX_JPEG_EXTENDED_12,       "DCMTK",         8, 16, 16, 3, ANY_SIGN,      jpeg_decode,           NULL },
    { SYNTAX_JPEG_SPECTRAL,          "libjpeg-turbo", 8, 16, 16, 3, ANY_SIGN,      jpeg_decode,           NULL },
    { SYNTAX_JPEG_PROGRESSIVE,       "libjpeg-turbo", 8, 16, 16, 3, ANY_SIGN,      jpeg_decode,           NULL },
    { SYNTAX_JPEG_LOSSLESS,          "DCMTK",         8, 16, 16, 3, ANY_SIGN,      jpeg_decode,           jpeg_encode },
    { SYNTAX_JPEG_LOSSLESS_SV1,      "DCMTK",         8, 16, 16, 3, ANY_SIGN,      jpeg_decode,           jpeg_encode },
    { SYNTAX_JPEG_LS_LOSSLESS,       "own, CharLS",   8, 16, 16, 3, ANY_SIGN,      jpeg_ls_decode,        jpeg_ls_encode },
    { SYNTAX_JPEG_LS_NEAR_LOSSLESS,  "own, CharLS",   8, 16, 16, 3, ANY_SIGN,      jpeg_ls_decode,        jpeg_ls_encode },
    { SYNTAX_JPEG_2000_LOSSLESS,     "OpenJPEG",      1, 16, 16, 3, ANY_SIGN,      jpeg_2000_decode,      jpeg_2000_encode },
    { SYNTAX_JPEG_2000_LOSSLESS,     "OpenJPEG",      8, 32, 31, 3, ANY_SIGN,      jpeg_2000_decode,      NULL },
    { SYNTAX_JPEG_2000,              "OpenJPEG",      1, 16, 16, 3, ANY_SIGN,      jpeg_2000_decode,      jpeg_2000_encode },
    { SYNTAX_JPEG_2000,              "OpenJPEG",      8, 32, 31, 3, ANY_SIGN,      jpeg_2000_decode,      NULL },
    { SYNTAX_HTJ2K_LOSSLESS,         "OpenJPH",       1, 16, 16, 3, ANY_SIGN,      jpeg_2000_decode,      jpeg_2000_encode },
    { SYNTAX_HTJ2K_LOSSLESS_RPCL,    "OpenJPH",       1, 16, 16, 3, ANY_SIGN,      jpeg_2000_decode,      jpeg_2000_encode },
    { SYNTAX_HTJ2K,                  "OpenJPH",       1, 16, 16, 3, ANY_SIGN,      jpeg_2000_decode,      jpeg_2000_encode },
    { SYNTAX_JPEG_XL_LOSSLESS,       "libjxl",        1, 16, 16, 3, ANY_SIGN,      jpeg_xl_decode,        jpeg_xl_encode },
    { SYNTAX_JPEG_XL_RECOMPRESSION,  "libjxl",        8, 16, 16, 3, ANY_SIGN,      jpeg_xl_decode,        NULL },
    { SYNTAX_JPEG_XL,                "libjxl",        1, 16, 16, 3, UNSIGNED_ONLY, jpeg_xl_decode,        jpeg_xl_encode },
    { SYNTAX_JPEG_XL,                "libjxl",        1, 16, 16, 3, ANY_SIGN,      jpeg_xl_decode,        NULL },
    { SYNTAX_RLE_LOSSLESS,           "own",           1, 32, 32, 3, ANY_SIGN,      rle_decode,            rle_encode },
    { SYNTAX_DEFLATED_FRAME,         "zlib",          1, 64, 64, 3, ANY_SIGN,      deflated_frame_decode, deflated_frame_encode },
};
/* clang-format on */

static bool is_native(enum transfer_syntax syntax)
{
    return syntax == SYNTAX_IMPLICIT_LE || syntax == SYNTAX_EXPLICIT_LE || syntax == SYNTAX_DEFLATED_LE ||
           syntax == SYNTAX_EXPLICIT_BE || syntax == SYNTAX_ENCAPSULATED_LE;
}

static bool has_a_cell(const struct pixel_shape *shape)
{
    const unsigned bits = shape->bits_allocated;

    return bits == 1 || bits == 8 || bits == 16 || bits == 32 || bits == 64;
}

static bool fits(const struct codec *codec, const struct pixel_shape *shape)
{
    return has_a_cell(shape) && shape->bits_allocated >= codec->least_allocated &&
           shape->bits_allocated <= codec->most_allocated && shape->bits_stored >= 1 &&
           shape->bits_stored <= codec->most_stored && shape->bits_stored <= shape->bits_allocated &&
           (shape->samples_per_pixel == 1 ||
            (shape->samples_per_pixel == codec->most_samples && shape->bits_allocated > 1)) &&
           (!shape->is_signed || codec->signs == ANY_SIGN) && shape->rows && shape->columns &&
           shape->rows <= UINT16_MAX && shape->columns <= UINT16_MAX;
}

/* What is near a palette's index is another colour, and what is near a bit is the other one. */
static bool bears_losses(const struct pixel_shape *shape)
{
    return shape->photometric != PALETTE_COLOR && shape->bits_allocated > 1;
}

static const struct codec *decoder_of(enum transfer_syntax from, const struct pixel_shape *shape)
{
    for (size_t i = 0; i < COUNT_OF(codecs); i++)
        if (codecs[i].syntax == from && codecs[i].decode && fits(&codecs[i], shape))
            return &codecs[i];
    return NULL;
}

static const struct codec *encoder_of(enum transfer_syntax to, const struct pixel_shape *shape)
{
    if (!transfer_syntax_info(to)->lossless && !bears_losses(shape))
        return NULL;
    for (size_t i = 0; i < COUNT_OF(codecs); i++)
        if (codecs[i].syntax == to && codecs[i].encode && fits(&codecs[i], shape))
            return &codecs[i];
    return NULL;
}

bool codec_can_decode(enum transfer_syntax from, const struct pixel_shape *shape)
{
    return is_native(from) || decoder_of(from, shape);
}

bool codec_can_encode(enum transfer_syntax to, const struct pixel_shape *shape)
{
    return to == SYNTAX_EXPLICIT_LE || encoder_of(to, shape);
}

/* JPEG in JPEG XL: the stream itself changes its clothes. */
static bool is_recompression(enum transfer_syntax from, enum transfer_syntax to)
{
    return (from == SYNTAX_JPEG_BASELINE_8 && to == SYNTAX_JPEG_XL_RECOMPRESSION) ||
           (from == SYNTAX_JPEG_XL_RECOMPRESSION && to == SYNTAX_JPEG_BASELINE_8);
}

/* What the decoded frame looks like, as far as encoders care. */
static struct pixel_shape shape_between(enum transfer_syntax from, const struct pixel_shape *shape)
{
    struct pixel_shape between = *shape;

    if (!is_native(from) && (shape->photometric == YBR_FULL_422 || shape->photometric == YBR_RCT ||
                             shape->photometric == YBR_ICT || shape->photometric == XYB))
        between.photometric = RGB;
    return between;
}

bool codec_can(enum transfer_syntax from, enum transfer_syntax to, const struct pixel_shape *shape)
{
    const struct pixel_shape between = shape_between(from, shape);

    return from == to || is_recompression(from, to) ||
           (codec_can_decode(from, shape) && codec_can_encode(to, &between));
}

/* The most bits that an encoder for `to` takes; 0: there is none. */
static unsigned most_bits_of(enum transfer_syntax to, bool is_signed)
{
    unsigned most = 0;

    for (size_t i = 0; i < COUNT_OF(codecs); i++)
        if (codecs[i].syntax == to && codecs[i].encode && (!is_signed || codecs[i].signs == ANY_SIGN) &&
            codecs[i].most_stored > most)
            most = codecs[i].most_stored;
    return most;
}

static void why_not_encoded(enum transfer_syntax to, const struct pixel_shape *shape,
                            char ret[CODEC_REASON_BYTES])
{
    const unsigned most = most_bits_of(to, false);
    const bool bits = shape->bits_allocated == 1;

    if (most == 0)
        snprintf(ret, CODEC_REASON_BYTES, "has no encoder here");
    else if (shape->bits_stored == 0)
        snprintf(ret, CODEC_REASON_BYTES, "holds no real numbers, nor any without Bits Stored");
    else if (!has_a_cell(shape) || shape->bits_stored > shape->bits_allocated)
        snprintf(ret, CODEC_REASON_BYTES, "cannot be made: Bits Stored %u and Bits Allocated %u contradict",
                 shape->bits_stored, shape->bits_allocated);
    else if (shape->samples_per_pixel != 1 && (shape->samples_per_pixel != 3 || bits))
        snprintf(ret, CODEC_REASON_BYTES, "cannot be made of %u samples a pixel", shape->samples_per_pixel);
    else if (!transfer_syntax_info(to)->lossless && !bears_losses(shape))
        snprintf(ret, CODEC_REASON_BYTES, "loses what %s do not bear",
                 bits ? "single bits" : "the indices of a palette");
    else if (bits)
        snprintf(ret, CODEC_REASON_BYTES, "holds no samples of Bits Allocated 1");
    else if (shape->bits_stored > most || shape->bits_allocated > 16)
        snprintf(ret, CODEC_REASON_BYTES, "is made of at most %u bits a sample, these have %u",
                 most < shape->bits_stored ? most : 16, shape->bits_stored);
    else if (shape->is_signed && most_bits_of(to, true) == 0)
        snprintf(ret, CODEC_REASON_BYTES, "holds no signed samples");
    else
        snprintf(ret, CODEC_REASON_BYTES, "cannot be made of such an image");
}

void codec_why_not(enum transfer_syntax from, enum transfer_syntax to, const struct pixel_shape *shape,
                   char ret[CODEC_REASON_BYTES])
{
    const struct pixel_shape between = shape_between(from, shape);

    if (!codec_can_decode(from, shape))
        snprintf(ret, CODEC_REASON_BYTES, "cannot be made: %s has no decoder here for %u samples of %u bits",
                 transfer_syntax_info(from)->uid, shape->samples_per_pixel, shape->bits_allocated);
    else
        why_not_encoded(to, &between, ret);
}

void pixels_done(struct pixels *pixels)
{
    block_unref(pixels->block);
    pixels->block = NULL;
}

void pixels_drop(struct pixels *pixels)
{
    pixels_done(pixels);
}

bool pixels_take(const struct pixel_shape *shape, struct pixels *ret, struct error *err)
{
    const uint64_t size = pixel_shape_frame_bytes(shape);

    if (!block_take((size_t)size, &ret->block, err))
        return false;
    block_seal(ret->block, (size_t)size);
    ret->shape = *shape;
    return true;
}

bool decoding_failed(struct error *err, const char *format, ...)
{
    char detail[160];
    va_list args;

    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    /* What a stream says of itself is no secret of anyone, and tells a damaged one from an unknown one. */
    error_tell(err, FAULT_CORRUPT_PIXELS, "%s: %s.", UNREADABLE, detail);
    snprintf(err->detail, sizeof err->detail, "%s", detail);
    return false;
}

bool decoding_ended(struct error *err, const char *detail)
{
    return decoding_failed(err, "%s", detail);
}

bool codec_is_plausible(uint64_t native_bytes, uint64_t coded_bytes)
{
    enum { BLANK_BYTES = 16 * 1024 * 1024, MOST_FOR_ONE = 2048 };

    return native_bytes <= BLANK_BYTES || (native_bytes - BLANK_BYTES) / MOST_FOR_ONE <= coded_bytes;
}

static bool too_large(const struct decoding *task, struct error *err)
{
    return error_tell(err, FAULT_TOO_LARGE,
                      "A frame of %" PRIu64 " bytes is not decoded; at most %" PRIu64 " (decode_ceiling).",
                      pixel_shape_frame_bytes(&task->shape), task->ceiling_bytes);
}

static bool check_size(const struct decoding *task, struct error *err)
{
    const struct pixel_shape *shape = &task->shape;
    const uint64_t size = pixel_shape_frame_bytes(shape);

    if (size == 0)
        return decoding_failed(err, "%" PRIu32 " x %" PRIu32 " pixels", shape->columns, shape->rows);
    if (size > task->ceiling_bytes)
        return too_large(task, err);
    if (!codec_is_plausible(size, task->coded.size))
        return error_tell(err, FAULT_TOO_LARGE,
                          "%zu coded bytes claim to be a frame of %" PRIu64 ": not decoded.",
                          task->coded.size, size);
    return true;
}

bool decoding_check(const struct decoding *task, const struct stream_facts *facts, struct error *err)
{
    const struct pixel_shape *shape = &task->shape;

    if (facts->rows != shape->rows || facts->columns != shape->columns)
        return decoding_failed(err,
                               "the code stream has %" PRIu32 " x %" PRIu32
                               " pixels, the attributes say %" PRIu32 " x %" PRIu32,
                               facts->columns, facts->rows, shape->columns, shape->rows);
    if (facts->components != shape->samples_per_pixel)
        return decoding_failed(err, "the code stream has %u components, the attributes say %u",
                               facts->components, shape->samples_per_pixel);
    if (facts->bits < 1 || facts->bits > shape->bits_allocated)
        return decoding_failed(err, "the code stream has %u bits, the attributes allocate %u", facts->bits,
                               shape->bits_allocated);
    return true;
}

/* Does a library see bytes that are not ours? Then not in this process, if there are others. */
static bool goes_elsewhere(enum transfer_syntax from)
{
    return decoder_processes_are_open() && !is_native(from) && from != SYNTAX_RLE_LOSSLESS &&
           from != SYNTAX_DEFLATED_FRAME;
}

/* Encoders that take long, or keep several times a large frame, work where their memory has a limit, their
 * number too, and where who reads what is stored has the processor first. HTJ2K, JPEG-LS and 8-bit JPEG are
 * quick; HTJ2K of most widths wants a heap of its own. */
static bool is_heavy_work(enum transfer_syntax to, const struct pixel_shape *shape)
{
    const bool quick = to == SYNTAX_HTJ2K || to == SYNTAX_HTJ2K_LOSSLESS ||
                       to == SYNTAX_HTJ2K_LOSSLESS_RPCL || to == SYNTAX_JPEG_LS_LOSSLESS ||
                       to == SYNTAX_JPEG_LS_NEAR_LOSSLESS;

    return decoder_processes_are_open() && to != SYNTAX_RLE_LOSSLESS && to != SYNTAX_DEFLATED_FRAME &&
           to != SYNTAX_JPEG_BASELINE_8 &&
           (!quick || pixel_shape_frame_bytes(shape) > LARGE_FRAME_BYTES || jpeg_2000_wants_zeros(to, shape));
}

/* What decoders leave to one place. They give samples interleaved, or as they come; the attributes may say
 * otherwise. */
static bool arrange(const struct codec_wish *wish, const struct pixel_shape *wanted, struct pixels *pixels,
                    struct error *err)
{
    if (wish->for_display)
        return layout_for_display(pixels, err);
    if (pixels->shape.samples_per_pixel == 1) {
        pixels->shape.planar = wanted->planar;
        return true;
    }
    return layout_planar(pixels, wanted->planar, err);
}

/* Codecs know no cells of one bit: they see bytes of 0 and 1. */
static bool is_of_bits(enum transfer_syntax syntax, const struct pixel_shape *shape)
{
    return shape->bits_allocated == 1 && !is_native(syntax) && syntax != SYNTAX_DEFLATED_FRAME;
}

static struct decoding task_of(const struct pixel_shape *shape, struct block *coded,
                               const struct codec_wish *wish)
{
    return (struct decoding){
        .shape = *shape,
        .coded = block_bytes(coded),
        .wish = wish,
        .ceiling_bytes = wish->ceiling_bytes ? wish->ceiling_bytes : CODEC_CEILING_BYTES,
    };
}

static bool decode_here(enum transfer_syntax from, const struct codec *codec, const struct decoding *task,
                        struct pixels *ret, struct error *err)
{
    static const struct codec_wish whole; /* the average of bits is none */
    struct decoding of_bytes = *task;

    if (!is_of_bits(from, &task->shape))
        return codec->decode(task, ret, err);
    of_bytes.of_bits = true;
    of_bytes.shape.bits_allocated = 8;
    of_bytes.wish = &whole;
    return codec->decode(&of_bytes, ret, err) && samples_pack(ret, err);
}

bool codec_decode(enum transfer_syntax from, const struct pixel_shape *shape, struct block *coded,
                  const struct codec_wish *wish, struct pixels *ret, struct error *err)
{
    const struct decoding task = task_of(shape, coded, wish);
    SCOPED(pixels) struct pixels pixels = { 0 };

    if (is_native(from)) {
        const uint64_t size = pixel_shape_frame_bytes(shape);
        if (size == 0 || size > task.coded.size)
            return decoding_failed(err, "%zu bytes of a native frame of %" PRIu64, task.coded.size, size);
        pixels = (struct pixels){ block_ref(coded), *shape };
    } else {
        const struct codec *codec = decoder_of(from, shape);
        if (!codec)
            return error_tell(
                err, FAULT_NOT_ACCEPTABLE, "There is no decoder for %s with %u samples of %u bits.",
                transfer_syntax_info(from)->uid, shape->samples_per_pixel, shape->bits_allocated);
        if (!check_size(&task, err))
            return false;
        if (goes_elsewhere(from)) {
            const struct decoder_job job = {
                .from = from, .to = SYNTAX_EXPLICIT_LE, .shape = *shape, .wish = *wish
            };
            return decoder_process_run(&job, task.coded, ret, err);
        }
        if (!decode_here(from, codec, &task, &pixels, err)) {
            if (err->fault == FAULT_CORRUPT_PIXELS &&
                !err->told[0]) /* from the bridge, which tells the log alone */
                snprintf(err->told, sizeof err->told, "%s: %.*s.", UNREADABLE, DETAIL_TOLD, err->detail);
            return error_while(err, "decoding %s", transfer_syntax_info(from)->uid);
        }
    }
    if (!arrange(wish, shape, &pixels, err))
        return false;
    *ret = (struct pixels){ TAKE(pixels.block), pixels.shape };
    return true;
}

/* As encoders want samples. 4:2:2 cannot be encoded as it is; every encoder but RLE's wants the samples of a
 * pixel together. Where something is lost anyway, colours lose least in the codec's own (PS3.5 8.2.4, 8.2.15:
 * JPEG 2000 and JPEG XL have no YBR_FULL). */
static bool prepare(enum transfer_syntax to, struct pixels *pixels, struct error *err)
{
    const bool own_colours = to == SYNTAX_JPEG_2000 || to == SYNTAX_HTJ2K || to == SYNTAX_JPEG_XL;

    if (is_of_bits(to, &pixels->shape) && !samples_unpack(pixels, err))
        return false;
    return layout_full_chroma(pixels, err) &&
           (to == SYNTAX_RLE_LOSSLESS || to == SYNTAX_DEFLATED_FRAME || layout_planar(pixels, false, err)) &&
           (!own_colours || layout_rgb(pixels, err));
}

bool codec_encode(enum transfer_syntax to, const struct pixels *pixels,
                  const struct codec_parameters *parameters, struct pixels *ret, struct error *err)
{
    const struct codec *codec = encoder_of(to, &pixels->shape);
    SCOPED(pixels) struct pixels coded = { 0 };
    SCOPED(pixels) struct pixels ready = { 0 };

    if (to == SYNTAX_EXPLICIT_LE) {
        *ret = (struct pixels){ block_ref(pixels->block), pixels->shape };
        return true;
    }
    if (!codec)
        return error_tell(err, FAULT_NOT_ACCEPTABLE, "There is no encoder for %s with %u samples of %u bits.",
                          transfer_syntax_info(to)->uid, pixels->shape.samples_per_pixel,
                          pixels->shape.bits_allocated);
    ready = (struct pixels){ block_ref(pixels->block), pixels->shape };
    if (!prepare(to, &ready, err) || !codec->encode(to, &ready, parameters, &coded, err))
        return error_while(err, "encoding %s", transfer_syntax_info(to)->uid);
    if (pixels->shape.bits_allocated == 1)
        coded.shape.bits_allocated = 1;
    *ret = (struct pixels){ TAKE(coded.block), coded.shape };
    return true;
}

static bool recompress(enum transfer_syntax to, const struct pixel_shape *shape, struct bytes coded,
                       uint64_t ceiling_bytes, struct pixels *ret, struct error *err)
{
    ret->shape = *shape;
    return to == SYNTAX_JPEG_XL_RECOMPRESSION ? jpeg_xl_from_jpeg(coded, &ret->block, err)
                                              : jpeg_xl_to_jpeg(coded, ceiling_bytes, &ret->block, err);
}

bool codec_transcode(enum transfer_syntax from, enum transfer_syntax to, const struct pixel_shape *shape,
                     struct block *frame, const struct codec_parameters *parameters, uint64_t ceiling_bytes,
                     struct pixels *ret, struct error *err)
{
    const struct codec_wish wish = { .ceiling_bytes = ceiling_bytes };
    SCOPED(pixels) struct pixels native = { 0 };

    if (from == to) {
        *ret = (struct pixels){ block_ref(frame), *shape };
        return true;
    }
    const struct decoding task = { .shape = *shape,
                                   .coded = block_bytes(frame),
                                   .ceiling_bytes = ceiling_bytes ? ceiling_bytes : CODEC_CEILING_BYTES };
    if (is_native(from) && pixel_shape_frame_bytes(shape) > task.ceiling_bytes)
        return too_large(&task, err);
    if ((goes_elsewhere(from) || is_heavy_work(to, shape)) && to != SYNTAX_EXPLICIT_LE &&
        codec_can(from, to, shape)) {
        const struct decoder_job job = {
            .from = from, .to = to, .shape = *shape, .wish = wish, .parameters = *parameters
        };
        return (is_native(from) || check_size(&task, err)) && decoder_process_run(&job, task.coded, ret, err);
    }
    if (is_recompression(from, to))
        return recompress(to, shape, block_bytes(frame), ceiling_bytes ? ceiling_bytes : CODEC_CEILING_BYTES,
                          ret, err);
    return codec_decode(from, shape, frame, &wish, &native, err) &&
           codec_encode(to, &native, parameters, ret, err);
}
