/* handlers/shown_frame.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * One frame of a stored instance as samples in memory, ready to be shown.
 */
#ifndef GANTRY_HANDLERS_SHOWN_FRAME_H
#define GANTRY_HANDLERS_SHOWN_FRAME_H

#include "codec/codec.h"
#include "handlers/handler.h"
#include "storage/instance_record.h"

/* Are there pixels of a kind that can be decoded? */
bool shown_frame_is_image(const struct instance_record *record);
/* NOT_FOUND: no pixel data, or no such frame; NOT_ACCEPTABLE: a video, a deflated data set, or a transfer
 * syntax without a decoder. */
MUST_USE bool shown_frame_check(const struct instance_record *record, uint32_t frame, struct error *err);
/* Whether rows of a frame can be read from the file as they are to be shown (shown_frame_rows). */
bool shown_frame_has_plain_rows(const struct instance_record *record);
/* `count` rows from `first_row` on, into `into`. May wait. */
MUST_USE bool shown_frame_rows(struct store_reader *reader, const struct instance_record *record,
                               uint32_t frame, uint32_t first_row, uint32_t count, uint8_t *into,
                               struct error *err);
/* All of it, decoded: interleaved, RGB instead of YBR, and at 1/2^halvings where the codec can. May wait. */
MUST_USE bool shown_frame_decode(const struct service *service, struct store_reader *reader,
                                 const struct instance_record *record, uint32_t frame, unsigned halvings,
                                 struct pixels *ret, struct error *err);

#endif
