/* tests/unit/server/body_pump_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The pump, both ways, with workers: bytes arrive whole and in order, failures end it, blocks come back. Run
 * under the thread sanitizer as well.
 */
#include "tests/support/expect.h"

#include <stdlib.h>

#include "server/body_pump.h"
#include "server/exchange.h"
#include "tests/support/carrier.h"
#include "tests/support/made_body.h"

enum { WORKERS = 4, QUEUE = 1024 };

static struct exchanges all;
static struct worker_pool *pool;

static void set_up(void)
{
    struct error err = { 0 };

    block_budget((size_t)64 << 20);
    exchanges_init(&all, NULL);
    if (!worker_pool_start(WORKERS, QUEUE, &pool, &err))
        abort();
}

static void tear_down(void)
{
    worker_pool_stop(pool);
    EXPECT(atomic_load(&all.active) == 0, "%u exchanges left", atomic_load(&all.active));
    EXPECT(atomic_load(&all.paused) == 0, "%u paused", atomic_load(&all.paused));
    exchanges_done(&all);
    EXPECT(block_in_use() == 0, "%zu bytes of blocks left", block_in_use());
}

struct pulled {
    uint64_t size;
    bool right, whole;
};

static struct pulled pull(struct exchange *exchange, size_t step)
{
    struct pulled pulled = { .right = true };
    uint8_t *room = malloc(step);

    for (;;) {
        size_t size = 0;
        const enum pumped outcome = body_pump_out(&exchange->pump, room, step, &size);
        if (outcome == PUMP_LATER) {
            carrier_wait(exchange->carrier);
            continue;
        }
        if (outcome != PUMP_BYTES) {
            pulled.whole = outcome == PUMP_END;
            break;
        }
        for (size_t i = 0; i < size; i++)
            pulled.right &= room[i] == byte_at(pulled.size + i);
        pulled.size += size;
    }
    free(room);
    return pulled;
}

static struct exchange *fresh(void)
{
    struct exchange *exchange = exchange_new(&all, &carrier_kind, NULL);

    carrier_new(exchange);
    return exchange;
}

TEST(an_answer_arrives_whole_however_often_its_source_has_to_wait)
{
    static const uint64_t sizes[] = { 0, 1, 4999, 32768, 262143, 262144, 262145, 1000000, 3000000 };
    static const unsigned waits[] = { 0, 1, 2, 7 };

    set_up();
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        for (size_t k = 0; k < COUNT_OF(waits); k++)
            for (int known = 0; known < 2; known++) {
                struct made_source source = made_source(sizes[i], waits[k]);
                struct exchange *exchange = fresh();
                if (!known)
                    source.source.size = BODY_SIZE_UNKNOWN;
                body_pump_begin_out(&exchange->pump, pool, &source.source);
                const struct pulled pulled = pull(exchange, 32768);
                EXPECT(pulled.whole && pulled.right && pulled.size == sizes[i],
                       "%llu bytes, waits every %u, known %d: got %llu, right %d, whole %d",
                       (unsigned long long)sizes[i], waits[k], known, (unsigned long long)pulled.size,
                       pulled.right, pulled.whole);
                exchange_unref(exchange);
            }
    tear_down();
}

TEST(a_small_answer_is_prefilled_and_handed_over_in_one_piece)
{
    struct made_source quick = made_source(70000, 0), slow = made_source(70000, 1);
    struct error err = { 0 };

    set_up();
    struct exchange *exchange = fresh();
    body_pump_begin_out(&exchange->pump, pool, &quick.source);
    EXPECT(body_pump_prefill(&exchange->pump, MUST_NOT_WAIT, &err), "%s", err.detail);
    struct bytes whole = body_pump_whole(&exchange->pump);
    EXPECT(whole.size == 70000 && whole.data[69999] == byte_at(69999), "%zu bytes", whole.size);
    exchange_unref(exchange);

    exchange = fresh();
    body_pump_begin_out(&exchange->pump, pool, &slow.source);
    EXPECT(!body_pump_prefill(&exchange->pump, MUST_NOT_WAIT, &err) && err.fault == FAULT_WOULD_WAIT,
           "fault %d", err.fault);
    EXPECT(body_pump_prefill(&exchange->pump, MAY_WAIT, &err), "%s", err.detail);
    whole = body_pump_whole(&exchange->pump);
    EXPECT(whole.size == 70000 && whole.data[69999] == byte_at(69999), "%zu bytes", whole.size);
    exchange_unref(exchange);
    tear_down();
}

TEST(a_prefilled_start_is_followed_by_the_rest)
{
    set_up();
    for (unsigned waits = 0; waits < 3; waits++) {
        struct made_source source = made_source(1234567, waits);
        struct exchange *exchange = fresh();
        struct error err = { 0 };
        body_pump_begin_out(&exchange->pump, pool, &source.source);
        EXPECT(body_pump_prefill(&exchange->pump, MAY_WAIT, &err), "%s", err.detail);
        EXPECT(!body_pump_whole(&exchange->pump).data, "it cannot be whole");
        const struct pulled pulled = pull(exchange, 10000);
        EXPECT(pulled.whole && pulled.right && pulled.size == 1234567, "%llu",
               (unsigned long long)pulled.size);
        exchange_unref(exchange);
    }
    tear_down();
}

TEST(a_source_that_fails_or_ends_early_ends_the_answer_short)
{
    set_up();
    for (unsigned waits = 0; waits < 3; waits++) {
        struct made_source broken = made_source(900000, waits), brief = made_source(900000, waits);
        broken.fails_at = 600000;
        struct exchange *exchange = fresh();
        body_pump_begin_out(&exchange->pump, pool, &broken.source);
        struct pulled pulled = pull(exchange, 32768);
        EXPECT(!pulled.whole && pulled.right && exchange->pump.error.fault == FAULT_DISK,
               "waits %u: fault %d", waits, exchange->pump.error.fault);
        exchange_unref(exchange);

        brief.size = 500000;
        exchange = fresh();
        body_pump_begin_out(&exchange->pump, pool, &brief.source);
        pulled = pull(exchange, 32768);
        EXPECT(!pulled.whole && pulled.right && pulled.size == 500000, "waits %u: %llu", waits,
               (unsigned long long)pulled.size);
        exchange_unref(exchange);
    }
    tear_down();
}

TEST(a_client_that_leaves_while_a_worker_reads_frees_everything)
{
    set_up();
    for (unsigned round = 0; round < 50; round++) {
        struct exchange *exchange = fresh();
        struct made_source *source = arena_alloc(&exchange->arena, sizeof *source);
        uint8_t room[4096];
        size_t size = 0;
        *source = made_source(3000000, 1);
        body_pump_begin_out(&exchange->pump, pool, &source->source);
        for (unsigned i = 0; i < 70 + round; i++)
            if (body_pump_out(&exchange->pump, room, sizeof room, &size) == PUMP_LATER)
                carrier_wait(exchange->carrier);
        atomic_store(&exchange->gone, true);
        exchange_unref(exchange);
    }
    tear_down();
}

/* ── a sink that checks what comes ── */

struct made_sink {
    struct body_sink sink;
    uint64_t at, fails_at;
    bool right, ended;
    struct exchange *exchange;
};

static bool made_write(struct body_sink *base, struct bytes chunk, struct error *err)
{
    struct made_sink *made = (struct made_sink *)base;

    if (made->at + chunk.size > made->fails_at)
        return error_set(err, FAULT_DISK_FULL, "full");
    for (size_t i = 0; i < chunk.size; i++)
        made->right &= chunk.data[i] == byte_at(made->at + i);
    made->at += chunk.size;
    return true;
}

static bool made_end(struct body_sink *base, struct error *err)
{
    (void)base, (void)err;
    return true;
}

static void body_is_in(struct exchange *exchange)
{
    struct made_sink *made = (struct made_sink *)exchange->pump.sink;

    made->ended = true;
    exchange_wake(exchange);
}

static enum pumped push(struct exchange *exchange, uint64_t size, size_t step)
{
    uint8_t *chunk = malloc(step);
    enum pumped outcome = PUMP_BYTES;

    for (uint64_t at = 0; at < size && outcome != PUMP_FAILED;) {
        const size_t now = size - at < step ? (size_t)(size - at) : step;
        for (size_t i = 0; i < now; i++)
            chunk[i] = byte_at(at + i);
        outcome = body_pump_in(&exchange->pump, bytes_of(chunk, now));
        if (outcome == PUMP_LATER)
            carrier_wait(exchange->carrier);
        else
            at += now;
    }
    free(chunk);
    if (outcome != PUMP_FAILED && exchange_pause(exchange)) {
        body_pump_in_end(&exchange->pump, body_is_in);
        carrier_wait(exchange->carrier);
    }
    return outcome;
}

/* As the guard of records does: into the pump's own room while it has some, else by an offer. */
static enum pumped push_into_room(struct exchange *exchange, uint64_t size, size_t step,
                                  uint64_t *ret_in_room)
{
    uint8_t chunk[PUMP_PIECE_BYTES];
    enum pumped outcome = PUMP_BYTES;

    for (uint64_t at = 0; at < size && outcome != PUMP_FAILED;) {
        size_t room = sizeof chunk;
        uint8_t *into = body_pump_room(&exchange->pump, &room);
        EXPECT(room >= PUMP_PIECE_BYTES, "room for %zu", room);
        size_t now = into || step < room ? step : room;
        now = now < room ? now : room;
        now = size - at < now ? (size_t)(size - at) : now;
        for (size_t i = 0; i < now; i++)
            (into ? into : chunk)[i] = byte_at(at + i);
        if (into) {
            body_pump_filled(&exchange->pump, now);
            *ret_in_room += now;
        } else if ((outcome = body_pump_in(&exchange->pump, bytes_of(chunk, now))) == PUMP_LATER) {
            carrier_wait(exchange->carrier);
            continue;
        }
        at += now;
    }
    if (outcome != PUMP_FAILED && exchange_pause(exchange)) {
        body_pump_in_end(&exchange->pump, body_is_in);
        carrier_wait(exchange->carrier);
    }
    return outcome;
}

static struct exchange *upload(struct made_sink *sink, uint64_t ceiling)
{
    struct exchange *exchange = fresh();

    *sink = (struct made_sink){ .sink = { made_write, made_end }, .fails_at = UINT64_MAX, .right = true };
    body_pump_begin_in(&exchange->pump, pool, &sink->sink, ceiling);
    return exchange;
}

TEST(a_request_body_arrives_whole_and_in_order_at_the_sink)
{
    static const uint64_t sizes[] = { 0, 1, 16384, 262143, 262144, 262145, 524288, 5000000 };
    static const size_t steps[] = { 777, 16384, 32768 };

    set_up();
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        for (size_t k = 0; k < COUNT_OF(steps); k++) {
            struct made_sink sink;
            struct exchange *exchange = upload(&sink, UINT64_MAX);
            push(exchange, sizes[i], steps[k]);
            EXPECT(sink.ended && sink.right && sink.at == sizes[i] && !exchange->pump.failed,
                   "%llu bytes in steps of %zu: got %llu", (unsigned long long)sizes[i], steps[k],
                   (unsigned long long)sink.at);
            exchange_unref(exchange);
        }
    tear_down();
}

TEST(a_request_body_put_into_the_pumps_room_arrives_whole_and_in_order)
{
    static const uint64_t sizes[] = { 0, 1, 262143, 262144, 262145, 5000000 };
    static const size_t steps[] = { 777, 16384, 32768, 1000000 };

    set_up();
    for (int blocks = 0; blocks < 2; blocks++)
        for (size_t i = 0; i < COUNT_OF(sizes); i++)
            for (size_t k = 0; k < COUNT_OF(steps); k++) {
                struct made_sink sink;
                uint64_t in_room = 0;
                block_budget(blocks ? (size_t)64 << 20 : 1);
                struct exchange *exchange = upload(&sink, UINT64_MAX);
                push_into_room(exchange, sizes[i], steps[k], &in_room);
                EXPECT(sink.ended && sink.right && sink.at == sizes[i] && !exchange->pump.failed,
                       "%llu bytes in steps of %zu: got %llu", (unsigned long long)sizes[i], steps[k],
                       (unsigned long long)sink.at);
                EXPECT(sizes[i] == 0 || in_room > 0, "nothing of %llu went there",
                       (unsigned long long)sizes[i]);
                exchange_unref(exchange);
            }
    block_budget((size_t)64 << 20);
    tear_down();
}

TEST(HTP_12_there_is_no_room_over_the_ceiling_nor_behind_a_failure)
{
    struct made_sink sink;
    uint64_t in_room = 0;
    size_t room;

    set_up();
    struct exchange *exchange = upload(&sink, 1000000);
    EXPECT(push_into_room(exchange, 3000000, 16384, &in_room) == PUMP_BYTES, "the rest is read off");
    EXPECT(in_room <= 1000000 && sink.at <= 1000000, "%llu bytes", (unsigned long long)in_room);
    EXPECT(sink.ended && exchange->pump.failed && exchange->pump.error.fault == FAULT_TOO_LARGE, "fault %d",
           exchange->pump.error.fault);
    EXPECT(!body_pump_room(&exchange->pump, &room), "room behind a failure");
    exchange_unref(exchange);
    tear_down();
}

TEST(HTP_12_a_body_over_the_ceiling_is_refused_and_the_rest_dropped)
{
    struct made_sink sink;

    set_up();
    struct exchange *exchange = upload(&sink, 1000000);
    EXPECT(push(exchange, 3000000, 16384) == PUMP_BYTES, "the rest is read off");
    EXPECT(sink.ended && exchange->pump.failed && exchange->pump.error.fault == FAULT_TOO_LARGE, "fault %d",
           exchange->pump.error.fault);
    EXPECT(sink.at <= 1000000, "%llu bytes came through", (unsigned long long)sink.at);
    exchange_unref(exchange);
    tear_down();
}

TEST(a_sink_that_fails_is_not_called_again)
{
    struct made_sink sink;

    set_up();
    struct exchange *exchange = upload(&sink, UINT64_MAX);
    sink.fails_at = 600000;
    push(exchange, 4000000, 16384);
    EXPECT(sink.ended && exchange->pump.failed && exchange->pump.error.fault == FAULT_DISK_FULL, "fault %d",
           exchange->pump.error.fault);
    EXPECT(sink.right && sink.at <= 600000, "%llu", (unsigned long long)sink.at);
    exchange_unref(exchange);
    tear_down();
}

TEST(without_blocks_bodies_still_move_both_ways)
{
    struct made_source source = made_source(2000000, 1);
    struct made_sink sink;
    struct error err = { 0 };

    set_up();
    block_budget(1);
    struct exchange *exchange = fresh();
    body_pump_begin_out(&exchange->pump, pool, &source.source);
    EXPECT(body_pump_prefill(&exchange->pump, MAY_WAIT, &err), "%s", err.detail);
    const struct pulled pulled = pull(exchange, 32768);
    EXPECT(pulled.whole && pulled.right && pulled.size == 2000000, "%llu", (unsigned long long)pulled.size);
    exchange_unref(exchange);

    exchange = upload(&sink, UINT64_MAX);
    push(exchange, 2000000, 16384);
    EXPECT(sink.ended && sink.right && sink.at == 2000000, "%llu", (unsigned long long)sink.at);
    exchange_unref(exchange);
    block_budget((size_t)64 << 20);
    tear_down();
}

TEST(when_the_server_ends_nothing_is_left_paused)
{
    struct made_source source = made_source(2000000, 1);
    uint8_t room[4096];
    size_t size = 0;

    set_up();
    atomic_store(&all.aborting, true);
    struct exchange *exchange = fresh();
    body_pump_begin_out(&exchange->pump, pool, &source.source);
    EXPECT(body_pump_out(&exchange->pump, room, sizeof room, &size) == PUMP_FAILED, "it must not be paused");
    exchange_unref(exchange);
    tear_down();
}

/* ── many at once ── */

static void *carry_many(void *context)
{
    unsigned *failures = context;

    for (unsigned i = 0; i < 30; i++) {
        struct made_source source = made_source(100000 + i * 37777, i % 4);
        struct made_sink sink;
        struct exchange *exchange = fresh();
        body_pump_begin_out(&exchange->pump, pool, &source.source);
        const struct pulled pulled = pull(exchange, 32768);
        *failures += !pulled.whole || !pulled.right;
        exchange_unref(exchange);

        exchange = upload(&sink, UINT64_MAX);
        push(exchange, 100000 + i * 30011, 16384);
        *failures += !sink.ended || !sink.right || sink.at != 100000 + i * 30011;
        exchange_unref(exchange);
    }
    return NULL;
}

TEST(many_exchanges_at_once_do_not_mix_their_bytes)
{
    pthread_t threads[6];
    unsigned failures[COUNT_OF(threads)] = { 0 };

    set_up();
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_create(&threads[i], NULL, carry_many, &failures[i]);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        pthread_join(threads[i], NULL);
        EXPECT(failures[i] == 0, "%u failures", failures[i]);
    }
    tear_down();
}
