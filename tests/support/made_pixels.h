/* tests/support/made_pixels.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Images made by arithmetic, for tests of codecs, and ways to compare them.
 */
#ifndef GANTRY_TESTS_MADE_PIXELS_H
#define GANTRY_TESTS_MADE_PIXELS_H

#include <stdlib.h>

#include "codec/codec.h"
#include "tests/support/expect.h"

static inline uint32_t made_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static inline int64_t made_sample_at(const uint8_t *data, size_t index, unsigned bits_allocated)
{
    uint64_t value = 0;

    if (bits_allocated == 1)
        return data[index / 8] >> (index % 8) & 1;
    for (unsigned i = 0; i < bits_allocated / 8; i++)
        value |= (uint64_t)data[index * (bits_allocated / 8) + i] << (8 * i);
    return (int64_t)value;
}

/* With its sign. */
static inline int64_t made_value_at(const struct pixels *pixels, size_t index)
{
    const unsigned bits = pixels->shape.bits_allocated;
    const int64_t value = made_sample_at(block_bytes(pixels->block).data, index, bits);

    return pixels->shape.is_signed && bits < 64 ? (int64_t)((uint64_t)value << (64 - bits)) >> (64 - bits)
                                                : value;
}

static inline size_t made_count(const struct pixels *pixels)
{
    const struct pixel_shape *shape = &pixels->shape;

    return shape->bits_allocated == 1 ? (size_t)shape->rows * shape->columns
                                      : block_bytes(pixels->block).size / (shape->bits_allocated / 8u);
}

/* A smooth field with a sharp edge and a little noise, over the whole range of bits_stored; signed samples
 * with their sign in the unused bits. */
static inline struct pixels made_pixels(const struct pixel_shape *shape)
{
    const bool halved = shape->photometric == YBR_FULL_422; /* Y Y Cb Cr */
    const size_t samples = (size_t)shape->rows * shape->columns * (halved ? 2 : shape->samples_per_pixel);
    const unsigned width = shape->bits_allocated / 8u;
    const int64_t range = (int64_t)1 << shape->bits_stored, least = shape->is_signed ? -range / 2 : 0;
    struct pixels made = { .shape = *shape };
    struct error err = { 0 };
    uint32_t state = 1;

    const size_t size = width ? samples * width : (samples + 7) / 8;
    if (!block_take(size, &made.block, &err))
        abort();
    uint8_t *room = block_room(made.block, NULL);
    memset(room, 0, size);
    for (size_t i = 0; i < samples; i++) {
        const size_t pixel =
            shape->planar ? i % ((size_t)shape->rows * shape->columns) : i / shape->samples_per_pixel;
        const size_t sample =
            shape->planar ? i / ((size_t)shape->rows * shape->columns) : i % shape->samples_per_pixel;
        const size_t row = pixel / shape->columns, column = pixel % shape->columns;
        int64_t value = (int64_t)((row * 3 + column * 2 + sample * 40) * (size_t)range /
                                  (6 * shape->rows + 4 * shape->columns + 120));
        if (row > shape->rows / 3 && row < shape->rows / 2 && column > shape->columns / 4u)
            value = range - 1 - value;
        value += made_random(&state) % (range > 64 ? (uint32_t)(range / 64) : 1u);
        value = least + (value < 0 ? 0 : value >= range ? range - 1 : value);
        if (!width)
            room[i / 8] |= (uint8_t)((value & 1) << (i % 8));
        for (unsigned b = 0; b < width; b++)
            room[i * width + b] = (uint8_t)((uint64_t)value >> (8 * b));
    }
    block_seal(made.block, size);
    return made;
}

/* The largest difference of two samples. */
static inline int64_t made_difference(const struct pixels *a, const struct pixels *b)
{
    const struct bytes left = block_bytes(a->block), right = block_bytes(b->block);
    int64_t worst = 0;

    if (left.size != right.size || a->shape.bits_allocated != b->shape.bits_allocated)
        return INT64_MAX;
    for (size_t i = 0; i < made_count(a); i++) {
        const int64_t difference = made_value_at(a, i) - made_value_at(b, i);
        if (llabs(difference) > worst)
            worst = llabs(difference);
    }
    return worst;
}

static inline struct block *made_block(struct bytes data)
{
    struct block *block = NULL;
    struct error err = { 0 };

    if (!block_take(data.size, &block, &err))
        abort();
    if (data.size)
        memcpy(block_room(block, NULL), data.data, data.size);
    block_seal(block, data.size);
    return block;
}

#endif
