/* storage/catalog_gone.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What is known to have been deleted, so that it is answered for as gone and not as unknown (PS3.18 8.5,
 * 410). Kept as keys, the newest catalog_options.known_deletions of them; a study that comes again is known
 * again.
 */
#ifndef GANTRY_STORAGE_CATALOG_GONE_H
#define GANTRY_STORAGE_CATALOG_GONE_H

#include "dicom/instance_key.h"
#include "storage/catalog_connection.h"

/* Says GONE when the key, or what it lies under, was deleted, else NOT_FOUND; false. `reader`: any
 * connection. */
bool catalog_gone_or_unknown(struct connection *reader, const struct instance_key *key, struct error *err);

/* In a transaction of the writer, once rows have gone: notes the key, and its series and study when they went
 * with it; beyond `most` keys the oldest are forgotten. */
MUST_USE bool catalog_gone_note(struct connection *writer, const struct instance_key *key, uint64_t most,
                                struct error *err);
/* In the transaction that makes the row of a study (series empty) or of a series: it is not gone any more. */
MUST_USE bool catalog_gone_is_back(struct connection *writer, const struct uid *study,
                                   const struct uid *series_or_null, struct error *err);

#endif
