/* http/problem.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Error bodies: application/problem+json (RFC 9457), or text/plain where the client takes no JSON (ERR-01,
 * ERR-02).
 */
#ifndef GANTRY_HTTP_PROBLEM_H
#define GANTRY_HTTP_PROBLEM_H

#include "base/error.h"
#include "http/request.h"
#include "http/response.h"

/* Status, body and the headers that the status wants (Retry-After for 503...), from fault.def and err->told.
 */
void problem_response(const struct request *request, const struct error *err, struct response *response);

#endif
