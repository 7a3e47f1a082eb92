/* http/cors.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Cross-origin answers; see cors.h. An origin that is not allowed is answered like any other, without the
 * headers: the browser keeps the answer from the page. Credentials travel in Authorization, which needs no
 * leave, or are client certificates, which do.
 */
#include "http/cors.h"

#include "base/attributes.h"

static const char methods[] = "GET, HEAD, POST, PUT, DELETE, OPTIONS";

/* Names that a page may send (COR-03). */
static const char *const request_headers[] = {
    "authorization",    "accept",      "content-type", "content-encoding",  "range",
    "if-none-match",    "if-match",    "if-range",     "if-modified-since", "cache-control",
    "x-requested-with", "traceparent", "tracestate",
};

/* Names that a page may read (COR-04). */
static const char exposed[] =
    "Content-Location, Content-Range, Accept-Ranges, ETag, Warning, Location, Retry-After, "
    "WWW-Authenticate, Content-Encoding, X-Request-Id";

static bool any_allowed(const struct cors *cors)
{
    return cors->allowed_origins && bytes_equal_text(bytes_trim(bytes_of_text(cors->allowed_origins)), "*");
}

static bool is_listed(const struct cors *cors, struct bytes origin)
{
    const char *at = cors->allowed_origins ? cors->allowed_origins : "";

    while (*at) {
        at += strspn(at, ", \t");
        const size_t size = strcspn(at, ", \t");
        if (size && bytes_equal_nocase(bytes_of(at, size), origin))
            return true;
        at += size;
    }
    return false;
}

bool cors_is_preflight(const struct request *request)
{
    return request->method == METHOD_OPTIONS && request_header(request, "origin").data &&
           request_header(request, "access-control-request-method").data;
}

/* Sets Allow-Origin and what depends on it; false: not allowed. */
static bool allow_origin(const struct cors *cors, const struct request *request, struct response *response)
{
    const struct bytes origin = bytes_trim(request_header(request, "origin"));
    struct arena *arena = request->arena;

    if (any_allowed(cors)) {
        response_header(response, arena, "Access-Control-Allow-Origin", "*");
        response_header(response, arena, "Timing-Allow-Origin", "*");
        return true;
    }
    if (!cors->allowed_origins || cors->allowed_origins[0] == '\0')
        return false;
    response_vary(response, arena, "Origin");
    if (!origin.size || !is_listed(cors, origin))
        return false;
    response_header(response, arena, "Access-Control-Allow-Origin", "%.*s", BYTES_ARG(origin));
    response_header(response, arena, "Timing-Allow-Origin", "%.*s", BYTES_ARG(origin));
    if (cors->credentials)
        response_header(response, arena, "Access-Control-Allow-Credentials", "true");
    return true;
}

/* The names of `request_headers` that the list `wanted` holds; all of them when there is no such list. */
static const char *allowed_headers(struct arena *arena, struct bytes wanted)
{
    const bool all = !wanted.data;
    const char *text = "";

    for (size_t i = 0; i < COUNT_OF(request_headers); i++) {
        bool named = all;
        for (struct bytes rest = wanted; !named && rest.size;)
            named = bytes_equal_nocase(bytes_trim(bytes_cut(&rest, ',')), bytes_of_text(request_headers[i]));
        if (named)
            text = arena_printf(arena, "%s%s%s", text, *text ? ", " : "", request_headers[i]);
    }
    return text;
}

void cors_preflight(const struct cors *cors, const struct request *request, struct response *response)
{
    struct arena *arena = request->arena;

    response->status = 204;
    response->body = NULL;
    if (!allow_origin(cors, request, response))
        return;
    const char *headers = allowed_headers(arena, request_header(request, "access-control-request-headers"));
    response_header(response, arena, "Access-Control-Allow-Methods", "%s", methods);
    if (*headers)
        response_header(response, arena, "Access-Control-Allow-Headers", "%s", headers);
    response_header(response, arena, "Access-Control-Max-Age", "7200");
}

void cors_headers(const struct cors *cors, const struct request *request, struct response *response)
{
    if (response_find(response, "Access-Control-Allow-Origin").data)
        return; /* a preflight's answer is whole already, and browsers refuse the header when it comes twice
                 */
    /* Pages under COEP require-corp embed images only with this (COR-07). */
    if (cors->allowed_origins && cors->allowed_origins[0] != '\0')
        response_header(response, request->arena, "Cross-Origin-Resource-Policy", "%s",
                        cors->resource_policy ? cors->resource_policy : "cross-origin");
    if (allow_origin(cors, request, response))
        response_header(response, request->arena, "Access-Control-Expose-Headers", "%s", exposed);
}
