/* codec/layout.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The order of native samples and their colours: PS3.3 C.7.6.3.1.2 and .3. Each function changes what
 * `pixels` holds: nothing when it is right already, else a new block takes the old one's place (BUSY: none to
 * be had; `pixels` is then as it was). Any thread; never waits.
 */
#ifndef GANTRY_CODEC_LAYOUT_H
#define GANTRY_CODEC_LAYOUT_H

#include "codec/codec.h"

/* Three samples of 8, 16 or 32 bits a pixel: plane by plane or pixel by pixel. */
MUST_USE bool layout_planar(struct pixels *pixels, bool planar, struct error *err);
/* YBR_FULL_422 and YBR_PARTIAL_420 as one set of samples a pixel: YBR_FULL. Others stay. */
MUST_USE bool layout_full_chroma(struct pixels *pixels, struct error *err);
/* 8-bit YBR_FULL as RGB. Others stay. */
MUST_USE bool layout_rgb(struct pixels *pixels, struct error *err);
/* All three: interleaved RGB of whatever has three samples. */
MUST_USE bool layout_for_display(struct pixels *pixels, struct error *err);

/* The kernels, each with an AVX2 form where the machine has it; `plain` for tests and for other machines. */
struct layout_kernels {
    const char *name;
    /* `count` pixels of three bytes. */
    void (*interleave_8)(const uint8_t *const planes[3], size_t count, uint8_t *into);
    void (*deinterleave_8)(const uint8_t *from, size_t count, uint8_t *const planes[3]);
    /* `count` pixels of YBR_FULL as RGB, in place or not. */
    void (*ybr_to_rgb)(const uint8_t *from, size_t count, uint8_t *into);
    /* `count` samples: high and low bytes that lie apart, as little endian words. */
    void (*merge_16)(const uint8_t *high, const uint8_t *low, size_t count, uint8_t *into);
    void (*swap_16)(uint8_t *data, size_t count);
};
extern const struct layout_kernels layout_plain, layout_avx2;
/* What this machine runs. */
const struct layout_kernels *layout_kernels(void);

#endif
