/* codec/inside.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What the codecs share: a task that codec.c has checked, and the contract of a row's functions. Not for
 * other rooms.
 */
#ifndef GANTRY_CODEC_INSIDE_H
#define GANTRY_CODEC_INSIDE_H

#include "codec/codec.h"

/* A frame to decode. */
struct decoding {
    struct pixel_shape shape; /* as the attributes say */
    struct bytes coded;
    const struct codec_wish *wish;
    uint64_t ceiling_bytes;
    bool of_bits; /* the shape has bytes of 0 and 1, the attributes say Bits Allocated 1 */
};

/* What a code stream says of itself, read by our own eyes before a library sees it. */
struct stream_facts {
    uint32_t rows, columns;
    unsigned components, bits;
    bool is_signed;
};

/* A decoder checks the stream's own facts by decoding_check, takes its block by pixels_take and fills it. On
 * failure ret may own a block, which the caller drops. */
typedef bool decode_fn(const struct decoding *task, struct pixels *ret, struct error *err);
typedef bool encode_fn(enum transfer_syntax to, const struct pixels *pixels,
                       const struct codec_parameters *parameters, struct pixels *ret, struct error *err);

/* Do the facts agree with the attributes, and is the size bearable? Bits may be more than Bits Stored, not
 * more than Bits Allocated. */
MUST_USE bool decoding_check(const struct decoding *task, const struct stream_facts *facts,
                             struct error *err);
/* A sealed block of pixel_shape_frame_bytes(shape) bytes, and the shape. */
MUST_USE bool pixels_take(const struct pixel_shape *shape, struct pixels *ret, struct error *err);
/* CORRUPT_PIXELS, told with what is wrong: so nothing but what the stream says may stand there. Returns
 * false. */
bool decoding_failed(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* codec/jpeg.c: the marker segments up to the frame header, then the library for what it announces. */
struct jpeg_header {
    struct stream_facts facts;
    unsigned sof;    /* the second byte of the marker: 0xC0 ... 0xCF, 0xF7 for JPEG-LS */
    bool subsampled; /* not all components have the same sampling factors */
};
MUST_USE bool jpeg_header_read(struct bytes coded, struct jpeg_header *ret, struct error *err);
decode_fn jpeg_decode;
encode_fn jpeg_encode;

/* codec/jpeg_turbo.c: 8-bit DCT, one or three components. */
MUST_USE bool jpeg_turbo_decode(const struct decoding *task, const struct jpeg_header *header,
                                struct pixels *ret, struct error *err);
encode_fn jpeg_turbo_encode;

/* codec/jpeg_ijg.c: 12-bit DCT, lossless of any precision. */
MUST_USE bool jpeg_ijg_decode(const struct decoding *task, const struct jpeg_header *header,
                              struct pixels *ret, struct error *err);
MUST_USE bool jpeg_ijg_encode_lossless(const struct pixels *pixels, struct pixels *ret, struct error *err);
MUST_USE bool jpeg_ijg_encode_12(const struct pixels *pixels, const struct codec_parameters *parameters,
                                 struct pixels *ret, struct error *err);

/* codec/jpeg_ls.c, jpeg_2000.c, jpeg_xl.c, rle.c, deflated_frame.c */
decode_fn jpeg_ls_decode, jpeg_2000_decode, jpeg_xl_decode, rle_decode, deflated_frame_decode;
encode_fn jpeg_ls_encode, jpeg_2000_encode, jpeg_xl_encode, rle_encode, deflated_frame_encode;

/* Encoding it is best left to a process of its own: ht_j2k_wants_zeros. */
bool jpeg_2000_wants_zeros(enum transfer_syntax to, const struct pixel_shape *shape);

/* A JPEG stream as JPEG XL, and the very same bytes back (TSX-14). CORRUPT_PIXELS, BUSY. */
MUST_USE bool jpeg_xl_from_jpeg(struct bytes jpeg, struct block **ret, struct error *err);
MUST_USE bool jpeg_xl_to_jpeg(struct bytes coded, uint64_t ceiling_bytes, struct block **ret,
                              struct error *err);

#endif
