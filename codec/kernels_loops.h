/* codec/kernels_loops.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The loops of kernels.h; included by the file that says for which processor (KERNELS names the table). Plain
 * C that compilers make vectors of: float arithmetic, since a table of 65536 entries costs twice the time.
 */
#include <string.h>

#include "codec/kernels.h"

/* Cut to 0..255 as a whole number, for which processors have an instruction: sample_map.h sees to it that no
 * value is too large for one. */
static inline uint8_t to_byte(float value)
{
    int32_t whole = (int32_t)(value + 0.5f);

    whole = whole < 0 ? 0 : whole;
    whole = whole > 255 ? 255 : whole;
    return (uint8_t)whole;
}

/* Samples may lie at any address: memcpy of one is a plain load. */
#define LINEAR_LOOP(name, sample, unsigned_sample) \
    static void name(const uint8_t *restrict from, size_t count, const struct linear_map *map, \
                     uint8_t *restrict into) \
    { \
        const float scale = map->scale, offset = map->offset; \
        const unsigned up = map->up, down = map->down; \
        const int32_t padding_from = map->padding_from, padding_to = map->padding_to; \
\
        if (!map->has_padding && up == 0 && down == 0) { \
            for (size_t i = 0; i < count; i++) { \
                sample value; \
                memcpy(&value, from + i * sizeof(value), sizeof(value)); \
                into[i] = to_byte((float)value * scale + offset); \
            } \
            return; \
        } \
        if (!map->has_padding) { \
            for (size_t i = 0; i < count; i++) { \
                unsigned_sample raw; \
                memcpy(&raw, from + i * sizeof(raw), sizeof(raw)); \
                const sample moved = (sample)(unsigned_sample)((uint32_t)raw << up); \
                into[i] = to_byte((float)((int32_t)moved >> down) * scale + offset); \
            } \
            return; \
        } \
        for (size_t i = 0; i < count; i++) { \
            unsigned_sample raw; \
            memcpy(&raw, from + i * sizeof(raw), sizeof(raw)); \
            const sample moved = (sample)(unsigned_sample)((uint32_t)raw << up); \
            const int32_t value = (int32_t)moved >> down; \
            const uint8_t byte = to_byte((float)value * scale + offset); \
            const uint8_t keep = (uint8_t) - (uint8_t) !((value >= padding_from) & (value <= padding_to)); \
            into[i] = byte & keep; \
        } \
    }

LINEAR_LOOP(linear_u8, uint8_t, uint8_t)
LINEAR_LOOP(linear_i8, int8_t, uint8_t)
LINEAR_LOOP(linear_u16, uint16_t, uint16_t)
LINEAR_LOOP(linear_i16, int16_t, uint16_t)

static void add_u8(const uint8_t *restrict from, size_t count, float weight, float *restrict sums)
{
    for (size_t i = 0; i < count; i++)
        sums[i] += (float)from[i] * weight;
}

static void add_u16(const uint16_t *restrict from, size_t count, float weight, float *restrict sums)
{
    for (size_t i = 0; i < count; i++)
        sums[i] += (float)from[i] * weight;
}

const struct kernels KERNELS = { linear_u8, linear_i8, linear_u16, linear_i16, add_u8, add_u16 };
