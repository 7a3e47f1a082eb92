/* handlers/wado_rs_bulkdata.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * GET of a BulkDataURI as the metadata have it: PS3.18 10.4.1.1.5. Top-level pixel data come from the frame
 * table, everything else is looked up in the file.
 */
#include "dicom/bulk_value.h"
#include "dicom/tag.h"
#include "handlers/bulk_offer.h"
#include "handlers/frames_body.h"
#include "handlers/held.h"
#include "handlers/instance_metadata.h"
#include "handlers/links.h"
#include "handlers/offer.h"
#include "handlers/representation.h"
#include "handlers/transactions.h"
#include "http/multipart_writer.h"

/* Content type and tag of the answer; true: it is a complete 304. */
static bool begin_answer(const struct request *request, const struct instance_record *record,
                         const struct choice *choice, struct representation *what, struct bytes *ret_boundary,
                         struct response *response)
{
    const struct offer *offer = choice->offer;

    what->content_type = arena_printf(request->arena, "%s%s%s", offer->media_type,
                                      offer->transfer_syntax ? "; transfer-syntax=" : "",
                                      offer->transfer_syntax ? offer->transfer_syntax : "");
    what->etag = representation_etag(request, record, what->location, choice->multipart, what->content_type);
    *ret_boundary = bytes_of(NULL, 0);
    if (choice->multipart) {
        *ret_boundary = multipart_boundary(request->arena, bytes_of_text(what->etag));
        what->content_type =
            multipart_content_type(request->arena, *ret_boundary, offer->media_type, offer->transfer_syntax);
    }
    return representation_is_held(request, what, response);
}

/* Native pixel data are one part; encapsulated ones as many as there are frames (RET-41, RET-42). */
static bool answer_pixel_data(const struct service *service, const struct request *request,
                              const struct instance_record *record, const struct accept *accept,
                              struct representation *what, struct response *response, struct error *err)
{
    const enum frame_kind kind = frame_table_kind(record->frames);
    const bool native = kind != FRAMES_ENCAPSULATED && kind != FRAMES_VIDEO;
    struct offers *offers = arena_alloc(request->arena, sizeof(*offers));
    struct frame_list *all = arena_alloc(request->arena, sizeof(*all));
    struct choice choice = { 0 };
    struct bytes boundary;
    struct body_source *body = NULL;

    all->count = frame_table_count(record->frames);
    if (!native && all->count == 0)
        return error_tell(err, FAULT_NOT_FOUND, "The pixel data have no frames.");
    offers_of_frames(offers, record);
    if (!offers_choose(offers, accept, true, &choice, err))
        return false;
    if (!choice.multipart && all->count > 1 && !pixels_are_one_part(record, choice.offer) &&
        !offers_choose(offers, accept, false, &choice, err)) /* a single part is for one item (NEG-13) */
        return false;
    if (choice.offer->way == OFFER_MADE)
        response->work = all->count > 1 ? WORK_COLLECTS : WORK_MAKES;
    if (begin_answer(request, record, &choice, what, &boundary, response))
        return true;

    if (pixels_are_one_part(record, choice.offer))
        return pixels_body(service, request, record, choice.offer, what->location, boundary, NULL, &body,
                           err) &&
               representation_send(request, what, body, response, err);
    all->frames = arena_array(request->arena, all->count, sizeof(*all->frames));
    for (size_t i = 0; i < all->count; i++)
        all->frames[i] = (uint32_t)i + 1;
    return frames_body(service, request, record, all, choice.offer, what->location, boundary, &body, err) &&
           representation_send(request, what, body, response, err);
}

static struct body_source *value_body(const struct request *request, struct body_source *value,
                                      const struct choice *choice, const char *location,
                                      struct bytes boundary)
{
    struct arena *arena = request->arena;
    struct body_source **parts = arena_array(arena, 3, sizeof(struct body_source *));

    if (!boundary.data)
        return value;
    parts[1] = value;
    parts[0] =
        body_of_bytes(arena, multipart_part_head(arena, boundary, true, choice->offer->media_type,
                                                 choice->offer->transfer_syntax, location, parts[1]->size));
    parts[2] = body_of_bytes(arena, multipart_tail(arena, boundary));
    return body_chain(arena, parts, 3);
}

/* Any other value field: little endian, as one part. */
static bool answer_value(const struct service *service, const struct request *request,
                         const struct instance_record *record, const struct accept *accept,
                         struct representation *what, struct response *response, struct error *err)
{
    const struct bytes path = request->params[3];
    char file[4096];
    struct offers *offers = arena_alloc(request->arena, sizeof(*offers));
    struct buffer *object = held_buffer(request->arena, service->limits->answer_ceiling_bytes);
    struct bulk_value value = { 0 };
    struct choice choice = { 0 };
    struct error ignored = { 0 };
    struct bytes boundary;

    store_path(service->store, record->generation, file, sizeof(file));
    /* Read first: whether it is compressed is not written down. */
    if (!bulk_value_read(file, path, &value, err))
        return false;
    struct body_source *bytes = body_of_block(request->arena, value.block);
    if (bulk_path_tag(path) == TAG_ENCAPSULATED_DOCUMENT &&
        !instance_metadata_read(service, record, object, &ignored))
        buffer_cut(object, 0);
    offers_of_value(offers, record, path, buffer_bytes(object), value.is_encapsulated, request->arena);
    if (!offers_choose(offers, accept, true, &choice, err))
        return false;
    if (begin_answer(request, record, &choice, what, &boundary, response))
        return true;
    return representation_send(request, what, value_body(request, bytes, &choice, what->location, boundary),
                               response, err);
}

bool wado_rs_bulkdata(const struct service *service, const struct request *request, struct response *response,
                      struct error *err)
{
    struct arena *arena = request->arena;
    const struct instance_record *record = NULL;
    struct instance_key key;
    struct accept accept;

    if (!instance_key_parse(request->params, &key, err) || !accept_read(request, arena, &accept, err))
        return false;
    if (request->patience == MUST_NOT_WAIT)
        return error_set(err, FAULT_WOULD_WAIT, "looking for a value");
    if (!catalog_find(service->catalog, &key, request->patience, &record, err))
        return false;
    held_record(arena, record);

    const char *tail = arena_printf(arena, "/bulkdata/%.*s", BYTES_ARG(request->params[3]));
    struct representation what = { .location = link_to(arena, request->public_base, &record->key, tail),
                                   .freshness = freshness_of_instances(service) };

    if (!bulk_path_is_pixel_data(request->params[3]))
        return answer_value(service, request, record, &accept, &what, response, err);
    return frames_exist(record, err) &&
           answer_pixel_data(service, request, record, &accept, &what, response, err);
}
