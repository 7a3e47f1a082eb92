/* storage/recover.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * One small folder is read; the picture is in recover.h. A row makes a draft superfluous; without one the
 * instance was never acknowledged to anybody. Whatever interrupts this: the next start finds the same and
 * goes on.
 */
#include "storage/recover.h"

#include <inttypes.h>

#include "base/log.h"

struct recovery {
    struct store *store;
    struct catalog *catalog;
    uint64_t removed, finished;
    bool failed;
    struct error *err;
};

/* The file goes before the draft: the other way round a crash in between would leave a file that nobody
 * knows. */
static bool put_right(void *context, uint64_t generation)
{
    struct recovery *recovery = context;
    bool has_row;

    if (!catalog_has_generation(recovery->catalog, generation, &has_row, recovery->err)) {
        recovery->failed = true;
        return false;
    }
    if (has_row) {
        recovery->finished++;
    } else {
        store_forget(recovery->store, generation);
        recovery->removed++;
    }
    store_remove_draft(recovery->store, generation);
    return true;
}

bool recover(struct store *store, struct catalog *catalog, uint64_t *ret_removed, struct error *err)
{
    struct recovery recovery = { .store = store, .catalog = catalog, .err = err };

    if (!store_each_draft(store, put_right, &recovery, err) || recovery.failed)
        return error_while(err, "recovery");
    if (recovery.removed || recovery.finished)
        log_line(LOG_INFO, "recovery: %" PRIu64 " unfinished instances removed, %" PRIu64 " were whole",
                 recovery.removed, recovery.finished);
    *ret_removed = recovery.removed;
    return true;
}
