/* handlers/rendered_state.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See rendered_state.h.
 */
#include "handlers/rendered_state.h"

#include <limits.h>
#include <stdlib.h>

#include "dicom/image_planes.h"
#include "handlers/blended_frame.h"
#include "handlers/listed.h"

bool rendered_state_is(const struct instance_record *record)
{
    return presentation_state_is_class(bytes_of_text(record->sop_class.text));
}

static void free_state(void *state)
{
    presentation_state_free(state);
}

bool rendered_state_read(const struct service *service, const struct request *request,
                         const struct instance_record *record, struct rendering_parameters *into,
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
    into->state = state;
    into->state_generation = record->generation;
    return state->above.images.count == 0 || blend_images_find(service, request, state, &record->key.study,
                                                               &into->blend, &into->blend_mark, err);
}

/* Is it stored? Those that are gone are passed over. */
static bool add_image(const struct service *service, const struct instance_key *key,
                      const struct image_reference *reference, struct catalog_listing *listing,
                      struct frame_list *frames, uint32_t *counts, struct error *err)
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
    counts[listing->count] = record->frames ? frame_table_count(record->frames) : 0;
    frames[listing->count++] = (struct frame_list){ .frames = (uint32_t *)(uintptr_t)reference->frames,
                                                    .count = reference->frame_count };
    instance_record_unref(record);
    return true;
}

/* ── their order ── */

struct placed_image {
    struct listed_instance instance;
    struct frame_list frames;
    uint32_t all;             /* frames of the image */
    struct image_plane plane; /* of the first frame shown */
    double distance;
    size_t place; /* in the state */
};
struct placed_frame {
    uint32_t frame;
    const uint32_t *dimensions;
    size_t place;
};

static int compare_images(const void *a, const void *b)
{
    const struct placed_image *one = a, *other = b;

    if (one->distance != other->distance)
        return one->distance < other->distance ? -1 : 1;
    return one->place < other->place ? -1 : 1;
}

static int compare_frames(const void *a, const void *b)
{
    const struct placed_frame *one = a, *other = b;

    for (unsigned i = 0; i < IMAGE_PLANES_DIMENSIONS; i++)
        if (one->dimensions[i] != other->dimensions[i])
            return one->dimensions[i] < other->dimensions[i] ? -1 : 1;
    return one->place < other->place ? -1 : 1;
}

/* Equal ones, and those that no dimension is told of, stay as they are. */
static void sort_frames(const struct image_planes *planes, uint32_t all, struct arena *arena,
                        struct frame_list *frames)
{
    const size_t count = frames->count > 0 ? frames->count : all;

    if (planes->frame_count == 0 || planes->frames[0].dimensions[0] == 0)
        return;
    struct placed_frame *placed = arena_array(arena, count, sizeof(*placed));
    for (size_t i = 0; i < count; i++) {
        const uint32_t frame = frames->count > 0 ? frames->frames[i] : (uint32_t)i + 1;
        placed[i] = (struct placed_frame){ frame, image_planes_of(planes, frame)->dimensions, i };
    }
    qsort(placed, count, sizeof(*placed), compare_frames);
    frames->frames = arena_array(arena, count, sizeof(*frames->frames));
    frames->count = count;
    for (size_t i = 0; i < count; i++)
        frames->frames[i] = placed[i].frame;
}

static bool read_place(const struct service *service, struct arena *arena, struct placed_image *image,
                       struct error *err)
{
    struct image_planes planes;
    struct arena scratch = { 0 };
    char path[PATH_MAX];

    store_path(service->store, image->instance.generation, path, sizeof(path));
    const bool read = image_planes_read(path, &scratch, &planes, err);
    if (read) {
        sort_frames(&planes, image->all, arena, &image->frames);
        image->plane = *image_planes_of(&planes, image->frames.count > 0 ? image->frames.frames[0] : 1);
    }
    arena_release(&scratch);
    return read;
}

static bool sort_images(const struct service *service, const struct request *request,
                        struct catalog_listing *listing, struct frame_list *frames, const uint32_t *counts,
                        struct error *err)
{
    const size_t count = listing->count;
    struct placed_image *placed = arena_array(request->arena, count, sizeof(*placed));
    bool all = true;

    if (count > RENDERED_STATE_SORTED || (count == 1 && frames[0].count == 1))
        return true;
    for (size_t i = 0; i < count; i++) {
        placed[i] = (struct placed_image){
            .instance = listing->list[i], .frames = frames[i], .all = counts[i], .place = i
        };
        if (!read_place(service, request->arena, &placed[i], err))
            return false;
        all = all && image_plane_is_parallel(&placed[i].plane, &placed[0].plane);
        if (all)
            placed[i].distance = image_plane_distance(&placed[0].plane, placed[i].plane.position);
    }
    if (all)
        qsort(placed, count, sizeof(*placed), compare_images);
    for (size_t i = 0; i < count; i++) {
        listing->list[i] = placed[i].instance;
        frames[i] = placed[i].frames;
    }
    return true;
}

bool rendered_state_images(const struct service *service, const struct request *request,
                           const struct instance_record *record, const struct presentation_state *state,
                           struct catalog_listing **ret, struct frame_list **ret_frames, struct error *err)
{
    struct catalog_listing *listing = arena_alloc(request->arena, sizeof(*listing));
    struct frame_list *frames = arena_array(request->arena, state->images.count, sizeof(*frames));

    listed_hold_files(service, request->arena);

    uint32_t *counts = arena_array(request->arena, state->images.count, sizeof(*counts));
    listing->list = arena_array(request->arena, state->images.count, sizeof(*listing->list));
    for (uint32_t i = 0; i < state->images.count; i++) {
        const struct image_reference *reference = &state->images.list[i];
        const struct instance_key key = { reference->study.text[0] ? reference->study : record->key.study,
                                          reference->series, reference->instance };

        if (!add_image(service, &key, reference, listing, frames, counts, err))
            return false;
    }
    if (listing->count == 0)
        return error_tell(err, FAULT_NOT_FOUND, "None of the images of the presentation state is stored.");
    if (!sort_images(service, request, listing, frames, counts, err))
        return false;
    *ret = listing;
    *ret_frames = frames;
    return true;
}
