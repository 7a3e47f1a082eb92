/* handlers/routes.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Which handler answers a URL: routes.def, searched.
 */
#ifndef GANTRY_HANDLERS_ROUTES_H
#define GANTRY_HANDLERS_ROUTES_H

#include "base/error.h"
#include "handlers/handler.h"
#include "http/request.h"

enum scope { SCOPE_NONE, SCOPE_QUERY, SCOPE_READ, SCOPE_WRITE, SCOPE_DELETE };
enum first_try { TRY_INLINE, TRY_WORKER };

struct route {
    enum method method;
    const char *pattern;
    bool at_root;
    enum scope scope;
    enum first_try first_try;
    handler_receive_fn *receive; /* NULL: takes no body */
    handler_answer_fn *answer;
};

/* `path` is the request's without query, still encoded, with the base path; `base_path` like "/dicom-web" or
 * "". HEAD finds GET's route. params get the decoded segments. NOT_FOUND; METHOD_NOT_ALLOWED: *ret_allow (in
 * the arena) then lists the methods; MALFORMED: uri_check_path. *ret_path is the path under the base. OPTIONS
 * on any known pattern finds the capabilities route; *ret_allow is then set too. */
MUST_USE bool route_find(enum method method, struct bytes path, const char *base_path, struct arena *arena,
                         const struct route **ret, struct bytes params[REQUEST_PARAMS],
                         struct bytes *ret_path, const char **ret_allow, struct error *err);
/* The pattern of the first route that fits a path under the base, as request->path has it; NULL: none. */
const char *route_pattern_of(struct bytes path, struct arena *arena);
const struct route *route_at(size_t n); /* all of them, NULL behind the last; for documents and tests */

#endif
