/* storage/outcomes.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What became of each instance of a delivery, kept small: a million of them may happen. Those that may still
 * change are in memory; the others are a stream of records, beyond 64 KiB in a nameless file.
 *
 *   outcomes_add ─► open ─► outcomes_seal ─► sealed: │ record │ record │ … │   spool, then the tail in memory
 *                    └─ outcomes_fail, outcomes_entry
 *
 * One thread at a time.
 */
#ifndef GANTRY_STORAGE_OUTCOMES_H
#define GANTRY_STORAGE_OUTCOMES_H

#include "base/buffer.h"
#include "storage/intake.h"
#include "storage/spool.h"

enum { OUTCOMES_OPEN_MOST = 1024 };

struct outcome_entry {
    uint32_t study, series, instance, sop_class, told, detail; /* offsets into `text`; 0: empty */
    uint16_t fault, warning_reason;
    bool known;
};

struct outcomes {
    struct store *store;
    size_t count; /* all */
    struct outcome_entry *open;
    size_t open_count, capacity;
    struct buffer text; /* of the open ones: NUL-ended strings; equal neighbours share theirs */
    struct spool *spool_or_null;
    struct buffer tail;          /* records behind those in the spool */
    struct intake_outcome *last; /* sealed; NULL: none */
};

void outcomes_init(struct outcomes *outcomes, struct store *store);
void outcomes_done(struct outcomes *outcomes);
/* Makes sure that outcomes_add will succeed. TOO_LARGE: INTAKE_OUTCOMES_MOST is reached, or
 * OUTCOMES_OPEN_MOST are open. */
MUST_USE bool outcomes_reserve(struct outcomes *outcomes, struct error *err);
/* After outcomes_reserve. Returns its index. `error_or_null` NULL: all went well, up to now. */
size_t outcomes_add(struct outcomes *outcomes, const struct instance_key *key, const struct uid *sop_class,
                    const struct error *error_or_null);
/* Both of one that is open. */
void outcomes_fail(struct outcomes *outcomes, size_t i, const struct error *why);
struct outcome_entry *outcomes_entry(struct outcomes *outcomes, size_t i);
/* All that are open are final now. May wait. BUSY: there is no room for them, neither on the disk nor in
 * memory; they stay open. */
MUST_USE bool outcomes_seal(struct outcomes *outcomes, struct error *err);
/* Of outcomes that are all sealed, and stay as they are while it reads: see storage/intake.h. */
struct outcome_reader *outcome_reader_new(struct outcomes *outcomes, struct arena *arena);

#endif
