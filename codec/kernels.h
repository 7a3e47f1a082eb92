/* codec/kernels.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The inner loops over pixels, written once (kernels_loops.h) and compiled twice: for any x86-64 and for
 * AVX2. Both give the same bytes: no fused multiply-add, the same order of operations. Never waits; any
 * thread.
 */
#ifndef GANTRY_CODEC_KERNELS_H
#define GANTRY_CODEC_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* y = x * scale + offset, rounded, within 0..255, for a stored sample x (PS3.5 8.1.1): the bits that end at
 * High Bit, which `up` moves to the top of the sample and `down` back to its bottom with the sign. With
 * `has_padding` samples of padding_from..padding_to become 0. */
struct linear_map {
    float scale, offset;
    unsigned up, down;
    bool has_padding;
    int32_t padding_from, padding_to;
};

struct kernels {
    void (*linear_u8)(const uint8_t *from, size_t count, const struct linear_map *map, uint8_t *into);
    void (*linear_i8)(const uint8_t *from, size_t count, const struct linear_map *map, uint8_t *into);
    void (*linear_u16)(const uint8_t *from, size_t count, const struct linear_map *map, uint8_t *into);
    void (*linear_i16)(const uint8_t *from, size_t count, const struct linear_map *map, uint8_t *into);
    /* sums[i] += from[i] * weight */
    void (*add_u8)(const uint8_t *from, size_t count, float weight, float *sums);
    void (*add_u16)(const uint16_t *from, size_t count, float weight, float *sums);
};

const struct kernels *kernels(void);       /* the best that this processor has */
const struct kernels *kernels_plain(void); /* for tests and comparison */
const struct kernels *kernels_avx2(void);  /* NULL where the processor has no AVX2 */

#endif
