/* storage/uid_map.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Which row may have a UID, in memory: for whoever fills a whole catalog. Its index of SOP Instance UIDs is
 * then made at the end, sorted. UIDs come in no order, so an index that grows with them has another page
 * written for nearly every row, twice: into the log and into the file.
 *
 *   8 bytes a slot: 32 bits of a hash │ 32 bits of the row's number; never more than two thirds are taken
 */
#ifndef GANTRY_STORAGE_UID_MAP_H
#define GANTRY_STORAGE_UID_MAP_H

#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"

struct uid_map;

enum { UID_MAP_MOST = 64 * 1024 * 1024 /* entries: 1 GiB */ };

struct uid_map *uid_map_new(void);      /* aborts without memory */
void uid_map_free(struct uid_map *map); /* NULL is fine */
/* A UID may be put more than once, for another row each time. False: the map is full, or `row` has more than
 * 32 bits; then the map is of no further use. */
MUST_USE bool uid_map_put(struct uid_map *map, struct bytes uid, uint64_t row);
/* The next row that may have the UID, 0: none. *cursor begins at 0. Rarely (once in some thousands of
 * millions of pairs) it has another UID; and rows may have gone since: the caller looks. */
uint64_t uid_map_next(const struct uid_map *map, struct bytes uid, uint64_t *cursor);

#endif
