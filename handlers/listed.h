/* handlers/listed.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The instances of an answer that is made of many, one behind the other. Between the listing and an
 * instance's turn it can be deleted or replaced; the answer promised it and brings it: its file stays until
 * the last byte is out (store_hold), and what its row said is read from the file again.
 */
#ifndef GANTRY_HANDLERS_LISTED_H
#define GANTRY_HANDLERS_LISTED_H

#include "base/arena.h"
#include "dicom/description.h"
#include "handlers/handler.h"

/* From here on no file leaves before the exchange ends. Never waits. */
void listed_hold_files(const struct service *service, struct arena *arena);
/* As catalog_list, their files held; ends with the arena. May wait. */
MUST_USE bool listed_instances(const struct service *service, struct arena *arena,
                               const struct instance_key *key, struct catalog_listing **ret,
                               struct error *err);
/* The record of one of them, as it was listed; NOT_FOUND: it is gone with its file, which nobody held. The
 * caller unrefs. May wait. */
MUST_USE bool listed_record(const struct service *service, const struct listed_instance *listed,
                            const struct instance_record **ret, struct error *err);
/* What the stored file of a generation says. NOT_FOUND; faults as of description_read. The caller ends it
 * with description_done. May wait. */
MUST_USE bool listed_describe(const struct service *service, uint64_t generation, struct arena *arena,
                              struct description *ret, struct error *err);

#endif
