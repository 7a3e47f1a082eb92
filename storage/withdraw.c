/* storage/withdraw.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Deleting; the picture is in withdraw.h.
 */
#include "storage/withdraw.h"

static bool mark_all(struct store *store, const struct catalog_listing *listing, struct error *err)
{
    for (size_t i = 0; i < listing->count; i++)
        if (!store_mark(store, listing->list[i].generation, err))
            return false;
    return store_sync_marks(store, err);
}

static void forget_file(void *context, uint64_t generation)
{
    struct store *store = context;

    store_forget(store, generation);
    store_remove_draft(store, generation);
}

bool withdraw(struct store *store, struct catalog *catalog, const struct instance_key *key,
              uint64_t *ret_instances, struct error *err)
{
    struct catalog_listing *listing = NULL;

    if (!catalog_list(catalog, key, &listing, err))
        return false;
    const bool done =
        mark_all(store, listing, err) && catalog_delete(catalog, key, forget_file, store, ret_instances, err);
    /* Where nothing was deleted, or another delivery replaced one meanwhile, marks are left. */
    for (size_t i = 0; i < listing->count; i++)
        store_remove_draft(store, listing->list[i].generation);
    catalog_listing_free(listing);
    return done;
}
