/* storage/metadata_packer.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Makes the packs (metadata_pack.h) of series that have come to rest, on a thread of its own with a low
 * priority. A series is told of when it changes, and again by whoever wanted its pack and found none; what is
 * forgotten by a restart is so found again.
 */
#ifndef GANTRY_STORAGE_METADATA_PACKER_H
#define GANTRY_STORAGE_METADATA_PACKER_H

#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"

struct catalog;
struct connection;
struct metadata_pack;
struct metadata_packer;

enum {
    /* Compressed text of a series below which no pack is kept: it is made in memory when asked for. */
    METADATA_PACK_LEAST = 8 * 1024,
    METADATA_REST_MS = 1500 /* without a change before a series is packed */
};

/* The thread starts with the first series. Aborts without memory. */
struct metadata_packer *metadata_packer_new(struct catalog *catalog);
void metadata_packer_stop(
    struct metadata_packer *packer); /* before the catalog's connections close; NULL is fine */
void metadata_packer_free(struct metadata_packer *packer);
/* The public base under which packs are made; NULL: that of the first request that wants one. */
void metadata_packer_base(struct metadata_packer *packer, const char *base_or_null);
void metadata_packer_base_seen(struct metadata_packer *packer, const char *base);
/* The series has changed: it is packed once it has been at rest. Any thread, never waits. */
void metadata_packer_note(struct metadata_packer *packer, uint64_t series_id);
/* Its pack was asked for and is missing: soon, unless it has changed just now. Any thread, never waits. */
void metadata_packer_want(struct metadata_packer *packer, uint64_t series_id);
/* Makes the pack of a series from its rows; *ret NULL: larger than METADATA_PACK_MOST, or the packer that was
 * given is stopping. May wait. */
MUST_USE bool metadata_pack_rows(struct connection *reader, uint64_t series_id, const char *base,
                                 struct metadata_packer *stop_or_null, const struct metadata_pack **ret,
                                 struct error *err);
/* Waits until all that was noted is packed, without waiting for it to rest; for tests. */
void metadata_packer_finish(struct metadata_packer *packer);

#endif
