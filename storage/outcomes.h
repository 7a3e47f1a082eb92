/* storage/outcomes.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What became of each instance of a delivery, kept small: a hundred thousand of them happen. One thread at a
 * time.
 */
#ifndef GANTRY_STORAGE_OUTCOMES_H
#define GANTRY_STORAGE_OUTCOMES_H

#include "base/buffer.h"
#include "storage/intake.h"

struct outcome_entry {
    uint32_t study, series, instance, sop_class, told, detail; /* offsets into `text`; 0: empty */
    uint16_t fault, warning_reason;
    bool known;
};

/* All zero but `text` (outcomes_init) is empty. */
struct outcomes {
    struct outcome_entry *list;
    size_t count, capacity;
    struct buffer text; /* NUL-ended strings; equal neighbours share theirs */
};

void outcomes_init(struct outcomes *outcomes);
void outcomes_done(struct outcomes *outcomes);
/* Makes sure that outcomes_add will succeed. TOO_LARGE: INTAKE_OUTCOMES_MOST is reached, or the text's
 * ceiling. */
MUST_USE bool outcomes_reserve(struct outcomes *outcomes, struct error *err);
/* After outcomes_reserve. Returns its index. `error_or_null` NULL: all went well, up to now. */
size_t outcomes_add(struct outcomes *outcomes, const struct instance_key *key, const struct uid *sop_class,
                    const struct error *error_or_null);
void outcomes_fail(struct outcomes *outcomes, size_t i, const struct error *why);
void outcomes_get(const struct outcomes *outcomes, size_t i, struct intake_outcome *ret);

#endif
