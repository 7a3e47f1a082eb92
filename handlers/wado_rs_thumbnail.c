/* handlers/wado_rs_thumbnail.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * GET .../thumbnail of a study, a series, an instance or a frame: PS3.18 10.4.1.1.4. Always one picture,
 * nothing written on it. What is no image, cannot be decoded or shows who the patient is (Burned In
 * Annotation) gets a tile that names its modality.
 *
 * For a series its middle instance stands (in the order of Instance Number), for a study the first of its
 * series that has images and is no localiser; for an instance the frame that it names, else the middle one.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "codec/drawing.h"
#include "codec/scaling.h"
#include "handlers/frames_body.h"
#include "handlers/held.h"
#include "handlers/instance_metadata.h"
#include "handlers/listed.h"
#include "handlers/links.h"
#include "handlers/rendered_choice.h"
#include "handlers/rendered_picture.h"
#include "handlers/representation.h"
#include "handlers/shown_frame.h"
#include "handlers/transactions.h"

struct thumbnail {
    const struct service *service;
    const struct request *request;
    struct response *response;
    const struct instance_record *record; /* of the instance that stands for the target */
    struct rendering_parameters parameters;
    enum picture_format format;
};

/* ── which instance ── */

static bool is_localizer(const struct thumbnail *what)
{
    SCOPED(buffer) struct buffer metadata;
    struct error ignored = { 0 };

    buffer_init(&metadata, what->service->limits->answer_ceiling_bytes);
    if (!instance_metadata_read(what->service, what->record, &metadata, &ignored))
        return false;
    /* Image Type is short: looking for the word in its JSON is looking for the value. */
    static const char attribute[] = "\"00080008\":{", word[] = "\"LOCALIZER\"";
    const uint8_t *at = memmem(metadata.data, metadata.size, attribute, sizeof(attribute) - 1);
    const uint8_t *end = at ? memchr(at, '}', metadata.size - (size_t)(at - metadata.data)) : NULL;
    return end && memmem(at, (size_t)(end - at), word, sizeof(word) - 1);
}

static bool take_record(struct thumbnail *what, const struct instance_key *key, struct error *err)
{
    const struct instance_record *record = NULL;

    if (!catalog_find(what->service->catalog, key, what->request->patience, &record, err))
        return false;
    held_record(what->request->arena, record);
    what->record = record;
    return true;
}

static size_t end_of_series(const struct catalog_listing *listing, size_t from)
{
    size_t end = from + 1;

    while (end < listing->count && uid_equal(&listing->list[end].key.series, &listing->list[from].key.series))
        end++;
    return end;
}

static bool choose_instance(struct thumbnail *what, const struct catalog_listing *listing, struct error *err)
{
    const struct instance_record *localizer = NULL, *any = NULL;

    for (size_t from = 0; from < listing->count; from = end_of_series(listing, from)) {
        const struct instance_key *middle = &listing->list[(from + end_of_series(listing, from)) / 2].key;

        if (!take_record(what, middle, err)) {
            if (err->fault != FAULT_NOT_FOUND && err->fault != FAULT_GONE)
                return false;
            error_clear(err); /* deleted since it was listed */
            continue;
        }
        any = any ? any : what->record;
        if (!shown_frame_is_image(what->record))
            continue;
        if (!is_localizer(what))
            return true;
        localizer = localizer ? localizer : what->record;
    }
    what->record = localizer ? localizer : any;
    return what->record || error_tell(err, FAULT_NOT_FOUND, "There is nothing left to make a thumbnail of.");
}

/* ── the tile of what cannot be shown ── */

static bool make_tile(void *context, struct block **ret, struct error *err)
{
    static const struct colour light = { 200, 200, 200 };
    const struct thumbnail *what = context;
    const struct rendering_parameters *parameters = &what->parameters;
    const uint32_t side = parameters->viewport_columns < parameters->viewport_rows
                              ? parameters->viewport_columns
                              : parameters->viewport_rows;
    SCOPED(pixels) struct pixels picture = { 0 };
    SCOPED(buffer) struct buffer metadata;
    SCOPED(pen) struct pen *pen = NULL;
    struct arena arena = { 0 };

    buffer_init(&metadata, what->service->limits->answer_ceiling_bytes);
    if (!picture_take(side, side, 1, 8, &picture, err) ||
        !instance_metadata_read(what->service, what->record, &metadata, err) ||
        !pen_new(what->service->font, side / 4, &pen, err))
        return false;
    memset(picture_room(&picture), 48, (size_t)side * side);
    struct bytes modality = instance_metadata_text(buffer_bytes(&metadata), 0x00080060, &arena);
    if (modality.size == 0 || modality.size > 16)
        modality = bytes_of_text("?");
    pen_write(pen, &picture, ((int)side - (int)pen_width(pen, modality)) / 2,
              ((int)side - (int)pen_line(pen)) / 2, modality, light);
    arena_release(&arena);
    return picture_write(what->format, &picture, &(struct picture_wish){ .quality = parameters->quality },
                         ret, err);
}

/* ── the picture ── */

static bool shows_identity(const struct thumbnail *what, bool *ret, struct error *err)
{
    SCOPED(image_display) const struct image_display *display = NULL;

    if (!display_cache_get(what->service->displays, what->service->store, what->record->generation,
                           what->request->patience, &display, err))
        return false;
    *ret = display->shows_identity;
    return true;
}

static bool make_picture(struct thumbnail *what, uint32_t frame, struct block **ret, struct error *err)
{
    char name[80];
    bool hidden = true;

    if (shown_frame_is_image(what->record) && !shows_identity(what, &hidden, err)) {
        if (err->fault != FAULT_NOT_DICOM)
            return false;
        error_clear(err);
    }
    if (!hidden) {
        if ((frame > 0 || rendered_frame_representative(what->service, what->record, what->request->patience,
                                                        &frame, err)) &&
            rendered_picture(what->service, what->request, what->record, frame, &what->parameters,
                             what->format, response_patience(what->response, what->request, WORK_MAKES), ret,
                             err))
            return true;
        if (!fault_is_lasting(err->fault))
            return false;
        log_line(LOG_WARNING, "request %" PRIu64 ": a tile in place of a thumbnail: %s", what->request->id,
                 err->detail);
        error_clear(err);
    }
    snprintf(name, sizeof(name), "tile %s %" PRIu32 "x%" PRIu32,
             picture_format_info(what->format)->media_type, what->parameters.viewport_columns,
             what->parameters.viewport_rows);
    return rendered_cached(what->service, what->request, what->record, 1, name,
                           response_patience(what->response, what->request, WORK_MAKES), make_tile, what, ret,
                           err);
}

/* Where the client does not say: the setting, but no larger than the image. */
static void choose_size(struct thumbnail *what)
{
    const struct pixel_shape *shape = &what->record->shape;
    const uint32_t size = what->service->limits->thumbnail_size;
    const bool is_small = shown_frame_is_image(what->record) && shape->rows <= size && shape->columns <= size;

    what->parameters.quality = what->service->limits->rendered_quality;
    if (what->parameters.has_viewport)
        return;
    what->parameters.has_viewport = true;
    what->parameters.viewport_columns = is_small ? shape->columns : size;
    what->parameters.viewport_rows = is_small ? shape->rows : size;
}

static bool answer(struct thumbnail *what, uint32_t frame, const char *tail, enum freshness freshness,
                   struct error *err)
{
    struct arena *arena = what->request->arena;
    const char *type = picture_format_info(what->format)->media_type;
    struct block *picture = NULL;

    choose_size(what);
    what->parameters.name = rendering_parameters_name(&what->parameters, arena);
    const char *named = arena_printf(arena, "thumbnail %" PRIu32 " %s", frame, what->parameters.name);
    const struct representation how = {
        .content_type = type,
        .location = link_to(arena, what->request->public_base, &what->record->key, tail),
        .etag = representation_etag(what->request, what->record, named, false, type),
        .freshness = freshness,
    };
    if (representation_is_held(what->request, &how, what->response))
        return true;
    return make_picture(what, frame, &picture, err) &&
           representation_send(what->request, &how, body_of_block(arena, picture), what->response, err);
}

static bool begin(const struct service *service, const struct request *request, struct response *response,
                  struct instance_key *ret_key, struct thumbnail *ret, struct error *err)
{
    struct accept accept;
    struct rendered_choice choice = { 0 };

    *ret = (struct thumbnail){ .service = service, .request = request, .response = response };
    if (!instance_key_parse(request->params, ret_key, err) ||
        !thumbnail_parameters_read(request, service->limits->viewport_ceiling, &ret->parameters, err) ||
        !rendered_accept_read(request, &accept, err) ||
        !rendered_choose(request, &accept, EXTENT_THUMBNAIL, false, &choice, err))
        return false;
    ret->format = choice.format;
    return true;
}

bool wado_rs_thumbnail(const struct service *service, const struct request *request,
                       struct response *response, struct error *err)
{
    struct catalog_listing *listing = NULL;
    struct instance_key key;
    struct thumbnail what;

    if (!begin(service, request, response, &key, &what, err))
        return false;
    if (request->patience == MUST_NOT_WAIT)
        return error_set(err, FAULT_WOULD_WAIT, "listing instances");
    return listed_instances(service, request->arena, &key, &listing, err) &&
           choose_instance(&what, listing, err) && answer(&what, 0, "", FRESH_IF_ASKED, err);
}

bool wado_rs_thumbnail_instance(const struct service *service, const struct request *request,
                                struct response *response, struct error *err)
{
    struct instance_key key;
    struct thumbnail what;

    return begin(service, request, response, &key, &what, err) && take_record(&what, &key, err) &&
           answer(&what, 0, "", freshness_of_instances(service), err);
}

/* Of several frames the first one listed stands for all. */
bool wado_rs_thumbnail_frames(const struct service *service, const struct request *request,
                              struct response *response, struct error *err)
{
    struct frame_list wanted;
    struct instance_key key;
    struct thumbnail what;

    if (!begin(service, request, response, &key, &what, err) ||
        !frame_list_parse(request->params[3], service->limits->frame_list_ceiling, request->arena, &wanted,
                          err) ||
        !take_record(&what, &key, err))
        return false;
    for (size_t i = 0; i < wanted.count; i++)
        if (!frame_exists(what.record, wanted.frames[i], err))
            return false;
    return answer(&what, wanted.frames[0], arena_printf(request->arena, "/frames/%" PRIu32, wanted.frames[0]),
                  freshness_of_instances(service), err);
}
