/* tests/unit/server/dispatcher_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The order of things: refusals before the body, second tries on workers, failures told before and behind the
 * status line, stopping. With routes of its own. Run under the thread sanitizer as well.
 */
#include "tests/support/expect.h"

#include <stdlib.h>

#include "base/log.h"
#include "server/dispatcher.h"
#include "tests/support/carrier.h"
#include "tests/support/fake_routes.h"

static struct worker_pool *pool;
static struct dispatcher *dispatcher;

static void set_up_queue(unsigned workers, unsigned queue, const char *public_url, const char *origins)
{
    const struct dispatcher_choices choices = { .limits = { .request_ceiling_bytes = 10000000 },
                                                .cors_origins = origins,
                                                .public_url = public_url };
    struct error err = { 0 };

    log_least(LOG_ERROR + 1);
    block_budget((size_t)64 << 20);
    if (!worker_pool_start(workers, queue, &pool, &err))
        abort();
    const struct dispatcher_options options = { .pool = pool, .base_path = "/dicom-web/", .port = 8443 };
    if (!dispatcher_new(&options, &choices, &dispatcher, &err))
        abort();
}

static void set_up(void)
{
    set_up_queue(3, 256, "", "*");
}

static void tear_down(void)
{
    EXPECT(dispatcher_drain(dispatcher, 60000) == 0, "exchanges are left");
    dispatcher_abort(dispatcher);
    worker_pool_stop(pool);
    dispatcher_free(dispatcher);
    EXPECT(block_in_use() == 0, "%zu bytes of blocks left", block_in_use());
    EXPECT(atomic_load(&fake_uploads_open) == 0, "%u uploads left open", atomic_load(&fake_uploads_open));
}

struct seen {
    int status;
    uint64_t size, announced;
    bool right, whole, close, head_only, asked_for_body;
    char text[600], allow[64], cors[64], cache[64], id[32], etag[16], try_header[16];
};

static void note(const struct exchange *exchange, const char *name, char *into, size_t size)
{
    const struct bytes value = response_find(&exchange->response, name);

    snprintf(into, size, "%.*s", BYTES_ARG(value));
}

static struct exchange *request(const char *method, const char *target, const char *const *headers,
                                uint64_t length)
{
    struct exchange *exchange = dispatcher_exchange(dispatcher, &carrier_kind, NULL);

    carrier_new(exchange);
    exchange->request.method = method_parse(bytes_of_text(method));
    exchange->request.target = arena_copy(&exchange->arena, bytes_of_text(target));
    exchange->request.content_length = length;
    for (; headers && *headers; headers += 2)
        fields_add(&exchange->request.headers, &exchange->arena, bytes_of_text(headers[0]),
                   bytes_of_text(headers[1]));
    return exchange;
}

static void pull(struct exchange *exchange, struct seen *seen)
{
    static _Thread_local uint8_t room[32768];

    for (;;) {
        size_t size = 0;
        const enum pumped outcome = body_pump_out(&exchange->pump, room, sizeof room, &size);
        if (outcome == PUMP_LATER) {
            carrier_wait(exchange->carrier);
            continue;
        }
        seen->whole = outcome == PUMP_END;
        if (outcome != PUMP_BYTES)
            return;
        for (size_t i = 0; i < size; i++) {
            seen->right &= room[i] == byte_at(seen->size + i);
            if (seen->size + i < sizeof seen->text - 1)
                seen->text[seen->size + i] = (char)room[i];
        }
        seen->size += size;
    }
}

static void look(struct exchange *exchange, struct seen *seen)
{
    const struct response *response = &exchange->response;

    seen->status = response->status;
    seen->close = exchange->close;
    seen->announced = response->body ? response->body->size : 0;
    note(exchange, "Allow", seen->allow, sizeof seen->allow);
    note(exchange, "Access-Control-Allow-Origin", seen->cors, sizeof seen->cors);
    note(exchange, "Cache-Control", seen->cache, sizeof seen->cache);
    note(exchange, "X-Request-Id", seen->id, sizeof seen->id);
    note(exchange, "ETag", seen->etag, sizeof seen->etag);
    note(exchange, "X-Try", seen->try_header, sizeof seen->try_header);
    seen->right = true;
    if (response->body && exchange->request.method != METHOD_HEAD)
        pull(exchange, seen);
}

static struct seen call(const char *method, const char *target, const char *const *headers, uint64_t body)
{
    struct exchange *exchange = request(method, target, headers, body);
    struct seen seen = { 0 };
    uint8_t chunk[16384];

    enum dispatched next = dispatcher_begin(exchange);
    seen.asked_for_body = next == DISPATCH_BODY;
    for (uint64_t at = 0; next == DISPATCH_BODY && at < body;) {
        const size_t now = body - at < sizeof chunk ? (size_t)(body - at) : sizeof chunk;
        for (size_t i = 0; i < now; i++)
            chunk[i] = byte_at(at + i);
        const enum pumped outcome = body_pump_in(&exchange->pump, bytes_of(chunk, now));
        if (outcome == PUMP_FAILED)
            break;
        if (outcome == PUMP_LATER)
            carrier_wait(exchange->carrier);
        else
            at += now;
    }
    if (next == DISPATCH_BODY)
        next = dispatcher_body_in(exchange);
    if (next == DISPATCH_LATER)
        carrier_wait(exchange->carrier);
    look(exchange, &seen);
    dispatcher_finish(exchange, true);
    return seen;
}

static struct seen get(const char *target)
{
    return call("GET", target, NULL, 0);
}

TEST(inline_and_worker_routes_answer_alike)
{
    static const char *const targets[] = { "/dicom-web/quick", "/dicom-web/slow",
                                           "https://x/dicom-web/quick?a=b" };

    set_up();
    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        const struct seen seen = get(targets[i]);
        EXPECT(seen.status == 200 && seen.whole && strcmp(seen.text, "quick") == 0, "%s: %d %s", targets[i],
               seen.status, seen.text);
        EXPECT(seen.id[0] && strcmp(seen.cors, "*") == 0 && strcmp(seen.cache, "private") == 0,
               "id %s, cors %s, cache %s", seen.id, seen.cors, seen.cache);
    }
    tear_down();
}

TEST(a_handler_that_would_wait_is_called_again_on_a_worker_as_if_never_before)
{
    set_up();
    const struct seen seen = get("/dicom-web/hop");
    EXPECT(seen.status == 200 && strcmp(seen.text, "hop") == 0, "%d %s", seen.status, seen.text);
    EXPECT(strcmp(seen.try_header, "worker") == 0, "X-Try: %s", seen.try_header);
    tear_down();
}

TEST(bodies_arrive_whole_from_sources_that_wait)
{
    set_up();
    struct seen seen = get("/dicom-web/late");
    EXPECT(seen.status == 200 && seen.size == 70000 && seen.right && seen.whole, "%d, %llu bytes",
           seen.status, (unsigned long long)seen.size);
    seen = get("/dicom-web/big");
    EXPECT(seen.status == 200 && seen.size == MADE_BYTES && seen.right && seen.whole, "%llu",
           (unsigned long long)seen.size);
    seen = get("/dicom-web/stream");
    EXPECT(seen.status == 200 && seen.size == MADE_BYTES && seen.right && seen.announced == BODY_SIZE_UNKNOWN,
           "%llu", (unsigned long long)seen.size);
    tear_down();
}

TEST(a_failure_before_the_first_byte_is_told_and_one_behind_it_cuts_the_answer)
{
    set_up();
    struct seen seen = get("/dicom-web/no-start");
    EXPECT(seen.status == 500 && seen.whole, "%d", seen.status);
    seen = get("/dicom-web/cut");
    EXPECT(seen.status == 200 && !seen.whole && seen.size <= CUT_AT + 5000 && seen.right, "%d, %llu",
           seen.status, (unsigned long long)seen.size);
    tear_down();
}

TEST(ERR_04_a_failing_handler_gives_a_problem_without_its_detail_or_its_headers)
{
    set_up();
    const struct seen seen = get("/dicom-web/fails");
    EXPECT(seen.status == 500 && !strstr(seen.text, "secret") && strstr(seen.text, "Storage failed"), "%d %s",
           seen.status, seen.text);
    EXPECT(!seen.etag[0] && strcmp(seen.cors, "*") == 0 && strcmp(seen.cache, "no-store") == 0, "%s %s %s",
           seen.etag, seen.cors, seen.cache);
    EXPECT(seen.id[0] && strstr(seen.text, seen.id), "the id %s is not in %s", seen.id, seen.text);
    tear_down();
}

TEST(HTP_01_HEAD_has_the_length_but_no_body)
{
    set_up();
    const struct seen seen = call("HEAD", "/dicom-web/big", NULL, 0);
    EXPECT(seen.status == 200 && seen.announced == MADE_BYTES && seen.size == 0, "%d %llu", seen.status,
           (unsigned long long)seen.announced);
    tear_down();
}

TEST(HTP_02_methods_are_unknown_or_not_allowed)
{
    set_up();
    struct seen seen = call("get", "/dicom-web/quick", NULL, 0);
    EXPECT(seen.status == 501, "get: %d", seen.status);
    seen = call("TRACE", "/dicom-web/quick", NULL, 0);
    EXPECT(seen.status == 501, "TRACE: %d", seen.status);
    seen = call("DELETE", "/dicom-web/quick", NULL, 0);
    EXPECT(seen.status == 405 && strcmp(seen.allow, "GET, HEAD, OPTIONS") == 0, "%d %s", seen.status,
           seen.allow);
    seen = call("OPTIONS", "*", NULL, 0);
    EXPECT(seen.status == 204 && seen.allow[0], "OPTIONS *: %d %s", seen.status, seen.allow);
    seen = get("/dicom-web/nothing");
    EXPECT(seen.status == 404, "%d", seen.status);
    tear_down();
}

TEST(COR_03_a_preflight_is_answered_before_anything_is_looked_up)
{
    static const char *const headers[] = { "origin", "https://viewer.example",
                                           "access-control-request-method", "GET", NULL };

    set_up();
    const struct seen seen = call("OPTIONS", "/dicom-web/nothing", headers, 0);
    EXPECT(seen.status == 204 && strcmp(seen.cors, "*") == 0, "%d %s", seen.status, seen.cors);
    tear_down();
}

TEST(HTP_13_what_can_be_refused_is_refused_before_the_body_is_asked_for)
{
    static const char *const wrong_type[] = { "content-type", "text/plain", NULL };
    static const char *const right_type[] = { "content-type", "application/octet-stream", NULL };
    static const char *const expectation[] = { "content-type", "application/octet-stream", "expect", "gold",
                                               NULL };
    static const char *const twice[] = { "authorization", "Bearer a", "authorization", "Bearer b", NULL };

    set_up();
    struct seen seen = call("POST", "/dicom-web/upload", wrong_type, 1000);
    EXPECT(seen.status == 415 && !seen.asked_for_body && seen.close, "%d", seen.status);
    seen = call("POST", "/dicom-web/upload", expectation, 1000);
    EXPECT(seen.status == 417 && !seen.asked_for_body, "%d", seen.status);
    seen = call("POST", "/dicom-web/upload", right_type, 10000001);
    EXPECT(seen.status == 413 && !seen.asked_for_body && seen.close, "%d", seen.status);
    seen = call("POST", "/dicom-web/upload", twice, 1000);
    EXPECT(seen.status == 400 && !seen.asked_for_body, "%d", seen.status);
    tear_down();
}

TEST(uploads_arrive_whole)
{
    static const char *const type[] = { "content-type", "application/octet-stream", NULL };
    static const uint64_t sizes[] = { 0, 1, 300000, 5000000 };

    set_up();
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        char want[40];
        const struct seen seen = call("POST", "/dicom-web/upload", type, sizes[i]);
        snprintf(want, sizeof want, "%llu right", (unsigned long long)sizes[i]);
        EXPECT(seen.status == 200 && strcmp(seen.text, want) == 0, "%d %s", seen.status, seen.text);
    }
    const struct seen full = call("POST", "/dicom-web/upload?full=1", type, 2000000);
    EXPECT(full.status == 503 && strstr(full.text, "No room."), "%d %s", full.status, full.text);
    tear_down();
}

TEST(HTP_05_a_GET_with_a_body_is_answered_and_the_connection_closed)
{
    set_up();
    struct exchange *exchange = request("GET", "/dicom-web/quick", NULL, 10);
    EXPECT(dispatcher_begin(exchange) == DISPATCH_ANSWER && exchange->close &&
               exchange->response.status == 200,
           "%d", exchange->response.status);
    dispatcher_finish(exchange, true);
    tear_down();
}

TEST(the_public_base_follows_the_setting)
{
    static const char *const host[] = { "host", "pacs.example:8443", NULL };
    static const char *const evil[] = { "host", "a/b@c", NULL };
    static const struct {
        const char *setting;
        const char *const *headers;
        const char *want;
    } cases[] = {
        { "", host, "https://localhost:8443/dicom-web" },
        { "https://pacs.example.org/", host, "https://pacs.example.org/dicom-web" },
        { "from-host", host, "https://pacs.example:8443/dicom-web" },
        { "from-host", evil, "https://localhost:8443/dicom-web" },
        { "from-host", NULL, "https://localhost:8443/dicom-web" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        set_up_queue(2, 16, cases[i].setting, "*");
        const struct seen seen = call("GET", "/dicom-web/base", cases[i].headers, 0);
        EXPECT(strcmp(seen.text, cases[i].want) == 0, "%s: %s, want %s", cases[i].setting, seen.text,
               cases[i].want);
        tear_down();
    }
}

TEST(a_reload_holds_for_what_begins_afterwards)
{
    static const char *const origin[] = { "origin", "https://viewer.example", NULL };
    const struct dispatcher_choices next = { .limits = { .request_ceiling_bytes = 1 },
                                             .cors_origins = "",
                                             .public_url = "https://new.example" };
    struct error err = { 0 };

    set_up();
    struct seen seen = call("GET", "/dicom-web/quick", origin, 0);
    EXPECT(strcmp(seen.cors, "*") == 0, "%s", seen.cors);
    EXPECT(dispatcher_reload(dispatcher, &next, &err), "%s", err.detail);
    seen = call("GET", "/dicom-web/quick", origin, 0);
    EXPECT(!seen.cors[0], "%s", seen.cors);
    seen = get("/dicom-web/base");
    EXPECT(strcmp(seen.text, "https://new.example/dicom-web") == 0, "%s", seen.text);
    tear_down();
}

/* ── a worker that is held ── */

struct held {
    struct job job;
    struct carrier *gate;
};

static void hold(struct job *job)
{
    carrier_wait(((struct held *)job)->gate);
}

static void open_gate(struct carrier *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->paused = false;
    pthread_cond_broadcast(&gate->woken);
    pthread_mutex_unlock(&gate->lock);
}

/* A job of making that was queued before the exchange turned out to be such work. */
struct marker {
    struct job job;
    const struct exchange *exchange;
    unsigned calls;
    bool answered;
};

static void mark(struct job *job)
{
    struct marker *marker = (struct marker *)job;

    marker->calls = atomic_load(&fake_calls);
    marker->answered = marker->exchange->answered;
}

/* On the one worker the order of jobs is that of their queues: reading, then making. */
TEST(what_turns_out_to_be_making_goes_behind_those_who_wait_to_make)
{
    static const struct {
        const char *target, *text;
        unsigned calls;
    } cases[] = { { "/dicom-web/made", "made", 2 }, { "/dicom-web/dear", "dear", 1 } };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct carrier gate = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, true, 0 };
        struct held held = { { .run = hold }, &gate };
        struct marker marker = { .job.run = mark };
        struct seen seen = { 0 };
        struct error err = { 0 };

        set_up_queue(1, 8, "", "*");
        atomic_store(&fake_calls, 0);
        EXPECT(worker_pool_submit(pool, URGENCY_INTERACTIVE, &held.job, &err), "%s", err.detail);
        struct exchange *exchange = request("GET", cases[i].target, NULL, 0);
        marker.exchange = exchange;
        EXPECT(dispatcher_begin(exchange) == DISPATCH_LATER, "%s: at once", cases[i].target);
        EXPECT(worker_pool_submit(pool, URGENCY_MAKING, &marker.job, &err), "%s", err.detail);
        open_gate(&gate);
        carrier_wait(exchange->carrier);
        look(exchange, &seen);
        EXPECT(seen.status == 200 && strcmp(seen.text, cases[i].text) == 0, "%s: %d %s", cases[i].target,
               seen.status, seen.text);
        EXPECT(marker.calls == 1 && !marker.answered, "%s: %u calls before it, answered %d", cases[i].target,
               marker.calls, marker.answered);
        EXPECT(atomic_load(&fake_calls) == cases[i].calls, "%s: %u calls", cases[i].target,
               atomic_load(&fake_calls));
        dispatcher_finish(exchange, true);
        tear_down();
    }
}

TEST(HTP_15_a_full_queue_gives_503_with_an_answer)
{
    struct carrier gate = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, true, 0 };
    struct held held[2] = { { { .run = hold }, &gate }, { { .run = hold }, &gate } };
    struct error err = { 0 };

    set_up_queue(1, 1, "", "*");
    /* One holds the worker or waits for it, the other fills the queue: whichever, no seat is left. */
    while (!worker_pool_submit(pool, URGENCY_INTERACTIVE, &held[0].job, &err))
        ;
    while (!worker_pool_submit(pool, URGENCY_INTERACTIVE, &held[1].job, &err))
        ;
    const struct seen seen = get("/dicom-web/slow");
    EXPECT(seen.status == 503 && seen.whole, "%d", seen.status);
    open_gate(&gate);
    tear_down();
}

TEST(HTP_16_draining_closes_connections_and_aborting_pauses_nothing)
{
    set_up();
    EXPECT(dispatcher_drain(dispatcher, 0) == 0, "nothing is active");
    struct seen seen = get("/dicom-web/slow");
    EXPECT(seen.status == 200 && seen.close, "%d", seen.status);
    dispatcher_abort(dispatcher);
    seen = get("/dicom-web/slow");
    EXPECT(seen.status == 503 && seen.close, "%d", seen.status);
    seen = get("/dicom-web/hop");
    EXPECT(seen.status == 503, "%d", seen.status);
    tear_down();
}

static void *call_many(void *context)
{
    static const char *const type[] = { "content-type", "application/octet-stream", NULL };
    unsigned *wrong = context;

    for (unsigned i = 0; i < 25; i++) {
        *wrong += strcmp(get("/dicom-web/quick").text, "quick") != 0;
        *wrong += strcmp(get("/dicom-web/slow").text, "quick") != 0;
        *wrong += strcmp(get("/dicom-web/hop").text, "hop") != 0;
        struct seen seen = get("/dicom-web/late");
        *wrong += seen.size != 70000 || !seen.right;
        if (i % 5 == 0) {
            seen = get("/dicom-web/stream");
            *wrong += seen.size != MADE_BYTES || !seen.right;
            seen = call("POST", "/dicom-web/upload", type, 700000);
            *wrong += strcmp(seen.text, "700000 right") != 0;
        }
    }
    return NULL;
}

TEST(many_calls_at_once_each_get_their_own_answer)
{
    pthread_t threads[6];
    unsigned wrong[COUNT_OF(threads)] = { 0 };

    set_up();
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_create(&threads[i], NULL, call_many, &wrong[i]);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        pthread_join(threads[i], NULL);
        EXPECT(wrong[i] == 0, "%u wrong answers", wrong[i]);
    }
    tear_down();
}
