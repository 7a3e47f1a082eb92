/* server/crew.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Threads that work through a list of pieces: handed out in order, worked on side by side, finished in order
 * again.
 *
 *   next ─► 1 2 3 4 5 ...        work(1) work(2) work(3)         finish(1) ─► finish(2) ─► ...
 *   one at a time                on as many threads as there are   one at a time, in the order of next
 */
#ifndef GANTRY_SERVER_CREW_H
#define GANTRY_SERVER_CREW_H

#include "base/attributes.h"
#include "base/error.h"

struct crew {
    void *context;
    void *(*next)(void *context); /* the next piece; NULL: no more */
    void (*work)(void *context, void *piece);
    void (*finish)(void *context, void *piece);
    void (*look)(void *context); /* on the caller's thread, a few times a second, beside all of those */
};

/* Until next has no more and all pieces are finished. BUSY: no thread could be started. */
MUST_USE bool crew_run(const struct crew *crew, unsigned threads, struct error *err);

#endif
