/* http/problem.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Error bodies; see problem.h. They hold the sentence of fault.def and err->told, never err->detail.
 */
#include "http/problem.h"

#include <inttypes.h>

#include "base/attributes.h"
#include "base/buffer.h"
#include "http/accept.h"
#include "http/content_decoder.h"

enum { RETRY_AFTER_S = 5, PROBLEM_CEILING_BYTES = 4096 };

static bool takes_json(const struct request *request)
{
    static const char *const types[] = { "application/problem+json", "application/json",
                                         "application/dicom+json" };
    struct accept accept = { 0 };

    accept_parse(request_header(request, "accept"), request->arena, &accept);
    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (accept_quality(&accept, false, types[i], NULL, true, NULL) > 0 ||
            accept_quality(&accept, true, types[i], NULL, true, NULL) > 0)
            return true;
    return false;
}

/* What was set for the answer that is not given; others (Allow, WWW-Authenticate, Content-Range) stay. */
static void forget_representation(struct response *response)
{
    static const char *const names[] = {
        "Content-Type", "Content-Length", "Content-Location", "Content-Encoding", "Content-Disposition",
        "ETag",         "Last-Modified",  "Accept-Ranges",    "Cache-Control",    "Location",
    };

    for (size_t i = 0; i < COUNT_OF(names); i++)
        response_remove(response, names[i]);
    response->body = NULL;
}

void problem_response(const struct request *request, const struct error *err, struct response *response)
{
    const struct fault_info *info = fault_info(err->fault);
    const bool json = takes_json(request);
    struct buffer text;

    buffer_init(&text, PROBLEM_CEILING_BYTES);
    if (json) {
        buffer_append_text(&text, "{\"type\":\"about:blank\",\"title\":");
        buffer_append_json_string(&text, bytes_of_text(info->sentence));
        buffer_printf(&text, ",\"status\":%d", info->http_status);
        if (err->told[0]) {
            buffer_append_text(&text, ",\"detail\":");
            buffer_append_json_string(&text, bytes_of_text(err->told));
        }
        buffer_printf(&text, ",\"instance\":\"urn:gantry:request:%" PRIu64 "\"}", request->id);
    } else {
        buffer_printf(&text, "%s%s%s\nRequest %" PRIu64 "\n", info->sentence, err->told[0] ? " " : "",
                      err->told, request->id);
    }
    const struct bytes body = arena_copy(request->arena, buffer_bytes(&text));
    buffer_done(&text);

    forget_representation(response);
    response_text(response, request->arena, info->http_status,
                  json ? "application/problem+json" : "text/plain; charset=utf-8", body);
    response_header(response, request->arena, "Cache-Control", "no-store");
    if (info->http_status == 503)
        response_header(response, request->arena, "Retry-After", "%d", RETRY_AFTER_S);
    if (info->http_status == 415 && request_header(request, "content-encoding").data) /* RFC 9110 15.5.16 */
        response_header(response, request->arena, "Accept-Encoding", "%s", content_codings);
}
