/* codec/codec.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pixels in, pixels out: which library decodes or encodes which transfer syntax. Empty but for the native
 * forms: decoders join with the transcoding work.
 */
#ifndef GANTRY_CODEC_CODEC_H
#define GANTRY_CODEC_CODEC_H

#include "base/block.h"
#include "base/error.h"
#include "dicom/pixel_shape.h"
#include "dicom/transfer_syntax.h"

/* Can a frame stored in `from` be made into one in `to` for this shape? The same syntax: yes, as it is. */
bool codec_can(enum transfer_syntax from, enum transfer_syntax to, const struct pixel_shape *shape);

/* Native samples of `bits_allocated` bits from big to little endian, in place. Those of 8 bits and fewer lie
 * in words of 16 (VR OW; big endian OB is no FRAMES_NATIVE_BIG). */
void codec_swap_bytes(uint8_t *data, size_t size, unsigned bits_allocated);
/* Moves `bits` bits that start `bit_offset` bits into `data` (bit 0 first, PS3.5 8.1.1) to the start of
 * `into`, which has room for (bits + 7) / 8 bytes; unused bits of the last byte become 0. `data` holds
 * (bit_offset + bits + 7) / 8 bytes. */
void codec_shift_bits(struct bytes data, unsigned bit_offset, uint64_t bits, uint8_t *into);

#endif
