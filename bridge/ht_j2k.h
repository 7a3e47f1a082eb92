/* bridge/ht_j2k.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * High-throughput JPEG 2000 (ITU-T T.814) by OpenJPH, which is C++. Any thread; takes as long as it takes.
 */
#ifndef GANTRY_BRIDGE_HT_J2K_H
#define GANTRY_BRIDGE_HT_J2K_H

#include <stdint.h>

#include "base/attributes.h"
#include "base/block.h"
#include "base/bytes.h"
#include "base/error.h"

GANTRY_C_BEGIN

/* Interleaved little endian cells of 8 or 16 bits, each with a number of `bits` bits. */
struct ht_j2k_image {
    uint32_t rows, columns;
    unsigned components, bits, bits_allocated;
    bool is_signed;
};

/* Decodes into rows * columns * components cells. `image` has been read from the stream's own header (and
 * reduced by `halvings`, which are no more than its decompositions); what OpenJPH makes of that header must
 * agree. CORRUPT_PIXELS, BUSY. */
MUST_USE bool ht_j2k_decode(struct bytes codestream, unsigned halvings, const struct ht_j2k_image *image,
                            uint8_t *into, struct error *err);

struct ht_j2k_style {
    unsigned levels;        /* decompositions */
    bool colour_transform;  /* of three components */
    float quantiser;        /* step as a part of the range; 0: reversible */
    bool tile_part_lengths; /* writes a TLM marker segment */
};

/* OpenJPH 0.9.0 encodes in lanes of eight, and what those beyond a sub-band's width hold decides whether a
 * block of zeros is coded: where widths do not come out even, bytes would depend on what memory held before.
 * Such an image is encoded with the process' heap zeroing what it gives out (M_PERTURB), at other threads'
 * expense too: so best in a process of its own. */
static inline bool ht_j2k_wants_zeros(uint32_t columns, unsigned levels)
{
    return columns % ((uint64_t)8 << levels) != 0;
}

/* RPCL order, one tile. ret's block is sealed; equal images become equal bytes. BUSY, INTERNAL. */
MUST_USE bool ht_j2k_encode(const uint8_t *from, const struct ht_j2k_image *image,
                            const struct ht_j2k_style *style, struct block **ret, struct error *err);

GANTRY_C_END

#endif
