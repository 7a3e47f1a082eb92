/* handlers/rendered_picture.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See rendered_picture.h.
 */
#include "handlers/rendered_picture.h"

#include <inttypes.h>

struct one_picture {
    const struct service *service;
    const struct instance_record *record;
    const struct rendering_parameters *parameters;
    const uint32_t *frames;
    size_t count;
    enum picture_format format;
};

/* `name` begins with the renderer's. */
static bool cached(const struct service *service, const struct request *request,
                   const struct instance_record *record, uint32_t frame, const char *name,
                   enum patience patience, rendered_make_fn *make, void *context, struct block **ret,
                   struct error *err)
{
    const struct frame_key key = frame_key_of(record->generation, record->digest, frame, name);

    return frame_cache_get(service->frame_cache, &key, patience, request->waiter, make, context, ret, err);
}

bool rendered_cached(const struct service *service, const struct request *request,
                     const struct instance_record *record, uint32_t frame, const char *name,
                     enum patience patience, rendered_make_fn *make, void *context, struct block **ret,
                     struct error *err)
{
    struct arena arena = { 0 };
    const bool done = cached(service, request, record, frame,
                             arena_printf(&arena, "renderer " RENDERER_VERSION " %s", name), patience, make,
                             context, ret, err);

    arena_release(&arena);
    return done;
}

static bool make_picture(void *context, struct block **ret, struct error *err)
{
    const struct one_picture *one = context;

    return rendered_frame_write(one->service, one->record, one->frames[0], one->parameters, one->format, ret,
                                err);
}

bool rendered_picture(const struct service *service, const struct request *request,
                      const struct instance_record *record, uint32_t frame,
                      const struct rendering_parameters *parameters, enum picture_format format,
                      enum patience patience, struct block **ret, struct error *err)
{
    struct one_picture one = { service, record, parameters, &frame, 1, format };
    struct arena arena = { 0 };
    const char *name = arena_printf(&arena, "renderer " RENDERER_VERSION " rendered %s %" PRIu32 " %s",
                                    picture_format_info(format)->media_type, frame,
                                    rendering_parameters_name(parameters, &arena));
    const bool done = cached(service, request, record, frame, name, patience, make_picture, &one, ret, err);

    arena_release(&arena);
    return done;
}

/* ── several frames in one picture ── */

static bool add_frames(const struct one_picture *all, const struct image_display *display,
                       struct gif_animation **animation, struct error *err)
{
    for (size_t i = 0; i < all->count; i++) {
        SCOPED(pixels) struct pixels picture = { 0 };
        const double ms = image_display_show_ms(display, all->frames[i]);

        if (!rendered_frame_annotated(all->service, all->record, all->frames[i], all->parameters, &picture,
                                      err))
            return false;
        if (!*animation && !gif_animation_new(picture.shape.rows, picture.shape.columns, animation, err))
            return false;
        if (!gif_animation_add(*animation, &picture, ms, err))
            return false;
    }
    return true;
}

static bool make_animation(void *context, struct block **ret, struct error *err)
{
    const struct one_picture *all = context;
    SCOPED(gif_animation) struct gif_animation *animation = NULL;
    SCOPED(image_display) const struct image_display *display = NULL;

    return display_cache_get(all->service->displays, all->service->store, all->record->generation, MAY_WAIT,
                             &display, err) &&
           add_frames(all, display, &animation, err) && gif_animation_finish(animation, ret, err);
}

bool rendered_animation(const struct service *service, const struct request *request,
                        const struct instance_record *record, const uint32_t *frames, size_t count,
                        const struct rendering_parameters *parameters, enum patience patience,
                        struct block **ret, struct error *err)
{
    struct one_picture all = { service, record, parameters, frames, count, PICTURE_GIF };
    struct arena arena = { 0 };
    SCOPED(buffer) struct buffer list;

    buffer_init(&list, 16 * 1024 * 1024);
    for (size_t i = 0; i < count; i++)
        buffer_printf(&list, ",%" PRIu32, frames[i]);
    buffer_append_byte(&list, '\0');
    const char *name = arena_printf(&arena, "animated %s %s", rendering_parameters_name(parameters, &arena),
                                    (const char *)list.data);
    const bool done =
        rendered_cached(service, request, record, frames[0], name, patience, make_animation, &all, ret, err);

    arena_release(&arena);
    return done;
}
