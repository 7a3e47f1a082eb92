/* codec/codec.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pixels in, pixels out: which library decodes or encodes which transfer syntax, for which bits, samples and
 * signs (the table is in codec.c).
 *
 * What a frame's bytes are, everywhere here:
 *
 *   encapsulated   the code stream of one frame, its fragments joined, no item headers
 *   native         little endian samples of `bits_allocated` bits, as pixel_shape says: interleaved (R G B R
 * G B) unless `planar`; one bit a pixel packed from bit 0 when bits_allocated is 1; YBR_FULL_422 as Y Y Cb
 * Cr. Its size is pixel_shape_frame_bytes().
 */
#ifndef GANTRY_CODEC_CODEC_H
#define GANTRY_CODEC_CODEC_H

#include "base/block.h"
#include "base/error.h"
#include "dicom/pixel_shape.h"
#include "dicom/transfer_syntax.h"

/* Can a frame stored in `from` be made into one in `to` for this shape? The same syntax: yes, as it is. */
bool codec_can(enum transfer_syntax from, enum transfer_syntax to, const struct pixel_shape *shape);
/* Can a frame of this shape be decoded from `from`, be encoded in `to`? The native forms: yes. */
bool codec_can_decode(enum transfer_syntax from, const struct pixel_shape *shape);
bool codec_can_encode(enum transfer_syntax to, const struct pixel_shape *shape);

/* Why codec_can says no, as the end of a sentence that begins with the UID of `to`. */
enum { CODEC_REASON_BYTES = 120 };
void codec_why_not(enum transfer_syntax from, enum transfer_syntax to, const struct pixel_shape *shape,
                   char ret[CODEC_REASON_BYTES]);

/* One frame and what its bytes are. Owns a reference. */
struct pixels {
    struct block *block;
    struct pixel_shape shape;
};
void pixels_done(struct pixels *pixels);
void pixels_drop(struct pixels *pixels); /* SCOPED(pixels) struct pixels pixels = { 0 }; */

/* Zeros: all of the frame, colours and planes as the attributes of the stored instance say. */
struct codec_wish {
    unsigned halvings; /* rows and columns at 1/2^halvings, rounded up, where the codec can leave out work;
                        * 0..5. The result's shape says what came out: others give all of it, a stream with
                        * fewer resolutions its least */
    bool for_display;  /* interleaved, and RGB instead of any YBR */
    uint64_t ceiling_bytes; /* of the decoded frame; 0: CODEC_CEILING_BYTES */
};
#define CODEC_CEILING_BYTES ((uint64_t)256 << 20)

/* Decodes one frame. `coded` is borrowed; a native frame that needs no change comes back as a reference to
 * it.
 *
 * ret->shape is `shape` but for:
 * - photometric. JPEG's YBR_FULL_422 and the YBR_ICT and YBR_RCT of JPEG 2000 become RGB
 * (PS3.5 8.2.1, 8.2.4); YBR_FULL stays what it is. MONOCHROME and PALETTE COLOR never change.
 * - with halvings rows and columns, with for_display planar and photometric.
 * Bits Allocated and the sign stay: samples of fewer bits are put into that many, signed ones with their sign
 * (Pixel Representation 1 of a code stream that knows no signs keeps its bit pattern, TSX-09).
 *
 * Before a decoder is called, its own header is read here: dimensions, components or precision other than the
 * shape's are CORRUPT_PIXELS; TOO_LARGE: the frame is over the ceiling, or so much larger than its code
 * stream that nothing but an attack explains it (codec_is_plausible). CORRUPT_PIXELS too for whatever the
 * decoder finds wrong; NOT_ACCEPTABLE: codec_can_decode says no; BUSY: no memory. Any thread; takes as long
 * as decoding takes. */
MUST_USE bool codec_decode(enum transfer_syntax from, const struct pixel_shape *shape, struct block *coded,
                           const struct codec_wish *wish, struct pixels *ret, struct error *err);

struct codec_parameters {
    unsigned quality; /* 1..100 for lossy syntaxes, 0: CODEC_QUALITY. JPEG: the IJG scale. JPEG 2000, HTJ2K,
                       * JPEG XL, near-lossless: see CONFORMANCE.md */
    bool full_chroma; /* JPEG of RGB: 4:4:4 (YBR_FULL) instead of 4:2:2 (YBR_FULL_422) */
    struct bytes icc_profile; /* JPEG: written as APP2; empty: none */
};
enum { CODEC_QUALITY = 90 };

/* Encodes one native frame of `pixels->shape`. ret->shape says how the attributes have to describe it:
 * photometric (RGB becomes YBR_FULL_422 in JPEG, YBR_RCT or YBR_ICT in JPEG 2000) and planar. Lossless
 * syntaxes give the very bits back, also those outside bits_stored. NOT_ACCEPTABLE: codec_can_encode says no;
 * BUSY; INTERNAL. */
MUST_USE bool codec_encode(enum transfer_syntax to, const struct pixels *pixels,
                           const struct codec_parameters *parameters, struct pixels *ret, struct error *err);

/* The one after the other; the same syntax: the frame itself. JPEG Baseline and JPEG XL JPEG Recompression
 * become each other without decoding, bit by bit (TSX-14). Faults of both. */
MUST_USE bool codec_transcode(enum transfer_syntax from, enum transfer_syntax to,
                              const struct pixel_shape *shape, struct block *frame,
                              const struct codec_parameters *parameters, uint64_t ceiling_bytes,
                              struct pixels *ret, struct error *err);

/* Is it possible that an honest encoder made `coded_bytes` of a frame of `native_bytes`? The bound is far
 * beyond any image: a blank frame of 16 MiB may come from anything, above that each coded byte counts for
 * 2048. */
bool codec_is_plausible(uint64_t native_bytes, uint64_t coded_bytes);

/* Native samples of `bits_allocated` bits from big to little endian, in place. Those of 8 bits and fewer lie
 * in words of 16 (VR OW; big endian OB is no FRAMES_NATIVE_BIG). */
void codec_swap_bytes(uint8_t *data, size_t size, unsigned bits_allocated);
/* Moves `bits` bits that start `bit_offset` bits into `data` (bit 0 first, PS3.5 8.1.1) to the start of
 * `into`, which has room for (bits + 7) / 8 bytes; unused bits of the last byte become 0. `data` holds
 * (bit_offset + bits + 7) / 8 bytes. */
void codec_shift_bits(struct bytes data, unsigned bit_offset, uint64_t bits, uint8_t *into);

#endif
