/* storage/recover.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What a crash left behind, put right before anyone is served:
 *
 *   write drafts ─► fsync them ─► link into place ─► commit rows ─► fsync folders ─► unlink drafts
 *         crash: draft, no row    │ crash: draft,    │  crash: draft and row, the file's name perhaps
 *         → remove the draft      │ perhaps a file,  │  → link the file again, fsync its folder,
 *                                 │ no row           │    remove the draft
 *                                 │ → remove both    │
 *
 * Rows that were replaced or deleted left a note in the catalog (catalog_leaving.h): their files go.
 */
#ifndef GANTRY_STORAGE_RECOVER_H
#define GANTRY_STORAGE_RECOVER_H

#include "base/error.h"
#include "storage/catalog.h"
#include "storage/store.h"

/* Call once, after both are open and before threads. *ret_removed: unfinished instances that were removed. */
MUST_USE bool recover(struct store *store, struct catalog *catalog, uint64_t *ret_removed, struct error *err);

#endif
