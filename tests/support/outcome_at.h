/* tests/support/outcome_at.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * One outcome of a delivery by its number, which tests ask for more than servers do.
 */
#ifndef GANTRY_TESTS_OUTCOME_AT_H
#define GANTRY_TESTS_OUTCOME_AT_H

#include <stdlib.h>

#include "storage/intake.h"

/* `i` below intake_count; after intake_commit. */
static inline void outcome_at(struct intake *intake, size_t i, struct intake_outcome *ret)
{
    struct arena arena = { 0 };
    struct error err = { 0 };
    const struct intake_outcome *outcome = NULL;
    struct outcome_reader *reader = intake_outcomes(intake, &arena);

    for (size_t n = 0; n <= i; n++)
        if (!outcome_reader_next(reader, MAY_WAIT, &outcome, &err) || !outcome)
            abort();
    *ret = *outcome;
    arena_release(&arena);
}

#endif
