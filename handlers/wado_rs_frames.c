/* handlers/wado_rs_frames.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * GET .../instances/{}/frames/{list}: PS3.18 10.4.1.1.6. What viewers do most. Never waits when record and
 * bytes are in memory.
 */
#include <inttypes.h>

#include "handlers/frames_body.h"
#include "handlers/held.h"
#include "handlers/links.h"
#include "handlers/offer.h"
#include "handlers/representation.h"
#include "handlers/transactions.h"
#include "http/conditional.h"
#include "http/multipart_writer.h"

/* A longer list takes an I/O thread too long: its heads are made to be measured. */
enum { FRAMES_INLINE = 64 };

static bool frames_are_there(const struct instance_record *record, const struct frame_list *wanted,
                             struct error *err)
{
    for (size_t i = 0; i < wanted->count; i++)
        if (!frame_exists(record, wanted->frames[i], err))
            return false;
    return true;
}

static bool answer_frames(const struct service *service, const struct request *request,
                          enum frame_family family, const char *segment, struct response *response,
                          struct error *err)
{
    struct arena *arena = request->arena;
    const struct instance_record *record = NULL;
    struct frame_list *wanted = arena_alloc(arena, sizeof(*wanted));
    struct offers *offers = arena_alloc(arena, sizeof(*offers));
    struct instance_key key;
    struct accept accept;
    struct choice choice = { 0 };
    struct body_source *body = NULL;

    if (!instance_key_parse(request->params, &key, err) ||
        !frame_list_parse(request->params[3], service->limits->frame_list_ceiling, arena, wanted, err) ||
        !accept_read(request, arena, &accept, err) ||
        !catalog_find(service->catalog, &key, request->patience, &record, err))
        return false;
    held_record(arena, record);
    if (!frames_are_there(record, wanted, err))
        return false;
    if (wanted->count > FRAMES_INLINE && request->patience == MUST_NOT_WAIT)
        return error_set(err, FAULT_WOULD_WAIT, "%zu frames", wanted->count);
    offers_of_frames(offers, record);
    offers_narrow(offers, family);
    if (!offers_choose(offers, &accept, wanted->count == 1, &choice, err))
        return false;

    const struct offer *offer = choice.offer;
    if (offer->way == OFFER_MADE)
        response->work = work_of_making(wanted->count);
    const char *frames = arena_printf(arena, "/%s/%.*s", segment, BYTES_ARG(request->params[3]));
    const char *location = link_to(arena, request->public_base, &record->key, frames);
    const char *labelled =
        arena_printf(arena, "%s; transfer-syntax=%s", offer->media_type, offer->transfer_syntax);
    struct representation what = { labelled, location, NULL, freshness_of_instances(service) };
    struct bytes boundary = bytes_of(NULL, 0);

    what.etag = representation_etag(request, record, location, choice.multipart, labelled);
    if (choice.multipart) {
        boundary = multipart_boundary(arena, bytes_of_text(what.etag));
        what.location = NULL;
        what.content_type =
            multipart_content_type(arena, boundary, offer->media_type, offer->transfer_syntax);
    }
    if (representation_is_held(request, &what, response))
        return true;
    return frames_body(service, request, record, wanted, offer, choice.multipart ? NULL : location, boundary,
                       &body, err) &&
           representation_send(request, &what, body, response, err);
}

bool wado_rs_frames(const struct service *service, const struct request *request, struct response *response,
                    struct error *err)
{
    return answer_frames(service, request, FRAMES_ANY, "frames", response, err);
}

/* Paths of no standard: a progressive loader puts them where /frames/ stands, and leaves Accept as it is. */
bool wado_rs_frames_htj2k(const struct service *service, const struct request *request,
                          struct response *response, struct error *err)
{
    return answer_frames(service, request, FRAMES_HTJ2K, "htj2k", response, err);
}

bool wado_rs_frames_jls(const struct service *service, const struct request *request,
                        struct response *response, struct error *err)
{
    return answer_frames(service, request, FRAMES_JPEG_LS, "jls", response, err);
}

bool wado_rs_frames_lossy(const struct service *service, const struct request *request,
                          struct response *response, struct error *err)
{
    return answer_frames(service, request, FRAMES_LOSSY, "lossy", response, err);
}
