/* http/cors.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Cross-origin answers (Fetch standard; COR-01 to COR-11).
 */
#ifndef GANTRY_HTTP_CORS_H
#define GANTRY_HTTP_CORS_H

#include "http/request.h"
#include "http/response.h"

struct cors {
    const char *allowed_origins; /* "*" or a list separated by spaces or commas; "": none */
    const char *resource_policy; /* Cross-Origin-Resource-Policy; NULL: cross-origin */
    bool credentials; /* listed origins may send them (client certificates); never with "*" (COR-05) */
};

/* Is it a preflight: OPTIONS with Origin and Access-Control-Request-Method? */
bool cors_is_preflight(const struct request *request);
/* The whole answer to a preflight: 204. */
void cors_preflight(const struct cors *cors, const struct request *request, struct response *response);
/* Headers that every answer gets, errors too: Allow-Origin, Expose-Headers, Vary: Origin,
 * Cross-Origin-Resource-Policy. */
void cors_headers(const struct cors *cors, const struct request *request, struct response *response);

#endif
