/* codec/scaling.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pictures made smaller by averaging areas, row by row, so that a large frame never lies in memory as a
 * whole; and larger between four neighbours. Both weigh in float, so the same input gives the same bytes.
 */
#ifndef GANTRY_CODEC_SCALING_H
#define GANTRY_CODEC_SCALING_H

#include "base/attributes.h"
#include "base/error.h"
#include "codec/codec.h"

/* In pixels from the top left corner; fractions of pixels count as such. */
struct region {
    double x, y, width, height;
};

struct shrinker;
/* From a `region` of rows of `columns_in` pixels into `into`, whose shape says how large it gets and of what:
 * 1 or 3 samples of 8, or 1 of 16 bits. BUSY. */
MUST_USE bool shrinker_new(const struct region *region, uint32_t columns_in, const struct pixels *into,
                           struct shrinker **ret, struct error *err);
/* Rows come in ascending order; those outside the region are passed over. */
void shrinker_add(struct shrinker *shrinker, uint32_t row, const void *samples);
void shrinker_free(struct shrinker *shrinker); /* NULL is fine */
void shrinker_drop(struct shrinker **shrinker);

/* `from` holds at least the region. */
void enlarge(const struct pixels *from, const struct region *region, const struct pixels *into);

void flip_columns(const struct pixels *picture); /* left becomes right */
void flip_rows(const struct pixels *picture);
/* Clockwise by a quarter turn, as a new picture. BUSY. */
MUST_USE bool rotate_quarter(const struct pixels *from, struct pixels *ret, struct error *err);
/* A picture of this size with room for its pixels: 1 or 3 samples of `bits` bits. BUSY; TOO_LARGE over 2^31
 * bytes. */
MUST_USE bool picture_take(uint32_t rows, uint32_t columns, unsigned samples, unsigned bits,
                           struct pixels *ret, struct error *err);
uint8_t *picture_room(const struct pixels *picture);

#endif
