/* server/dispatcher.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The order of things; see dispatcher.h. A handler that would have to wait on the I/O thread is called again
 * on a worker:
 *
 *   begin ─► answer(MUST_NOT_WAIT) ──────────────────────────────► complete ─► ANSWER
 *                 │ WOULD_WAIT: arena rewound, exchange paused                    ▲
 *                 └─► worker: answer(MAY_WAIT) ─► complete, first block ─► wake ──┘
 *
 * A worker that reads for many does not make for one: where an answer turns out to cost more than its job was
 * queued for (response->work), it goes on in another job, among those that cost as much.
 *
 * Faults become answers here and are logged here, once.
 */
#include "server/dispatcher.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/compress.h"
#include "http/conditional.h"
#include "http/cors.h"
#include "http/problem.h"
#include "http/uri.h"
#include "server/authorize.h"
#include "server/forwarded.h"
#include "server/framing.h"
#include "server/identity.h"

/* The reloadable choices as one immutable whole. Old ones are kept until the end, some hundred bytes a
 * reload: so holding one costs an exchange nothing, no lock and no count. */
struct dispatcher_view {
    struct service service;
    struct limits limits;
    struct cors cors;
    uint64_t compress_least_bytes;
    bool fixed_base; /* public_url is a URL: nobody else has a say */
    char *hsts, *resource_policy;
    char *origins;
    char *names;             /* that are answered for, "": all */
    struct proxies *proxies; /* whose word on scheme and host counts */
    struct access *access;
    char *public_base; /* NULL: from the request's Host */
    char *host_base;   /* used then for requests without one */
    struct dispatcher_view *older;
};

struct dispatcher {
    struct exchanges exchanges;
    struct service service;
    struct worker_pool *pool;
    char *base_path;
    char *public_url; /* the setting of the newest view */
    unsigned port;
    _Atomic(struct dispatcher_view *) view;
    atomic_bool draining;
};

/* ── the choices ── */

static void view_free(struct dispatcher_view *view)
{
    if (!view)
        return;
    free(view->hsts);
    free(view->resource_policy);
    free(view->origins);
    free(view->names);
    proxies_free(view->proxies);
    access_free(view->access);
    free(view->public_base);
    free(view->host_base);
    free(view);
}

static char *join(const char *a, const char *b)
{
    char *text = NULL;

    return asprintf(&text, "%s%s", a, b) < 0 ? NULL : text;
}

/* Metadata are packed under the base beforehand. */
static void tell_base(const struct dispatcher *dispatcher, const struct dispatcher_view *view)
{
    if (dispatcher->service.catalog)
        catalog_public_base(dispatcher->service.catalog, view->public_base);
}

/* https://localhost[:port] */
static char *local_base(const struct dispatcher *dispatcher)
{
    char *text = NULL;
    const int length =
        dispatcher->port == 0 || dispatcher->port == 443
            ? asprintf(&text, "https://localhost%s", dispatcher->base_path)
            : asprintf(&text, "https://localhost:%u%s", dispatcher->port, dispatcher->base_path);

    return length < 0 ? NULL : text;
}

static bool fill_bases(const struct dispatcher *dispatcher, const char *public_url,
                       struct dispatcher_view *view)
{
    view->host_base = local_base(dispatcher);
    if (!view->host_base)
        return false;
    if (strcmp(public_url, "from-host") == 0)
        return true;
    if (!*public_url)
        return (view->public_base = strdup(view->host_base)) != NULL;
    char *url = strdup(public_url);
    if (!url)
        return false;
    for (size_t size = strlen(url); size && url[size - 1] == '/';)
        url[--size] = '\0';
    view->public_base = join(url, dispatcher->base_path);
    free(url);
    return view->public_base != NULL;
}

bool dispatcher_reload(struct dispatcher *dispatcher, const struct dispatcher_choices *choices,
                       struct error *err)
{
    struct dispatcher_view *view = calloc(1, sizeof *view);
    const char *public_url = choices->public_url ? choices->public_url : "";
    char *kept = strdup(public_url);

    if (!view || !kept || !(view->origins = strdup(choices->cors_origins ? choices->cors_origins : "")) ||
        !(view->names = strdup(choices->server_names ? choices->server_names : "")) ||
        !(view->hsts = strdup(choices->hsts ? choices->hsts : "max-age=31536000")) ||
        !(view->resource_policy =
              strdup(choices->resource_policy ? choices->resource_policy : "cross-origin")) ||
        !fill_bases(dispatcher, public_url, view)) {
        view_free(view);
        free(kept);
        return error_set(err, FAULT_BUSY, "no memory for the settings");
    }
    if (!proxies_parse(choices->trusted_proxies ? choices->trusted_proxies : "", &view->proxies, err)) {
        view_free(view);
        free(kept);
        return false;
    }
    free(dispatcher->public_url);
    dispatcher->public_url = kept;
    view->fixed_base = *public_url && strcmp(public_url, "from-host") != 0;
    view->limits = choices->limits;
    view->service = dispatcher->service;
    view->service.limits = &view->limits;
    view->cors.allowed_origins = view->origins;
    view->cors.credentials = choices->cors_credentials;
    view->cors.resource_policy = view->resource_policy;
    view->compress_least_bytes = choices->compress_least_bytes;
    view->access = choices->access;
    view->older = atomic_load(&dispatcher->view);
    atomic_store(&dispatcher->view, view);
    tell_base(dispatcher, view);
    return true;
}

bool dispatcher_new(const struct dispatcher_options *options, const struct dispatcher_choices *choices,
                    struct dispatcher **ret, struct error *err)
{
    struct dispatcher *dispatcher = calloc(1, sizeof *dispatcher);

    if (!dispatcher || !(dispatcher->base_path = strdup(options->base_path))) {
        free(dispatcher);
        return error_set(err, FAULT_BUSY, "no memory for a dispatcher");
    }
    for (size_t size = strlen(dispatcher->base_path); size && dispatcher->base_path[size - 1] == '/';)
        dispatcher->base_path[--size] = '\0';
    dispatcher->service = options->service;
    dispatcher->pool = options->pool;
    dispatcher->port = options->port;
    atomic_init(&dispatcher->view, NULL);
    atomic_init(&dispatcher->draining, false);
    exchanges_init(&dispatcher->exchanges, options->access_log);
    if (!dispatcher_reload(dispatcher, choices, err)) {
        dispatcher_free(dispatcher);
        return false;
    }
    *ret = dispatcher;
    return true;
}

void dispatcher_set_port(struct dispatcher *dispatcher, unsigned port)
{
    struct dispatcher_view *view = atomic_load(&dispatcher->view);
    struct dispatcher_view fresh = { 0 };

    dispatcher->port = port;
    if (!fill_bases(dispatcher, dispatcher->public_url, &fresh))
        abort();
    free(view->public_base);
    free(view->host_base);
    view->public_base = fresh.public_base;
    view->host_base = fresh.host_base;
    tell_base(dispatcher, view);
}

/* ── the answer ── */

static void add_header(struct exchange *exchange, const char *name, const char *value)
{
    fields_add(&exchange->response.headers, &exchange->arena, bytes_of_text(name), bytes_of_text(value));
}

static bool has_header(const struct exchange *exchange, const char *name)
{
    return response_find(&exchange->response, name).data != NULL;
}

/* From the request's last header to the answer's first, so that a slow viewer can be told from a slow server.
 */
static void add_server_timing(struct exchange *exchange)
{
    const uint64_t spent_us = clock_monotonic_us() - exchange->began_us;

    response_header(&exchange->response, &exchange->arena, "Server-Timing", "total;dur=%" PRIu64 ".%03u",
                    spent_us / 1000, (unsigned)(spent_us % 1000));
}

/* What every answer carries. */
static void add_common_headers(struct exchange *exchange)
{
    const bool root = exchange->route && exchange->route->at_root;

    response_header(&exchange->response, &exchange->arena, "X-Request-Id", "%" PRIu64, exchange->request.id);
    if (exchange->view->hsts[0])
        add_header(exchange, "Strict-Transport-Security", exchange->view->hsts);
    add_header(exchange, "X-Content-Type-Options", "nosniff");
    add_server_timing(exchange);
    if (exchange->allow && !has_header(exchange, "Allow") &&
        (exchange->request.method == METHOD_OPTIONS || exchange->response.status == 405))
        add_header(exchange, "Allow", exchange->allow);
    if (!has_header(exchange, "Cache-Control"))
        add_header(exchange, "Cache-Control", root ? "no-store" : "private");
    cors_headers(&exchange->view->cors, &exchange->request, &exchange->response);
}

static bool carries_body(const struct exchange *exchange)
{
    const int status = exchange->response.status;

    return exchange->response.body && exchange->request.method != METHOD_HEAD && status != 204 &&
           status != 304;
}

/* One line about what went wrong. A wrong URL is everyday business. */
static void log_error(const struct exchange *exchange)
{
    const struct fault_info *info = fault_info(exchange->error.fault);
    const enum log_level level =
        exchange->error.fault == FAULT_NOT_FOUND                                          ? LOG_DEBUG
        : info->http_status < 500 || info->http_status == 501 || info->http_status == 505 ? LOG_INFO
        : exchange->error.fault == FAULT_BUSY                                             ? LOG_WARNING
                                                                                          : LOG_ERROR;

    log_line(level, "%s: %s id=%" PRIu64, info->name, exchange->error.detail, exchange->request.id);
}

/* The answer that exchange->error wants. */
static void refuse(struct exchange *exchange)
{
    struct exchange *e = exchange;
    struct error ignored = { 0 };

    if (e->error.fault == FAULT_NONE || e->error.fault == FAULT_WOULD_WAIT)
        error_set(&e->error, FAULT_INTERNAL, "a failure without a fault");
    log_error(e);
    problem_response(&e->request, &e->error, &e->response);
    add_common_headers(e);
    body_pump_begin_out(&e->pump, e->dispatcher->pool, e->response.body);
    /* A body of memory: it neither waits nor fails. */
    if (carries_body(e) && !body_pump_prefill(&e->pump, MUST_NOT_WAIT, &ignored))
        e->response.body = NULL;
    e->answered = true;
}

/* The handler's answer stands in exchange->response. False: WOULD_WAIT for the body's first bytes, call again
 * with MAY_WAIT. */
static bool complete(struct exchange *exchange, enum patience patience)
{
    struct body_pump *pump = &exchange->pump;

    assert(exchange->response.status >= 200);
    if (!exchange->shaped) {
        exchange->shaped = true;
        if (!conditional_apply(&exchange->request, &exchange->response, &exchange->error) ||
            !compress_apply(&exchange->request, &exchange->response, exchange->view->compress_least_bytes,
                            &exchange->error)) {
            refuse(exchange);
            return true;
        }
    }
    if (carries_body(exchange)) {
        if (pump->source != exchange->response.body)
            body_pump_begin_out(pump, exchange->dispatcher->pool, exchange->response.body);
        if (!body_pump_prefill(pump, patience, &exchange->error)) {
            if (exchange->error.fault == FAULT_WOULD_WAIT)
                return false;
            refuse(exchange);
            return true;
        }
    }
    add_common_headers(exchange);
    exchange->answered = true;
    return true;
}

static struct exchange *exchange_of(struct job *job)
{
    return (struct exchange *)((char *)job - offsetof(struct exchange, job));
}

/* Still waiting for another's work: the job is queued again when that is done. */
static bool is_parked(struct exchange *exchange, void (*run)(struct job *job))
{
    if (exchange->error.fault != FAULT_WOULD_WAIT)
        return false;
    error_clear(&exchange->error);
    exchange->job.run = run;
    return exchange_park(exchange, &exchange->job);
}

static void complete_job(struct job *job)
{
    struct exchange *exchange = exchange_of(job);

    if (!complete(exchange, MAY_WAIT)) {
        if (is_parked(exchange, complete_job))
            return;
        refuse(exchange); /* a source that will not wait though it may */
    }
    exchange_wake(exchange);
    exchange_unref(exchange);
}

static void answer_job(struct job *job);

/* True: what is left costs more than `queued_as`, and is queued as such. */
static bool is_moved(struct exchange *exchange, enum urgency queued_as, void (*run)(struct job *job))
{
    const enum urgency urgency = exchange_urgency(exchange);

    if (urgency <= queued_as || !exchange->request.waiter)
        return false;
    error_clear(&exchange->error);
    exchange->job.run = run;
    worker_pool_continue(exchange->dispatcher->pool, urgency, &exchange->job);
    return true;
}

/* The handler, where it may wait. False: it is parked, or goes on in another job. */
static bool answer_waiting(struct exchange *exchange)
{
    const struct arena_mark mark = arena_mark(&exchange->arena);
    const enum urgency queued_as = exchange_urgency(exchange);

    exchange->request.patience = MAY_WAIT;
    if (exchange->route->answer(&exchange->view->service, &exchange->request, &exchange->response,
                                &exchange->error)) {
        if (carries_body(exchange) && is_moved(exchange, queued_as, complete_job))
            return false;
        if (complete(exchange, MAY_WAIT))
            return true;
        if (is_parked(exchange, complete_job))
            return false;
    } else if (exchange->error.fault == FAULT_WOULD_WAIT && exchange->request.waiter) {
        arena_rewind(&exchange->arena, mark);
        const enum response_work work = exchange->response.work;
        memset(&exchange->response, 0, sizeof exchange->response);
        exchange->response.work = work;
        if (is_parked(exchange, answer_job) || is_moved(exchange, queued_as, answer_job))
            return false;
    }
    refuse(exchange);
    return true;
}

static void answer_job(struct job *job)
{
    struct exchange *exchange = exchange_of(job);

    if (!answer_waiting(exchange))
        return;
    exchange_wake(exchange);
    exchange_unref(exchange);
}

/* Goes on with `run` on a worker. */
static enum dispatched hand_over(struct exchange *exchange, void (*run)(struct job *job))
{
    if (!exchange_pause(exchange)) {
        error_set(&exchange->error, FAULT_BUSY, "stopping");
        exchange->close = true;
        refuse(exchange);
        return DISPATCH_ANSWER;
    }
    exchange_ref(exchange);
    exchange->job.run = run;
    if (worker_pool_submit(exchange->dispatcher->pool, exchange_urgency(exchange), &exchange->job,
                           &exchange->error))
        return DISPATCH_LATER;
    refuse(exchange);
    exchange_wake(exchange);
    exchange_unref(exchange);
    return DISPATCH_LATER;
}

static enum dispatched answer(struct exchange *exchange)
{
    exchange->request.waiter = &exchange->waiter;
    exchange->pump.pool = exchange->dispatcher->pool;
    if (exchange->route->first_try != TRY_INLINE)
        return hand_over(exchange, answer_job);

    const struct arena_mark mark = arena_mark(&exchange->arena);
    exchange->request.patience = MUST_NOT_WAIT;
    const bool ok = exchange->route->answer(&exchange->view->service, &exchange->request, &exchange->response,
                                            &exchange->error);
    if (ok && complete(exchange, MUST_NOT_WAIT))
        return DISPATCH_ANSWER;
    if (exchange->error.fault != FAULT_WOULD_WAIT) {
        refuse(exchange);
        return DISPATCH_ANSWER;
    }
    error_clear(&exchange->error);
    if (ok)
        return hand_over(exchange, complete_job);
    arena_rewind(&exchange->arena, mark);
    const enum response_work work = exchange->response.work; /* the handler knows by now what it will cost */
    memset(&exchange->response, 0, sizeof exchange->response);
    exchange->response.work = work;
    exchange->shaped = false;
    return hand_over(exchange, answer_job);
}

/* ── the request ── */

static bool check_expectation(const struct request *request, struct error *err)
{
    const struct bytes expect = request_header(request, "expect");

    if (!expect.data || bytes_equal_nocase(bytes_trim(expect), bytes_of_text("100-continue")))
        return true;
    return error_tell(err, FAULT_EXPECTATION, "The only expectation is 100-continue.");
}

/* Does a gateway of ours carry it? */
static bool is_forwarded(const struct exchange *exchange)
{
    struct sockaddr_storage address = { .ss_family = AF_UNSPEC };
    socklen_t size = sizeof address;

    if (proxies_are_none(exchange->view->proxies) || !exchange->transport->socket)
        return false;
    const int fd = exchange->transport->socket(exchange);
    return fd >= 0 && getpeername(fd, (struct sockaddr *)&address, &size) == 0 &&
           proxies_have(exchange->view->proxies, (struct sockaddr *)&address);
}

static void find_public_base(struct exchange *exchange)
{
    const struct dispatcher_view *view = exchange->view;
    const char *base_path = exchange->dispatcher->base_path;

    exchange->request.public_base = view->public_base;
    if (!view->fixed_base && is_forwarded(exchange)) {
        const char *base = forwarded_base(view->proxies, &exchange->request);
        if (base) {
            exchange->request.public_base = arena_printf(&exchange->arena, "%s%s", base, base_path);
            return;
        }
    }
    if (view->public_base)
        return;
    const struct bytes host = bytes_trim(request_header(&exchange->request, "host"));
    exchange->request.public_base =
        framing_host_is_valid(host)
            ? arena_printf(&exchange->arena, "https://%.*s%s", BYTES_ARG(host), base_path)
            : view->host_base;
}

/* Host, without its port, against the setting server_names. */
static bool is_misdirected(const struct exchange *exchange)
{
    struct bytes host = bytes_trim(request_header(&exchange->request, "host"));
    const char *at = exchange->view->names;

    for (size_t i = host.size; i > 0 && host.data[i - 1] != ']'; i--)
        if (host.data[i - 1] == ':')
            host.size = i - 1;
    while (*at) {
        at += strspn(at, ", \t");
        const size_t size = strcspn(at, ", \t");
        if (size && bytes_equal_nocase(bytes_of(at, size), host))
            return false;
        at += size;
    }
    return exchange->view->names[0] != '\0';
}

/* Probes ask for the state of the process by its address. */
static bool check_authority(struct exchange *exchange)
{
    struct request *request = &exchange->request;
    struct error ignored = { 0 };
    struct bytes params[REQUEST_PARAMS], rest;
    const struct route *route = NULL;
    const char *allow = NULL;

    if (!is_misdirected(exchange) ||
        (route_find(request->method, request->path, exchange->dispatcher->base_path, &exchange->arena, &route,
                    params, &rest, &allow, &ignored) &&
         route->at_root))
        return true;
    return error_tell(&exchange->error, FAULT_MISDIRECTED,
                      "Host names none of this server's names (server_names).");
}

enum settled {
    SETTLED_REFUSED,  /* exchange->error */
    SETTLED_ANSWERED, /* the response is there but for the common headers */
    SETTLED_ROUTE
};

static enum settled answered_with(struct exchange *exchange, const char *allow)
{
    exchange->response.status = 204;
    exchange->allow = allow;
    return SETTLED_ANSWERED;
}

/* Which route, for whom, and whether they may. */
static enum settled settle(struct exchange *exchange)
{
    struct request *request = &exchange->request;
    struct error *err = &exchange->error;

    if (err->fault != FAULT_NONE)
        return SETTLED_REFUSED;
    if (request->method == METHOD_UNKNOWN) {
        error_set(err, FAULT_NOT_IMPLEMENTED, "unknown method");
        return SETTLED_REFUSED;
    }
    if (!check_expectation(request, err))
        return SETTLED_REFUSED;
    if (request->method == METHOD_OPTIONS && bytes_equal_text(request->target, "*"))
        return answered_with(exchange, "GET, HEAD, POST, DELETE, OPTIONS");
    if (!uri_split(request->target, &request->path, &request->query_text, err))
        return SETTLED_REFUSED;
    if (!check_authority(exchange))
        return SETTLED_REFUSED;
    /* Browsers send no credentials with it, and ask of any path. */
    if (cors_is_preflight(request)) {
        cors_preflight(&exchange->view->cors, request, &exchange->response);
        return SETTLED_ANSWERED;
    }
    const struct bytes path = request->path;
    if (!route_find(request->method, path, exchange->dispatcher->base_path, &exchange->arena,
                    &exchange->route, request->params, &request->path, &exchange->allow, err) ||
        !identity_find(request, exchange->peer, &request->principal, err) ||
        !authorize(exchange->view->access, exchange->peer, exchange->route->scope, err) ||
        !uri_query(request->query_text, &exchange->arena, &request->query, err))
        return SETTLED_REFUSED;
    find_public_base(exchange);
    return SETTLED_ROUTE;
}

/* The route's sink for the body, or a refusal. */
static bool receive(struct exchange *exchange)
{
    const uint64_t ceiling = exchange->view->limits.request_ceiling_bytes;
    struct request *request = &exchange->request;

    request->patience = MUST_NOT_WAIT;
    if (request->content_length != BODY_SIZE_UNKNOWN && request->content_length > ceiling)
        return error_tell(&exchange->error, FAULT_TOO_LARGE, "A request body may have %" PRIu64 " bytes.",
                          ceiling);
    /* Bodies under way are slowed while workers are behind; one that has not begun is asked to come later. */
    if (!worker_pool_has_room(exchange->dispatcher->pool, &exchange->error))
        return false;
    if (!exchange->route->receive(&exchange->view->service, request, &request->body, &exchange->error))
        return false;
    assert(request->body);
    body_pump_begin_in(&exchange->pump, exchange->dispatcher->pool, request->body, ceiling);
    return true;
}

struct exchange *dispatcher_exchange(struct dispatcher *dispatcher, const struct transport_kind *transport,
                                     void *carrier)
{
    struct exchange *exchange = exchange_new(&dispatcher->exchanges, transport, carrier);

    exchange->dispatcher = dispatcher;
    exchange->view = atomic_load_explicit(&dispatcher->view, memory_order_acquire);
    return exchange;
}

enum dispatched dispatcher_begin(struct exchange *exchange)
{
    exchange->begun = true;
    exchange->close = exchange->close || dispatcher_draining(exchange->dispatcher);
    switch (settle(exchange)) {
    case SETTLED_REFUSED:
        refuse(exchange);
        return DISPATCH_ANSWER;
    case SETTLED_ANSWERED:
        (void)complete(exchange, MUST_NOT_WAIT);
        return DISPATCH_ANSWER;
    case SETTLED_ROUTE:
        break;
    }
    if (!exchange->route->receive) {
        /* A body that nobody wants is not read: the connection ends with the answer. */
        exchange->close = exchange->close || exchange->request.content_length != 0;
        return answer(exchange);
    }
    if (!receive(exchange)) {
        exchange->close = exchange->close || exchange->request.content_length != 0;
        refuse(exchange);
        return DISPATCH_ANSWER;
    }
    exchange->body_wanted = true;
    return DISPATCH_BODY;
}

/* On a worker, behind the body's last byte. */
static void answer_body(struct exchange *exchange)
{
    struct request *request = &exchange->request;

    request->patience = MAY_WAIT;
    request->waiter = NULL;
    if (exchange->pump.failed) {
        exchange->error = exchange->pump.error;
        refuse(exchange);
    } else if (!request->body->end(request->body, &exchange->error)) {
        refuse(exchange);
    } else {
        (void)answer_waiting(exchange); /* without a waiter it comes to an end here */
    }
    exchange_wake(exchange);
}

enum dispatched dispatcher_body_in(struct exchange *exchange)
{
    assert(exchange->body_wanted && !exchange->answered);
    if (!exchange_pause(exchange)) {
        error_set(&exchange->error, FAULT_BUSY, "stopping");
        exchange->close = true;
        /* A worker may still be at the body: the pump is not ours, so the answer has none. */
        exchange->response.status = 503;
        exchange->answered = true;
        return DISPATCH_ANSWER;
    }
    body_pump_in_end(&exchange->pump, answer_body);
    return DISPATCH_LATER;
}

static void release_job(struct job *job)
{
    exchange_unref(exchange_of(job));
}

void dispatcher_finish(struct exchange *exchange, bool complete)
{
    struct dispatcher *dispatcher = exchange->dispatcher;

    if (!complete)
        atomic_store(&exchange->gone, true);
    exchange->broken = !complete;
    exchange->body_bytes = exchange->answered ? exchange->pump.sent : 0;
    /* What an upload leaves behind may have to be removed from the disk: not on this thread. */
    if (exchange->body_wanted) {
        exchange->job.run = release_job;
        worker_pool_continue(dispatcher->pool, URGENCY_BULK, &exchange->job);
    } else {
        exchange_unref(exchange);
    }
}

/* ── stopping ── */

static void sleep_a_little(void)
{
    const struct timespec pause = { 0, 5 * 1000 * 1000 };

    nanosleep(&pause, NULL);
}

unsigned dispatcher_drain(struct dispatcher *dispatcher, unsigned deadline_ms)
{
    const uint64_t until = clock_monotonic_ms() + deadline_ms;

    atomic_store(&dispatcher->draining, true);
    while (atomic_load(&dispatcher->exchanges.active) && clock_monotonic_ms() < until)
        sleep_a_little();
    return atomic_load(&dispatcher->exchanges.active);
}

void dispatcher_abort(struct dispatcher *dispatcher)
{
    atomic_store(&dispatcher->draining, true);
    atomic_store(&dispatcher->exchanges.aborting, true);
    while (atomic_load(&dispatcher->exchanges.paused))
        sleep_a_little();
}

bool dispatcher_draining(const struct dispatcher *dispatcher)
{
    return atomic_load_explicit(&dispatcher->draining, memory_order_relaxed);
}

void dispatcher_free(struct dispatcher *dispatcher)
{
    if (!dispatcher)
        return;
    /* Transports have let go; a worker may still be clearing up behind an upload. */
    while (atomic_load_explicit(&dispatcher->exchanges.active, memory_order_acquire))
        sleep_a_little();
    exchanges_done(&dispatcher->exchanges);
    for (struct dispatcher_view *view = atomic_load(&dispatcher->view); view;) {
        struct dispatcher_view *older = view->older;
        view_free(view);
        view = older;
    }
    free(dispatcher->base_path);
    free(dispatcher->public_url);
    free(dispatcher);
}
