/* codec/jpeg_ijg.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * JPEG of 12 bits and lossless JPEG, by what DCMTK has (bridge/ijg_jpeg.h). Its lossless coder knows no sign:
 * cells keep their bit pattern (TSX-09).
 */
#include "codec/inside.h"

#include "bridge/ijg_jpeg.h"
#include "codec/samples.h"

enum { SOF_LOSSLESS = 0xC3 };

static bool ends_as_it_should(struct bytes coded)
{
    size_t size = coded.size;

    while (size > 2 && (coded.data[size - 1] == 0 || coded.data[size - 1] == 0xFF)) /* padding */
        size--;
    return size >= 2 && coded.data[size - 2] == 0xFF && coded.data[size - 1] == 0xD9;
}

bool jpeg_ijg_decode(const struct decoding *task, const struct jpeg_header *header, struct pixels *ret,
                     struct error *err)
{
    struct pixel_shape shape = task->shape;
    const bool colour = shape.samples_per_pixel == 3, lossless = header->sof == SOF_LOSSLESS;
    const bool bytes = header->facts.bits <= 8, wide = shape.bits_allocated == 16;
    const bool ybr = colour && !lossless && shape.photometric != RGB;

    shape.planar = false;
    if (colour && (ybr || shape.photometric == YBR_FULL_422))
        shape.photometric = ybr ? RGB : YBR_FULL;
    if (!pixels_take(&shape, ret, err))
        return false;
    const size_t samples = (size_t)shape.rows * shape.columns * shape.samples_per_pixel;
    uint8_t *room = block_room(ret->block, NULL);
    /* A lossy stream may say something odd, once, if it is whole. */
    const unsigned warnings = lossless || !ends_as_it_should(task->coded) ? 0 : 1;
    if (!ijg_jpeg_decode(task->coded, header->facts.bits, ybr, warnings,
                         bytes && wide ? room + samples : room, samples * (bytes ? 1u : 2u), err))
        return false;
    if (bytes && wide)
        samples_widen(room, samples);
    if (shape.is_signed)
        samples_sign(room, samples, shape.bits_allocated, header->facts.bits);
    return true;
}

/* `pixels` in the cells that the coder of `bits` wants: bytes up to 8 bits, words above. */
static bool set_cells(struct pixels *pixels, unsigned bits, struct error *err)
{
    struct block *narrow = NULL;

    if (!samples_unsign(pixels, bits, err))
        return false;
    if (bits > 8 || pixels->shape.bits_allocated == 8)
        return true;
    const size_t samples = block_bytes(pixels->block).size / 2;
    if (!block_take(samples, &narrow, err))
        return false;
    samples_narrow(block_bytes(pixels->block).data, samples, block_room(narrow, NULL));
    block_seal(narrow, samples);
    block_unref(pixels->block);
    pixels->block = narrow;
    return true;
}

static struct ijg_jpeg_image image_of(const struct pixel_shape *shape, unsigned bits)
{
    return (struct ijg_jpeg_image){ shape->rows, shape->columns, shape->samples_per_pixel, bits };
}

bool jpeg_ijg_encode_lossless(const struct pixels *pixels, struct pixels *ret, struct error *err)
{
    SCOPED(pixels) struct pixels plain = { block_ref(pixels->block), pixels->shape };
    const unsigned bits = ijg_jpeg_precision(samples_pattern_precision(pixels));
    const struct ijg_jpeg_image image = image_of(&pixels->shape, bits);

    ret->shape = pixels->shape;
    return set_cells(&plain, bits, err) &&
           ijg_jpeg_encode_lossless(block_bytes(plain.block).data, &image, &ret->block, err);
}

bool jpeg_ijg_encode_12(const struct pixels *pixels, const struct codec_parameters *parameters,
                        struct pixels *ret, struct error *err)
{
    const struct ijg_jpeg_image image = image_of(&pixels->shape, 12);

    if (samples_precision(pixels) > 12)
        return error_tell(err, FAULT_NOT_ACCEPTABLE,
                          "The samples use more than 12 bits: no JPEG Extended of them.");
    ret->shape = pixels->shape;
    ret->shape.bits_stored = 12;
    if (ret->shape.samples_per_pixel == 3) /* DCMTK's coder keeps all of the colours */
        ret->shape.photometric = YBR_FULL;
    return ijg_jpeg_encode_12(block_bytes(pixels->block).data, &image,
                              parameters->quality ? parameters->quality : CODEC_QUALITY, &ret->block, err);
}
