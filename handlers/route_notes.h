/* handlers/route_notes.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What documents say of the routes: route_notes.def, looked up; and the names of what stands for a pattern's
 * {}.
 */
#ifndef GANTRY_HANDLERS_ROUTE_NOTES_H
#define GANTRY_HANDLERS_ROUTE_NOTES_H

#include "base/arena.h"
#include "handlers/routes.h"

struct route_note {
    handler_answer_fn *answer;
    const char *summary;
    const char *query; /* names separated by spaces */
    const char *takes; /* media types separated by '|' */
    const char *gives;
};

/* Never NULL: of a route without a line all texts are empty. */
const struct route_note *route_note_of(const struct route *route);
/* The pattern with names for its {}: "/studies/{study}/series/{series}"; in the arena. */
const char *route_template(struct arena *arena, const char *pattern);

#endif
