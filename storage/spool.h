/* storage/spool.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * A nameless file on the store's volume, for what has to wait on the disk until it is known what it belongs
 * to (bulk data in front of the instance that is made of them). Gone when closed, or with the process. One
 * thread at a time; may wait.
 */
#ifndef GANTRY_STORAGE_SPOOL_H
#define GANTRY_STORAGE_SPOOL_H

#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/error.h"
#include "storage/store.h"

struct spool;

MUST_USE bool spool_open(struct store *store, struct spool **ret, struct error *err);
/* DISK_FULL under the store's free space floor, DISK. */
MUST_USE bool spool_append(struct spool *spool, struct bytes data, struct error *err);
uint64_t spool_size(const struct spool *spool);
MUST_USE bool spool_read(struct spool *spool, uint64_t offset, void *into, size_t size, struct error *err);
void spool_close(struct spool *spool); /* NULL is fine */

#endif
