/* bridge/ijg_jpeg.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * JPEG of 12 bits and lossless JPEG of 2 to 16 bits (ITU-T T.81 processes 4 and 14) by the forks of IJG's
 * library that DCMTK keeps. Cells are bytes up to 8 bits of precision, little endian words above. Any thread;
 * takes as long as it takes.
 */
#ifndef GANTRY_BRIDGE_IJG_JPEG_H
#define GANTRY_BRIDGE_IJG_JPEG_H

#include <stdint.h>

#include "base/attributes.h"
#include "base/block.h"
#include "base/bytes.h"
#include "base/error.h"

GANTRY_C_BEGIN

/* Interleaved cells, rows * columns * components of them. `ybr`: a lossy stream's colours are YCbCr and
 * become RGB. `bits` is the stream's precision, as its frame header says. More warnings than
 * `most_warnings` are a failure. CORRUPT_PIXELS, BUSY. */
MUST_USE bool ijg_jpeg_decode(struct bytes coded, unsigned bits, bool ybr, unsigned most_warnings,
                              uint8_t *into, size_t size, struct error *err);

struct ijg_jpeg_image {
    uint32_t rows, columns; /* 65535 at most */
    unsigned components;    /* 1, or 3: their colours stay what they are */
    unsigned bits;          /* values lie in cells of bytes up to 8, of words above */
};
/* Precisions that the encoders know; the least that holds `bits`: 8, 12 or 16. */
unsigned ijg_jpeg_precision(unsigned bits);
/* Lossless, with the first predictor. `from`: cells as above. BUSY, INTERNAL. */
MUST_USE bool ijg_jpeg_encode_lossless(const uint8_t *from, const struct ijg_jpeg_image *image,
                                       struct block **ret, struct error *err);
/* Sequential DCT of 12 bits; quality 1..100. One component. */
MUST_USE bool ijg_jpeg_encode_12(const uint8_t *from, const struct ijg_jpeg_image *image, unsigned quality,
                                 struct block **ret, struct error *err);

GANTRY_C_END

#endif
