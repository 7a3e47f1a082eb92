/* storage/data_lock.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Who may change a data folder: one process at a time, the server or an offline command. The kernel lets go
 * of the lock when the process ends, however it ends. Taken before catalog and store are opened, given up
 * after both are closed. What only reads (gantry check) does without.
 */
#ifndef GANTRY_STORAGE_DATA_LOCK_H
#define GANTRY_STORAGE_DATA_LOCK_H

#include <stddef.h>

#include "base/attributes.h"
#include "base/error.h"

struct data_lock;

/* Makes the folder when it is missing. `who` is what a second one is told: "gantry serve". BUSY: another
 * process has it; the detail and what is told name it. */
MUST_USE bool data_lock_take(const char *root, const char *who, struct data_lock **ret, struct error *err);
void data_lock_give(struct data_lock *lock); /* NULL is fine */
/* Who has it, as "gantry serve, process 123", or false: nobody. */
bool data_lock_holder(const char *root, char *into, size_t size);

#endif
