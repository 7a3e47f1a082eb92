/* storage/withdraw.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Deleting; the picture is in withdraw.h.
 */
#include "storage/withdraw.h"

#include <stdlib.h>

static bool mark_all(struct store *store, const struct catalog_listing *listing, struct error *err)
{
    for (size_t i = 0; i < listing->count; i++)
        if (!store_mark(store, listing->list[i].generation, err))
            return false;
    return store_sync_marks(store, err);
}

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
            store_forget(gone->store, &generation, 1); /* one by one: slower */
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
    struct catalog_listing *listing = NULL;
    struct gone gone = { .store = store };

    if (!catalog_list(catalog, key, &listing, err))
        return false;
    const bool done =
        mark_all(store, listing, err) && catalog_delete(catalog, key, note_gone, &gone, ret_instances, err);
    store_forget(store, gone.list, gone.count);
    for (size_t i = 0; i < gone.count; i++)
        store_remove_draft(store, gone.list[i]);
    /* Where nothing was deleted, or another delivery replaced one meanwhile, marks are left. */
    for (size_t i = 0; i < listing->count; i++)
        store_remove_draft(store, listing->list[i].generation);
    free(gone.list);
    catalog_listing_free(listing);
    return done;
}
