/* handlers/wado_rs_bulkdata.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * GET of a BulkDataURI as the metadata have it: PS3.18 10.4.1.1.5. Top-level pixel data come from the frame
 * table, everything else is looked up in the file.
 */
#include "base/number.h"
#include "dicom/bulk_value.h"
#include "dicom/tag.h"
#include "handlers/frames_body.h"
#include "handlers/held.h"
#include "handlers/links.h"
#include "handlers/offer.h"
#include "handlers/representation.h"
#include "handlers/transactions.h"
#include "http/multipart_writer.h"

enum { MIME_TYPE_BYTES = 100, TAG_DIGITS = 8, TAG_ENCAPSULATED_DOCUMENT = 0x00420011 };

/* The tag when the path is one at the top level, else 0. */
static uint32_t top_level_tag(struct bytes path)
{
    uint64_t tag;

    return path.size == TAG_DIGITS && number_parse_hex(path, UINT32_MAX, &tag) ? (uint32_t)tag : 0;
}

static bool is_pixel_data(uint32_t tag)
{
    return tag == TAG_PIXEL_DATA || tag == TAG_FLOAT_PIXEL_DATA || tag == TAG_DOUBLE_FLOAT_PIXEL_DATA;
}

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
    if (!offers_choose(offers, accept, native || all->count == 1, &choice, err))
        return false;
    if (begin_answer(request, record, &choice, what, &boundary, response))
        return true;

    if (native)
        return pixels_body(service, request, record, choice.offer, what->location, boundary, &body, err) &&
               representation_send(request, what, body, response, err);
    all->frames = arena_array(request->arena, all->count, sizeof(*all->frames));
    for (size_t i = 0; i < all->count; i++)
        all->frames[i] = (uint32_t)i + 1;
    return frames_body(service, request, record, all, choice.offer, what->location, boundary, &body, err) &&
           representation_send(request, what, body, response, err);
}

/* MIME Type of Encapsulated Document (0042,0012), from the metadata; NULL: not told, or no media type. */
static const char *document_type(const struct service *service, const struct request *request,
                                 const struct instance_key *key)
{
    static const char attribute[] = "\"00420012\":{\"vr\":\"LO\",\"Value\":[\"";
    SCOPED(buffer) struct buffer text = { 0 };
    struct catalog_listing *listing = NULL;
    struct error ignored = { 0 };
    size_t next = 0;

    buffer_init(&text, service->limits->answer_ceiling_bytes);
    if (!catalog_list(service->catalog, key, &listing, &ignored))
        return NULL;
    const bool read = catalog_metadata(service->catalog, listing, 0, 1, &text, &next, &ignored);
    catalog_listing_free(listing);
    const uint8_t *found =
        read && text.size > 0 ? memmem(text.data, text.size, attribute, sizeof(attribute) - 1) : NULL;
    if (!found)
        return NULL;

    struct bytes value = bytes_from(buffer_bytes(&text), (size_t)(found - text.data) + sizeof(attribute) - 1);
    value = bytes_cut(&value, '"');
    struct media_type type;
    if (value.size > MIME_TYPE_BYTES || !media_type_parse(value, request->arena, &type, &ignored) ||
        bytes_equal_text(type.type, "*") || bytes_equal_text(type.subtype, "*"))
        return NULL;
    return arena_printf(request->arena, "%.*s/%.*s", BYTES_ARG(type.type), BYTES_ARG(type.subtype));
}

static struct body_source *value_body(const struct request *request, struct block *value,
                                      const struct choice *choice, const char *location,
                                      struct bytes boundary)
{
    struct arena *arena = request->arena;
    struct body_source **parts = arena_array(arena, 3, sizeof(struct body_source *));

    parts[1] = body_of_block(arena, value);
    if (!boundary.data)
        return parts[1];
    parts[0] =
        body_of_bytes(arena, multipart_part_head(arena, boundary, true, choice->offer->media_type,
                                                 choice->offer->transfer_syntax, location, parts[1]->size));
    parts[2] = body_of_bytes(arena, multipart_tail(arena, boundary));
    return body_chain(arena, parts, 3);
}

/* Any other value field: little endian, as one part. An encapsulated document also goes by its own media
 * type, and rather so (RET-44). */
static bool answer_value(const struct service *service, const struct request *request,
                         const struct instance_record *record, const struct accept *accept,
                         struct representation *what, struct response *response, struct error *err)
{
    const struct bytes path = request->params[3];
    char file[4096], vr[3];
    struct offers *offers = arena_alloc(request->arena, sizeof(*offers));
    struct choice choice = { 0 };
    struct bytes boundary;
    struct block *value = NULL;

    if (top_level_tag(path) == TAG_ENCAPSULATED_DOCUMENT) {
        const char *type = document_type(service, request, &record->key);
        if (type)
            offers_add(offers, type, NULL, true);
    }
    offers_add(offers, "application/octet-stream", transfer_syntax_info(SYNTAX_EXPLICIT_LE)->uid, true);
    if (!offers_choose(offers, accept, true, &choice, err))
        return false;
    if (begin_answer(request, record, &choice, what, &boundary, response))
        return true;
    store_path(service->store, record->generation, file, sizeof(file));
    return bulk_value_read(file, path, &value, vr, err) &&
           representation_send(request, what, value_body(request, value, &choice, what->location, boundary),
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

    if (!is_pixel_data(top_level_tag(request->params[3])))
        return answer_value(service, request, record, &accept, &what, response, err);
    return frames_exist(record, err) &&
           answer_pixel_data(service, request, record, &accept, &what, response, err);
}
