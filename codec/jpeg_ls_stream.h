/* codec/jpeg_ls_stream.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * JPEG-LS (ITU-T T.87) of our own, about twice as fast as the library (docs/decisions/0022), for what occurs:
 * one component, or three that are interleaved or not, 2 to 16 bits, lossless or nearly, thresholds of the
 * stream's own, restart intervals. What it does not do, and whatever is wrong with a stream, is left to
 * CharLS (codec/jpeg_ls.c), which says no to what is broken: the results are the same, byte for byte, which
 * tests/unit/codec/jpeg_ls_test.c and tests/fuzz/codec_jpeg_ls_fuzz.c look after. Not for other rooms.
 */
#ifndef GANTRY_CODEC_JPEG_LS_STREAM_H
#define GANTRY_CODEC_JPEG_LS_STREAM_H

#include "codec/inside.h"

/* ILV of C.2.3 */
enum ls_interleave { LS_PLANES, LS_LINES, LS_SAMPLES };

/* What a scan's samples are coded with (C.2.4.1.1, A.2.1). */
struct ls_parameters {
    unsigned bits; /* 2..16 */
    int32_t maxval, near, range, limit;
    unsigned qbpp;
    int32_t t1, t2, t3;
};

struct ls_stream {
    uint32_t rows, columns;
    unsigned components, bits;
    enum ls_interleave interleave;
};

/* The defaults (C.2.4.1.1.1) for samples of `bits` bits that may be off by `near`. */
void ls_parameters_default(unsigned bits, int32_t near, struct ls_parameters *ret);

/* Reads the headers up to the first scan. False: not for us. */
bool ls_stream_read(struct bytes coded, struct ls_stream *ret);

/* Decodes what `stream` says into rows x columns cells of 1 or 2 bytes (2 for more than 8 bits) for each
 * component: interleaved, or one plane after the other for LS_PLANES. False: something is unusual or wrong;
 * what `into` holds is of no use then. Any thread, never waits, never reads or writes beyond the two. */
bool ls_decode(struct bytes coded, const struct ls_stream *stream, unsigned cell_bytes, uint8_t *into);

/* Encodes interleaved cells of 1 or 2 bytes (LS_SAMPLES, or LS_PLANES for one component), none above 2^bits -
 * 1, as a whole stream, which the caller owns. near: 0..255, less than 2^(bits-1). BUSY. Any thread. */
MUST_USE bool ls_encode(const struct ls_stream *stream, int32_t near, unsigned cell_bytes, struct bytes cells,
                        struct block **ret, struct error *err);

#endif
