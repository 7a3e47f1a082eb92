/* server/body_pump.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Carries bodies between an I/O thread, which must not wait, and workers, which may: two blocks, one being
 * filled while the other is emptied.
 *
 *   in:   client ─► pump_in, pump_room ─► [filling] ─► worker: sink->write([emptying])
 *   out:  source->read(MUST_NOT_WAIT) ─► the transport's own buffer              while bytes are at hand
 *         worker: source->read(MAY_WAIT) ─► [filling] ─► pump_out ─► client      when they are not
 *
 * A block is taken when bytes arrive and given back when empty. When the budget for blocks is spent, the pump
 * goes on with pieces of 32 KiB from the heap (two a connection at most): slower, but what has begun never
 * waits for another exchange to end, so nothing can lock up.
 */
#ifndef GANTRY_SERVER_BODY_PUMP_H
#define GANTRY_SERVER_BODY_PUMP_H

#include <pthread.h>
#include <stdint.h>

#include "base/block.h"
#include "base/error.h"
#include "http/body.h"
#include "server/worker_pool.h"

struct exchange;

enum pumped {
    PUMP_BYTES, /* went over */
    PUMP_END,   /* there is no more */
    PUMP_LATER, /* nothing went over; the exchange was paused and will be woken: then call again */
    PUMP_FAILED /* the body ends short */
};

enum { PUMP_PIECE_BYTES = 32 * 1024 };

enum pump_buffer_state { BUFFER_EMPTY, BUFFER_FILLING, BUFFER_READY, BUFFER_EMPTYING };
struct pump_buffer {
    enum pump_buffer_state state; /* lock */
    struct block *block;          /* or a piece of the heap */
    uint8_t *piece;
    uint8_t *room; /* in either, or in the arena */
    size_t capacity, size, taken;
};

/* Lies in an exchange and is used again by the next one there. Which buffers are whose, and all marked so, is
 * guarded by the lock; what is in a buffer that is FILLING or EMPTYING belongs to who fills or empties it. */
struct body_pump {
    pthread_mutex_t lock;
    struct exchange *exchange;
    struct worker_pool *pool;
    struct job job;
    struct pump_buffer buffers[2];
    unsigned filling, emptying; /* which of the two is next */
    bool running;               /* lock: a worker is at it */
    bool waiting;               /* lock: the exchange is paused until something changes */
    bool failed;                /* lock: see `error` */
    struct error error;
    /* in */
    struct body_sink *sink;
    uint64_t ceiling, received, dropped;
    bool ended; /* lock: the client has sent all */
    void (*then)(struct exchange *exchange);
    /* out */
    struct body_source *source;
    uint64_t produced, sent; /* read from the source; given to the transport */
    bool source_ended;       /* lock while running */
    unsigned waits; /* how often the bytes were not at hand: from the second time on the pump reads ahead */
};

void body_pump_init(struct body_pump *pump, struct exchange *exchange); /* once */
void body_pump_reset(struct body_pump *pump); /* gives the blocks back; ready for another exchange */
void body_pump_done(struct body_pump *pump);

/* The request's body goes to `sink`, at most `ceiling` bytes of it. */
void body_pump_begin_in(struct body_pump *pump, struct worker_pool *pool, struct body_sink *sink,
                        uint64_t ceiling);
/* Takes all of `offered` (BYTES), at most PUMP_PIECE_BYTES, or nothing (LATER). After a failure the rest is
 * dropped (BYTES), up to a bound; then FAILED: the connection is to be closed. The transport's thread. */
enum pumped body_pump_in(struct body_pump *pump, struct bytes offered);
/* Room for bytes of the body where a worker will find them, at least PUMP_PIECE_BYTES and not over the
 * ceiling: they need no body_pump_in. NULL: not now; what comes next is to be offered there. The transport's
 * thread. */
uint8_t *body_pump_room(struct body_pump *pump, size_t *ret_size);
/* So many are there. */
void body_pump_filled(struct body_pump *pump, size_t size);
/* Has the sink refused the body? Then no more of it is needed. Any thread. */
bool body_pump_in_failed(struct body_pump *pump);
/* The body is not what it ought to be: what comes of it ends in `error`. The transport's thread, before
 * body_pump_in_end. */
void body_pump_break(struct body_pump *pump, const struct error *error);
/* No more bytes will come; the caller has paused the exchange. `then` runs on a worker once all of them went
 * through the sink or pump->failed says why not. */
void body_pump_in_end(struct body_pump *pump, void (*then)(struct exchange *exchange));

/* The answer's body comes from `source`. */
void body_pump_begin_out(struct body_pump *pump, struct worker_pool *pool, struct body_source *source);
/* Fills the first buffer ahead of the first body_pump_out, while the client can still be told of a failure.
 * With MUST_NOT_WAIT only a body that fits a block: WOULD_WAIT then, to be called again with MAY_WAIT. */
MUST_USE bool body_pump_prefill(struct body_pump *pump, enum patience patience, struct error *err);
/* Of the answer's body: what its source says, or, where that is unknown and all of it is in the first buffer,
 * how much that is; else BODY_SIZE_UNKNOWN. Before the first body_pump_out. */
uint64_t body_pump_size(const struct body_pump *pump);
/* All of the answer's body when the first buffer has it, which then counts as sent; else data NULL. It lives
 * until body_pump_reset. */
struct bytes body_pump_whole(struct body_pump *pump);
/* The transport's thread. */
enum pumped body_pump_out(struct body_pump *pump, void *into, size_t capacity, size_t *ret_size);

#endif
