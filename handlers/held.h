/* handlers/held.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What an answer holds until its last byte is out: given to the exchange's arena, which lets go of it.
 */
#ifndef GANTRY_HANDLERS_HELD_H
#define GANTRY_HANDLERS_HELD_H

#include "base/arena.h"
#include "base/buffer.h"
#include "storage/catalog.h"
#include "storage/instance_record.h"

void held_record(struct arena *arena, const struct instance_record *taken);
void held_listing(struct arena *arena, struct catalog_listing *taken);
/* An empty buffer. */
struct buffer *held_buffer(struct arena *arena, size_t ceiling_bytes);

#endif
