/* tests/support/fake_routes.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * A table of routes whose handlers do what real ones do seldom, instead of handlers/routes.c (which is not
 * linked then): for unit tests of the dispatcher and the transports without store or catalog.
 */
#ifndef GANTRY_TESTS_FAKE_ROUTES_H
#define GANTRY_TESTS_FAKE_ROUTES_H

#include <stdatomic.h>
#include <stdio.h>

#include "handlers/routes.h"
#include "tests/support/made_body.h"

enum { MADE_BYTES = 3000000, CUT_AT = 600000 };

static atomic_uint fake_calls; /* of handlers */
static atomic_uint fake_uploads_open;

static bool fake_quick(const struct service *service, const struct request *request,
                       struct response *response, struct error *err)
{
    (void)service, (void)err;
    atomic_fetch_add(&fake_calls, 1);
    response_text(response, request->arena, 200, "text/plain", bytes_of_text("quick"));
    return true;
}

static bool fake_base(const struct service *service, const struct request *request, struct response *response,
                      struct error *err)
{
    (void)service, (void)err;
    response_text(response, request->arena, 200, "text/plain", bytes_of_text(request->public_base));
    return true;
}

/* Fills a part of the answer, then finds that it would have to wait. */
static bool fake_hop(const struct service *service, const struct request *request, struct response *response,
                     struct error *err)
{
    (void)service;
    if (response->headers.count || response->status)
        return error_set(err, FAULT_INTERNAL, "the first try was not forgotten");
    response_header(response, request->arena, "X-Try", "%s",
                    request->patience == MAY_WAIT ? "worker" : "inline");
    if (request->patience == MUST_NOT_WAIT)
        return error_set(err, FAULT_WOULD_WAIT, "would wait");
    response_text(response, request->arena, 200, "text/plain", bytes_of_text("hop"));
    return true;
}

static bool give(const struct request *request, struct response *response, struct made_source made,
                 bool known)
{
    struct made_source *source = arena_alloc(request->arena, sizeof *source);

    *source = made;
    if (!known)
        source->source.size = BODY_SIZE_UNKNOWN;
    response->status = 200;
    response->body = &source->source;
    response_header(response, request->arena, "Content-Type", "application/octet-stream");
    return true;
}

static bool fake_late(const struct service *service, const struct request *request, struct response *response,
                      struct error *err)
{
    (void)service, (void)err;
    return give(request, response, made_source(70000, 1), true);
}

static bool fake_big(const struct service *service, const struct request *request, struct response *response,
                     struct error *err)
{
    (void)service, (void)err;
    return give(request, response, made_source(MADE_BYTES, 5), true);
}

static bool fake_stream(const struct service *service, const struct request *request,
                        struct response *response, struct error *err)
{
    (void)service, (void)err;
    return give(request, response, made_source(MADE_BYTES, 1), false);
}

static bool fake_cut(const struct service *service, const struct request *request, struct response *response,
                     struct error *err)
{
    struct made_source made = made_source(MADE_BYTES, 1);

    (void)service, (void)err;
    made.fails_at = CUT_AT;
    return give(request, response, made, true);
}

static bool fake_no_start(const struct service *service, const struct request *request,
                          struct response *response, struct error *err)
{
    struct made_source made = made_source(MADE_BYTES, 1);

    (void)service, (void)err;
    made.fails_at = 0;
    return give(request, response, made, true);
}

/* Finds out that its answer has to be made. */
static bool fake_made(const struct service *service, const struct request *request, struct response *response,
                      struct error *err)
{
    (void)service;
    atomic_fetch_add(&fake_calls, 1);
    if (response_patience(response, request, WORK_MAKES) == MUST_NOT_WAIT)
        return error_set(err, FAULT_WOULD_WAIT, "making");
    response_text(response, request->arena, 200, "text/plain", bytes_of_text("made"));
    return true;
}

/* Its answer is there, its bytes will have to be made. */
static bool fake_dear(const struct service *service, const struct request *request, struct response *response,
                      struct error *err)
{
    (void)service, (void)err;
    atomic_fetch_add(&fake_calls, 1);
    response->work = WORK_MAKES;
    response_text(response, request->arena, 200, "text/plain", bytes_of_text("dear"));
    return true;
}

static bool fake_none(const struct service *service, const struct request *request, struct response *response,
                      struct error *err)
{
    (void)service, (void)request, (void)err;
    response->status = 204;
    return true;
}

static bool fake_same(const struct service *service, const struct request *request, struct response *response,
                      struct error *err)
{
    (void)service, (void)err;
    response->status = 304;
    response_header(response, request->arena, "ETag", "\"1\"");
    return true;
}

static bool fake_fails(const struct service *service, const struct request *request,
                       struct response *response, struct error *err)
{
    (void)service;
    if (request->patience == MUST_NOT_WAIT)
        return error_set(err, FAULT_WOULD_WAIT, "would wait");
    response_header(response, request->arena, "ETag", "\"1\"");
    return error_set(err, FAULT_DISK, "secret detail");
}

struct fake_upload {
    struct body_sink sink;
    uint64_t size, fails_at;
    bool right, ended;
};

static bool upload_write(struct body_sink *sink, struct bytes chunk, struct error *err)
{
    struct fake_upload *upload = (struct fake_upload *)sink;

    if (upload->size + chunk.size > upload->fails_at)
        return error_tell(err, FAULT_DISK_FULL, "No room.");
    for (size_t i = 0; i < chunk.size; i++)
        upload->right &= chunk.data[i] == byte_at(upload->size + i);
    upload->size += chunk.size;
    return true;
}

static bool upload_end(struct body_sink *sink, struct error *err)
{
    (void)err;
    ((struct fake_upload *)sink)->ended = true;
    return true;
}

static void upload_close(void *of)
{
    (void)of;
    atomic_fetch_sub(&fake_uploads_open, 1);
}

static bool fake_receive(const struct service *service, const struct request *request, struct body_sink **ret,
                         struct error *err)
{
    const struct bytes type = request_header(request, "content-type");

    (void)service;
    if (!bytes_equal_text(type, "application/octet-stream"))
        return error_tell(err, FAULT_UNSUPPORTED_MEDIA, "Only application/octet-stream.");
    struct fake_upload *upload = arena_alloc(request->arena, sizeof *upload);
    *upload =
        (struct fake_upload){ .sink = { upload_write, upload_end }, .fails_at = UINT64_MAX, .right = true };
    if (request_query(request, "full").data)
        upload->fails_at = 300000;
    atomic_fetch_add(&fake_uploads_open, 1);
    arena_defer(request->arena, upload_close, upload);
    *ret = &upload->sink;
    return true;
}

static bool fake_received(const struct service *service, const struct request *request,
                          struct response *response, struct error *err)
{
    const struct fake_upload *upload = (const struct fake_upload *)request->body;
    char *text = arena_printf(request->arena, "%llu %s", (unsigned long long)upload->size,
                              upload->right && upload->ended ? "right" : "wrong");

    (void)service, (void)err;
    response_text(response, request->arena, 200, "text/plain", bytes_of_text(text));
    return true;
}

static const struct route fake_routes[] = {
    { METHOD_GET, "/quick", false, SCOPE_READ, TRY_INLINE, NULL, fake_quick },
    { METHOD_GET, "/slow", false, SCOPE_READ, TRY_WORKER, NULL, fake_quick },
    { METHOD_GET, "/base", false, SCOPE_READ, TRY_INLINE, NULL, fake_base },
    { METHOD_GET, "/hop", false, SCOPE_READ, TRY_INLINE, NULL, fake_hop },
    { METHOD_GET, "/late", false, SCOPE_READ, TRY_INLINE, NULL, fake_late },
    { METHOD_GET, "/big", false, SCOPE_READ, TRY_INLINE, NULL, fake_big },
    { METHOD_GET, "/stream", false, SCOPE_READ, TRY_WORKER, NULL, fake_stream },
    { METHOD_GET, "/cut", false, SCOPE_READ, TRY_WORKER, NULL, fake_cut },
    { METHOD_GET, "/no-start", false, SCOPE_READ, TRY_WORKER, NULL, fake_no_start },
    { METHOD_GET, "/made", false, SCOPE_READ, TRY_WORKER, NULL, fake_made },
    { METHOD_GET, "/dear", false, SCOPE_READ, TRY_WORKER, NULL, fake_dear },
    { METHOD_GET, "/none", false, SCOPE_READ, TRY_WORKER, NULL, fake_none },
    { METHOD_GET, "/same", false, SCOPE_READ, TRY_INLINE, NULL, fake_same },
    { METHOD_GET, "/fails", false, SCOPE_READ, TRY_INLINE, NULL, fake_fails },
    { METHOD_POST, "/upload", false, SCOPE_WRITE, TRY_WORKER, fake_receive, fake_received },
};

/* As handlers/routes.c has it. */
bool route_find(enum method method, struct bytes path, const char *base_path, struct arena *arena,
                const struct route **ret, struct bytes params[REQUEST_PARAMS], struct bytes *ret_path,
                const char **ret_allow, struct error *err)
{
    (void)arena, (void)params;
    if (!bytes_starts_with(path, bytes_of_text(base_path)))
        return error_set(err, FAULT_NOT_FOUND, "outside the base path");
    *ret_path = bytes_from(path, strlen(base_path));
    for (size_t i = 0; i < COUNT_OF(fake_routes); i++) {
        const struct route *route = &fake_routes[i];
        if (!bytes_equal_text(*ret_path, route->pattern))
            continue;
        *ret_allow = route->method == METHOD_GET ? "GET, HEAD, OPTIONS" : "POST, OPTIONS";
        if (route->method != (method == METHOD_HEAD ? METHOD_GET : method))
            return error_set(err, FAULT_METHOD_NOT_ALLOWED, "only %s", *ret_allow);
        *ret = route;
        return true;
    }
    return error_set(err, FAULT_NOT_FOUND, "no such route");
}

#endif
