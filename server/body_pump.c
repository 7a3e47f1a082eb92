/* server/body_pump.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The pump's buffers go round: EMPTY ─► FILLING ─► READY ─► EMPTYING ─► EMPTY. `filling` and `emptying` say
 * whose turn is next, so bytes stay in order; at most one job of a pump is queued or running.
 */
#include "server/body_pump.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "server/exchange.h"

enum {
    SMALL_BYTES = 16 * 1024, /* answers up to this size lie in the arena, not in a block */
    DROPPED_CEILING =
        256 * 1024 * 1024, /* of a body that was refused half-way: the client still gets to hear why */
    READ_AHEAD_FROM = 2
};

void body_pump_init(struct body_pump *pump, struct exchange *exchange)
{
    memset(pump, 0, sizeof *pump);
    pthread_mutex_init(&pump->lock, NULL);
    pump->exchange = exchange;
}

static void give_back(struct pump_buffer *buffer)
{
    block_unref(buffer->block);
    free(buffer->piece);
    *buffer = (struct pump_buffer){ 0 };
}

/* Room for the buffer: a block, or a piece of the heap when the budget is spent. */
static void take_room(struct pump_buffer *buffer)
{
    struct error busy = { 0 };

    if (buffer->room)
        return;
    if (block_take(BLOCK_STANDARD_BYTES, &buffer->block, &busy)) {
        buffer->room = block_room(buffer->block, &buffer->capacity);
        return;
    }
    buffer->piece = malloc(PUMP_PIECE_BYTES);
    if (!buffer->piece)
        abort();
    buffer->room = buffer->piece;
    buffer->capacity = PUMP_PIECE_BYTES;
}

void body_pump_reset(struct body_pump *pump)
{
    assert(!pump->running);
    give_back(&pump->buffers[0]);
    give_back(&pump->buffers[1]);
    pump->filling = pump->emptying = 0;
    pump->running = pump->waiting = pump->failed = false;
    pump->error.fault = FAULT_NONE;
    pump->sink = NULL;
    pump->ceiling = pump->received = pump->dropped = 0;
    pump->ended = false;
    pump->then = NULL;
    pump->source = NULL;
    pump->produced = pump->sent = 0;
    pump->source_ended = false;
    pump->waits = 0;
}

void body_pump_done(struct body_pump *pump)
{
    body_pump_reset(pump);
    pthread_mutex_destroy(&pump->lock);
}

static struct body_pump *pump_of(struct job *job)
{
    return (struct body_pump *)((char *)job - offsetof(struct body_pump, job));
}

/* Hands the pump to a worker; lock held, nothing running. It was admitted with its exchange, so it is not
 * refused. */
static void start_job(struct body_pump *pump, enum urgency urgency, void (*run)(struct job *job))
{
    pump->running = true;
    pump->job.run = run;
    exchange_ref(pump->exchange);
    worker_pool_continue(pump->pool, urgency, &pump->job);
}

/* Lock held. LATER, or FAILED when nothing may be paused any more. */
static enum pumped wait_for_worker(struct body_pump *pump)
{
    if (!exchange_pause(pump->exchange))
        return PUMP_FAILED;
    pump->waiting = true;
    return PUMP_LATER;
}

static void wake_if(struct body_pump *pump, bool waiting)
{
    if (waiting)
        exchange_wake(pump->exchange);
}

/* ── the request's body ── */

void body_pump_begin_in(struct body_pump *pump, struct worker_pool *pool, struct body_sink *sink,
                        uint64_t ceiling)
{
    pump->pool = pool;
    pump->sink = sink;
    pump->ceiling = ceiling;
}

/* One buffer through the sink, on a worker. What follows is a new job, so that uploads take turns. */
static void push_job(struct job *job)
{
    struct body_pump *pump = pump_of(job);
    struct exchange *exchange = pump->exchange;

    pthread_mutex_lock(&pump->lock);
    struct pump_buffer *buffer = &pump->buffers[pump->emptying];
    if (buffer->state == BUFFER_READY) {
        struct error error = { 0 };
        bool ok = !pump->failed;
        buffer->state = BUFFER_EMPTYING;
        pthread_mutex_unlock(&pump->lock);
        if (ok && atomic_load(&exchange->gone))
            ok = error_set(&error, FAULT_CLIENT_GONE, "the client left");
        else if (ok)
            ok = pump->sink->write(pump->sink, bytes_of(buffer->room, buffer->size), &error);
        pthread_mutex_lock(&pump->lock);
        give_back(buffer);
        pump->emptying ^= 1;
        if (!ok && !pump->failed) {
            pump->failed = true;
            pump->error = error;
        }
    }
    const bool waiting = pump->waiting;
    const bool more = pump->buffers[pump->emptying].state == BUFFER_READY;
    const bool ended = !more && pump->ended;
    pump->waiting = false;
    pump->running = more;
    pthread_mutex_unlock(&pump->lock);

    wake_if(pump, waiting);
    if (more) {
        worker_pool_again(pump->pool, URGENCY_BULK, &pump->job);
        return;
    }
    if (ended)
        pump->then(exchange);
    exchange_unref(exchange);
}

/* After a failure: bytes are dropped, so that the client comes to read the answer. */
static enum pumped drop(struct body_pump *pump, size_t size)
{
    pump->dropped += size;
    return pump->dropped > DROPPED_CEILING ? PUMP_FAILED : PUMP_BYTES;
}

static bool may_fill(const struct pump_buffer *buffer)
{
    return buffer->state == BUFFER_EMPTY || buffer->state == BUFFER_FILLING;
}

/* Lock held. Full is when another offer might not fit. */
static void add_filled(struct body_pump *pump, struct pump_buffer *buffer, size_t size)
{
    buffer->state = BUFFER_FILLING;
    buffer->size += size;
    pump->received += size;
    if (buffer->capacity - buffer->size >= PUMP_PIECE_BYTES)
        return;
    buffer->state = BUFFER_READY;
    pump->filling ^= 1;
    if (!pump->running)
        start_job(pump, URGENCY_BULK, push_job);
}

uint8_t *body_pump_room(struct body_pump *pump, size_t *ret_size)
{
    struct pump_buffer *buffer = &pump->buffers[pump->filling];

    pthread_mutex_lock(&pump->lock);
    const uint64_t allowed = pump->ceiling - pump->received;
    const bool may = !pump->failed && allowed >= PUMP_PIECE_BYTES && may_fill(buffer);
    pthread_mutex_unlock(&pump->lock);
    if (!may)
        return NULL;
    take_room(buffer); /* it is ours alone until it is READY */
    const size_t room = buffer->capacity - buffer->size;
    *ret_size = room < allowed ? room : (size_t)allowed;
    return buffer->room + buffer->size;
}

void body_pump_filled(struct body_pump *pump, size_t size)
{
    if (size == 0)
        return;
    pthread_mutex_lock(&pump->lock);
    add_filled(pump, &pump->buffers[pump->filling], size);
    pthread_mutex_unlock(&pump->lock);
}

enum pumped body_pump_in(struct body_pump *pump, struct bytes offered)
{
    enum pumped outcome = PUMP_BYTES;

    assert(offered.size <= PUMP_PIECE_BYTES);
    if (!offered.size)
        return PUMP_BYTES;
    pthread_mutex_lock(&pump->lock);
    if (!pump->failed && offered.size > pump->ceiling - pump->received) {
        error_tell(&pump->error, FAULT_TOO_LARGE, "A request body may have %llu bytes.",
                   (unsigned long long)pump->ceiling);
        pump->failed = true;
    }
    struct pump_buffer *buffer = &pump->buffers[pump->filling];
    if (pump->failed) {
        outcome = drop(pump, offered.size);
    } else if (may_fill(buffer)) {
        buffer->state = BUFFER_FILLING;
        /* The buffer is ours alone until it is READY. */
        pthread_mutex_unlock(&pump->lock);
        take_room(buffer);
        memcpy(buffer->room + buffer->size, offered.data, offered.size);
        pthread_mutex_lock(&pump->lock);
        add_filled(pump, buffer, offered.size);
    } else {
        outcome = wait_for_worker(pump);
    }
    pthread_mutex_unlock(&pump->lock);
    return outcome;
}

bool body_pump_in_failed(struct body_pump *pump)
{
    pthread_mutex_lock(&pump->lock);
    const bool failed = pump->failed;
    pthread_mutex_unlock(&pump->lock);
    return failed;
}

void body_pump_break(struct body_pump *pump, const struct error *error)
{
    pthread_mutex_lock(&pump->lock);
    if (!pump->failed) {
        pump->failed = true;
        pump->error = *error;
    }
    pthread_mutex_unlock(&pump->lock);
}

void body_pump_in_end(struct body_pump *pump, void (*then)(struct exchange *exchange))
{
    pthread_mutex_lock(&pump->lock);
    struct pump_buffer *buffer = &pump->buffers[pump->filling];
    pump->ended = true;
    pump->then = then;
    if (buffer->state == BUFFER_FILLING) {
        buffer->state = BUFFER_READY;
        pump->filling ^= 1;
    }
    if (!pump->running)
        start_job(pump, URGENCY_BULK, push_job);
    pthread_mutex_unlock(&pump->lock);
}

/* ── the answer's body ── */

void body_pump_begin_out(struct body_pump *pump, struct worker_pool *pool, struct body_source *source)
{
    assert(!pump->running);
    give_back(&pump->buffers[0]);
    give_back(&pump->buffers[1]);
    pump->filling = pump->emptying = 0;
    pump->failed = false;
    pump->pool = pool;
    pump->source = source;
    pump->produced = pump->sent =
        0; /* an earlier source may have begun, and failed before its first byte left */
    pump->source_ended = source->size == 0;
}

/* One read, counted. The end of a source before its announced size is a failure: the client would take the
 * next answer for the rest of this one. */
static bool read_source(struct body_pump *pump, void *into, size_t capacity, enum patience patience,
                        size_t *ret_size, struct error *err)
{
    struct body_source *source = pump->source;
    const bool known = source->size != BODY_SIZE_UNKNOWN;

    if (known && capacity > source->size - pump->produced)
        capacity = (size_t)(source->size - pump->produced);
    if (!source->read(source, into, capacity, patience, ret_size, err))
        return false;
    assert(*ret_size <= capacity);
    pump->produced += *ret_size;
    if (known && *ret_size == 0 && capacity)
        return error_set(err, FAULT_INTERNAL, "the body ended after %llu of %llu bytes",
                         (unsigned long long)pump->produced, (unsigned long long)source->size);
    pump->source_ended = known ? pump->produced == source->size : *ret_size == 0;
    return true;
}

/* Reads until the buffer is full or the source ends. */
static bool fill(struct body_pump *pump, struct pump_buffer *buffer, enum patience patience,
                 struct error *err)
{
    while (buffer->size < buffer->capacity && !pump->source_ended) {
        size_t size = 0;
        if (atomic_load_explicit(&pump->exchange->gone, memory_order_relaxed))
            return error_set(err, FAULT_CLIENT_GONE, "the client left");
        if (!read_source(pump, buffer->room + buffer->size, buffer->capacity - buffer->size, patience, &size,
                         err))
            return false;
        buffer->size += size;
    }
    return true;
}

bool body_pump_prefill(struct body_pump *pump, enum patience patience, struct error *err)
{
    struct pump_buffer *buffer = &pump->buffers[0];
    const uint64_t size = pump->source ? pump->source->size : 0;

    if (pump->source_ended || size == 0 || (patience == MUST_NOT_WAIT && size > BLOCK_STANDARD_BYTES))
        return true;
    if (!buffer->room && size <= SMALL_BYTES) {
        buffer->room = arena_alloc(&pump->exchange->arena, (size_t)size);
        buffer->capacity = (size_t)size;
    }
    take_room(buffer);
    if (!fill(pump, buffer, patience, err))
        return false;
    if (buffer->size) {
        buffer->state = BUFFER_READY;
        pump->filling = 1;
    }
    /* The answer came from a worker: it is likely that its bytes have to as well. */
    if (patience == MAY_WAIT && !pump->source_ended)
        pump->waits = READ_AHEAD_FROM - 1;
    return true;
}

static bool is_whole(const struct body_pump *pump)
{
    return pump->buffers[0].state == BUFFER_READY && pump->source_ended && !pump->running;
}

uint64_t body_pump_size(const struct body_pump *pump)
{
    const uint64_t size = pump->source ? pump->source->size : 0;

    return size == BODY_SIZE_UNKNOWN && is_whole(pump) ? pump->buffers[0].size : size;
}

struct bytes body_pump_whole(struct body_pump *pump)
{
    struct pump_buffer *buffer = &pump->buffers[0];

    if (!is_whole(pump))
        return bytes_of(NULL, 0);
    buffer->state = BUFFER_EMPTYING;
    buffer->taken = buffer->size;
    pump->sent = buffer->size;
    return bytes_of(buffer->room, buffer->size);
}

/* Fills the next buffer on a worker. */
static void pull_job(struct job *job)
{
    struct body_pump *pump = pump_of(job);
    struct exchange *exchange = pump->exchange;
    struct pump_buffer *buffer = &pump->buffers[pump->filling];
    struct error error = { 0 };

    take_room(buffer);
    const bool ok = fill(pump, buffer, MAY_WAIT, &error);
    /* Another is at what comes next: this job goes on where it is when that is done. */
    if (!ok && error.fault == FAULT_WOULD_WAIT && exchange_park(exchange, &pump->job))
        return;

    pthread_mutex_lock(&pump->lock);
    if (buffer->size) {
        buffer->state = BUFFER_READY;
        pump->filling ^= 1;
    } else {
        give_back(buffer);
    }
    if (!ok) {
        pump->failed = true;
        pump->error = error;
    }
    const bool waiting = pump->waiting;
    pump->waiting = pump->running = false;
    pthread_mutex_unlock(&pump->lock);
    wake_if(pump, waiting);
    exchange_unref(exchange);
}

/* Lock held, nothing running. */
static void start_pull(struct body_pump *pump)
{
    pump->buffers[pump->filling].state = BUFFER_FILLING;
    start_job(pump, exchange_urgency(pump->exchange), pull_job);
}

/* From a READY buffer; lock held. */
static size_t take_from(struct body_pump *pump, struct pump_buffer *buffer, void *into, size_t capacity)
{
    size_t size = buffer->size - buffer->taken;

    buffer->state = BUFFER_EMPTYING;
    if (pump->waits >= READ_AHEAD_FROM && !pump->running && !pump->source_ended && !pump->failed &&
        pump->buffers[pump->filling].state == BUFFER_EMPTY)
        start_pull(pump);
    pthread_mutex_unlock(&pump->lock);
    if (size > capacity)
        size = capacity;
    memcpy(into, buffer->room + buffer->taken, size);
    buffer->taken += size;
    pump->sent += size;
    pthread_mutex_lock(&pump->lock);
    if (buffer->taken == buffer->size) {
        give_back(buffer);
        pump->emptying ^= 1;
    }
    return size;
}

/* Straight from the source, without a worker; nothing running, lock not held. */
static enum pumped read_now(struct body_pump *pump, void *into, size_t capacity, size_t *ret_size)
{
    struct error error = { 0 };
    enum pumped outcome;

    if (read_source(pump, into, capacity, MUST_NOT_WAIT, ret_size, &error)) {
        pump->sent += *ret_size;
        return *ret_size ? PUMP_BYTES : PUMP_END;
    }
    pthread_mutex_lock(&pump->lock);
    if (error.fault == FAULT_WOULD_WAIT) {
        pump->waits++;
        /* Paused before a worker knows of it. */
        outcome = wait_for_worker(pump);
        if (outcome == PUMP_LATER)
            start_pull(pump);
    } else {
        pump->failed = true;
        pump->error = error;
        outcome = PUMP_FAILED;
    }
    pthread_mutex_unlock(&pump->lock);
    return outcome;
}

enum pumped body_pump_out(struct body_pump *pump, void *into, size_t capacity, size_t *ret_size)
{
    enum pumped outcome;

    pthread_mutex_lock(&pump->lock);
    struct pump_buffer *buffer = &pump->buffers[pump->emptying];
    if (buffer->state == BUFFER_READY || buffer->state == BUFFER_EMPTYING) {
        *ret_size = take_from(pump, buffer, into, capacity);
        outcome = PUMP_BYTES;
    } else if (pump->running) {
        outcome = wait_for_worker(pump);
    } else if (pump->failed) {
        outcome = PUMP_FAILED;
    } else if (pump->source_ended) {
        outcome = PUMP_END;
    } else {
        pthread_mutex_unlock(&pump->lock);
        return read_now(pump, into, capacity, ret_size);
    }
    pthread_mutex_unlock(&pump->lock);
    return outcome;
}
