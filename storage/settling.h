/* storage/settling.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The syncs of folders that need not stand in anybody's way, by one thread of a store.
 *
 * The names of drafts: asked for before the drafts' own bytes are synced and waited for behind that; all who
 * wait share one sync. The names of placed objects: their rows are durable, and until their names are, their
 * drafts are what recovery puts them back by. So nobody waits for these: their folders are synced a little
 * later, for many at once, and then the drafts go.
 *
 * A sync that failed is not tried again: Linux takes the names for written then, and the next sync succeeds
 * without them. Who asked for the names of drafts fails, and so does who made one before that and asks later.
 * Objects of a folder whose sync has failed keep their drafts until the next start, which makes their names
 * anew (recover.h).
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
/* How often that has failed: to be remembered before a draft's name is made. */
uint64_t settling_names_failed(struct settling *settling);
/* The names that drafts/ has now shall survive a power cut. Every ask is followed by its wait. */
void settling_ask_names(struct settling *settling, struct names_wait *wait);
MUST_USE bool settling_wait_names(struct settling *settling, struct names_wait *wait, struct error *err);

/* Its object is in place and its row durable: takes care of its name, and of the draft's going. */
void settling_add(struct settling *settling, uint64_t generation);
/* It has been removed: no draft is left of it. */
void settling_forget(struct settling *settling, uint64_t generation);
/* Once all that was added before has been tried. Returns how many drafts stay until the next start. */
size_t settling_finish(struct settling *settling);

#endif
