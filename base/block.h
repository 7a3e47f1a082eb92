/* base/block.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * A large buffer from a recycling pool with a budget. One owner fills it and seals it; from then on it
 * never changes and any thread may hold a reference. The pool is the process': one budget for all
 * payload bytes, so that memory under load is bounded by a setting.
 */
#ifndef GANTRY_BASE_BLOCK_H
#define GANTRY_BASE_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/error.h"

GANTRY_C_BEGIN

struct block;

/* The budget for blocks in use, in bytes (default 256 MiB). Recycled, unused ones of the standard size are
 * kept up to a quarter of it, larger ones up to 2 MiB to a sixteenth. Call once, before threads. */
void block_budget(size_t bytes);
/* Bytes in use now, and the most there ever were. Any thread. */
size_t block_in_use(void);
size_t block_peak(void);

enum { BLOCK_STANDARD_BYTES = 256 * 1024 };

/* A block with room for at least `capacity` bytes, one reference held. Any thread. BUSY: over
 * budget now; OVER_BUDGET: at any time. */
MUST_USE bool block_take(size_t capacity, struct block **ret, struct error *err);
/* The same with room for just so many bytes, for what is small and kept for a while. */
MUST_USE bool block_take_exact(size_t capacity, struct block **ret, struct error *err);

/* For memory that is shared with another process (codec/decoder_area.h): `bytes` at `memory`, which is
 * aligned to 64 and outlives the block, become one block that is not counted; its room begins
 * BLOCK_HEAD_BYTES on. */
enum { BLOCK_HEAD_BYTES = 64 };
struct block *block_in_place(void *memory, size_t bytes);
/* The next block_take on this thread of more than the standard size that fits gets such a block, so that what
 * is made lies where it has to go. NULL: no longer. */
void block_offer(void *memory_or_null, size_t bytes);

uint8_t *block_room(struct block *block, size_t *ret_capacity_or_null);
void block_seal(struct block *block, size_t size);
/* Gives back the room behind what was sealed; for the only holder of a block that is to be kept for a while.
 * Views of its bytes end here. Without memory nothing happens. */
void block_trim(struct block **block);
struct bytes block_bytes(const struct block *block); /* empty before block_seal */
/* What it takes of the budget: its room, whatever of it is used. */
size_t block_cost(const struct block *block);
/* A reference to what can be kept for a while: the block itself, or, where it has more room than bytes, a
 * copy without; without memory for that, itself. */
struct block *block_keep(struct block *block);
struct block *block_ref(struct block *block);
void block_unref(struct block *block); /* NULL is fine */

GANTRY_C_END

#endif
