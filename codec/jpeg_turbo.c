/* codec/jpeg_turbo.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * 8-bit JPEG with a DCT, by libjpeg-turbo: from and to the layout that is wanted, row by row, no copy
 * between.
 *
 * Whose word counts for the colours: the stream's own if it has one (JFIF, Adobe), then subsampling, which
 * only YCbCr has, then Photometric Interpretation.
 */
#include "codec/inside.h"

#include <setjmp.h>
#include <stdio.h> /* before jpeglib.h, which uses FILE */
#include <stdlib.h>

#include <jerror.h>
#include <jpeglib.h>

#include "codec/samples.h"

enum { HALVINGS_MOST = 3, SCANS_MOST = 64, ROWS_AT_ONCE = 8 };

/* libjpeg ends by calling error_exit, which must not return. */
struct escape {
    struct jpeg_error_mgr manager; /* first: libjpeg knows this alone */
    struct jpeg_progress_mgr progress;
    jmp_buf out;
    bool too_many_scans;
    char message[JMSG_LENGTH_MAX];
};

static void leave(j_common_ptr jpeg)
{
    struct escape *escape = (struct escape *)jpeg->err;

    if (!escape->too_many_scans)
        escape->manager.format_message(jpeg, escape->message);
    longjmp(escape->out, 1);
}

/* Data that end early or are no Huffman code would be painted grey, and pass for an image. Other warnings are
 * about things that do not matter. */
static void weigh_message(j_common_ptr jpeg, int level)
{
    const int code = jpeg->err->msg_code;

    if (level < 0 && (code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE || code == JWRN_MUST_RESYNC))
        leave(jpeg);
}

static void say_nothing(j_common_ptr jpeg)
{
    (void)jpeg;
}

/* Each scan of a progressive image goes over all of it: a few bytes could buy hours. */
static void count_scans(j_common_ptr jpeg)
{
    struct escape *escape = (struct escape *)jpeg->err;

    if (jpeg->is_decompressor && ((j_decompress_ptr)jpeg)->input_scan_number > SCANS_MOST) {
        escape->too_many_scans = true;
        snprintf(escape->message, sizeof escape->message, "more than %d scans", SCANS_MOST);
        leave(jpeg);
    }
}

static void prepare(struct escape *escape)
{
    *escape = (struct escape){ 0 };
    jpeg_std_error(&escape->manager);
    escape->manager.error_exit = leave;
    escape->manager.emit_message = weigh_message;
    escape->manager.output_message = say_nothing;
    escape->progress.progress_monitor = count_scans;
}

/* ── decoding ── */

static void choose_colours(struct jpeg_decompress_struct *jpeg, const struct decoding *task, bool subsampled,
                           struct pixel_shape *shape)
{
    if (jpeg->num_components != 3)
        return; /* one component: grey, whatever it means */
    const bool says_itself = jpeg->saw_JFIF_marker || jpeg->saw_Adobe_marker;
    if (!says_itself)
        jpeg->jpeg_color_space = subsampled || task->shape.photometric != RGB ? JCS_YCbCr : JCS_RGB;
    if (jpeg->jpeg_color_space == JCS_RGB) {
        jpeg->out_color_space = JCS_RGB;
        shape->photometric = RGB;
    } else if (task->shape.photometric == YBR_FULL && !task->wish->for_display) {
        jpeg->out_color_space = JCS_YCbCr;
    } else {
        jpeg->out_color_space = JCS_RGB;
        shape->photometric = RGB;
    }
}

static void read_rows(struct jpeg_decompress_struct *jpeg, uint8_t *into, size_t row_bytes)
{
    while (jpeg->output_scanline < jpeg->output_height) {
        JSAMPROW rows[ROWS_AT_ONCE];

        for (unsigned i = 0; i < ROWS_AT_ONCE; i++)
            rows[i] = into + (jpeg->output_scanline + i) * row_bytes;
        const unsigned left = jpeg->output_height - jpeg->output_scanline;
        (void)jpeg_read_scanlines(jpeg, rows, left < ROWS_AT_ONCE ? left : ROWS_AT_ONCE);
    }
}

/* What longjmp may pass over lives in the caller. */
static bool decode_guarded(struct jpeg_decompress_struct *jpeg, struct escape *escape,
                           const struct decoding *task, const struct jpeg_header *header, struct pixels *ret,
                           struct error *err)
{
    struct pixel_shape shape = task->shape;
    const unsigned halvings = task->wish->halvings < HALVINGS_MOST ? task->wish->halvings : HALVINGS_MOST;

    if (setjmp(escape->out))
        return decoding_failed(err, "libjpeg: %s", escape->message);
    jpeg_create_decompress(jpeg);
    jpeg->progress = &escape->progress;
    jpeg_mem_src(jpeg, task->coded.data, (unsigned long)task->coded.size);
    jpeg_read_header(jpeg, TRUE);
    choose_colours(jpeg, task, header->subsampled, &shape);
    jpeg->scale_num = 1;
    jpeg->scale_denom = 1u << halvings;
    jpeg_start_decompress(jpeg);
    shape.rows = jpeg->output_height;
    shape.columns = jpeg->output_width;
    shape.planar = false;
    if ((unsigned)jpeg->output_components != shape.samples_per_pixel)
        return decoding_failed(err, "libjpeg: %d components come out", jpeg->output_components);
    if (!pixels_take(&shape, ret, err))
        return false;
    const size_t row_bytes = (size_t)shape.columns * shape.samples_per_pixel,
                 samples = row_bytes * shape.rows;
    uint8_t *room = block_room(ret->block, NULL);
    read_rows(jpeg, shape.bits_allocated == 8 ? room : room + samples, row_bytes);
    if (shape.bits_allocated == 16)
        samples_widen(room, samples);
    return true;
}

bool jpeg_turbo_decode(const struct decoding *task, const struct jpeg_header *header, struct pixels *ret,
                       struct error *err)
{
    struct jpeg_decompress_struct jpeg = { 0 };
    struct escape escape;

    prepare(&escape);
    jpeg.err = &escape.manager;
    const bool ok = decode_guarded(&jpeg, &escape, task, header, ret, err);
    jpeg_destroy_decompress(&jpeg);
    return ok;
}

/* ── encoding ── */

static void set_colours(struct jpeg_compress_struct *jpeg, const struct pixel_shape *shape,
                        const struct codec_parameters *parameters)
{
    jpeg->input_components = shape->samples_per_pixel;
    jpeg->in_color_space = shape->samples_per_pixel == 1    ? JCS_GRAYSCALE
                           : shape->photometric == YBR_FULL ? JCS_YCbCr
                                                            : JCS_RGB;
    jpeg_set_defaults(jpeg);
    jpeg_set_quality(jpeg, parameters->quality ? (int)parameters->quality : CODEC_QUALITY, TRUE);
    if (shape->samples_per_pixel == 3) {
        jpeg->comp_info[0].h_samp_factor = parameters->full_chroma ? 1 : 2;
        jpeg->comp_info[0].v_samp_factor = 1;
    }
}

static void write_profile(struct jpeg_compress_struct *jpeg, struct bytes profile)
{
    if (profile.size)
        jpeg_write_icc_profile(jpeg, profile.data, (unsigned)profile.size);
}

/* `narrow` has room for ROWS_AT_ONCE rows of bytes when the samples are words. */
static void write_rows(struct jpeg_compress_struct *jpeg, const struct pixel_shape *shape,
                       const uint8_t *from, uint8_t *narrow)
{
    const size_t row_samples = (size_t)shape->columns * shape->samples_per_pixel;

    while (jpeg->next_scanline < jpeg->image_height) {
        const unsigned left = jpeg->image_height - jpeg->next_scanline;
        const unsigned count = left < ROWS_AT_ONCE ? left : ROWS_AT_ONCE;
        JSAMPROW rows[ROWS_AT_ONCE];

        for (unsigned i = 0; i < count; i++) {
            const size_t first = (jpeg->next_scanline + i) * row_samples;
            if (!narrow) {
                rows[i] = (JSAMPROW)(uintptr_t)(from + first); /* libjpeg only reads it */
                continue;
            }
            rows[i] = narrow + i * row_samples;
            samples_narrow(from + 2 * first, row_samples, rows[i]);
        }
        jpeg_write_scanlines(jpeg, rows, count);
    }
}

static bool encode_guarded(struct jpeg_compress_struct *jpeg, struct escape *escape,
                           const struct pixels *pixels, const struct codec_parameters *parameters,
                           uint8_t *narrow, unsigned char **coded, unsigned long *coded_size,
                           struct error *err)
{
    const struct pixel_shape *shape = &pixels->shape;

    if (setjmp(escape->out))
        return error_set(err, FAULT_INTERNAL, "libjpeg: %s", escape->message);
    jpeg_create_compress(jpeg);
    jpeg_mem_dest(jpeg, coded, coded_size);
    jpeg->image_width = shape->columns;
    jpeg->image_height = shape->rows;
    set_colours(jpeg, shape, parameters);
    jpeg_start_compress(jpeg, TRUE);
    write_profile(jpeg, parameters->icc_profile);
    write_rows(jpeg, shape, block_bytes(pixels->block).data, narrow);
    jpeg_finish_compress(jpeg);
    return true;
}

bool jpeg_turbo_encode(enum transfer_syntax to, const struct pixels *pixels,
                       const struct codec_parameters *parameters, struct pixels *ret, struct error *err)
{
    const struct pixel_shape *shape = &pixels->shape;
    const size_t row_samples = (size_t)shape->columns * shape->samples_per_pixel;
    struct jpeg_compress_struct jpeg = { 0 };
    struct escape escape;
    struct block *narrow = NULL;
    unsigned char *coded = NULL;
    unsigned long coded_size = 0;

    (void)to;
    if (samples_precision(pixels) > 8)
        return error_tell(err, FAULT_NOT_ACCEPTABLE,
                          "The samples use more than 8 bits: no such JPEG of them.");
    if (shape->bits_allocated == 16 && !block_take(row_samples * ROWS_AT_ONCE, &narrow, err))
        return false;
    prepare(&escape);
    jpeg.err = &escape.manager;
    bool ok = encode_guarded(&jpeg, &escape, pixels, parameters, narrow ? block_room(narrow, NULL) : NULL,
                             &coded, &coded_size, err);
    jpeg_destroy_compress(&jpeg);
    block_unref(narrow);
    if (ok && (ok = block_take(coded_size, &ret->block, err))) {
        memcpy(block_room(ret->block, NULL), coded, coded_size);
        block_seal(ret->block, coded_size);
        ret->shape = *shape;
        ret->shape.bits_allocated = 8; /* PS3.5 Table 8.2.1-1 */
        ret->shape.bits_stored = 8;    /* a stream of 8 bits, and losses reach into all of them */
        if (shape->samples_per_pixel == 3)
            ret->shape.photometric = parameters->full_chroma ? YBR_FULL : YBR_FULL_422;
    }
    free(coded);
    return ok;
}
