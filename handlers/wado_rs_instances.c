/* handlers/wado_rs_instances.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * GET of a study, a series or an instance: PS3.18 10.4.1.1.1. Whole PS3.10 files: as they are stored where
 * that may be sent and is acceptable (with another head where theirs is none, RET-03), else written anew
 * (implicit, big endian, deflated data sets: GEN-08), or with other pixels (handlers/made_instance.h). One of
 * many that turns out not to decode goes out as it is stored, under its own label: viewers can show the
 * others.
 *
 * An instance that no acceptable way leads to is left out of a study's or series' answer, which then is a 206
 * with a warning (RET-09); alone it is not acceptable.
 */
#include <inttypes.h>

#include "base/digest.h"
#include "base/log.h"

#include "handlers/held.h"
#include "handlers/instance_answer.h"
#include "handlers/links.h"
#include "handlers/listed.h"
#include "handlers/made_changes.h"
#include "handlers/made_instance.h"
#include "handlers/offer.h"
#include "handlers/parts_body.h"
#include "handlers/representation.h"
#include "handlers/stored_body.h"
#include "handlers/transactions.h"
#include "handlers/zip_body.h"
#include "http/conditional.h"
#include "http/multipart_writer.h"

static const char MEDIA_TYPE[] = "application/dicom";

enum { FEW_BYTES = 1 << 30 }; /* that are inflated for all frames of a deflated data set together */

static struct extent whole_file(uint64_t file_size)
{
    return (struct extent){ 0, file_size };
}

/* Of an instance that is rewritten, if only its head, the size is known once its plan is made. */
static void describe_file(struct part *ret, enum offer_way way, bool needs_head, uint64_t file_size)
{
    ret->media_type = MEDIA_TYPE;
    ret->made = way != OFFER_STORED || needs_head;
    ret->size = ret->made ? BODY_SIZE_UNKNOWN : file_size;
    ret->extents = 1;
}

/* ── one instance ── */

struct one_file {
    struct parts parts; /* first: the two are one */
    const struct service *service;
    const struct request *request;
    const struct instance_record *record;
    const struct offer *offer;
    const char *location;
};

static const struct one_file *of_one(const struct parts *parts)
{
    return (const struct one_file *)parts;
}

static void describe_one(const struct parts *parts, size_t n, struct arena *scratch, struct part *ret)
{
    const struct one_file *one = of_one(parts);

    (void)n;
    (void)scratch;
    *ret = (struct part){ .transfer_syntax = one->offer->transfer_syntax,
                          .location = one->location,
                          .generation = one->record->generation };
    describe_file(ret, one->offer->way, one->record->needs_head, one->record->file_size);
}

static struct extent extent_of_one(const struct parts *parts, size_t n, uint32_t extent_index)
{
    (void)n;
    (void)extent_index;
    return whole_file(of_one(parts)->record->file_size);
}

/* The bytes of an instance that is not sent as it lies there. */
static bool make_file(const struct service *service, const struct request *request,
                      const struct instance_record *record, const struct offer *offer,
                      struct store_reader *reader, enum patience patience, struct arena *scratch,
                      struct body_source **ret, struct error *err)
{
    if (patience == MUST_NOT_WAIT)
        return error_set(err, FAULT_WOULD_WAIT, "writing an instance anew");
    if (offer->way == OFFER_MADE)
        return made_instance_body(service, request, record, offer->syntax, reader, scratch, ret, err);
    if (offer->way == OFFER_STORED) /* and needs another head: else nothing is made */
        return stored_body_headed(scratch, reader, record, ret, err);
    return stored_body_rewritten(scratch, reader, record, ret, err);
}

static bool make_one(const struct parts *parts, size_t n, struct store_reader *reader, enum patience patience,
                     struct arena *scratch, struct part *part, struct body_source **ret, struct error *err)
{
    const struct one_file *one = of_one(parts);

    (void)n, (void)part;
    return make_file(one->service, one->request, one->record, one->offer, reader, patience, scratch, ret,
                     err);
}

/* For tags: what makes two files of the same offer differ. */
static const char *put_mark(const struct service *service, const struct offer *offer, bool needs_head)
{
    if (offer->way == OFFER_STORED)
        return needs_head ? " head" : "";
    return service->limits->lossy_uid_is_new && offer->way == OFFER_MADE && made_is_lossy(offer->syntax)
               ? " new"
               : "";
}

bool instance_answer(const struct service *service, const struct request *request,
                     const struct instance_record *record, const struct choice *choice, const char *location,
                     struct response *response, struct error *err)
{
    struct arena *arena = request->arena;
    const char *syntax = choice->offer->transfer_syntax;
    const char *labelled = arena_printf(arena, "%s; transfer-syntax=%s", MEDIA_TYPE, syntax);
    struct representation what = { labelled, location, NULL, freshness_of_instances(service) };
    struct bytes boundary = bytes_of(NULL, 0);
    struct body_source *body = NULL;

    what.etag = representation_etag(
        request, record, location, choice->multipart,
        arena_printf(arena, "%s%s", labelled, put_mark(service, choice->offer, record->needs_head)));
    if (choice->multipart) {
        boundary = multipart_boundary(arena, bytes_of_text(what.etag));
        what.content_type = multipart_content_type(arena, boundary, MEDIA_TYPE, syntax);
        what.location = NULL;
    }
    if (representation_is_held(request, &what, response))
        return true;
    if (choice->offer->way == OFFER_MADE)
        response->work = WORK_COLLECTS;

    struct one_file *one = arena_alloc(arena, sizeof(*one));
    *one = (struct one_file){ .parts = { 1, describe_one, extent_of_one, make_one, NULL },
                              .service = service,
                              .request = request,
                              .record = record,
                              .offer = choice->offer,
                              .location = location };
    return parts_body(service, request, &one->parts, boundary, &body, err) &&
           representation_send(request, &what, body, response, err);
}

const struct pixel_shape *instance_shape(const struct instance_record *record)
{
    /* Frames that cannot be told apart cannot be made into others. Of a deflated data set each is inflated
     * from the beginning on: that is for few. */
    const struct frame_table *frames = record->frames;
    const uint32_t count = frames ? frame_table_count(frames) : 0;
    const bool few = count > 0 && (record->syntax != SYNTAX_DEFLATED_LE ||
                                   frame_table_value(frames).size <= FEW_BYTES / count);

    return few && frame_table_kind(frames) != FRAMES_VIDEO ? &record->shape : NULL;
}

static const char ZIP[] = "application/zip";

/* Does the client want an archive rather than parts? Then *accept becomes what it says of the files in it:
 * the transfer syntax that stands beside application/zip, or any, as they are stored (NEG-20). */
static bool wants_archive(struct accept *accept, struct arena *arena)
{
    const unsigned archive = accept_quality(accept, false, ZIP, NULL, true, NULL);
    const struct accept_range *named = NULL;

    for (size_t i = 0; i < accept->count && !named; i++)
        if (bytes_equal_text(accept->list[i].type, "application") &&
            bytes_equal_text(accept->list[i].subtype, "zip"))
            named = &accept->list[i];
    if (!named || archive == 0 || archive <= accept_quality(accept, true, MEDIA_TYPE, NULL, true, NULL))
        return false;
    const struct bytes syntax = named->transfer_syntax.size > 0 ? named->transfer_syntax : bytes_of_text("*");
    accept_parse(bytes_of_text(arena_printf(arena, "multipart/related; type=\"%s\"; transfer-syntax=%.*s",
                                            MEDIA_TYPE, BYTES_ARG(syntax))),
                 arena, accept);
    return true;
}

/* Parts of application/octet-stream, and no DICOM file: that is how values were asked for before they had
 * resources of their own (Table 10.4.4-1). */
static bool wants_values(const struct accept *accept)
{
    bool named = false;

    for (size_t i = 0; i < accept->count; i++)
        named = named || (accept->list[i].multipart && accept->list[i].q > 0 &&
                          bytes_equal_text(accept->list[i].type, "application") &&
                          bytes_equal_text(accept->list[i].subtype, "octet-stream"));
    return named && accept_quality(accept, true, MEDIA_TYPE, NULL, true, NULL) == 0 &&
           accept_quality(accept, false, MEDIA_TYPE, NULL, true, NULL) == 0;
}

static bool answer_values(const struct service *service, const struct request *request,
                          struct response *response, struct error *err)
{
    if (request->patience == MUST_NOT_WAIT)
        return error_set(err, FAULT_WOULD_WAIT, "looking for values");
    return wado_rs_bulkdata_all(service, request, response, err);
}

bool wado_rs_instance(const struct service *service, const struct request *request, struct response *response,
                      struct error *err)
{
    struct arena *arena = request->arena;
    const struct instance_record *record = NULL;
    struct offers *offers = arena_alloc(arena, sizeof(*offers));
    struct instance_key key;
    struct accept accept;
    struct choice choice = { 0 };

    if (!instance_key_parse(request->params, &key, err) || !accept_read(request, arena, &accept, err) ||
        !catalog_find(service->catalog, &key, request->patience, &record, err))
        return false;
    held_record(arena, record);
    if (wants_archive(&accept, arena))
        return wado_rs_instances(service, request, response, err);
    if (wants_values(&accept))
        return answer_values(service, request, response, err);
    offers_of_instance(offers, record->syntax, record->syntax_uid.text, instance_shape(record));
    return offers_choose(offers, &accept, true, &choice, err) &&
           instance_answer(service, request, record, &choice,
                           link_to(arena, request->public_base, &record->key, ""), response, err);
}

/* ── a study or a series ── */

struct many_files {
    struct parts parts; /* first: the two are one */
    const struct service *service;
    const struct request *request;
    const struct catalog_listing *listing;
    const struct offer *const *offers; /* one an instance */
    const char *base;
};

static const struct many_files *of_many(const struct parts *parts)
{
    return (const struct many_files *)parts;
}

static void describe_many(const struct parts *parts, size_t n, struct arena *scratch, struct part *ret)
{
    const struct many_files *many = of_many(parts);
    const struct listed_instance *listed = &many->listing->list[n];

    *ret = (struct part){ .transfer_syntax = many->offers[n]->transfer_syntax,
                          .location = link_to(scratch, many->base, &listed->key, ""),
                          .generation = listed->generation };
    describe_file(ret, many->offers[n]->way, listed->needs_head, listed->file_size);
}

static struct extent extent_of_many(const struct parts *parts, size_t n, uint32_t extent_index)
{
    (void)extent_index;
    return whole_file(of_many(parts)->listing->list[n].file_size);
}

static bool make_many(const struct parts *parts, size_t n, struct store_reader *reader,
                      enum patience patience, struct arena *scratch, struct part *part,
                      struct body_source **ret, struct error *err)
{
    const struct many_files *many = of_many(parts);
    const struct listed_instance *listed = &many->listing->list[n];
    const struct instance_record *record = NULL;

    if (patience == MUST_NOT_WAIT)
        return error_set(err, FAULT_WOULD_WAIT, "writing an instance anew");
    if (!listed_record(many->service, listed, &record, err))
        return false;
    held_record(scratch, record);
    if (make_file(many->service, many->request, record, many->offers[n], reader, patience, scratch, ret, err))
        return true;
    if (many->offers[n]->way != OFFER_MADE || !fault_is_lasting(err->fault))
        return false;
    /* Every client copes with one part in another syntax better than with an answer that ends there. */
    log_line(LOG_INFO, "part %zu goes out as it is stored: %s id=%" PRIu64, n + 1, err->detail,
             many->request->id);
    error_clear(err);
    if (transfer_syntax_info(record->syntax)->encapsulated || record->syntax == SYNTAX_EXPLICIT_LE) {
        part->transfer_syntax = record->syntax_uid.text;
        if (record->needs_head)
            return stored_body_headed(scratch, reader, record, ret, err);
        *ret = stored_body_turned(scratch, reader, whole_file(record->file_size), 1);
        return true;
    }
    part->transfer_syntax = transfer_syntax_info(SYNTAX_EXPLICIT_LE)->uid;
    return stored_body_rewritten(scratch, reader, record, ret, err);
}

/* What is offered depends on the transfer syntax, and where a codec comes in on the shape of the pixels:
 * weighed once for all that have both in common. */
struct weighed {
    struct uid syntax_uid;
    struct pixel_shape shape;          /* all zero: none */
    const struct offer *offer_or_null; /* NULL: not acceptable */
    const struct weighed *next;
};

/* Of pixels; where the codecs make no difference of. */
static struct pixel_shape kind_of_shape(const struct pixel_shape *shape_or_null)
{
    struct pixel_shape kind;

    memset(&kind, 0, sizeof kind);
    if (!shape_or_null)
        return kind;
    kind.rows = kind.columns =
        shape_or_null->rows > UINT16_MAX || shape_or_null->columns > UINT16_MAX ? UINT32_MAX : 1;
    kind.samples_per_pixel = shape_or_null->samples_per_pixel;
    kind.bits_allocated = shape_or_null->bits_allocated;
    kind.bits_stored = shape_or_null->bits_stored;
    kind.is_signed = shape_or_null->is_signed;
    kind.photometric = shape_or_null->photometric;
    return kind;
}

static bool same_kind(const struct pixel_shape *a, const struct pixel_shape *b)
{
    return a->rows == b->rows && a->samples_per_pixel == b->samples_per_pixel &&
           a->bits_allocated == b->bits_allocated && a->bits_stored == b->bits_stored &&
           a->is_signed == b->is_signed && a->photometric == b->photometric;
}

static const struct offer *weigh(const struct weighed **known, const struct listed_instance *listed,
                                 const struct pixel_shape *shape_or_null, const struct accept *accept,
                                 struct arena *arena, struct error *err)
{
    const struct pixel_shape kind = kind_of_shape(shape_or_null);
    struct offers *offers;
    struct choice choice = { 0 };

    for (const struct weighed *at = *known; at; at = at->next)
        if (uid_equal(&at->syntax_uid, &listed->syntax_uid) && same_kind(&at->shape, &kind))
            return at->offer_or_null;
    struct weighed *fresh = arena_alloc(arena, sizeof(*fresh));
    offers = arena_alloc(arena, sizeof(*offers));
    fresh->syntax_uid = listed->syntax_uid;
    fresh->shape = kind;
    fresh->next = *known;
    *known = fresh;
    offers_of_instance(offers, listed->syntax, fresh->syntax_uid.text, shape_or_null ? &kind : NULL);
    if (offers_choose(offers, accept, false, &choice, err))
        fresh->offer_or_null = choice.offer;
    return fresh->offer_or_null;
}

/* Could the client want other pixels than those stored? Else nobody has to look for their shape. */
static bool may_be_made(const struct listed_instance *listed, const struct accept *accept)
{
    if (transfer_syntax_info(listed->syntax)->encapsulated)
        return true;
    for (size_t i = 0; i < accept->count; i++) {
        const struct bytes named = accept->list[i].transfer_syntax;
        if (named.size > 0 && !bytes_equal_text(named, "*") &&
            !bytes_equal_text(named, transfer_syntax_info(SYNTAX_EXPLICIT_LE)->uid))
            return true;
    }
    return false;
}

/* Keeps what the client accepts, in order, and how each is sent; returns how many were left out. */
static size_t keep_acceptable(const struct service *service, struct catalog_listing *listing,
                              const struct accept *accept, struct arena *arena, const struct offer **offers,
                              struct error *err)
{
    const size_t before = listing->count;
    const struct weighed *known = NULL;
    size_t kept = 0;

    for (size_t i = 0; i < before; i++) {
        const struct listed_instance *listed = &listing->list[i];
        const struct instance_record *record = NULL;
        struct error ignored = { 0 };

        if (may_be_made(listed, accept) && !listed_record(service, listed, &record, &ignored))
            record = NULL;
        const struct offer *offer =
            weigh(&known, listed, record ? instance_shape(record) : NULL, accept, arena, err);
        instance_record_unref(record);
        if (!offer)
            continue;
        if (kept != i)
            listing->list[kept] = listing->list[i];
        offers[kept++] = offer;
    }
    listing->count = kept;
    return before - kept;
}

/* NULL when they differ. */
static const char *common_syntax(const struct offer *const *offers, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (strcmp(offers[i]->transfer_syntax, offers[0]->transfer_syntax) != 0)
            return NULL;
    return offers[0]->transfer_syntax;
}

/* What makes two answers of the same instances differ: how each is put. */
static const char *put_as(const struct service *service, struct arena *arena,
                          const struct catalog_listing *listing, const struct offer *const *offers,
                          const char *as)
{
    struct digest *digest = digest_new();
    uint8_t sum[DIGEST_BYTES];
    char hex[2 * DIGEST_BYTES + 1];

    for (size_t i = 0; i < listing->count; i++) {
        digest_add(digest, bytes_of_text(offers[i]->transfer_syntax));
        digest_add(digest, bytes_of_text(offers[i]->way == OFFER_STORED ? "," : ";"));
        digest_add(digest, bytes_of_text(put_mark(service, offers[i], listing->list[i].needs_head)));
    }
    digest_get(digest, sum);
    digest_free(digest);
    digest_hex(sum, DIGEST_BYTES, hex);
    return arena_printf(arena, "%s %s", as, hex);
}

/* ── as an archive ── */

/* {series}/{instance}.dcm: UIDs are digits and dots, so the names are safe, and no two are alike. */
static const char *const *archive_names(const struct catalog_listing *listing, struct arena *arena)
{
    const char **names = arena_array(arena, listing->count, sizeof(const char *));

    for (size_t i = 0; i < listing->count; i++)
        names[i] = arena_printf(arena, "%s/%s.dcm", listing->list[i].key.series.text,
                                listing->list[i].key.instance.text);
    return names;
}

static bool answer_archive(const struct request *request, const struct many_files *many,
                           const struct instance_key *key, struct representation *what,
                           struct response *response, struct error *err)
{
    const struct uid *named = key->instance.text[0] ? &key->instance
                              : key->series.text[0] ? &key->series
                                                    : &key->study;
    struct body_source *body = NULL;

    what->content_type = ZIP;
    if (representation_is_held(request, what, response))
        return true;
    response_header(response, request->arena, "Content-Disposition", "attachment; filename=\"%s.zip\"",
                    named->text);
    return zip_body(many->service, request, &many->parts, archive_names(many->listing, request->arena), &body,
                    err) &&
           representation_send(request, what, body, response, err);
}

/* ── the transaction ── */

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
    if (wants_values(&accept))
        return answer_values(service, request, response, err);
    if (request->patience == MUST_NOT_WAIT)
        return error_set(err, FAULT_WOULD_WAIT, "listing instances");
    if (!listed_instances(service, arena, &key, &listing, err))
        return false;

    const bool archive = wants_archive(&accept, arena);
    const struct offer **offers = arena_array(arena, listing->count, sizeof(const struct offer *));
    const size_t left_out = keep_acceptable(service, listing, &accept, arena, offers, &last);
    if (listing->count == 0) {
        *err = last;
        return false;
    }

    const char *location = link_to(arena, request->public_base, &key, "");
    const char *etag = representation_etag_of_listing(
        request, listing, location, put_as(service, arena, listing, offers, archive ? ZIP : MEDIA_TYPE));
    const struct bytes boundary = multipart_boundary(arena, bytes_of_text(etag));
    struct representation what = {
        .content_type =
            multipart_content_type(arena, boundary, MEDIA_TYPE, common_syntax(offers, listing->count)),
        .etag = left_out ? NULL : etag,
        .freshness = left_out ? FRESH_NEVER : FRESH_IF_ASKED,
    };
    struct many_files *many = arena_alloc(arena, sizeof(*many));
    *many = (struct many_files){ .parts = { listing->count, describe_many, extent_of_many, make_many, NULL },
                                 .service = service,
                                 .request = request,
                                 .listing = listing,
                                 .offers = offers,
                                 .base = request->public_base };
    if (archive) {
        if (!answer_archive(request, many, &key, &what, response, err))
            return false;
    } else {
        if (representation_is_held(request, &what, response))
            return true;
        if (!parts_body(service, request, &many->parts, boundary, &body, err) ||
            !representation_send(request, &what, body, response, err))
            return false;
    }
    if (response->status == 304)
        return true;
    for (size_t i = 0; i < listing->count; i++)
        if (offers[i]->way == OFFER_MADE)
            response->work = WORK_COLLECTS;
    if (left_out) {
        response->status = 206;
        response_header(response, arena, "Warning",
                        "299 %s: %zu of %zu instances are not available as requested", request->public_base,
                        left_out, left_out + listing->count);
    }
    return true;
}
