/* server/record_guard.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The function between GnuTLS and libmicrohttpd; see record_guard.h.
 *
 * Mostly a record holds whole heads or a piece of a body and is looked at where the library wants it, without
 * a copy. The beginning of a head (or of a line between chunks) that is not whole is kept in the stash until
 * the rest has come:
 *
 *   stash: │ given away │ ready: may go on │ held: not whole yet │ room │
 *
 * The library asks for more without waiting for the socket only when it got all that it had room for and
 * gnutls_record_check_pending says so. Hence: what may go on is handed out at once as far as it fits, and
 * while GnuTLS has bytes at hand, reading goes on until the library's room is full.
 *
 * A body in the lane (`recoded`) goes straight into the sink unless the sink has no room, bytes of it are
 * still on their way through the library, or the library has seen none of it for a while and would take the
 * client for asleep. Then one record of it is made a chunk, by way of the stash.
 */
#include "server/record_guard.h"

#include <assert.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "http/token.h"
#include "server/record_send.h"

enum {
    READ_BYTES = 16384,           /* a TLS record */
    LANE_LEAST_BYTES = 64 * 1024, /* that a body has to come still */
    LANE_TURN_BYTES = 128 * 1024, /* then other connections have theirs */
    SHOWN_EVERY_MS = 500,         /* the library counts silence in seconds */
    FRAME_BYTES = 6,              /* before a chunk: hexadecimal digits, CRLF */
    RECODING_BYTES = 64           /* that a line of ours and a frame add to a head */
};
static const char coding_line[] = "Transfer-Encoding: chunked\r\n", last_chunk[] = "0\r\n\r\n";

struct record_guard {
    uint64_t magic; /* first, for guard_of */
    const struct framing_limits *limits;
    struct framing_machine machine;
    uint64_t refused_number; /* of the request, from 1; 0: none */
    uint8_t *stash;
    size_t capacity, given, ready, held; /* offsets: ready..held is held, given..ready may go on */
    struct record_sink sink;             /* `of` NULL: none */
    uint64_t sink_number;                /* of the request whose body it wants */
    bool recoded;                        /* the body that is coming is chunked by us */
    uint64_t in_sink, taken;       /* bytes of all bodies that went there; that came out of the library */
    uint64_t shown_ms;             /* when the library saw some last */
    struct record_waiting waiting; /* on the way out */
};

/* Other sessions of this process have pointers of their own kind. */
static const uint64_t magic_of_guards = 0x9ba4d1f37c52e86bULL;

static struct record_guard *guard_of(gnutls_session_t session)
{
    struct record_guard *guard = gnutls_session_get_ptr(session);

    return guard && guard->magic == magic_of_guards ? guard : NULL;
}

/* ── GnuTLS' own functions ── */

typedef ssize_t record_recv_fn(gnutls_session_t session, void *data, size_t size);
typedef size_t check_pending_fn(gnutls_session_t session);

static record_recv_fn *real_recv;
static check_pending_fn *real_pending;

__attribute__((constructor)) static void find_real_functions(void)
{
    real_recv = (record_recv_fn *)dlsym(RTLD_NEXT, "gnutls_record_recv");
    real_pending = (check_pending_fn *)dlsym(RTLD_NEXT, "gnutls_record_check_pending");
}

bool record_guard_works(struct error *err)
{
    if (!real_recv || !real_pending ||
        dlsym(RTLD_DEFAULT, "gnutls_record_recv") != (void *)gnutls_record_recv ||
        dlsym(RTLD_DEFAULT, "gnutls_record_check_pending") != (void *)gnutls_record_check_pending)
        return error_set(err, FAULT_INTERNAL,
                         "gnutls_record_recv is not the one of this program: requests would go unguarded");
    return true;
}

/* ── refusals ── */

/* `name: value CRLF` of the refused head, if it is there and clean; CORS and the form of the problem document
 * depend on it. */
static size_t copy_field(struct bytes head, const char *name, uint8_t *into, size_t room)
{
    while (head.size > 0) {
        struct bytes value = bytes_cut(&head, '\n');
        const struct bytes line = value;
        if (!bytes_equal_nocase(bytes_cut(&value, ':'), bytes_of_text(name)) || !value.data)
            continue;
        if (!head.data || line.size + 1 > room || line.data[line.size - 1] != '\r')
            return 0;
        for (size_t i = 0; i + 1 < line.size; i++)
            if (!token_is_field_byte(line.data[i]))
                return 0;
        memcpy(into, line.data, line.size + 1);
        return line.size + 1;
    }
    return 0;
}

/* The request that the library gets in place of a refused one; returns its size. */
static size_t make_substitute(struct bytes head, uint8_t *into, size_t room)
{
    static const char *const methods[] = { "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS" };
    static const char rest[] = " / HTTP/1.1\r\nHost: refused\r\n", end[] = "\r\n";
    static const char *const fields[] = { "origin", "accept" };
    const char *method = "GET";
    struct bytes first = head;
    size_t size;

    const struct bytes word = bytes_cut(&first, ' ');
    for (size_t i = 0; i < COUNT_OF(methods); i++)
        if (bytes_equal_text(word, methods[i]))
            method = methods[i];
    size = strlen(method);
    memcpy(into, method, size);
    memcpy(into + size, rest, sizeof rest - 1);
    size += sizeof rest - 1;
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        size += copy_field(head, fields[i], into + size, room - size - 2);
    memcpy(into + size, end, 2);
    return size + 2;
}

/* What the library gets behind the bytes that may go on, so that it comes to an end; `rest`: what was
 * refused. */
static size_t make_end(struct record_guard *guard, struct bytes rest, uint8_t *into, size_t room)
{
    const struct framing_machine *machine = &guard->machine;
    const char *end = guard->recoded                              ? last_chunk
                      : machine->refused_in == FRAMING_CHUNK_SIZE ? last_chunk
                      : machine->refused_in == FRAMING_CHUNK_END  ? "\r\n0\r\n\r\n"
                                                                  : "\r\n"; /* of the trailer */

    if (machine->refused_in == FRAMING_HEAD) {
        guard->refused_number = machine->heads + 1;
        return make_substitute(rest, into, room);
    }
    guard->refused_number = machine->heads;
    memcpy(into, end, strlen(end));
    return strlen(end);
}

bool record_guard_refused(const struct record_guard *guard)
{
    return guard->refused_number > 0;
}

bool record_guard_check(const struct record_guard *guard, uint64_t number, struct error *err)
{
    const bool by_head = guard->machine.refused_in == FRAMING_HEAD;

    if (guard->refused_number == number && by_head) {
        *err = guard->machine.error;
        return false;
    }
    if (number > guard->machine.heads)
        return error_set(err, FAULT_INTERNAL, "request %llu of a connection that has seen %llu",
                         (unsigned long long)number, (unsigned long long)guard->machine.heads);
    return true;
}

bool record_guard_check_body(const struct record_guard *guard, uint64_t number, struct error *err)
{
    if (guard->refused_number != number)
        return true;
    *err = guard->machine.error;
    return false;
}

/* ── the bytes ── */

/* Room for `size` more bytes behind what is held, which moves to the front. */
static bool make_room(struct record_guard *guard, size_t size)
{
    assert(guard->given == guard->ready);
    if (guard->given > 0) {
        memmove(guard->stash, guard->stash + guard->ready, guard->held - guard->ready);
        guard->held -= guard->ready;
        guard->given = guard->ready = 0;
    }
    if (guard->capacity - guard->held >= size)
        return true;
    uint8_t *larger = realloc(guard->stash, guard->held + size);
    if (!larger)
        return false;
    guard->stash = larger;
    guard->capacity = guard->held + size;
    return true;
}

static void drop_stash(struct record_guard *guard)
{
    free(guard->stash);
    guard->stash = NULL;
    guard->capacity = guard->given = guard->ready = guard->held = 0;
}

static size_t hand_out(struct record_guard *guard, uint8_t *into, size_t room)
{
    const size_t ready = guard->ready - guard->given, size = ready < room ? ready : room;

    if (size > 0)
        memcpy(into, guard->stash + guard->given, size);
    guard->given += size;
    if (guard->given == guard->held)
        drop_stash(guard);
    return size;
}

/* Puts the end behind what may go on, which lies in the stash up to `ready`; `rest` lies elsewhere. */
static bool end_stash(struct record_guard *guard, struct bytes rest)
{
    enum { END_ROOM = 2048 };
    uint8_t end[END_ROOM];
    const size_t size = make_end(guard, rest, end, sizeof end);

    uint8_t *larger = realloc(guard->stash, guard->ready + size);
    if (!larger)
        return false;
    memcpy(larger + guard->ready, end, size);
    guard->stash = larger;
    guard->capacity = guard->ready = guard->held = guard->ready + size;
    return true;
}

/* The machine has refused what lies in the stash from `ready` on. */
static bool refuse_held(struct record_guard *guard)
{
    const size_t size = guard->held - guard->ready;
    uint8_t *rest = malloc(size + 1); /* the stash may move */

    if (!rest)
        return false;
    memcpy(rest, guard->stash + guard->ready, size);
    const bool ended = end_stash(guard, bytes_of(rest, size));
    free(rest);
    return ended;
}

/* ── bodies in the lane ── */

/* A large body has begun in what the machine let pass, and something is known of it that the library is not
 * told. */
static bool begins_lane(const struct record_guard *guard, uint64_t heads_before)
{
    const struct framing_machine *machine = &guard->machine;

    return machine->state == FRAMING_LENGTH && machine->heads > heads_before && machine->speaks_1_1 &&
           machine->left >= LANE_LEAST_BYTES;
}

/* `size` bytes of a body at bytes + FRAME_BYTES become a chunk; returns its size. */
static size_t frame(struct record_guard *guard, uint8_t *bytes, size_t size)
{
    char digits[FRAME_BYTES + 1];

    if (size == 0)
        return 0;
    assert(size <= 0xFFFF);
    snprintf(digits, sizeof digits, "%04zx\r\n", size);
    memcpy(bytes, digits, FRAME_BYTES);
    memcpy(bytes + FRAME_BYTES + size, "\r\n", 2);
    guard->shown_ms = clock_monotonic_ms();
    return FRAME_BYTES + size + 2;
}

/* What passed ends with a head and the beginning of its body. RECODING_BYTES more have room there; returns
 * the new size. */
static size_t recode_head(struct record_guard *guard, uint8_t *bytes, size_t size)
{
    const size_t body = (size_t)(guard->machine.length - guard->machine.left);
    const size_t line = sizeof coding_line - 1, at = size - body - 2;

    guard->recoded = guard->machine.payload_only = true;
    guard->shown_ms = clock_monotonic_ms();
    memmove(bytes + at + line + 2 + FRAME_BYTES, bytes + at + 2, body);
    memcpy(bytes + at, coding_line, line);
    memcpy(bytes + at + line, "\r\n", 2);
    return at + line + 2 + frame(guard, bytes + at + line + 2, body);
}

/* In the lane, the machine has been run: behind what lies in `stash` up to `size` comes the end of the body,
 * if this is it, and `rest`, which the machine has not let pass; there is room for both. The stash becomes
 * the guard's. */
static bool settle(struct record_guard *guard, uint8_t *stash, size_t size, struct bytes rest)
{
    struct framing_machine *machine = &guard->machine;
    const bool ended = machine->state == FRAMING_HEAD;
    const uint64_t heads = machine->heads;
    size_t passed = 0, held = rest.size;

    if (ended) {
        memcpy(stash + size, last_chunk, sizeof last_chunk - 1);
        size += sizeof last_chunk - 1;
        guard->recoded = machine->payload_only = false;
    }
    memcpy(stash + size, rest.data, rest.size);
    if (ended && rest.size > 0)
        passed = framing_machine_run(machine, guard->limits, stash + size, rest.size, &held);
    if (begins_lane(guard, heads))
        passed = recode_head(guard, stash + size, passed);
    free(guard->stash);
    guard->stash = stash;
    guard->given = 0;
    guard->ready = size + passed;
    guard->held = guard->capacity = guard->ready + held;
    return machine->state != FRAMING_REFUSED || refuse_held(guard);
}

/* `all` bytes of the stash, none of which may go on yet, of a body in the lane: as a chunk for the library.
 */
static bool make_chunk(struct record_guard *guard, size_t all)
{
    size_t rest = 0;
    uint8_t *stash = malloc(FRAME_BYTES + all + sizeof last_chunk + RECODING_BYTES);

    if (!stash)
        return false;
    const size_t size = framing_machine_run(&guard->machine, guard->limits, guard->stash, all, &rest);
    memcpy(stash + FRAME_BYTES, guard->stash, size);
    return settle(guard, stash, frame(guard, stash, size), bytes_of(guard->stash + size, rest));
}

static bool may_use_lane(struct record_guard *guard)
{
    struct framing_machine *machine = &guard->machine;

    if (!guard->sink.of || guard->sink_number != machine->heads || guard->given != guard->ready)
        return false;
    /* The client's own chunks: the library has seen whole ones so far. */
    if (!guard->recoded && machine->state == FRAMING_CHUNK_SIZE) {
        guard->recoded = machine->payload_only = true;
        guard->shown_ms = clock_monotonic_ms();
    }
    return guard->recoded && guard->in_sink + guard->taken == machine->payload &&
           clock_monotonic_ms() - guard->shown_ms < SHOWN_EVERY_MS;
}

void record_guard_begin_lane(struct record_guard *guard, uint64_t number, const struct record_sink *sink)
{
    guard->sink = *sink;
    guard->sink_number = number;
}

void record_guard_end_lane(struct record_guard *guard)
{
    guard->sink = (struct record_sink){ 0 };
}

void record_guard_taken(struct record_guard *guard, size_t size)
{
    guard->taken += size;
}

/* ── the other bytes ── */

/* `size` new bytes at `data`, nothing held. How many may go on from there; the rest is stashed. */
static ssize_t run_in_place(struct record_guard *guard, uint8_t *data, size_t size)
{
    const uint64_t heads = guard->machine.heads;
    size_t held = 0;
    const size_t passed = framing_machine_run(&guard->machine, guard->limits, data, size, &held);

    if (guard->machine.state == FRAMING_REFUSED)
        return end_stash(guard, bytes_of(data + passed, held)) ? (ssize_t)passed : GNUTLS_E_MEMORY_ERROR;
    if (begins_lane(guard, heads)) {
        if (!make_room(guard, passed + RECODING_BYTES))
            return GNUTLS_E_MEMORY_ERROR;
        memcpy(guard->stash, data, passed);
        guard->ready = guard->held = recode_head(guard, guard->stash, passed);
        return 0;
    }
    if (held > 0) {
        if (!make_room(guard, held))
            return GNUTLS_E_MEMORY_ERROR;
        memcpy(guard->stash, data + passed, held);
        guard->held = held;
    }
    return (ssize_t)passed;
}

/* `size` new bytes behind what is held in the stash. */
static bool run_in_stash(struct record_guard *guard, size_t size)
{
    const uint64_t heads = guard->machine.heads;
    size_t held = 0;
    const size_t all = guard->held + size;

    if (guard->recoded)
        return make_chunk(guard, all);
    const size_t passed = framing_machine_run(&guard->machine, guard->limits, guard->stash, all, &held);
    guard->ready = passed;
    guard->held = passed + held;
    if (guard->machine.state == FRAMING_REFUSED)
        return refuse_held(guard);
    if (begins_lane(guard, heads)) {
        uint8_t *larger = realloc(guard->stash, passed + RECODING_BYTES);
        if (!larger)
            return false;
        guard->stash = larger;
        guard->capacity = passed + RECODING_BYTES;
        guard->ready = guard->held = recode_head(guard, larger, passed);
    }
    return true;
}

/* GnuTLS leaves it to its caller to refuse a second handshake (TLS-07). Without the alert the client would
 * take the end of the connection for a wish of the server's. */
static ssize_t receive(gnutls_session_t session, void *data, size_t size)
{
    const ssize_t got = real_recv(session, data, size);

    if (got == GNUTLS_E_REHANDSHAKE)
        gnutls_alert_send(session, GNUTLS_AL_WARNING, GNUTLS_A_NO_RENEGOTIATION);
    return got;
}

/* One read of GnuTLS into the sink. Its outcome, or, with *ret_used false, no room there. */
static ssize_t read_into_sink(struct record_guard *guard, gnutls_session_t session, bool *ret_used)
{
    struct framing_machine *machine = &guard->machine;
    const size_t held = guard->held - guard->ready; /* of a line between chunks */
    size_t room = 0, rest = 0;
    uint8_t *into = guard->sink.room(guard->sink.of, &room);

    *ret_used = into != NULL && held < room;
    if (!*ret_used)
        return 0;
    if (held > 0)
        memcpy(into, guard->stash + guard->ready, held);
    if (machine->state == FRAMING_LENGTH && room > machine->left)
        room = (size_t)machine->left; /* nothing is held then */
    const ssize_t got = receive(session, into + held, room - held);
    if (got <= 0)
        return got;
    const size_t size = framing_machine_run(machine, guard->limits, into, held + (size_t)got, &rest);
    if (rest > 0 || machine->state == FRAMING_HEAD || machine->state == FRAMING_REFUSED) {
        uint8_t *stash = malloc(rest + sizeof last_chunk + RECODING_BYTES);
        if (!stash || !settle(guard, stash, 0, bytes_of(into + size, rest)))
            return GNUTLS_E_MEMORY_ERROR;
    } else {
        drop_stash(guard);
    }
    guard->in_sink += size;
    guard->sink.filled(guard->sink.of, size);
    return got;
}

/* One read of GnuTLS; how many bytes may go on to `into`, or its error. *ret_end: nothing (more) came. */
static ssize_t read_some(struct record_guard *guard, gnutls_session_t session, uint8_t *into, size_t room,
                         bool *ret_end)
{
    ssize_t size;

    *ret_end = false;
    if (guard->held == 0 && !guard->recoded) {
        size = receive(session, into, room < READ_BYTES ? room : READ_BYTES);
        if (size > 0) {
            size = run_in_place(guard, into, (size_t)size);
            return size == 0 ? (ssize_t)hand_out(guard, into, room) : size;
        }
    } else {
        if (!make_room(guard, READ_BYTES))
            return GNUTLS_E_MEMORY_ERROR;
        size = receive(session, guard->stash + guard->held, READ_BYTES);
        if (size > 0)
            return run_in_stash(guard, (size_t)size) ? (ssize_t)hand_out(guard, into, room)
                                                     : GNUTLS_E_MEMORY_ERROR;
    }
    *ret_end = true;
    return size;
}

static ssize_t guarded_recv(struct record_guard *guard, gnutls_session_t session, uint8_t *data, size_t size)
{
    size_t out = hand_out(guard, data, size), in_lane = 0;

    /* Let these come out there first: then what follows can take the lane. */
    if (out > 0 && guard->recoded && real_pending(session) == 0)
        return (ssize_t)out;
    while (out < size && guard->machine.state != FRAMING_REFUSED) {
        bool end = false, used = false;
        ssize_t got = 0;
        if (may_use_lane(guard)) {
            got = read_into_sink(guard, session, &used);
            end = used && got <= 0;
        }
        if (used && got > 0) {
            in_lane += (size_t)got;
            got = (ssize_t)hand_out(guard, data + out, size - out);
        } else if (!used) {
            got = read_some(guard, session, data + out, size - out, &end);
        }
        if (got < 0 || end)
            return out > 0 ? (ssize_t)out : got; /* an end that lasts comes again with the next call */
        out += (size_t)got;
        if (guard->machine.state == FRAMING_REFUSED)
            out += hand_out(guard, data + out, size - out);
        else if ((out > 0 || in_lane >= LANE_TURN_BYTES) && real_pending(session) == 0)
            break;
    }
    /* Behind a refusal nothing is read: the connection ends with the answer. */
    return out > 0 ? (ssize_t)out : GNUTLS_E_AGAIN;
}

ssize_t gnutls_record_recv(gnutls_session_t session, void *data, size_t data_size)
{
    struct record_guard *guard = guard_of(session);

    return guard && data_size > 0 ? guarded_recv(guard, session, data, data_size)
                                  : receive(session, data, data_size);
}

size_t gnutls_record_check_pending(gnutls_session_t session)
{
    const struct record_guard *guard = guard_of(session);

    return real_pending(session) + (guard ? guard->ready - guard->given : 0);
}

struct record_waiting *record_guard_waiting(gnutls_session_t session)
{
    struct record_guard *guard = guard_of(session);

    return guard ? &guard->waiting : NULL;
}

struct record_guard *record_guard_new(gnutls_session_t session, const struct framing_limits *limits)
{
    struct record_guard *guard = calloc(1, sizeof *guard);

    if (!guard)
        return NULL;
    guard->magic = magic_of_guards;
    guard->limits = limits;
    gnutls_session_set_ptr(session, guard);
    return guard;
}

void record_guard_free(struct record_guard *guard)
{
    if (!guard)
        return;
    record_waiting_done(&guard->waiting);
    free(guard->stash);
    free(guard);
}
