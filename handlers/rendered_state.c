/* handlers/rendered_state.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See rendered_state.h.
 */
#include "handlers/rendered_state.h"

#include <limits.h>

bool rendered_state_is(const struct instance_record *record)
{
    return presentation_state_is_class(bytes_of_text(record->sop_class.text));
}

static void free_state(void *state)
{
    presentation_state_free(state);
}

bool rendered_state_read(const struct service *service, const struct request *request,
                         const struct instance_record *record, const struct presentation_state **ret,
                         struct error *err)
{
    struct presentation_state *state = NULL;
    char path[PATH_MAX];

    if (request->patience == MUST_NOT_WAIT)
        return error_set(err, FAULT_WOULD_WAIT, "reading a presentation state");
    store_path(service->store, record->generation, path, sizeof(path));
    if (!presentation_state_read(path, &state, err))
        return false;
    arena_defer(request->arena, free_state, state);
    *ret = state;
    return true;
}

/* Is it stored? Those that are gone are passed over. */
static bool add_image(const struct service *service, const struct instance_key *key,
                      const struct image_reference *reference, struct catalog_listing *listing,
                      struct frame_list *frames, struct error *err)
{
    const struct instance_record *record = NULL;

    if (!catalog_find(service->catalog, key, MAY_WAIT, &record, err)) {
        if (err->fault != FAULT_NOT_FOUND && err->fault != FAULT_GONE)
            return false;
        error_clear(err);
        return true;
    }
    listing->list[listing->count] =
        (struct listed_instance){ .key = record->key, .generation = record->generation };
    frames[listing->count++] =
        (struct frame_list){ (uint32_t *)(uintptr_t)reference->frames, reference->frame_count };
    instance_record_unref(record);
    return true;
}

bool rendered_state_images(const struct service *service, const struct request *request,
                           const struct instance_record *record, const struct presentation_state *state,
                           struct catalog_listing **ret, struct frame_list **ret_frames, struct error *err)
{
    struct catalog_listing *listing = arena_alloc(request->arena, sizeof(*listing));
    struct frame_list *frames = arena_array(request->arena, state->images.count, sizeof(*frames));

    listing->list = arena_array(request->arena, state->images.count, sizeof(*listing->list));
    for (uint32_t i = 0; i < state->images.count; i++) {
        const struct image_reference *reference = &state->images.list[i];
        const struct instance_key key = { record->key.study, reference->series, reference->instance };

        if (!add_image(service, &key, reference, listing, frames, err))
            return false;
    }
    if (listing->count == 0)
        return error_tell(err, FAULT_NOT_FOUND, "None of the images of the presentation state is stored.");
    *ret = listing;
    *ret_frames = frames;
    return true;
}
