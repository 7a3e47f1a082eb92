/* bench/yardstick.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * How fast this machine is at what the pixel rows of run.py are made of: CPU time of the libraries' own
 * calls, nothing of ours around them, over a frame of the same shape and kind as the figures that run.py
 * compares with (its YARDSTICKS). OpenJPH, which is C++, and DCMTK's IJG are called by our bridge: its cells
 * are filled from the library's lines there.
 *
 * Usage: bench_yardstick NAME MILLISECONDS [FILE ROWS COLUMNS SAMPLES]
 * FILE has native samples, words if SAMPLES is 1, bytes if it is 3, and takes the place of the phantom.
 * Prints the best of the calls that fit into so much CPU time, and what the coded frame is of 16 bits a
 * sample.
 */
#include <math.h>
#include <stdio.h> /* before jpeglib.h, which uses FILE */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <charls/charls.h>
#include <jpeglib.h>
#include <openjpeg.h>

#include "base/file.h"
#include "base/number.h"
#include "bridge/ht_j2k.h"
#include "bridge/ijg_jpeg.h"
#include "codec/codec.h"

enum { BITS = 12, QUALITY = 90, CALLS_LEAST = 3 };

/* Words of 12 bits, and what JPEG Baseline is given: bytes, of one sample or three. */
struct frame {
    uint32_t rows, columns;
    unsigned samples;
    uint8_t *words, *bytes;
    uint8_t *into; /* where decoders write */
    size_t count;  /* of samples */
};

struct coded {
    uint8_t *data;
    size_t size;
};

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "bench_yardstick: %s\n", what);
    exit(2);
}

static void need(bool fine, const struct error *err)
{
    if (!fine)
        fail(err->detail);
}

static void *memory_of(size_t bytes)
{
    void *memory = calloc(1, bytes);

    if (!memory)
        fail("no memory");
    return memory;
}

static uint64_t cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ── what is coded ── */

/* Near to gaussian, deviation 1. */
static double noise(uint32_t *state)
{
    double sum = 0;

    for (int i = 0; i < 6; i++) {
        *state = *state * 1664525u + 1013904223u;
        sum += (double)(*state >> 8) / (1 << 24) - 0.5;
    }
    return sum * 1.4142;
}

/* Body of tissue and bone in still air, half of the frame with noise: so the codecs make of it, to a few per
 * cent, what they made of the figures' frame (the ratios in YARDSTICKS). */
static double ct_value(double x, double y, uint32_t *state)
{
    const double r = hypot(x, y * 1.2);

    return r > 0.43 ? 30 : (r < 0.12 ? 1800 : 1050 + 30 * x) + noise(state) * 10.2;
}

static double dx_value(double x, double y, uint32_t *state)
{
    return 800 + 1600 * (x + 0.5) * (y + 0.5) + noise(state) * 10;
}

static struct frame frame_of(uint32_t rows, uint32_t columns, unsigned samples)
{
    struct frame frame = { rows, columns, samples, .count = (size_t)rows * columns * samples };

    frame.words = memory_of(2 * frame.count);
    frame.bytes = memory_of(frame.count);
    frame.into = memory_of(2 * frame.count);
    return frame;
}

/* `step`: what a byte counts. */
static void set_sample(struct frame *frame, size_t at, double value, double step)
{
    const unsigned cell = value < 0 ? 0 : value > 4095 ? 4095 : (unsigned)value;
    const double narrow = 128 + (value - 1050) / step;

    frame->words[2 * at] = (uint8_t)cell;
    frame->words[2 * at + 1] = (uint8_t)(cell >> 8);
    frame->bytes[at] = (uint8_t)(narrow < 0 ? 0 : narrow > 255 ? 255 : narrow);
}

static struct frame phantom(bool large, unsigned samples)
{
    struct frame frame = large ? frame_of(2500, 2048, samples) : frame_of(512, 512, samples);
    uint32_t state = 1;
    size_t at = 0;

    for (uint32_t row = 0; row < frame.rows; row++)
        for (uint32_t column = 0; column < frame.columns; column++) {
            const double x = (double)column / frame.columns - 0.5, y = (double)row / frame.rows - 0.5;
            const double value = large ? dx_value(x, y, &state) : ct_value(x, y, &state);
            for (unsigned i = 0; i < samples; i++)
                set_sample(&frame, at++, value - 80.0 * i, large ? 5.8 : 2.8);
        }
    return frame;
}

static struct frame frame_from(char **arguments)
{
    uint64_t rows, columns, samples;
    struct error err = { 0 };
    char *data;
    size_t size;

    if (!number_parse(bytes_of_text(arguments[1]), 1, 65535, &rows) ||
        !number_parse(bytes_of_text(arguments[2]), 1, 65535, &columns) ||
        !number_parse(bytes_of_text(arguments[3]), 1, 3, &samples) || samples == 2)
        fail("ROWS COLUMNS SAMPLES");
    struct frame frame = frame_of((uint32_t)rows, (uint32_t)columns, (unsigned)samples);
    need(file_read_all(arguments[0], (size_t)1 << 30, &data, &size, &err), &err);
    if (size < frame.count * (samples == 1 ? 2 : 1))
        fail("FILE is too short");
    for (size_t at = 0; at < frame.count; at++) {
        const uint8_t *cell = (const uint8_t *)data + (samples == 1 ? 2 * at : at);
        set_sample(&frame, at, samples == 1 ? cell[0] | cell[1] << 8 : *cell << 4, 16);
    }
    free(data);
    return frame;
}

/* ── the libraries ── */

static void keep(struct coded *coded, const void *data, size_t size)
{
    free(coded->data);
    coded->data = memory_of(size);
    memcpy(coded->data, data, size);
    coded->size = size;
}

static void keep_block(struct coded *coded, struct block *block)
{
    keep(coded, block_bytes(block).data, block_bytes(block).size);
    block_unref(block);
}

static void turbo_encode(const struct frame *frame, struct coded *coded)
{
    struct jpeg_compress_struct jpeg = { 0 };
    struct jpeg_error_mgr errors;
    unsigned long size = 0;

    free(coded->data);
    coded->data = NULL;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &coded->data, &size);
    jpeg.image_width = frame->columns;
    jpeg.image_height = frame->rows;
    jpeg.input_components = (int)frame->samples;
    jpeg.in_color_space = frame->samples == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, QUALITY, TRUE);
    if (frame->samples == 3)
        jpeg.comp_info[0].v_samp_factor = 1; /* 4:2:2 */
    jpeg_start_compress(&jpeg, TRUE);
    while (jpeg.next_scanline < jpeg.image_height) {
        JSAMPROW row = frame->bytes + (size_t)jpeg.next_scanline * frame->columns * frame->samples;
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    coded->size = size;
}

static void turbo_decode(const struct frame *frame, const struct coded *coded)
{
    struct jpeg_decompress_struct jpeg = { 0 };
    struct jpeg_error_mgr errors;

    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&jpeg);
    jpeg_mem_src(&jpeg, coded->data, (unsigned long)coded->size);
    jpeg_read_header(&jpeg, TRUE);
    jpeg_start_decompress(&jpeg);
    while (jpeg.output_scanline < jpeg.output_height) {
        JSAMPROW row = frame->into + (size_t)jpeg.output_scanline * frame->columns * frame->samples;
        jpeg_read_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_decompress(&jpeg);
    jpeg_destroy_decompress(&jpeg);
}

static void ijg_encode(const struct frame *frame, struct coded *coded)
{
    const struct ijg_jpeg_image image = { frame->rows, frame->columns, frame->samples, BITS };
    struct block *made = NULL;
    struct error err = { 0 };

    need(ijg_jpeg_encode_lossless(frame->words, &image, &made, &err), &err);
    keep_block(coded, made);
}

static void ijg_decode(const struct frame *frame, const struct coded *coded)
{
    struct error err = { 0 };

    need(ijg_jpeg_decode(bytes_of(coded->data, coded->size), ijg_jpeg_precision(BITS), false, 0, frame->into,
                         2 * frame->count, &err),
         &err);
}

static void charls_encode(const struct frame *frame, struct coded *coded)
{
    charls_jpegls_encoder *encoder = charls_jpegls_encoder_create();
    const charls_frame_info info = { frame->columns, frame->rows, BITS, (int32_t)frame->samples };
    const size_t room = 2 * frame->count + 4096;

    if (!coded->data)
        coded->data = memory_of(room);
    if (!encoder || charls_jpegls_encoder_set_frame_info(encoder, &info) != 0 ||
        charls_jpegls_encoder_set_destination_buffer(encoder, coded->data, room) != 0 ||
        charls_jpegls_encoder_encode_from_buffer(encoder, frame->words, 2 * frame->count, 0) != 0 ||
        charls_jpegls_encoder_get_bytes_written(encoder, &coded->size) != 0)
        fail("CharLS does not encode");
    charls_jpegls_encoder_destroy(encoder);
}

static void charls_decode(const struct frame *frame, const struct coded *coded)
{
    charls_jpegls_decoder *decoder = charls_jpegls_decoder_create();

    if (!decoder || charls_jpegls_decoder_set_source_buffer(decoder, coded->data, coded->size) != 0 ||
        charls_jpegls_decoder_read_header(decoder) != 0 ||
        charls_jpegls_decoder_decode_to_buffer(decoder, frame->into, 2 * frame->count, 0) != 0)
        fail("CharLS does not decode");
    charls_jpegls_decoder_destroy(decoder);
}

static struct ht_j2k_image ht_image(const struct frame *frame)
{
    return (struct ht_j2k_image){ frame->rows, frame->columns, frame->samples, BITS, 16, false };
}

static void openjph_encode(const struct frame *frame, struct coded *coded)
{
    const struct ht_j2k_image image = ht_image(frame);
    const struct ht_j2k_style style = { .levels = 5, .colour_transform = frame->samples == 3 };
    struct block *made = NULL;
    struct error err = { 0 };

    need(ht_j2k_encode(frame->words, &image, &style, &made, &err), &err);
    keep_block(coded, made);
}

static void openjph_decode(const struct frame *frame, const struct coded *coded)
{
    const struct ht_j2k_image image = ht_image(frame);
    struct error err = { 0 };

    need(ht_j2k_decode(bytes_of(coded->data, coded->size), 0, &image, frame->into, &err), &err);
}

/* Only once, for what is decoded: no row of run.py encodes JPEG 2000. */
static void openjpeg_encode(const struct frame *frame, struct coded *coded)
{
    static const struct codec_parameters usual;
    struct pixels native = { .shape = { frame->rows, frame->columns, (uint16_t)frame->samples, 16, BITS,
                                        false, false, frame->samples == 1 ? MONOCHROME2 : RGB } };
    struct pixels made = { 0 };
    struct error err = { 0 };

    need(block_take(2 * frame->count, &native.block, &err), &err);
    memcpy(block_room(native.block, NULL), frame->words, 2 * frame->count);
    block_seal(native.block, 2 * frame->count);
    need(codec_encode(SYNTAX_JPEG_2000_LOSSLESS, &native, &usual, &made, &err), &err);
    keep(coded, block_bytes(made.block).data, block_bytes(made.block).size);
    pixels_done(&made);
    pixels_done(&native);
}

struct reading {
    struct coded from;
    size_t at;
};

static OPJ_SIZE_T read_some(void *into, OPJ_SIZE_T size, void *user)
{
    struct reading *reading = user;
    const size_t left = reading->from.size - reading->at;

    if (left == 0)
        return (OPJ_SIZE_T)-1;
    size = size < left ? size : left;
    memcpy(into, reading->from.data + reading->at, size);
    reading->at += size;
    return size;
}

static void openjpeg_decode(const struct frame *frame, const struct coded *coded)
{
    opj_codec_t *codec = opj_create_decompress(OPJ_CODEC_J2K);
    opj_stream_t *input = opj_stream_create(64 * 1024, OPJ_TRUE);
    struct reading reading = { *coded, 0 };
    opj_dparameters_t parameters;
    opj_image_t *image = NULL;

    (void)frame;
    opj_stream_set_user_data(input, &reading, NULL);
    opj_stream_set_user_data_length(input, coded->size);
    opj_stream_set_read_function(input, read_some);
    opj_set_default_decoder_parameters(&parameters);
    if (!opj_setup_decoder(codec, &parameters) || !opj_read_header(input, codec, &image) ||
        !opj_decode(codec, input, image) || !opj_end_decompress(codec, input))
        fail("OpenJPEG does not decode");
    opj_image_destroy(image);
    opj_stream_destroy(input);
    opj_destroy_codec(codec);
}

/* ── */

struct yardstick {
    const char *name;
    unsigned samples;
    bool large, encodes; /* what is timed */
    void (*encode)(const struct frame *frame, struct coded *coded);
    void (*decode)(const struct frame *frame, const struct coded *coded);
};

static const struct yardstick yardsticks[] = {
    { "libjpeg-turbo.grey.encode", 1, false, true, turbo_encode, turbo_decode },
    { "libjpeg-turbo.grey.decode", 1, false, false, turbo_encode, turbo_decode },
    { "libjpeg-turbo.rgb.encode", 3, false, true, turbo_encode, turbo_decode },
    { "libjpeg-turbo.rgb.decode", 3, false, false, turbo_encode, turbo_decode },
    { "libjpeg-turbo.dx.encode", 1, true, true, turbo_encode, turbo_decode },
    { "dcmtk-ijg.lossless.decode", 1, false, false, ijg_encode, ijg_decode },
    { "charls.encode", 1, false, true, charls_encode, charls_decode },
    { "charls.decode", 1, false, false, charls_encode, charls_decode },
    { "openjpeg.decode", 1, false, false, openjpeg_encode, openjpeg_decode },
    { "openjph.encode", 1, false, true, openjph_encode, openjph_decode },
    { "openjph.decode", 1, false, false, openjph_encode, openjph_decode },
};

static const struct yardstick *find(const char *name)
{
    for (size_t i = 0; i < sizeof yardsticks / sizeof yardsticks[0]; i++)
        if (strcmp(yardsticks[i].name, name) == 0)
            return &yardsticks[i];
    for (size_t i = 0; i < sizeof yardsticks / sizeof yardsticks[0]; i++)
        fprintf(stderr, "%s\n", yardsticks[i].name);
    fail("no such yardstick; there are those above");
    return NULL;
}

int main(int argc, char **argv)
{
    uint64_t milliseconds, best = UINT64_MAX, spent = 0;
    struct coded coded = { 0 };

    if ((argc != 3 && argc != 7) || !number_parse(bytes_of_text(argv[2]), 1, 60000, &milliseconds))
        fail("NAME MILLISECONDS [FILE ROWS COLUMNS SAMPLES]");
    const struct yardstick *yardstick = find(argv[1]);
    const struct frame frame =
        argc == 7 ? frame_from(argv + 3) : phantom(yardstick->large, yardstick->samples);
    yardstick->encode(&frame, &coded);
    yardstick->decode(&frame, &coded);
    for (unsigned calls = 0; calls < CALLS_LEAST || spent < milliseconds * 1000000; calls++) {
        const uint64_t began = cpu_ns();
        if (yardstick->encodes)
            yardstick->encode(&frame, &coded);
        else
            yardstick->decode(&frame, &coded);
        const uint64_t took = cpu_ns() - began;
        spent += took;
        best = took < best ? took : best;
    }
    printf("{\"name\": \"%s\", \"ms\": %.4f, \"ratio\": %.2f}\n", yardstick->name, (double)best / 1e6,
           2.0 * (double)frame.count / (double)coded.size);
    return 0;
}
