/* storage/holds.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Files that answers under way still need, kept without a descriptor for each. Holds and goings are numbered
 * together, so that what began before what is a comparison:
 *
 *   goings    0       1            2         3              a going waits while a hold is open
 *   holds       [─ a ─────────]        [─ b ──────────]      that began before it:
 *                                                           1 for a, 3 for b, 0 and 2 for nobody
 *
 * What has waited is removed by a thread of the store, since who ends a hold must not wait for the disk.
 * Nobody can keep everybody's files for ever by reading slowly: after held_ms, or when the volume is full,
 * the first goes although it is held, and the answer that needs it ends early. A crash meanwhile is the one
 * between a row's going and its file's: recovery knows of it (catalog_leaving.h). For store.c only.
 */
#ifndef GANTRY_STORAGE_HOLDS_H
#define GANTRY_STORAGE_HOLDS_H

#include "storage/store.h"

struct holds;

/* NULL: no memory. */
struct holds *holds_new(struct store *store);
/* No hold is open any more: what still waits is removed before it returns. NULL is fine. */
void holds_free(struct holds *holds);

/* Takes care of these when the last hold that keeps them ends. False: nobody holds any, or there is no memory
 * or thread for it; then they are the caller's to remove at once. */
bool holds_take_over(struct holds *holds, const uint64_t *generations, size_t count, store_told_fn *gone,
                     void *context);

#endif
