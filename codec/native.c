/* codec/native.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Uncompressed pixels: byte order and bit position. The native forms differ in nothing else.
 */
#include "codec/codec.h"

static bool is_native(enum transfer_syntax syntax)
{
    return syntax == SYNTAX_IMPLICIT_LE || syntax == SYNTAX_EXPLICIT_LE || syntax == SYNTAX_DEFLATED_LE ||
           syntax == SYNTAX_EXPLICIT_BE;
}

bool codec_can(enum transfer_syntax from, enum transfer_syntax to, const struct pixel_shape *shape)
{
    (void)shape; /* matters to decoders alone */
    return from == to || (to == SYNTAX_EXPLICIT_LE && is_native(from));
}

/* memcpy, since a frame may begin at any address; compilers make these loops byte shuffles. */
void codec_swap_bytes(uint8_t *data, size_t size, unsigned bits_allocated)
{
    if (bits_allocated <= 16) {
        for (size_t i = 0; i + 2 <= size; i += 2) {
            uint16_t sample;
            memcpy(&sample, data + i, sizeof sample);
            sample = __builtin_bswap16(sample);
            memcpy(data + i, &sample, sizeof sample);
        }
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
