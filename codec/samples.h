/* codec/samples.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Bits of samples: how many are used, where the sign is. Codecs know numbers of a precision; DICOM knows
 * cells of Bits Allocated whose upper bits may hold the sign, nothing, or (in old files) overlays. Any
 * thread, never waits.
 */
#ifndef GANTRY_CODEC_SAMPLES_H
#define GANTRY_CODEC_SAMPLES_H

#include "codec/codec.h"

/* How many bits hold every sample of the frame without loss: Bits Stored if the rest is nothing but sign or
 * zeros, else Bits Allocated. For 8 and 16 bits allocated; more are taken as they are. */
unsigned samples_precision(const struct pixels *pixels);
/* The same for a code stream that knows no sign: all bits of signed ones, since decoders elsewhere do not put
 * the sign back where a stream has fewer. */
unsigned samples_pattern_precision(const struct pixels *pixels);
/* Clears the bits above `bits` in every sample: for codecs that know no sign (TSX-09). A new block takes the
 * old one's place where there is something to clear. */
MUST_USE bool samples_unsign(struct pixels *pixels, unsigned bits, struct error *err);
/* Signed samples of `bits` bits keep `margin` away from the ends of their range, so that what is off by that
 * much is still in it. A new block takes the old one's place. */
MUST_USE bool samples_keep_inside(struct pixels *pixels, unsigned bits, unsigned margin, struct error *err);
/* Copies the sign, bit `bits` - 1, into the bits above it. */
void samples_sign(uint8_t *data, size_t count, unsigned bits_allocated, unsigned bits);
/* `count` bytes that lie in room[count] to room[2 * count - 1] become little endian words from room[0] on. */
void samples_widen(uint8_t *room, size_t count);
/* The low bytes of `count` words. */
void samples_narrow(const uint8_t *words, size_t count, uint8_t *into);
/* `count` numbers, clamped to [least, most], as cells of `bits_allocated` bits that stand `stride` cells
 * apart. */
void samples_store(const int32_t *from, size_t count, int32_t least, int32_t most, unsigned bits_allocated,
                   size_t stride, uint8_t *into);
/* The other way: cells as numbers of `bits` bits, with or without a sign. */
void samples_load(const uint8_t *from, size_t count, size_t stride, unsigned bits_allocated, unsigned bits,
                  bool is_signed, int32_t *into);
/* Bits Allocated 1 (bit 0 first, PS3.5 8.1.1) as bytes of 0 and 1, and back: whatever is not 0 is 1. A new
 * block takes the old one's place, and the shape has 8 or 1 bits allocated. */
MUST_USE bool samples_unpack(struct pixels *pixels, struct error *err);
MUST_USE bool samples_pack(struct pixels *pixels, struct error *err);
void samples_unpack_bits(const uint8_t *packed, size_t count, uint8_t *into);

#endif
