/* handlers/wado_rs_instances.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * GET of a study, a series or an instance: PS3.18 10.4.1.1.1. Whole PS3.10 files, as they are stored.
 *
 * What cannot leave as it is stored (implicit, big endian, deflated data sets; a transfer syntax that the
 * client did not name) would have to be written anew, which is not done yet: such an instance is left out of
 * a study's or series' answer, which then is a 206 with a warning (RET-09), and alone it is not acceptable.
 */
#include <inttypes.h>

#include "handlers/held.h"
#include "handlers/links.h"
#include "handlers/offer.h"
#include "handlers/parts_body.h"
#include "handlers/representation.h"
#include "handlers/transactions.h"
#include "http/conditional.h"
#include "http/multipart_writer.h"

static const char MEDIA_TYPE[] = "application/dicom";

static struct extent whole_file(uint64_t file_size)
{
    return (struct extent){ 0, file_size };
}

/* ── one instance ── */

struct one_file {
    struct parts parts; /* first: the two are one */
    const struct instance_record *record;
    const char *location;
};

static void describe_one(const struct parts *parts, size_t n, struct arena *scratch, struct part *ret)
{
    const struct one_file *one = (const struct one_file *)parts;

    (void)n;
    (void)scratch;
    *ret = (struct part){
        .media_type = MEDIA_TYPE,
        .transfer_syntax = one->record->syntax_uid.text,
        .location = one->location,
        .generation = one->record->generation,
        .size = one->record->file_size,
        .extents = 1,
    };
}

static struct extent extent_of_one(const struct parts *parts, size_t n, uint32_t extent_index)
{
    (void)n;
    (void)extent_index;
    return whole_file(((const struct one_file *)parts)->record->file_size);
}

bool wado_rs_instance(const struct service *service, const struct request *request, struct response *response,
                      struct error *err)
{
    struct arena *arena = request->arena;
    const struct instance_record *record = NULL;
    struct instance_key key;
    struct accept accept;
    struct offers offers = { .count = 0 };
    struct choice choice = { 0 };
    struct body_source *body = NULL;

    if (!instance_key_parse(request->params, &key, err) || !accept_read(request, arena, &accept, err) ||
        !catalog_find(service->catalog, &key, request->patience, &record, err))
        return false;
    held_record(arena, record);
    offers_of_instance(&offers, record->syntax, record->syntax_uid.text);
    if (!offers_choose(&offers, &accept, true, &choice, err))
        return false;

    const char *location = link_to(arena, request->public_base, &record->key, "");
    const char *labelled = arena_printf(arena, "%s; transfer-syntax=%s", MEDIA_TYPE, record->syntax_uid.text);
    struct representation what = { labelled, location, NULL, freshness_of_instances(service) };
    struct bytes boundary = bytes_of(NULL, 0);

    what.etag = representation_etag(request, record, location, choice.multipart, labelled);
    if (choice.multipart) {
        boundary = multipart_boundary(arena, bytes_of_text(what.etag));
        what.content_type = multipart_content_type(arena, boundary, MEDIA_TYPE, record->syntax_uid.text);
        what.location = NULL;
    }
    if (representation_is_held(request, &what, response))
        return true;

    struct one_file *one = arena_alloc(arena, sizeof(*one));
    *one = (struct one_file){ { 1, describe_one, extent_of_one, NULL }, record, location };
    return parts_body(service, request, &one->parts, boundary, &body, err) &&
           representation_send(request, &what, body, response, err);
}

/* ── a study or a series ── */

struct many_files {
    struct parts parts; /* first: the two are one */
    const struct catalog_listing *listing;
    const char *base;
};

static void describe_many(const struct parts *parts, size_t n, struct arena *scratch, struct part *ret)
{
    const struct many_files *many = (const struct many_files *)parts;
    const struct listed_instance *listed = &many->listing->list[n];

    *ret = (struct part){
        .media_type = MEDIA_TYPE,
        .transfer_syntax = listed->syntax_uid.text,
        .location = link_to(scratch, many->base, &listed->key, ""),
        .generation = listed->generation,
        .size = listed->file_size,
        .extents = 1,
    };
}

static struct extent extent_of_many(const struct parts *parts, size_t n, uint32_t extent_index)
{
    (void)extent_index;
    return whole_file(((const struct many_files *)parts)->listing->list[n].file_size);
}

/* Keeps what the client accepts, in order; returns how many were left out. */
static size_t keep_acceptable(struct catalog_listing *listing, const struct accept *accept, struct error *err)
{
    const size_t before = listing->count;
    size_t kept = 0;

    for (size_t i = 0; i < before; i++) {
        struct offers offers = { .count = 0 };
        struct choice choice;

        offers_of_instance(&offers, listing->list[i].syntax, listing->list[i].syntax_uid.text);
        if (!offers_choose(&offers, accept, false, &choice, err))
            continue;
        if (kept != i)
            listing->list[kept] = listing->list[i];
        kept++;
    }
    listing->count = kept;
    return before - kept;
}

/* NULL when they differ. */
static const char *common_syntax(const struct catalog_listing *listing)
{
    for (size_t i = 1; i < listing->count; i++)
        if (!uid_equal(&listing->list[i].syntax_uid, &listing->list[0].syntax_uid))
            return NULL;
    return listing->list[0].syntax_uid.text;
}

bool wado_rs_instances(const struct service *service, const struct request *request,
                       struct response *response, struct error *err)
{
    struct arena *arena = request->arena;
    struct catalog_listing *listing = NULL;
    struct instance_key key;
    struct accept accept;
    struct error last = { 0 };
    struct body_source *body = NULL;

    if (!instance_key_parse(request->params, &key, err) || !accept_read(request, arena, &accept, err))
        return false;
    if (request->patience == MUST_NOT_WAIT)
        return error_set(err, FAULT_WOULD_WAIT, "listing instances");
    if (!catalog_list(service->catalog, &key, &listing, err))
        return false;
    held_listing(arena, listing);

    const size_t left_out = keep_acceptable(listing, &accept, &last);
    if (listing->count == 0) {
        *err = last;
        return false;
    }

    const char *location = link_to(arena, request->public_base, &key, "");
    const char *etag = representation_etag_of_listing(request, listing, location, MEDIA_TYPE);
    const struct bytes boundary = multipart_boundary(arena, bytes_of_text(etag));
    struct representation what = {
        .content_type = multipart_content_type(arena, boundary, MEDIA_TYPE, common_syntax(listing)),
        .etag = left_out ? NULL : etag,
        .freshness = left_out ? FRESH_NEVER : FRESH_IF_ASKED,
    };
    if (representation_is_held(request, &what, response))
        return true;

    struct many_files *many = arena_alloc(arena, sizeof(*many));
    *many = (struct many_files){ { listing->count, describe_many, extent_of_many, NULL },
                                 listing,
                                 request->public_base };
    if (!parts_body(service, request, &many->parts, boundary, &body, err) ||
        !representation_send(request, &what, body, response, err))
        return false;
    if (left_out) {
        response->status = 206;
        response_header(response, arena, "Warning",
                        "299 %s: %zu of %zu instances are not available as requested", request->public_base,
                        left_out, left_out + listing->count);
    }
    return true;
}
