/* handlers/wado_rs_rendered.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * GET .../rendered of a study, a series, an instance or frames: PS3.18 10.4.1.1.3. Pictures for images, text
 * for documents (rendered_document.c), the stream itself for a video; of a study or series each instance in
 * the type of its kind that is liked best, those without one passed over. One frame is one job of a worker;
 * from the cache it does not wait.
 */
#include <inttypes.h>

#include "handlers/held.h"
#include "handlers/links.h"
#include "handlers/listed.h"
#include "handlers/rendered_answer.h"
#include "handlers/rendered_body.h"
#include "handlers/rendered_choice.h"
#include "handlers/rendered_document.h"
#include "handlers/rendered_picture.h"
#include "handlers/rendered_state.h"
#include "handlers/representation.h"
#include "handlers/shown_frame.h"
#include "handlers/transactions.h"
#include "http/multipart_writer.h"

static bool answer_animated(const struct rendered *what, const struct frame_list *frames, const char *tail,
                            struct error *err)
{
    struct block *picture = NULL;
    const struct representation how = {
        .content_type = "image/gif",
        .location = link_to(what->request->arena, what->request->public_base, &what->record->key, tail),
        .etag = rendered_etag(what, tail, false, "image/gif animated"),
        .freshness = freshness_of_instances(what->service),
    };

    if (representation_is_held(what->request, &how, what->response))
        return true;
    const enum patience patience =
        response_patience(what->response, what->request, work_of_making(frames->count));
    return rendered_animation(what->service, what->request, what->record, frames->frames, frames->count,
                              &what->parameters, patience, &picture, err) &&
           rendered_send(what, &how, picture, err);
}

/* Of a study or series it is not known yet how many there are. */
static enum response_work work_of_parts(const struct rendered_parts *parts)
{
    size_t frames = 0;

    for (size_t i = 0; parts->frames_or_null && i < parts->listing->count; i++)
        frames += parts->frames_or_null[i].count;
    return frames > 0 ? work_of_making(frames) : WORK_COLLECTS;
}

static bool answer_parts(const struct rendered *what, const struct rendered_parts *parts, const char *etag,
                         enum freshness freshness, struct error *err)
{
    struct arena *arena = what->request->arena;
    struct rendering_parameters *parameters = arena_alloc(arena, sizeof(*parameters));
    struct rendered_parts kept = *parts;
    const struct bytes boundary = multipart_boundary(arena, bytes_of_text(etag));
    struct representation how = { .etag = etag, .freshness = freshness };
    struct body_source *body = NULL;
    const char *type = NULL;

    *parameters = what->parameters;
    parameters->name = rendering_parameters_name(&what->parameters, arena);
    kept.parameters = parameters;
    if (representation_is_held(what->request, &how, what->response))
        return true;
    if (response_patience(what->response, what->request, work_of_parts(parts)) == MUST_NOT_WAIT)
        return error_set(err, FAULT_WOULD_WAIT, "rendering parts");
    if (!rendered_body(what->service, what->request, &kept, boundary, &type, &body, err))
        return false;
    how.content_type = multipart_content_type(arena, boundary, type, NULL);
    return representation_send(what->request, &how, body, what->response, err);
}

static struct rendered_parts pictures_of(const struct catalog_listing *listing,
                                         const struct frame_list *frames_or_null, enum picture_format format)
{
    return (struct rendered_parts){
        .listing = listing, .frames_or_null = frames_or_null, .has_format = true, .format = format
    };
}

/* The one instance as a listing, for answer_parts. */
static const struct catalog_listing *listing_of_one(const struct rendered *what)
{
    struct catalog_listing *listing = arena_alloc(what->request->arena, sizeof(*listing));

    listing->list = arena_alloc(what->request->arena, sizeof(*listing->list));
    listing->list[0] =
        (struct listed_instance){ .key = what->record->key, .generation = what->record->generation };
    listing->count = 1;
    return listing;
}

static bool can_animate(const struct rendered *what, size_t frames)
{
    const struct pixel_shape *shape = &what->record->shape;

    return frames <=
           what->service->limits->animation_ceiling_pixels / ((uint64_t)shape->rows * shape->columns + 1);
}

static bool answer_frames(struct rendered *what, const struct frame_list *frames, enum rendered_extent extent,
                          const char *tail, struct error *err)
{
    struct rendered_choice choice = { 0 };
    struct rendered_parts parts;
    uint32_t frame = frames->frames[0];

    if (!rendered_choose(what->request, &what->accept, extent, can_animate(what, frames->count), &choice,
                         err) ||
        !rendered_check_profile(what, choice.format, err))
        return false;
    switch (choice.form) {
    case RENDERED_ALONE:
        return rendered_answer_frame(what, frame, choice.format, extent != EXTENT_INSTANCE && tail[0], err);
    case RENDERED_ANIMATED:
        return answer_animated(what, frames, tail, err);
    case RENDERED_PARTS:
        parts = pictures_of(listing_of_one(what), frames, choice.format);
        return answer_parts(what, &parts,
                            rendered_etag(what, tail, true, picture_format_info(choice.format)->media_type),
                            freshness_of_instances(what->service), err);
    case RENDERED_REPRESENTATIVE:
        break;
    }
    return rendered_frame_representative(what->service, what->record, what->request->patience, &frame, err) &&
           rendered_answer_frame(what, frame, choice.format, true, err);
}

static bool begin(const struct service *service, const struct request *request, struct response *response,
                  struct instance_key *ret_key, struct rendered *ret, struct error *err)
{
    *ret = (struct rendered){ .service = service, .request = request, .response = response };
    if (!instance_key_parse(request->params, ret_key, err) ||
        !rendering_parameters_read(request, service->limits->viewport_ceiling, &ret->parameters, err) ||
        !rendered_accept_read(request, &ret->accept, err))
        return false;
    if (ret->parameters.quality == 0) {
        ret->parameters.quality = service->limits->rendered_quality;
        ret->parameters.quality_is_default = true;
    }
    rendering_parameters_warn(&ret->parameters, request, response);
    return true;
}

static bool find_record(struct rendered *what, const struct instance_key *key, struct error *err)
{
    if (!catalog_find(what->service->catalog, key, what->request->patience, &what->record, err))
        return false;
    held_record(what->request->arena, what->record);
    return true;
}

/* A presentation state: its images, rendered with it. What it decides itself cannot be asked for (REN-73,
 * REN-26). */
static bool answer_state(struct rendered *what, struct error *err)
{
    struct catalog_listing *listing = NULL;
    struct frame_list *frames = NULL;
    struct rendered_choice choice = { 0 };

    if (what->parameters.has_window)
        return error_tell(err, FAULT_MALFORMED,
                          "The query parameter \"window\" does not go with a presentation state.");
    if (what->parameters.has_region)
        return error_tell(
            err, FAULT_MALFORMED,
            "The query parameter \"viewport\" takes no source region with a presentation state.");
    if (!rendered_state_read(what->service, what->request, what->record, &what->parameters, err) ||
        !rendered_state_images(what->service, what->request, what->record, what->parameters.state, &listing,
                               &frames, err))
        return false;
    const bool one = listing->count == 1 && frames[0].count == 1;
    if (!rendered_choose(what->request, &what->accept, one ? EXTENT_ONE_FRAME : EXTENT_COLLECTION, false,
                         &choice, err) ||
        !rendered_check_profile(what, choice.format, err))
        return false;
    if (choice.form == RENDERED_ALONE) {
        const uint32_t frame = frames[0].frames[0];
        return find_record(what, &listing->list[0].key, err) && shown_frame_check(what->record, frame, err) &&
               rendered_answer_frame(what, frame, choice.format, true, err);
    }
    /* Over the images too: another one may be stored under a name that the state tells. */
    const char *named =
        link_to(what->request->arena, what->request->public_base, &what->record->key,
                arena_printf(what->request->arena, "/rendered?%s",
                             rendering_parameters_name(&what->parameters, what->request->arena)));
    const struct rendered_parts parts = pictures_of(listing, frames, choice.format);
    return answer_parts(what, &parts,
                        representation_etag_of_listing(what->request, listing, named,
                                                       picture_format_info(choice.format)->media_type),
                        FRESH_IF_ASKED, err);
}

bool wado_rs_rendered_frames(const struct service *service, const struct request *request,
                             struct response *response, struct error *err)
{
    struct frame_list *wanted =
        arena_alloc(request->arena, sizeof(*wanted)); /* the body goes on reading it */
    struct instance_key key;
    struct rendered what;

    if (!begin(service, request, response, &key, &what, err) ||
        !frame_list_parse(request->params[3], service->limits->frame_list_ceiling, request->arena, wanted,
                          err) ||
        !find_record(&what, &key, err))
        return false;
    if (rendered_state_is(what.record))
        return error_tell(err, FAULT_MALFORMED, "A presentation state has no frames of its own.");
    for (size_t i = 0; i < wanted->count; i++)
        if (!shown_frame_check(what.record, wanted->frames[i], err))
            return false;
    return answer_frames(&what, wanted, wanted->count == 1 ? EXTENT_ONE_FRAME : EXTENT_FRAMES,
                         arena_printf(request->arena, "/frames/%.*s", BYTES_ARG(request->params[3])), err);
}

bool wado_rs_rendered_instance(const struct service *service, const struct request *request,
                               struct response *response, struct error *err)
{
    struct instance_key key;
    struct rendered what;

    if (!begin(service, request, response, &key, &what, err) || !find_record(&what, &key, err))
        return false;
    if (rendered_state_is(what.record))
        return answer_state(&what, err);
    if (rendered_document_kind(what.record) != DOCUMENT_NONE)
        return rendered_document(service, request, what.record, &what.accept, response, err);
    if (!what.record->frames && what.record->shape.rows == 0)
        return error_tell(err, FAULT_NOT_ACCEPTABLE, "Instances of this SOP class cannot be rendered.");
    if (!shown_frame_check(what.record, 1, err))
        return false;

    const uint32_t count = frame_table_count(what.record->frames);
    struct frame_list *all = arena_alloc(request->arena, sizeof(*all));
    all->frames = arena_array(request->arena, count, sizeof(*all->frames));
    all->count = count;
    for (uint32_t i = 0; i < count; i++)
        all->frames[i] = i + 1;
    return answer_frames(&what, all, count == 1 ? EXTENT_ONE_FRAME : EXTENT_INSTANCE, "", err);
}

/* Images in the picture format that is liked best, each document in its type; *ret_types: all of them, as
 * text. NOT_ACCEPTABLE: neither. */
static bool choose_for_many(const struct rendered *what, struct rendered_parts *ret, const char **ret_types,
                            struct error *err)
{
    static const char *const documents[] = { "text/html", "text/plain", "text/xml",  "application/pdf",
                                             "video/mp4", "video/mpeg", "video/H265" };
    struct arena *arena = what->request->arena;
    struct rendered_choice choice = { 0 };
    struct error no_images = { 0 };
    const char *types = "";

    for (size_t i = 0; i < COUNT_OF(documents); i++) {
        const unsigned quality = accept_quality(&what->accept, true, documents[i], NULL, true, NULL);
        if (quality > 0)
            types = arena_printf(arena, "%s %s;%u", types, documents[i], quality);
    }
    ret->accept_or_null = types[0] ? &what->accept : NULL;
    ret->has_format =
        rendered_choose(what->request, &what->accept, EXTENT_COLLECTION, false, &choice, &no_images);
    ret->format = choice.format;
    if (!ret->has_format && !ret->accept_or_null) {
        *err = no_images;
        return false;
    }
    *ret_types = arena_printf(arena, "%s%s",
                              ret->has_format ? picture_format_info(choice.format)->media_type : "", types);
    return !ret->has_format || rendered_check_profile(what, choice.format, err);
}

bool wado_rs_rendered(const struct service *service, const struct request *request, struct response *response,
                      struct error *err)
{
    struct catalog_listing *listing = NULL;
    struct instance_key key;
    struct rendered *what = arena_alloc(request->arena, sizeof(*what)); /* the body goes on reading it */
    struct rendered_parts parts = { 0 };
    const char *types = NULL;

    if (!begin(service, request, response, &key, what, err) || !choose_for_many(what, &parts, &types, err))
        return false;
    if (request->patience == MUST_NOT_WAIT)
        return error_set(err, FAULT_WOULD_WAIT, "listing instances");
    if (!listed_instances(service, request->arena, &key, &listing, err))
        return false;

    const char *location =
        link_to(request->arena, request->public_base, &key,
                arena_printf(request->arena, "/rendered?%s",
                             rendering_parameters_name(&what->parameters, request->arena)));
    const char *etag = representation_etag_of_listing(request, listing, location, types);
    parts.listing = listing;
    if (parts.accept_or_null)
        rendered_document_guard(request, response);
    return answer_parts(what, &parts, etag, FRESH_IF_ASKED, err);
}
