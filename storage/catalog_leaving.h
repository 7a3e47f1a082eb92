/* storage/catalog_leaving.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Files whose row has gone and that are still to go. They are noted in the very transaction that takes the
 * row away, since only there it is known which row it is:
 *
 *   rows go, generations are noted ─► files are unlinked ─► forgotten with the next transaction
 *                                crash: recovery removes what is noted
 */
#ifndef GANTRY_STORAGE_CATALOG_LEAVING_H
#define GANTRY_STORAGE_CATALOG_LEAVING_H

#include <pthread.h>

#include "storage/catalog_connection.h"

struct commit_request;

/* In a transaction of the writer: the row of this generation goes, or those of all of a series. */
MUST_USE bool catalog_leaving_note(struct connection *writer, uint64_t generation, struct error *err);
MUST_USE bool catalog_leaving_note_series(struct connection *writer, uint64_t series_id, struct error *err);

/* Those whose files have gone by now; all zero is empty. Its lock is the owner's to make and to destroy. */
struct catalog_left {
    pthread_mutex_t lock;
    uint64_t *list;
    size_t count, room;
};
void catalog_left_add(struct catalog_left *left, const uint64_t *generations, size_t count);
/* In a transaction: forgets the first *ret_count of them. */
MUST_USE bool catalog_left_forget(struct catalog_left *left, struct connection *writer, size_t *ret_count,
                                  struct error *err);
/* That transaction is durable. */
void catalog_left_drop(struct catalog_left *left, size_t count);

#endif
