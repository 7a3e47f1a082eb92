/* storage/recover.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * One small folder is read; the picture is in recover.h. A row makes a draft superfluous; without one the
 * instance was never acknowledged to anybody. Whatever interrupts this: the next start finds the same and
 * goes on.
 */
#include "storage/recover.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"

struct recovery {
    struct store *store;
    struct catalog *catalog;
    uint64_t *unknown; /* drafts without a row, then what was leaving */
    size_t count, room;
    size_t leaving;
    uint64_t finished;
    bool failed;
    struct error *err;
};

static bool note_unknown(struct recovery *recovery, uint64_t generation)
{
    if (recovery->count == recovery->room) {
        const size_t room = recovery->room ? 2 * recovery->room : 64;
        uint64_t *more = reallocarray(recovery->unknown, room, sizeof *more);
        if (!more)
            return error_set(recovery->err, FAULT_BUSY, "no memory for %zu drafts", room);
        recovery->unknown = more;
        recovery->room = room;
    }
    recovery->unknown[recovery->count++] = generation;
    return true;
}

static bool put_right(void *context, uint64_t generation)
{
    struct recovery *recovery = context;
    bool has_row;

    if (!catalog_has_generation(recovery->catalog, generation, &has_row, recovery->err) ||
        (!has_row && !note_unknown(recovery, generation))) {
        recovery->failed = true;
        return false;
    }
    if (has_row) {
        recovery->finished++;
        store_remove_draft(recovery->store, generation);
    }
    return true;
}

static bool note_leaving(void *context, uint64_t generation)
{
    struct recovery *recovery = context;

    recovery->failed = !note_unknown(recovery, generation);
    recovery->leaving += !recovery->failed;
    return !recovery->failed;
}

/* The files go, for good, before the drafts and notes: the other way round a crash in between would leave a
 * file that nobody knows. */
bool recover(struct store *store, struct catalog *catalog, uint64_t *ret_removed, struct error *err)
{
    struct recovery recovery = { .store = store, .catalog = catalog, .err = err };

    bool done = store_each_draft(store, put_right, &recovery, err) && !recovery.failed &&
                catalog_each_leaving(catalog, note_leaving, &recovery, err) && !recovery.failed;
    if (done) {
        const size_t unfinished = recovery.count - recovery.leaving;
        store_forget(store, recovery.unknown, recovery.count);
        for (size_t i = 0; i < unfinished; i++)
            store_remove_draft(store, recovery.unknown[i]);
        if (unfinished || recovery.finished)
            log_line(LOG_INFO, "recovery: %zu unfinished instances removed, %" PRIu64 " were whole",
                     unfinished, recovery.finished);
        *ret_removed = unfinished;
        done = recovery.leaving == 0 || catalog_none_is_leaving(catalog, err);
    }
    free(recovery.unknown);
    return done || error_while(err, "recovery");
}
