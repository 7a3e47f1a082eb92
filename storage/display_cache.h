/* storage/display_cache.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * How instances are shown (dicom/image_display.h), kept by generation: a stored file never changes, so
 * nothing here goes stale. Bounded by bytes; what was not asked for longest goes first. Any thread.
 */
#ifndef GANTRY_STORAGE_DISPLAY_CACHE_H
#define GANTRY_STORAGE_DISPLAY_CACHE_H

#include "base/patience.h"
#include "dicom/image_display.h"
#include "storage/store.h"

struct display_cache;

struct display_cache *display_cache_new(uint64_t ceiling_bytes); /* aborts without memory */
void display_cache_free(struct display_cache *cache);            /* NULL is fine */
/* A reference for the caller; read from the store's file when it is not here. WOULD_WAIT under MUST_NOT_WAIT
 * then; faults as of image_display_read. */
MUST_USE bool display_cache_get(struct display_cache *cache, const struct store *store, uint64_t generation,
                                enum patience patience, const struct image_display **ret, struct error *err);

#endif
