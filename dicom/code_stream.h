/* dicom/code_stream.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What a code stream says of itself in its first bytes: in which transfer syntax it would be stored and which
 * Image Pixel Description it implies (PS3.18 Table 10.5.2-1). JPEG, JPEG-LS, JPEG 2000 and HTJ2K, the latter
 * two also in the boxes of a file; JPEG XL, whose boxes stay. Never waits; any thread; safe on any bytes.
 */
#ifndef GANTRY_DICOM_CODE_STREAM_H
#define GANTRY_DICOM_CODE_STREAM_H

#include "base/attributes.h"
#include "base/bytes.h"
#include "dicom/pixel_shape.h"
#include "dicom/transfer_syntax.h"

enum { CODE_STREAM_HEAD_BYTES = 64 * 1024 };

struct code_stream {
    enum transfer_syntax syntax; /* the narrowest that it fits */
    struct pixel_shape shape;
    uint64_t begin; /* boxes in front of it */
    uint64_t size;  /* of the stream in its box; 0: all that follows */
};

/* `head`: the first CODE_STREAM_HEAD_BYTES bytes, or all. False: none of these. */
MUST_USE bool code_stream_read(struct bytes head, struct code_stream *ret);
/* Would `syntax` be a right label for a stream that code_stream_read found to be `found`? Wider ones are:
 * JPEG 2000 for a reversible stream, Extended for a Baseline one. */
bool code_stream_fits(enum transfer_syntax found, enum transfer_syntax syntax);

#endif
