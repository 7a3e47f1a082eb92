/* storage/recover.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * One small folder is read; the picture is in recover.h. With a row, a draft is the instance: all of it was
 * on the disk before the row, and only the name of its place may be missing. Without one the instance was
 * never acknowledged to anybody. Whatever interrupts this: the next start finds the same and goes on.
 */
#include "storage/recover.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"

struct generations {
    uint64_t *list;
    size_t count, room;
};

struct recovery {
    struct store *store;
    struct catalog *catalog;
    struct generations unknown; /* drafts without a row, then what was leaving */
    struct generations whole;   /* drafts with a row */
    size_t leaving;
    bool failed;
    struct error *err;
};

static bool note_in(struct generations *generations, uint64_t generation, struct error *err)
{
    if (generations->count == generations->room) {
        const size_t room = generations->room ? 2 * generations->room : 64;
        uint64_t *more = reallocarray(generations->list, room, sizeof *more);
        if (!more)
            return error_set(err, FAULT_BUSY, "no memory for %zu drafts", room);
        generations->list = more;
        generations->room = room;
    }
    generations->list[generations->count++] = generation;
    return true;
}

static bool put_right(void *context, uint64_t generation)
{
    struct recovery *recovery = context;
    bool has_row;

    if (!catalog_has_generation(recovery->catalog, generation, &has_row, recovery->err) ||
        !note_in(has_row ? &recovery->whole : &recovery->unknown, generation, recovery->err)) {
        recovery->failed = true;
        return false;
    }
    return true;
}

static bool note_leaving(void *context, uint64_t generation)
{
    struct recovery *recovery = context;

    recovery->failed = !note_in(&recovery->unknown, generation, recovery->err);
    recovery->leaving += !recovery->failed;
    return !recovery->failed;
}

static int by_number(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* Their names, for good, before the drafts go: those are what told us of them. */
static bool finish_whole(struct recovery *recovery)
{
    struct store *store = recovery->store;
    struct generations *whole = &recovery->whole;

    if (whole->count > 1)
        qsort(whole->list, whole->count, sizeof *whole->list, by_number);
    for (size_t i = 0; i < whole->count; i++) {
        const uint64_t folder = whole->list[i] / STORE_GENERATIONS_PER_FOLDER;
        if (!store_place_again(store, whole->list[i], recovery->err))
            return false;
        if ((i + 1 == whole->count || whole->list[i + 1] / STORE_GENERATIONS_PER_FOLDER != folder) &&
            !store_sync_folder(store, folder, recovery->err))
            return false;
    }
    for (size_t i = 0; i < whole->count; i++)
        store_remove_draft(store, whole->list[i]);
    return true;
}

/* The files go, for good, before the drafts and notes: the other way round a crash in between would leave a
 * file that nobody knows. */
bool recover(struct store *store, struct catalog *catalog, uint64_t *ret_removed, struct error *err)
{
    struct recovery recovery = { .store = store, .catalog = catalog, .err = err };

    bool done = store_each_draft(store, put_right, &recovery, err) && !recovery.failed &&
                catalog_each_leaving(catalog, note_leaving, &recovery, err) && !recovery.failed &&
                finish_whole(&recovery);
    if (done) {
        const size_t unfinished = recovery.unknown.count - recovery.leaving;
        const bool gone = store_forget(store, recovery.unknown.list, recovery.unknown.count);
        for (size_t i = 0; gone && i < unfinished; i++)
            store_remove_draft(store, recovery.unknown.list[i]);
        if (unfinished || recovery.whole.count)
            log_line(LOG_INFO, "recovery: %zu unfinished instances removed, %zu were whole", unfinished,
                     recovery.whole.count);
        *ret_removed = unfinished;
        /* What the disk keeps is tried again at the next start. */
        done = !gone || recovery.leaving == 0 || catalog_none_is_leaving(catalog, err);
    }
    free(recovery.unknown.list);
    free(recovery.whole.list);
    return done || error_while(err, "recovery");
}
