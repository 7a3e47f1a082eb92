/* storage/settling.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The syncs of folders that need not stand in anybody's way, by one thread of a store:
 *
 *   names of drafts   asked for before the drafts' own bytes are synced, waited for behind that; all who wait
 *                     share one sync
 *   placed objects    their rows are durable, and until their own names are, their drafts are what recovery
 * puts them back by. So nobody waits: the folders are synced a little later, many names at once, and then the
 * drafts go.
 *
 * Where there is no thread to be had, the caller does the same itself. For store.c and draft.c only.
 */
#ifndef GANTRY_STORAGE_SETTLING_H
#define GANTRY_STORAGE_SETTLING_H

#include <semaphore.h>

#include "storage/store.h"

struct settling;

enum { SETTLING_DELAY_MS = 50 }; /* in which names gather */

/* NULL: no memory. */
struct settling *settling_new(struct store *store);
/* Settles what waits, or tries to once more, then ends. NULL is fine. */
void settling_free(struct settling *settling);

/* One who waits; on its stack. */
struct names_wait {
    sem_t done;
    bool is_asked;
    struct error error;
    struct names_wait *next;
};
/* The names that drafts/ has now shall survive a power cut. Every ask is followed by its wait. */
void settling_ask_names(struct settling *settling, struct names_wait *wait);
MUST_USE bool settling_wait_names(struct settling *settling, struct names_wait *wait, struct error *err);

/* Its object is in place and its row durable: takes care of its name, and of the draft's going. */
void settling_add(struct settling *settling, uint64_t generation);
/* Once all that was added before has been tried. */
void settling_finish(struct settling *settling);

#endif
