/* storage/withdraw.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The one door through which instances leave: rows first, then files, and a crash in between leaves no file
 * that nobody knows:
 *
 *   delete rows, note their files ─► answers that hold them end ─► unlink files ─► forget the notes
 *         crash: nothing went    │                crash: recovery finds the notes, the files go
 */
#ifndef GANTRY_STORAGE_WITHDRAW_H
#define GANTRY_STORAGE_WITHDRAW_H

#include "base/error.h"
#include "storage/catalog.h"
#include "storage/store.h"

/* A study, series or instance. Durable on return; answers that were begun before keep what they read
 * (store_reader, store_hold). NOT_FOUND: nothing such. May wait. */
MUST_USE bool withdraw(struct store *store, struct catalog *catalog, const struct instance_key *key,
                       uint64_t *ret_instances, struct error *err);

#endif
