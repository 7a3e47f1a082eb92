/* base/splice.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The public base, put in the place of its mark in a text.
 */
#ifndef GANTRY_BASE_SPLICE_H
#define GANTRY_BASE_SPLICE_H

#include "base/buffer.h"

/* Appends `text` to `into` with every byte `mark` replaced by `base`. */
void splice_text(struct buffer *into, struct bytes text, uint8_t mark, struct bytes base);

#endif
