/* server/watch.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Cuts off clients that are too slow for connections whose library cannot: libmicrohttpd has one time-out,
 * which every byte begins anew, and none while a connection is suspended. One thread looks at all of them now
 * and then; how much has moved is asked of the kernel (TCP_INFO), so watching costs a request next to
 * nothing.
 */
#ifndef GANTRY_SERVER_WATCH_H
#define GANTRY_SERVER_WATCH_H

#include <stdatomic.h>

#include "base/attributes.h"
#include "base/error.h"
#include "server/pace.h"

struct watch;

/* Whose turn it is. */
enum watch_turn {
    WATCH_HEAD,   /* the client's: handshake or header fields; all of it has one deadline */
    WATCH_BODY,   /* the client's: its body has to move */
    WATCH_ANSWER, /* the client's: it has to read */
    WATCH_SERVER, /* ours: no deadline */
    WATCH_IDLE,   /* nobody's: until the next request has begun */
};

struct watch_limits {
    unsigned head_timeout_ms, idle_timeout_ms;
    struct pace_limits pace;
};

struct watched {
    int fd;
    atomic_uint_fast64_t turn; /* a watch_turn, and behind it when it began, in ms */
    uint64_t seen;             /* the thread's, as all below: the `turn` that `pace` belongs to */
    struct pace pace;
    bool cut;
    struct watched *previous, *next; /* lock */
};

MUST_USE bool watch_open(const struct watch_limits *limits, struct watch **ret, struct error *err);
void watch_close(struct watch *watch); /* when nothing is watched any more; NULL is fine */
/* From here on its turn is WATCH_HEAD. `fd` stays open until watch_remove. Any thread, as below. */
void watch_add(struct watch *watch, struct watched *watched, int fd);
void watch_remove(struct watch *watch, struct watched *watched);
/* Setting the turn that it is already begins nothing anew. */
void watch_set(struct watched *watched, enum watch_turn turn);

#endif
