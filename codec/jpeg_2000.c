/* codec/jpeg_2000.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * JPEG 2000: OpenJPEG for Part 1 both ways, OpenJPH (bridge/ht_j2k.h) for Part 15 both ways, and OpenJPEG
 * again for what OpenJPH does not do: more than 16 bits. Which part a stream is, it says itself.
 */
#include "codec/inside.h"

#include <math.h>
#include <stdlib.h>

#include <openjpeg.h>

#include "bridge/ht_j2k.h"
#include "codec/j2k_stream.h"
#include "codec/samples.h"

enum {
    STRUCTURE_FLOOR_BYTES = 64 * 1024 * 1024,
    STRUCTURE_FACTOR = 8, /* of the frame: 64 x 64 blocks need 0.1, 4 x 4 blocks of words some 12 */
    HT_BITS_MOST = 16,
    RESOLUTIONS_MOST = 6,
    RPCL_LEAST = 64 /* the lowest resolution of .202 is no larger, one way (PS3.5 10.18) */
};

/* ── OpenJPEG's stream over bytes in memory ── */

struct reading {
    struct bytes from;
    size_t at;
};

static OPJ_SIZE_T read_some(void *into, OPJ_SIZE_T size, void *user)
{
    struct reading *reading = user;
    const size_t left = reading->from.size - reading->at;

    if (left == 0)
        return (OPJ_SIZE_T)-1;
    if (size > left)
        size = left;
    memcpy(into, reading->from.data + reading->at, size);
    reading->at += size;
    return size;
}

static OPJ_OFF_T skip_some(OPJ_OFF_T size, void *user)
{
    struct reading *reading = user;

    if (size < 0 || (uint64_t)size > reading->from.size - reading->at)
        return -1;
    reading->at += (size_t)size;
    return size;
}

static OPJ_BOOL seek_to(OPJ_OFF_T to, void *user)
{
    struct reading *reading = user;

    if (to < 0 || (uint64_t)to > reading->from.size)
        return OPJ_FALSE;
    reading->at = (size_t)to;
    return OPJ_TRUE;
}

struct writing {
    uint8_t *room;
    size_t capacity, at, size;
};

static OPJ_SIZE_T write_some(void *from, OPJ_SIZE_T size, void *user)
{
    struct writing *writing = user;

    if (size > writing->capacity - writing->at)
        return (OPJ_SIZE_T)-1;
    memcpy(writing->room + writing->at, from, size);
    writing->at += size;
    if (writing->at > writing->size)
        writing->size = writing->at;
    return size;
}

static OPJ_OFF_T skip_written(OPJ_OFF_T size, void *user)
{
    struct writing *writing = user;

    if (size < 0 || (uint64_t)size > writing->capacity - writing->at)
        return -1;
    writing->at += (size_t)size;
    return size;
}

static OPJ_BOOL seek_written(OPJ_OFF_T to, void *user)
{
    struct writing *writing = user;

    if (to < 0 || (uint64_t)to > writing->capacity)
        return OPJ_FALSE;
    writing->at = (size_t)to;
    return OPJ_TRUE;
}

static void keep_message(const char *message, void *user)
{
    char *kept = user;

    if (!kept[0])
        snprintf(kept, 120, "%s", message);
    kept[strcspn(kept, "\n")] = '\0';
}

static void close_codec(opj_codec_t **codec)
{
    opj_destroy_codec(*codec);
}

static void close_stream(opj_stream_t **stream)
{
    if (*stream)
        opj_stream_destroy(*stream);
}

static void close_image(opj_image_t **image)
{
    opj_image_destroy(*image);
}

#define OWNED(kind) __attribute__((cleanup(close_##kind)))

/* ── decoding ── */

static int32_t least_of(unsigned bits, bool is_signed)
{
    return is_signed ? (int32_t) - ((int64_t)1 << (bits - 1)) : 0;
}

static int32_t most_of(unsigned bits, bool is_signed)
{
    const int64_t most = ((int64_t)1 << (is_signed ? bits - 1 : bits)) - 1;

    return most > INT32_MAX ? INT32_MAX : (int32_t)most;
}

/* The shape of what comes out: RGB behind a colour transform, a smaller image with halvings. */
static struct pixel_shape decoded_shape(const struct decoding *task, unsigned halvings)
{
    struct pixel_shape shape = task->shape;

    shape.rows = (shape.rows + (1u << halvings) - 1) >> halvings;
    shape.columns = (shape.columns + (1u << halvings) - 1) >> halvings;
    shape.planar = false;
    if (shape.photometric == YBR_RCT || shape.photometric == YBR_ICT || shape.photometric == YBR_FULL_422)
        shape.photometric = RGB;
    return shape;
}

static bool take_image(const struct decoding *task, const struct j2k_stream *stream, const opj_image_t *image,
                       struct pixels *ret, struct error *err)
{
    const unsigned samples = task->shape.samples_per_pixel, bits = stream->facts.bits;
    const bool is_signed = stream->facts.is_signed;
    struct pixel_shape shape = decoded_shape(task, 0);

    if (image->numcomps != samples)
        return decoding_failed(err, "OpenJPEG: %u components come out", (unsigned)image->numcomps);
    shape.rows = image->comps[0].h;
    shape.columns = image->comps[0].w;
    for (unsigned i = 0; i < samples; i++)
        if (image->comps[i].w != shape.columns || image->comps[i].h != shape.rows || !image->comps[i].data)
            return decoding_failed(err, "OpenJPEG: components of different sizes come out");
    if (shape.rows > task->shape.rows || shape.columns > task->shape.columns)
        return decoding_failed(err, "OpenJPEG: too many pixels come out");
    if (!pixels_take(&shape, ret, err))
        return false;
    const size_t count = (size_t)shape.rows * shape.columns;
    uint8_t *room = block_room(ret->block, NULL);
    for (unsigned i = 0; i < samples; i++)
        samples_store(image->comps[i].data, count, least_of(bits, is_signed), most_of(bits, is_signed),
                      shape.bits_allocated, samples, room + (size_t)i * (shape.bits_allocated / 8u));
    if (shape.is_signed && !is_signed)
        samples_sign(room, count * samples, shape.bits_allocated, bits);
    return true;
}

/* Bits of two's complement in a stream that knows no signs: around zero they jump from one end to the other,
 * and what a smaller image averages is noise. Such a frame comes whole. */
static unsigned halvings_of(const struct decoding *task, const struct j2k_stream *stream)
{
    if (task->shape.is_signed && !stream->facts.is_signed)
        return 0;
    return task->wish->halvings < stream->levels ? task->wish->halvings : stream->levels;
}

static bool open_jpeg_decode(const struct decoding *task, const struct j2k_stream *stream, struct pixels *ret,
                             struct error *err)
{
    OWNED(codec) opj_codec_t *codec = opj_create_decompress(OPJ_CODEC_J2K);
    OWNED(stream) opj_stream_t *input = opj_stream_create(64 * 1024, OPJ_TRUE);
    OWNED(image) opj_image_t *image = NULL;
    struct reading reading = { stream->codestream, 0 };
    char message[120] = "";
    opj_dparameters_t parameters;

    if (!codec || !input)
        return error_set(err, FAULT_BUSY, "OpenJPEG: no memory");
    opj_set_error_handler(codec, keep_message, message);
    opj_stream_set_user_data(input, &reading, NULL);
    opj_stream_set_user_data_length(input, reading.from.size);
    opj_stream_set_read_function(input, read_some);
    opj_stream_set_skip_function(input, skip_some);
    opj_stream_set_seek_function(input, seek_to);
    opj_set_default_decoder_parameters(&parameters);
    parameters.cp_reduce = halvings_of(task, stream);
    if (!opj_setup_decoder(codec, &parameters) || !opj_read_header(input, codec, &image) ||
        !opj_decode(codec, input, image) || !opj_end_decompress(codec, input))
        return decoding_failed(err, "OpenJPEG: %s", message);
    return take_image(task, stream, image, ret, err);
}

static bool open_jph_decode(const struct decoding *task, const struct j2k_stream *stream, struct pixels *ret,
                            struct error *err)
{
    const unsigned halvings = halvings_of(task, stream);
    const struct pixel_shape shape = decoded_shape(task, halvings);
    const struct ht_j2k_image image = {
        .rows = shape.rows,
        .columns = shape.columns,
        .components = shape.samples_per_pixel,
        .bits = stream->facts.bits,
        .is_signed = stream->facts.is_signed,
        .bits_allocated = shape.bits_allocated,
    };

    if (!pixels_take(&shape, ret, err))
        return false;
    uint8_t *room = block_room(ret->block, NULL);
    if (!ht_j2k_decode(stream->codestream, halvings, &image, room, err))
        return false;
    if (shape.is_signed && !stream->facts.is_signed)
        samples_sign(room, (size_t)shape.rows * shape.columns * shape.samples_per_pixel, shape.bits_allocated,
                     stream->facts.bits);
    return true;
}

bool jpeg_2000_decode(const struct decoding *task, struct pixels *ret, struct error *err)
{
    const uint64_t native = pixel_shape_frame_bytes(&task->shape);
    struct j2k_stream stream;

    if (!j2k_stream_read(task->coded, &stream, err) || !decoding_check(task, &stream.facts, err))
        return false;
    if (stream.subsampled || stream.mixed)
        return decoding_failed(err, "JPEG 2000: components of different sizes or depths");
    if (stream.structure_bytes > STRUCTURE_FLOOR_BYTES &&
        stream.structure_bytes - STRUCTURE_FLOOR_BYTES > native * STRUCTURE_FACTOR)
        return error_tell(err, FAULT_TOO_LARGE,
                          "The code stream is cut into so many pieces that it is not decoded.");
    return (stream.is_high_throughput && stream.facts.bits <= HT_BITS_MOST
                ? open_jph_decode
                : open_jpeg_decode)(task, &stream, ret, err);
}

/* ── encoding ── */

/* As often as the smaller side can be halved, at most five times. */
static unsigned levels_of(const struct pixel_shape *shape)
{
    const uint32_t side = shape->rows < shape->columns ? shape->rows : shape->columns;
    unsigned levels = 0;

    while (levels + 1 < RESOLUTIONS_MOST && side >> (levels + 1))
        levels++;
    return levels;
}

/* Until one side of the lowest resolution is 64 at most (PS3.5 10.18). */
static unsigned rpcl_levels_of(const struct pixel_shape *shape)
{
    const uint32_t side = shape->rows < shape->columns ? shape->rows : shape->columns;
    const unsigned usual = levels_of(shape);
    unsigned levels = 0;

    while ((side + (1u << levels) - 1) >> levels > RPCL_LEAST)
        levels++;
    return levels > usual ? levels : usual;
}

static unsigned quality_of(const struct codec_parameters *parameters)
{
    return parameters->quality ? parameters->quality : CODEC_QUALITY;
}

/* RGB goes through RCT or ICT; other colours are three greys. */
static bool is_transformed(const struct pixel_shape *shape)
{
    return shape->samples_per_pixel == 3 && shape->photometric == RGB;
}

static void describe_coded(const struct pixel_shape *from, bool reversible, struct pixel_shape *ret)
{
    *ret = *from;
    if (is_transformed(from))
        ret->photometric = reversible ? YBR_RCT : YBR_ICT;
}

static opj_image_t *make_image(const struct pixels *pixels, unsigned bits)
{
    const struct pixel_shape *shape = &pixels->shape;
    const unsigned samples = shape->samples_per_pixel;
    opj_image_cmptparm_t components[3] = { { 0 }, { 0 }, { 0 } };

    for (unsigned i = 0; i < samples; i++) {
        components[i].dx = components[i].dy = 1;
        components[i].w = shape->columns;
        components[i].h = shape->rows;
        components[i].prec = bits;
        components[i].sgnd = shape->is_signed;
    }
    opj_image_t *image =
        opj_image_create(samples, components, samples == 3 ? OPJ_CLRSPC_SRGB : OPJ_CLRSPC_GRAY);
    if (!image)
        return NULL;
    image->x1 = shape->columns;
    image->y1 = shape->rows;
    for (unsigned i = 0; i < samples; i++)
        samples_load(block_bytes(pixels->block).data + (size_t)i * (shape->bits_allocated / 8u),
                     (size_t)shape->rows * shape->columns, samples, shape->bits_allocated, bits,
                     shape->is_signed, image->comps[i].data);
    return image;
}

static bool open_jpeg_encode(bool reversible, const struct pixels *pixels,
                             const struct codec_parameters *parameters, unsigned bits, struct pixels *ret,
                             struct error *err)
{
    OWNED(codec) opj_codec_t *codec = opj_create_compress(OPJ_CODEC_J2K);
    OWNED(stream) opj_stream_t *output = opj_stream_create(64 * 1024, OPJ_FALSE);
    OWNED(image) opj_image_t *image = make_image(pixels, bits);
    const uint64_t native = pixel_shape_frame_bytes(&pixels->shape);
    const size_t capacity = (size_t)(native + native / 4 + 64 * 1024);
    char message[120] = "";
    opj_cparameters_t settings;

    if (!codec || !output || !image)
        return error_set(err, FAULT_BUSY, "OpenJPEG: no memory");
    opj_set_error_handler(codec, keep_message, message);
    opj_set_default_encoder_parameters(&settings);
    settings.numresolution = (int)levels_of(&pixels->shape) + 1;
    settings.tcp_numlayers = 1;
    settings.tcp_mct = is_transformed(&pixels->shape);
    settings.irreversible = !reversible;
    if (reversible) {
        settings.cp_disto_alloc = 1;
        settings.tcp_rates[0] = 0;
    } else {
        settings.cp_fixed_quality = 1;
        settings.tcp_distoratio[0] = 30.0f + 0.25f * (float)quality_of(parameters); /* dB */
    }
    if (!block_take(capacity, &ret->block, err))
        return false;
    struct writing writing = { block_room(ret->block, NULL), capacity, 0, 0 };
    opj_stream_set_user_data(output, &writing, NULL);
    opj_stream_set_write_function(output, write_some);
    opj_stream_set_skip_function(output, skip_written);
    opj_stream_set_seek_function(output, seek_written);
    if (!opj_setup_encoder(codec, &settings, image) || !opj_start_compress(codec, image, output) ||
        !opj_encode(codec, output) || !opj_end_compress(codec, output))
        return error_set(err, FAULT_INTERNAL, "OpenJPEG: %s", message);
    block_seal(ret->block, writing.size);
    block_trim(&ret->block);
    return true;
}

/* A step of the quantiser as a part of the range of values: 1/1000 at 90, but no less than one value, since
 * finer ones take more than no loss at all; twice that ten below. */
static float quantiser_of(unsigned bits, unsigned quality)
{
    const float finest = 0.5f / exp2f((float)bits);

    return (finest > 0.0005f ? finest : 0.0005f) * exp2f((100.0f - (float)quality) / 10.0f);
}

static unsigned ht_levels_of(enum transfer_syntax to, const struct pixel_shape *shape)
{
    return to == SYNTAX_HTJ2K_LOSSLESS_RPCL ? rpcl_levels_of(shape) : levels_of(shape);
}

bool jpeg_2000_wants_zeros(enum transfer_syntax to, const struct pixel_shape *shape)
{
    return (to == SYNTAX_HTJ2K || to == SYNTAX_HTJ2K_LOSSLESS || to == SYNTAX_HTJ2K_LOSSLESS_RPCL) &&
           ht_j2k_wants_zeros(shape->columns, ht_levels_of(to, shape));
}

static bool open_jph_encode(enum transfer_syntax to, const struct pixels *pixels,
                            const struct codec_parameters *parameters, unsigned bits, struct pixels *ret,
                            struct error *err)
{
    const struct pixel_shape *shape = &pixels->shape;
    const struct ht_j2k_image image = {
        .rows = shape->rows,
        .columns = shape->columns,
        .components = shape->samples_per_pixel,
        .bits = bits,
        .is_signed = shape->is_signed,
        .bits_allocated = shape->bits_allocated,
    };
    const struct ht_j2k_style style = {
        .levels = ht_levels_of(to, shape),
        .colour_transform = is_transformed(shape),
        .quantiser = to == SYNTAX_HTJ2K ? quantiser_of(bits, quality_of(parameters)) : 0.0f,
        .tile_part_lengths = to == SYNTAX_HTJ2K_LOSSLESS_RPCL,
    };

    return ht_j2k_encode(block_bytes(pixels->block).data, &image, &style, &ret->block, err);
}

bool jpeg_2000_encode(enum transfer_syntax to, const struct pixels *pixels,
                      const struct codec_parameters *parameters, struct pixels *ret, struct error *err)
{
    const bool reversible = to != SYNTAX_JPEG_2000 && to != SYNTAX_HTJ2K;
    const unsigned bits = samples_precision(pixels);

    describe_coded(&pixels->shape, reversible, &ret->shape);
    if (to == SYNTAX_JPEG_2000_LOSSLESS || to == SYNTAX_JPEG_2000)
        return open_jpeg_encode(reversible, pixels, parameters, bits, ret, err);
    return open_jph_encode(to, pixels, parameters, bits, ret, err);
}
