/* handlers/listed.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See listed.h.
 */
#include "handlers/listed.h"

#include <limits.h>
#include <unistd.h>

#include "handlers/held.h"

struct held_files {
    struct store *store;
    struct store_hold hold;
};

static void let_go(void *held)
{
    struct held_files *files = held;

    store_hold_end(files->store, &files->hold);
}

void listed_hold_files(const struct service *service, struct arena *arena)
{
    struct held_files *files = arena_alloc(arena, sizeof(*files));

    files->store = service->store;
    store_hold_begin(files->store, &files->hold);
    arena_defer(arena, let_go, files);
}

bool listed_instances(const struct service *service, struct arena *arena, const struct instance_key *key,
                      struct catalog_listing **ret, struct error *err)
{
    listed_hold_files(service, arena);
    if (!catalog_list(service->catalog, key, ret, err))
        return false;
    held_listing(arena, *ret);
    return true;
}

bool listed_describe(const struct service *service, uint64_t generation, struct arena *arena,
                     struct description *ret, struct error *err)
{
    SCOPED(store_reader) struct store_reader *reader = NULL; /* is it there? */
    char path[PATH_MAX];

    if (!store_reader_open(service->store, generation, MAY_WAIT, &reader, err))
        return false;
    store_path(service->store, generation, path, sizeof path);
    if (description_read(path, &service->limits->json, arena, ret, err))
        return true;
    if (access(path, F_OK) != 0)
        err->fault = FAULT_NOT_FOUND; /* nobody held it, and it went meanwhile */
    return error_while(err, "reading generation %llu, whose row has gone", (unsigned long long)generation);
}

/* All but its digest and when it was stored, which nobody asks for of one among many. */
static const struct instance_record *record_of(struct description *found,
                                               const struct listed_instance *listed)
{
    const struct instance_record record = {
        .key = listed->key,
        .generation = listed->generation,
        .file_size = found->file_size,
        .data_set_offset = found->data_set_offset,
        .needs_head = found->needs_head,
        .sop_class = found->sop_class,
        .syntax_uid = found->syntax_uid,
        .syntax = found->syntax,
        .shape = found->shape,
        .frames = TAKE(found->frames),
    };

    return instance_record_new(&record);
}

bool listed_record(const struct service *service, const struct listed_instance *listed,
                   const struct instance_record **ret, struct error *err)
{
    const struct instance_record *record = NULL;
    struct description found = { 0 };
    struct arena arena = { 0 };

    if (catalog_find(service->catalog, &listed->key, MAY_WAIT, &record, err)) {
        if (record->generation == listed->generation) {
            *ret = record;
            return true;
        }
        instance_record_unref(record);
    } else if (err->fault != FAULT_NOT_FOUND && err->fault != FAULT_GONE) {
        return false;
    }
    error_clear(err);
    const bool done = listed_describe(service, listed->generation, &arena, &found, err);
    if (done)
        *ret = record_of(&found, listed);
    description_done(&found);
    arena_release(&arena);
    return done;
}
