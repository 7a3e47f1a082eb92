/* codec/sample_map.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * From one stored sample to what is seen: PS3.4 N.2 for gray, palettes for colour.
 *
 *   stored value ─► Modality LUT ─► window or VOI LUT ─► Presentation LUT ─► polarity ─► 0..255 (or 0..65535)
 *        │                                                                                    ▲
 *        ├─ padding ────────────────────────────────────────────────────────────────► black ──┘
 *        └─ palette ─► red, green, blue
 *
 * Windows on integers go through float arithmetic in vectors (kernels.h); whatever is no straight line
 * becomes a table over all stored values; 32-bit and floating point samples are reckoned one by one.
 */
#ifndef GANTRY_CODEC_SAMPLE_MAP_H
#define GANTRY_CODEC_SAMPLE_MAP_H

#include "base/attributes.h"
#include "base/error.h"
#include "dicom/image_display.h"
#include "dicom/pixel_shape.h"

/* What black and white are where nothing else says so, in stored values. */
struct sample_range {
    double from, to;
};

struct sample_rule {
    struct pixel_shape shape; /* one sample a pixel: MONOCHROME or PALETTE COLOR, of 1, 8, 16 or 32 bits, or
                                 64 for doubles */
    enum sample_kind samples;
    unsigned high_bit;                           /* UINT32_MAX or nonsense: bits_stored - 1 */
    const struct image_display *display_or_null; /* padding, palette */
    const struct gray_look *look;                /* modality, window, VOI LUT */
    bool prefers_lut;
    struct sample_range range;             /* where `look` has neither window nor VOI LUT */
    struct lut presentation;               /* of a presentation state; count 0: none */
    const struct palette *palette_or_null; /* instead of gray */
    bool palette_is_supplement;            /* only for the values in its range */
    bool inverse;
    bool wide; /* 16 bits of gray */
};

struct sample_map;

/* Copies what it needs. NOT_ACCEPTABLE for sample sizes that there are none of; BUSY. */
MUST_USE bool sample_map_new(const struct sample_rule *rule, struct sample_map **ret, struct error *err);
void sample_map_free(struct sample_map *map); /* NULL is fine */
void sample_map_drop(struct sample_map **map);

unsigned sample_map_channels(const struct sample_map *map); /* 1, or 3 through a palette */
unsigned
sample_map_bytes_in(const struct sample_map *map); /* of one sample; 1-bit samples are given one a byte */
/* `count` samples, little endian, at any address; into 1 or 3 bytes each, or a uint16_t (host order) when
 * `wide`. */
void sample_map_apply(const struct sample_map *map, const uint8_t *from, size_t count, void *into);

/* Packed bits, bit 0 first, from the n-th on, one a byte. */
void sample_unpack_bits(const uint8_t *packed, uint64_t n, size_t count, uint8_t *into);

/* REN-46: where nothing is stored to window with. Up to 8 bits: all that can be stored. Others, and
 * segmentations: from the 0.2 % lowest to the 0.2 % highest of the samples given, padding left out; from
 * least to most where that is nothing. The same samples give the same range. */
struct sample_range sample_range_of(const struct sample_rule *rule, const uint8_t *from, size_t count);

/* What the Modality LUT gives for `count` samples; NaN for padding and for what is no number. */
void sample_values(const struct sample_rule *rule, const uint8_t *from, size_t count, float *into);
/* 0..1 for one value of the stored kind; also the plain reading of the rule that tests compare with. */
double sample_rule_gray(const struct sample_rule *rule, double stored);

#endif
