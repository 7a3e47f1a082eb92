/* codec/samples.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Bits of samples. Plain loops over one width each, so that compilers make vectors of them.
 */
#include "codec/samples.h"

#include "codec/inside.h"

static inline uint16_t word_at(const uint8_t *data, size_t i)
{
    uint16_t word;

    memcpy(&word, data + 2 * i, sizeof word);
    return word;
}

static inline void set_word(uint8_t *data, size_t i, uint16_t word)
{
    memcpy(data + 2 * i, &word, sizeof word);
}

/* Which bits differ, in any sample, from what `bits` bits of it would say? */
static unsigned stray_bits(const uint8_t *data, size_t count, unsigned bits_allocated, unsigned bits,
                           bool is_signed)
{
    const unsigned shift = bits_allocated - bits;
    unsigned stray = 0;

    if (bits_allocated == 8 && is_signed)
        for (size_t i = 0; i < count; i++)
            stray |= (unsigned)(data[i] ^ (uint8_t)((int8_t)(uint8_t)(data[i] << shift) >> shift));
    else if (bits_allocated == 8)
        for (size_t i = 0; i < count; i++)
            stray |= (unsigned)data[i] >> bits;
    else if (is_signed)
        for (size_t i = 0; i < count; i++)
            stray |= (unsigned)(word_at(data, i) ^
                                (uint16_t)((int16_t)(uint16_t)(word_at(data, i) << shift) >> shift));
    else
        for (size_t i = 0; i < count; i++)
            stray |= (unsigned)word_at(data, i) >> bits;
    return stray;
}

static size_t count_samples(const struct pixels *pixels)
{
    return block_bytes(pixels->block).size / (pixels->shape.bits_allocated / 8u);
}

unsigned samples_precision(const struct pixels *pixels)
{
    const struct pixel_shape *shape = &pixels->shape;

    if (shape->bits_stored == shape->bits_allocated || shape->bits_allocated > 16)
        return shape->bits_allocated;
    return stray_bits(block_bytes(pixels->block).data, count_samples(pixels), shape->bits_allocated,
                      shape->bits_stored, shape->is_signed)
               ? shape->bits_allocated
               : shape->bits_stored;
}

unsigned samples_pattern_precision(const struct pixels *pixels)
{
    return pixels->shape.is_signed ? pixels->shape.bits_allocated : samples_precision(pixels);
}

bool samples_unsign(struct pixels *pixels, unsigned bits, struct error *err)
{
    const struct bytes from = block_bytes(pixels->block);
    const size_t count = count_samples(pixels);
    const unsigned mask = (1u << bits) - 1;
    struct pixels next = { 0 };

    if (bits >= pixels->shape.bits_allocated || !pixels->shape.is_signed)
        return true;
    if (!block_take(from.size, &next.block, err))
        return false;
    uint8_t *into = block_room(next.block, NULL);
    if (pixels->shape.bits_allocated == 8)
        for (size_t i = 0; i < count; i++)
            into[i] = (uint8_t)(from.data[i] & mask);
    else
        for (size_t i = 0; i < count; i++)
            set_word(into, i, (uint16_t)(word_at(from.data, i) & mask));
    block_seal(next.block, from.size);
    block_unref(pixels->block);
    pixels->block = next.block;
    return true;
}

static inline int32_t clamped(int32_t value, int32_t least, int32_t most)
{
    return value < least ? least : value > most ? most : value;
}

bool samples_keep_inside(struct pixels *pixels, unsigned bits, unsigned margin, struct error *err)
{
    const struct bytes from = block_bytes(pixels->block);
    const size_t count = count_samples(pixels);
    const int32_t most = (int32_t)(1 << (bits - 1)) - 1 - (int32_t)margin, least = -most - 1;
    struct block *next = NULL;

    if (!block_take(from.size, &next, err))
        return false;
    uint8_t *into = block_room(next, NULL);
    if (pixels->shape.bits_allocated == 8)
        for (size_t i = 0; i < count; i++)
            into[i] = (uint8_t)clamped((int8_t)from.data[i], least, most);
    else
        for (size_t i = 0; i < count; i++)
            set_word(into, i, (uint16_t)clamped((int16_t)word_at(from.data, i), least, most));
    block_seal(next, from.size);
    block_unref(pixels->block);
    pixels->block = next;
    return true;
}

void samples_sign(uint8_t *data, size_t count, unsigned bits_allocated, unsigned bits)
{
    const unsigned shift = bits_allocated - bits;

    if (shift == 0 || bits == 0 || bits_allocated > 16)
        return;
    if (bits_allocated == 8)
        for (size_t i = 0; i < count; i++)
            data[i] = (uint8_t)((int8_t)(uint8_t)(data[i] << shift) >> shift);
    else
        for (size_t i = 0; i < count; i++)
            set_word(data, i, (uint16_t)((int16_t)(uint16_t)(word_at(data, i) << shift) >> shift));
}

/* Each byte is read before its place is written over. */
void samples_widen(uint8_t *room, size_t count)
{
    const uint8_t *from = room + count;

    for (size_t i = 0; i < count; i++) {
        const uint8_t sample = from[i];
        room[2 * i] = sample;
        room[2 * i + 1] = 0;
    }
}

void samples_narrow(const uint8_t *words, size_t count, uint8_t *into)
{
    for (size_t i = 0; i < count; i++)
        into[i] = words[2 * i];
}

void samples_store(const int32_t *from, size_t count, int32_t least, int32_t most, unsigned bits_allocated,
                   size_t stride, uint8_t *into)
{
    if (bits_allocated == 8 && stride == 1)
        for (size_t i = 0; i < count; i++)
            into[i] = (uint8_t)clamped(from[i], least, most);
    else if (bits_allocated == 8)
        for (size_t i = 0; i < count; i++)
            into[i * stride] = (uint8_t)clamped(from[i], least, most);
    else if (bits_allocated == 16 && stride == 1)
        for (size_t i = 0; i < count; i++)
            set_word(into, i, (uint16_t)clamped(from[i], least, most));
    else if (bits_allocated == 16)
        for (size_t i = 0; i < count; i++)
            set_word(into, i * stride, (uint16_t)clamped(from[i], least, most));
    else
        for (size_t i = 0; i < count; i++) {
            const int32_t value = clamped(from[i], least, most);
            memcpy(into + 4 * i * stride, &value, sizeof value);
        }
}

void samples_load(const uint8_t *from, size_t count, size_t stride, unsigned bits_allocated, unsigned bits,
                  bool is_signed, int32_t *into)
{
    const unsigned shift = 32 - bits;

    for (size_t i = 0; i < count; i++) {
        uint32_t value = 0;
        if (bits_allocated == 8)
            value = from[i * stride];
        else if (bits_allocated == 16)
            value = word_at(from, i * stride);
        else
            memcpy(&value, from + 4 * i * stride, sizeof value);
        into[i] = is_signed ? (int32_t)(value << shift) >> shift : (int32_t)(value << shift >> shift);
    }
}

void samples_unpack_bits(const uint8_t *packed, size_t count, uint8_t *into)
{
    for (size_t i = 0; i < count; i++)
        into[i] = packed[i / 8] >> (i % 8) & 1;
}

bool samples_unpack(struct pixels *pixels, struct error *err)
{
    struct pixel_shape shape = pixels->shape;
    struct pixels bytes = { 0 };

    shape.bits_allocated = 8;
    if (!pixels_take(&shape, &bytes, err))
        return false;
    samples_unpack_bits(block_bytes(pixels->block).data, (size_t)shape.rows * shape.columns,
                        block_room(bytes.block, NULL));
    pixels_done(pixels);
    *pixels = bytes;
    return true;
}

bool samples_pack(struct pixels *pixels, struct error *err)
{
    const uint8_t *from = block_bytes(pixels->block).data;
    const size_t count = (size_t)pixels->shape.rows * pixels->shape.columns;
    struct pixel_shape shape = pixels->shape;
    struct pixels bits = { 0 };

    shape.bits_allocated = 1;
    if (!pixels_take(&shape, &bits, err))
        return false;
    uint8_t *into = block_room(bits.block, NULL);
    memset(into, 0, block_bytes(bits.block).size);
    for (size_t i = 0; i < count; i++)
        into[i / 8] |= (uint8_t)((from[i] != 0) << (i % 8));
    pixels_done(pixels);
    *pixels = bits;
    return true;
}
