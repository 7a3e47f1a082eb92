/* dicom/text_values.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Several texts in one value, with backslashes between (PS3.5 6.4). Of values without padding; what is made
 * is appended to `into` (base/buffer.h has what follows when it is full). Any thread, never waits.
 */
#ifndef GANTRY_DICOM_TEXT_VALUES_H
#define GANTRY_DICOM_TEXT_VALUES_H

#include "base/buffer.h"
#include "base/bytes.h"

/* 0: none at all; an empty one between two others counts. */
size_t text_values_count(struct bytes own);
/* `own`, then empty values until there are `least`, then `between` unless nothing stands there, then `added`.
 */
void text_values_behind(struct bytes own, size_t least, const char *between, struct bytes added,
                        struct buffer *into);
/* `own` with another first value; `others` stand behind it where there are none at all. */
void text_values_first(struct bytes own, struct bytes first, const char *others, struct buffer *into);

#endif
