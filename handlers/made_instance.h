/* handlers/made_instance.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * A whole instance in another transfer syntax: its data set with what describes the pixels put right, and its
 * frames made one by one while they are sent.
 */
#ifndef GANTRY_HANDLERS_MADE_INSTANCE_H
#define GANTRY_HANDLERS_MADE_INSTANCE_H

#include "handlers/handler.h"
#include "storage/instance_record.h"

/* The file as a body; it borrows record and reader and ends with `arena`. Its size is known when the pixels
 * come out native. The first frame is made at once, so that what cannot be made is known before the first
 * byte: NOT_ACCEPTABLE, CORRUPT_PIXELS, TOO_LARGE, and BUSY. May wait; WOULD_WAIT where another is at that
 * frame (frame_cache_get).
 *
 * What changes in the data set: handlers/made_changes.h. Offset tables are written anew: empty. A file that
 * says of more frames than are there is CORRUPT_PIXELS. */
MUST_USE bool made_instance_body(const struct service *service, const struct request *request,
                                 const struct instance_record *record, enum transfer_syntax to,
                                 struct store_reader *reader, struct arena *arena, struct body_source **ret,
                                 struct error *err);

/* Bytes of all frames decoded, of which one has `frame_bytes`: frames of bits stand without gaps. */
uint64_t made_pixels_size(const struct instance_record *record, uint32_t frames, uint64_t frame_bytes);
/* All frames decoded, one behind the other, as the value of native pixel data without its padding. `size`: of
 * them all. They are made while they are read, so faults come then: as of made_frame. Ends with `arena`. */
struct body_source *made_pixels_body(const struct service *service, const struct request *request,
                                     const struct instance_record *record, struct store_reader *reader,
                                     uint64_t size, struct arena *arena);

#endif
