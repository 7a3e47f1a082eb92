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
#include "http/token.h"
#include "http/content_decoder.h"

enum { RETRY_AFTER_S = 5, PROBLEM_CEILING_BYTES = 4096 };

enum form { FORM_JSON, FORM_HTML, FORM_TEXT };

static unsigned best_quality(const struct accept *accept, const char *const *types, size_t count)
{
    unsigned best = 0;

    for (size_t i = 0; i < count; i++)
        for (unsigned multipart = 0; multipart < 2; multipart++) {
            const unsigned q = accept_quality(accept, multipart, types[i], NULL, true, NULL);
            best = q > best ? q : best;
        }
    return best;
}

/* A browser likes HTML better than the rest. */
static enum form choose_form(const struct request *request)
{
    static const char *const json[] = { "application/problem+json", "application/json",
                                        "application/dicom+json" };
    static const char *const html[] = { "text/html" };
    struct accept accept = { 0 };

    accept_parse(request_header(request, "accept"), request->arena, &accept);
    const unsigned of_json = best_quality(&accept, json, COUNT_OF(json));
    const unsigned of_html = best_quality(&accept, html, COUNT_OF(html));
    return of_html > of_json ? FORM_HTML : of_json > 0 ? FORM_JSON : FORM_TEXT;
}

/* The header field that is at fault, or NULL. */
static const char *header_of(const struct error *err)
{
    static const char coding[] = "Content-Encoding";
    static const struct {
        enum fault fault;
        const char *header;
    } headers[] = {
        { FAULT_UNAUTHENTICATED, "Authorization" },
        { FAULT_NOT_ACCEPTABLE, "Accept" },
        { FAULT_UNSUPPORTED_MEDIA, "Content-Type" },
        { FAULT_RANGE, "Range" },
        { FAULT_EXPECTATION, "Expect" },
        { FAULT_PRECONDITION, "If-Match" },
        { FAULT_MISDIRECTED, "Host" },
    };

    if (strncmp(err->told, coding, sizeof coding - 1) == 0)
        return coding;
    for (size_t i = 0; i < COUNT_OF(headers); i++)
        if (headers[i].fault == err->fault)
            return headers[i].header;
    return NULL;
}

static void write_json(struct buffer *text, const struct request *request, const struct error *err)
{
    const struct fault_info *info = fault_info(err->fault);
    const char *header = header_of(err);

    buffer_append_text(text, "{\"type\":\"urn:gantry:problem:");
    for (const char *at = info->name; *at; at++)
        buffer_append_byte(text, *at == '_' ? '-' : token_lower((uint8_t)*at));
    buffer_append_text(text, "\",\"title\":");
    buffer_append_json_string(text, bytes_of_text(info->sentence));
    buffer_printf(text, ",\"status\":%d", info->http_status);
    if (err->told[0]) {
        buffer_append_text(text, ",\"detail\":");
        buffer_append_json_string(text, bytes_of_text(err->told));
    }
    if (header)
        buffer_printf(text, ",\"header\":\"%s\"", header);
    buffer_printf(text, ",\"instance\":\"urn:gantry:request:%" PRIu64 "\"}", request->id);
}

static void append_escaped(struct buffer *text, const char *raw)
{
    for (const char *at = raw; *at; at++)
        if (*at == '<' || *at == '>' || *at == '&' || *at == '"' || *at == '\'')
            buffer_printf(text, "&#%d;", *at);
        else
            buffer_append_byte(text, (uint8_t)*at);
}

static void write_html(struct buffer *text, const struct request *request, const struct error *err)
{
    const struct fault_info *info = fault_info(err->fault);

    buffer_printf(text, "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>%d</title>\n<h1>",
                  info->http_status);
    append_escaped(text, info->sentence);
    buffer_append_text(text, "</h1>\n<p>");
    append_escaped(text, err->told);
    buffer_printf(text, "</p>\n<p>Request %" PRIu64 "</p>\n", request->id);
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
    const enum form form = choose_form(request);
    static const char *const types[] = { [FORM_JSON] = "application/problem+json",
                                         [FORM_HTML] = "text/html; charset=utf-8",
                                         [FORM_TEXT] = "text/plain; charset=utf-8" };
    struct buffer text;

    buffer_init(&text, PROBLEM_CEILING_BYTES);
    if (form == FORM_JSON)
        write_json(&text, request, err);
    else if (form == FORM_HTML)
        write_html(&text, request, err);
    else
        buffer_printf(&text, "%s%s%s\nRequest %" PRIu64 "\n", info->sentence, err->told[0] ? " " : "",
                      err->told, request->id);
    const struct bytes body = arena_copy(request->arena, buffer_bytes(&text));
    buffer_done(&text);

    forget_representation(response);
    response_text(response, request->arena, info->http_status, types[form], body);
    response_vary(response, request->arena, "Accept");
    if (form == FORM_HTML)
        response_header(response, request->arena, "Content-Security-Policy", "default-src 'none'");
    response_header(response, request->arena, "Cache-Control", "no-store");
    if (info->http_status == 415 && request_header(request, "content-encoding").data) /* RFC 9110 15.5.16 */
        response_header(response, request->arena, "Accept-Encoding", "%s", content_codings);
    if (info->http_status == 503)
        response_header(response, request->arena, "Retry-After", "%d", RETRY_AFTER_S);
}
