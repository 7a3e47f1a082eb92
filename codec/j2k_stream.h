/* codec/j2k_stream.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What a JPEG 2000 code stream (ITU-T T.800, HTJ2K: T.814) says of itself, read before a library sees it: its
 * size, and how many of the small things decoders make lists of it asks for. A few bytes can ask for a
 * precinct a pixel.
 */
#ifndef GANTRY_CODEC_J2K_STREAM_H
#define GANTRY_CODEC_J2K_STREAM_H

#include "codec/inside.h"

struct j2k_stream {
    struct stream_facts facts;
    struct bytes codestream; /* without the boxes of a JP2 file around it, which some writers leave on */
    unsigned levels;         /* decompositions of the first coding style; the fewest if there are several */
    unsigned layers;
    bool is_high_throughput; /* Part 15 */
    bool colour_transform;   /* RCT or ICT */
    bool reversible;
    bool subsampled, mixed;   /* components of different sampling; of different bits or signs */
    uint64_t structure_bytes; /* an upper estimate of what decoders keep beside the samples */
};

/* CORRUPT_PIXELS: no such stream, or one whose tile-parts do not lie in it (then it is cut off). */
MUST_USE bool j2k_stream_read(struct bytes coded, struct j2k_stream *ret, struct error *err);

#endif
