/* http/splice.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The public base, put in the place of its mark while a body is sent or in a text as a whole.
 */
#ifndef GANTRY_HTTP_SPLICE_H
#define GANTRY_HTTP_SPLICE_H

#include "http/body.h"

/* Appends `text` to `into` with every byte `mark` replaced by `base`. */
struct buffer;
void splice_text(struct buffer *into, struct bytes text, uint8_t mark, struct bytes base);

#endif
