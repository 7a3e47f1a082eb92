/* codec/native.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Uncompressed pixels: byte order and bit position. The native forms differ in nothing else.
 */
#include "codec/codec.h"
#include "codec/layout.h"

/* memcpy, since a frame may begin at any address; compilers make these loops byte shuffles. */
void codec_swap_bytes(uint8_t *data, size_t size, unsigned bits_allocated)
{
    if (bits_allocated <= 16) {
        layout_kernels()->swap_16(data, size / 2);
    } else if (bits_allocated == 32) {
        for (size_t i = 0; i + 4 <= size; i += 4) {
            uint32_t sample;
            memcpy(&sample, data + i, sizeof sample);
            sample = __builtin_bswap32(sample);
            memcpy(data + i, &sample, sizeof sample);
        }
    } else if (bits_allocated == 64) {
        for (size_t i = 0; i + 8 <= size; i += 8) {
            uint64_t sample;
            memcpy(&sample, data + i, sizeof sample);
            sample = __builtin_bswap64(sample);
            memcpy(data + i, &sample, sizeof sample);
        }
    }
}

void codec_shift_bits(struct bytes data, unsigned bit_offset, uint64_t bits, uint8_t *into)
{
    const size_t size = (size_t)(bits / 8 + (bits % 8 != 0));

    for (size_t i = 0; i < size; i++) {
        const unsigned low = data.data[i];
        const unsigned high = bit_offset && i + 1 < data.size ? data.data[i + 1] : 0u;
        into[i] = (uint8_t)((high << 8 | low) >> bit_offset);
    }
    if (bits % 8)
        into[size - 1] &= (uint8_t)((1u << (bits % 8)) - 1);
}
