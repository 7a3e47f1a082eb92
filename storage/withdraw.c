/* storage/withdraw.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Deleting; the picture is in withdraw.h.
 */
#include "storage/withdraw.h"

#include <stdlib.h>

struct gone {
    struct store *store;
    uint64_t *list;
    size_t count, room;
};

static void note_gone(void *context, uint64_t generation)
{
    struct gone *gone = context;

    if (gone->count == gone->room) {
        const size_t room = gone->room ? 2 * gone->room : 64;
        uint64_t *more = reallocarray(gone->list, room, sizeof *more);
        if (!more) {
            store_forget(gone->store, &generation,
                         1); /* one by one: slower, and noted until the next start */
            return;
        }
        gone->list = more;
        gone->room = room;
    }
    gone->list[gone->count++] = generation;
}

bool withdraw(struct store *store, struct catalog *catalog, const struct instance_key *key,
              uint64_t *ret_instances, struct error *err)
{
    struct gone gone = { .store = store };

    const bool done = catalog_delete(catalog, key, note_gone, &gone, ret_instances, err);
    store_let_go(store, gone.list, gone.count, catalog_has_left, catalog);
    free(gone.list);
    return done;
}
