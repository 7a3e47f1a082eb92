/* codec/layout.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The order of native samples and their colours.
 *
 * The kernels are written once, as plain loops, and compiled twice: for any x86-64 or other machine, and for
 * AVX2, where gcc and clang make them run on whole registers. The fitting set is chosen when it is first
 * asked for.
 */
#include "codec/layout.h"

#include <stdlib.h>
#include <string.h>

/* ── kernels ── */

/* ITU-R BT.601, full range (PS3.3 C.7.6.3.1.2), as libjpeg rounds it: 16 binary digits behind the point. */
enum { CR_TO_R = 91881, CB_TO_G = 22554, CR_TO_G = 46802, CB_TO_B = 116130, HALF = 1 << 15 };

static inline __attribute__((always_inline)) uint8_t clamped(int value)
{
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

static inline __attribute__((always_inline)) void interleave_8(const uint8_t *const planes[3], size_t count,
                                                               uint8_t *restrict into)
{
    const uint8_t *restrict a = planes[0], *restrict b = planes[1], *restrict c = planes[2];

    for (size_t i = 0; i < count; i++) {
        into[3 * i] = a[i];
        into[3 * i + 1] = b[i];
        into[3 * i + 2] = c[i];
    }
}

static inline __attribute__((always_inline)) void deinterleave_8(const uint8_t *restrict from, size_t count,
                                                                 uint8_t *const planes[3])
{
    uint8_t *restrict a = planes[0], *restrict b = planes[1], *restrict c = planes[2];

    for (size_t i = 0; i < count; i++) {
        a[i] = from[3 * i];
        b[i] = from[3 * i + 1];
        c[i] = from[3 * i + 2];
    }
}

static inline __attribute__((always_inline)) void ybr_to_rgb(const uint8_t *from, size_t count, uint8_t *into)
{
    for (size_t i = 0; i < count; i++) {
        const int y = from[3 * i], cb = from[3 * i + 1] - 128, cr = from[3 * i + 2] - 128;

        into[3 * i] = clamped(y + ((CR_TO_R * cr + HALF) >> 16));
        into[3 * i + 1] = clamped(y + ((-CB_TO_G * cb - CR_TO_G * cr + HALF) >> 16));
        into[3 * i + 2] = clamped(y + ((CB_TO_B * cb + HALF) >> 16));
    }
}

static inline __attribute__((always_inline)) void
merge_16(const uint8_t *restrict high, const uint8_t *restrict low, size_t count, uint8_t *restrict into)
{
    for (size_t i = 0; i < count; i++) {
        into[2 * i] = low[i];
        into[2 * i + 1] = high[i];
    }
}

static inline __attribute__((always_inline)) void swap_16(uint8_t *data, size_t count)
{
    for (size_t i = 0; i < count; i++) { /* memcpy, since a frame may begin at any address */
        uint16_t sample;
        memcpy(&sample, data + 2 * i, sizeof sample);
        sample = __builtin_bswap16(sample);
        memcpy(data + 2 * i, &sample, sizeof sample);
    }
}

/* One set: the loops above under the names of `set`, compiled as `how` says. */
#define KERNELS(set, how) \
    how static void interleave_8_##set(const uint8_t *const planes[3], size_t count, uint8_t *into) \
    { \
        interleave_8(planes, count, into); \
    } \
    how static void deinterleave_8_##set(const uint8_t *from, size_t count, uint8_t *const planes[3]) \
    { \
        deinterleave_8(from, count, planes); \
    } \
    how static void ybr_to_rgb_##set(const uint8_t *from, size_t count, uint8_t *into) \
    { \
        ybr_to_rgb(from, count, into); \
    } \
    how static void merge_16_##set(const uint8_t *high, const uint8_t *low, size_t count, uint8_t *into) \
    { \
        merge_16(high, low, count, into); \
    } \
    how static void swap_16_##set(uint8_t *data, size_t count) \
    { \
        swap_16(data, count); \
    } \
    const struct layout_kernels layout_##set = { \
        #set, interleave_8_##set, deinterleave_8_##set, ybr_to_rgb_##set, merge_16_##set, swap_16_##set \
    }

KERNELS(plain, );
#if defined(__x86_64__)
KERNELS(avx2, __attribute__((target("avx2"))));
#else
const struct layout_kernels layout_avx2 = { "avx2", NULL, NULL, NULL, NULL, NULL };
#endif

const struct layout_kernels *layout_kernels(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        return &layout_avx2;
#endif
    return &layout_plain;
}

/* ── planes ── */

/* Samples wider than a byte, one at a time; `planar` says what they become. */
static void rearrange_wide(const uint8_t *from, size_t count, size_t width, bool planar, uint8_t *into)
{
    for (size_t sample = 0; sample < 3; sample++)
        for (size_t i = 0; i < count; i++) {
            const size_t apart = (sample * count + i) * width, together = (3 * i + sample) * width;
            memcpy(into + (planar ? apart : together), from + (planar ? together : apart), width);
        }
}

/* A sealed block for `shape`, to be filled. */
static bool next_pixels(const struct pixel_shape *shape, struct pixels *ret, struct error *err)
{
    const size_t size = (size_t)pixel_shape_frame_bytes(shape);

    if (!block_take(size, &ret->block, err))
        return error_while(err, "arranging samples");
    block_seal(ret->block, size);
    ret->shape = *shape;
    return true;
}

static void replace(struct pixels *pixels, struct pixels *by)
{
    pixels_done(pixels);
    *pixels = *by;
    by->block = NULL;
}

static bool is_subsampled(const struct pixel_shape *shape)
{
    return shape->samples_per_pixel == 3 &&
           (shape->photometric == YBR_FULL_422 || shape->photometric == YBR_PARTIAL_420);
}

bool layout_planar(struct pixels *pixels, bool planar, struct error *err)
{
    const size_t count = (size_t)pixels->shape.rows * pixels->shape.columns,
                 width = pixels->shape.bits_allocated / 8u;
    SCOPED(pixels) struct pixels next = { 0 };
    struct pixel_shape shape = pixels->shape;

    if (shape.samples_per_pixel != 3 || shape.planar == planar || is_subsampled(&shape) ||
        shape.bits_allocated % 8)
        return true;
    shape.planar = planar;
    if (!next_pixels(&shape, &next, err))
        return false;

    const uint8_t *from = block_bytes(pixels->block).data;
    uint8_t *into = block_room(next.block, NULL);
    if (width != 1)
        rearrange_wide(from, count, width, planar, into);
    else if (planar)
        layout_kernels()->deinterleave_8(from, count,
                                         (uint8_t *const[]){ into, into + count, into + 2 * count });
    else
        layout_kernels()->interleave_8((const uint8_t *const[]){ from, from + count, from + 2 * count },
                                       count, into);
    replace(pixels, &next);
    return true;
}

/* ── colours ── */

/* Two pixels of a row are Y Y Cb Cr; an odd row's last pixel has a pair of its own in the field, so pairs are
 * counted over the frame, as they lie. */
static void spread_422(const uint8_t *from, size_t count, uint8_t *into)
{
    for (size_t i = 0; i + 1 < count; i += 2, from += 4, into += 6) {
        into[0] = from[0];
        into[3] = from[1];
        into[1] = into[4] = from[2];
        into[2] = into[5] = from[3];
    }
    if (count % 2) { /* the pair was cut off: its chrominance is not there */
        into[0] = from[0];
        into[1] = into[2] = 128;
    }
}

bool layout_full_chroma(struct pixels *pixels, struct error *err)
{
    const size_t count = (size_t)pixels->shape.rows * pixels->shape.columns;
    SCOPED(pixels) struct pixels next = { 0 };
    struct pixel_shape shape = pixels->shape;

    if (!is_subsampled(&shape))
        return true;
    if (shape.photometric != YBR_FULL_422 || shape.bits_allocated != 8)
        return error_tell(err, FAULT_NOT_ACCEPTABLE,
                          "Native YBR_PARTIAL_420 and 4:2:2 of more than 8 bits are sent as "
                          "they are only.");
    shape.photometric = YBR_FULL;
    shape.planar = false;
    if (!next_pixels(&shape, &next, err))
        return false;
    spread_422(block_bytes(pixels->block).data, count, block_room(next.block, NULL));
    replace(pixels, &next);
    return true;
}

bool layout_rgb(struct pixels *pixels, struct error *err)
{
    SCOPED(pixels) struct pixels next = { 0 };
    struct pixel_shape shape = pixels->shape;

    if (shape.samples_per_pixel != 3 || shape.photometric != YBR_FULL || shape.bits_allocated != 8)
        return true;
    if (!layout_planar(pixels, false, err))
        return false;
    shape.photometric = RGB;
    shape.planar = false;
    if (!next_pixels(&shape, &next, err))
        return false;
    layout_kernels()->ybr_to_rgb(block_bytes(pixels->block).data, (size_t)shape.rows * shape.columns,
                                 block_room(next.block, NULL));
    replace(pixels, &next);
    return true;
}

bool layout_for_display(struct pixels *pixels, struct error *err)
{
    if (pixels->shape.samples_per_pixel != 3) {
        pixels->shape.planar = false;
        return true;
    }
    return layout_full_chroma(pixels, err) && layout_planar(pixels, false, err) && layout_rgb(pixels, err);
}
