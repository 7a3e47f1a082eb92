/* server/house.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What is stored, opened as the settings say: the lock on the data folder, the catalog, the store, in that
 * order, and what a crash left behind put right. The server opens it behind a door, the offline commands
 * without one.
 */
#ifndef GANTRY_SERVER_HOUSE_H
#define GANTRY_SERVER_HOUSE_H

#include "config/settings.h"
#include "storage/catalog.h"
#include "storage/data_lock.h"
#include "storage/intake.h"
#include "storage/store.h"

struct house {
    struct data_lock *lock; /* NULL: only looking */
    struct catalog *catalog;
    struct store *store;
};

/* HOUSE_CHANGES: for this process alone. HOUSE_LOOKS: beside whoever has the folder, changing nothing.
 * HOUSE_REBUILDS: a catalog that is filled anew (catalog.h). */
enum house_use { HOUSE_CHANGES, HOUSE_LOOKS, HOUSE_REBUILDS };

/* `who` is what another process is told that wants the folder, too: "gantry serve". BUSY: it is in use. On
 * failure nothing is left open. Before threads. */
MUST_USE bool house_open(const struct settings *settings, const char *who, enum house_use use,
                         struct house *ret, struct error *err);
void house_close(struct house *house); /* empty is fine */

/* <data>/<name>; DISK when that is too long. */
MUST_USE bool house_path(const struct settings *settings, const char *name, char *into, size_t size,
                         struct error *err);
/* A catalog at `path` with the memory that the settings give it. */
MUST_USE bool house_catalog_open(const struct settings *settings, const char *path, enum house_use use,
                                 struct catalog **ret, struct error *err);
enum duplicate_policy house_duplicates(const struct settings *settings);
struct json_limits house_json_limits(const struct settings *settings);
/* `workers`, or what 0 stands for: twice the cores, at least 12. */
unsigned house_workers(const struct settings *settings);
unsigned house_cores(void);
/* Raises the limit of open files as far as it goes; returns it. */
uint64_t house_raise_files(void);

#endif
