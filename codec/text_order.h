/* codec/text_order.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Text in the order and the forms in which its letters are drawn one behind the other: Hebrew and Arabic run
 * from right to left, and Arabic letters join. What a line of names and numbers needs of UAX #9 and of the
 * joining of Unicode 9.2, for a font with presentation forms; no embeddings, no marks. Any thread.
 */
#ifndef GANTRY_CODEC_TEXT_ORDER_H
#define GANTRY_CODEC_TEXT_ORDER_H

#include "base/buffer.h"

/* Does one line hold letters that do not simply follow each other? */
bool text_order_matters(struct bytes utf8);
/* Appends the line, a left-to-right one as a whole, in the order of drawing. */
void text_order_apply(struct bytes utf8, struct buffer *into);

#endif
