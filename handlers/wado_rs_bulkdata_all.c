/* handlers/wado_rs_bulkdata_all.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * GET of {study,series,instance}/bulkdata and /pixeldata: PS3.18 10.4.1.1.5, 10.4.3.3.5 and 6. Every value
 * that the metadata show as BulkDataURI, or the pixel data alone, one behind the other, each named by that
 * URI. What is acceptable is chosen value by value (NEG-07).
 *
 *   listing ─► instance: record, file, metadata ─► its values ─┬─► pixel data: a part a frame, or one
 *      ▲                                                       └─► any other: a part
 *      └── the next one, when its turn in the body has come: memory and descriptors are one instance's
 *
 * The listing is walked twice: first to know whether there is anything, and whether anything is not
 * acceptable, while that can still be told by a status. What turns out to be no good after that is no reason
 * to cut off the rest: pixels that cannot be made go out as they are stored, and what cannot be read is left
 * out.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "dicom/bulk_value.h"
#include "dicom/dicom_json.h"
#include "handlers/bulk_offer.h"
#include "handlers/frames_body.h"
#include "handlers/held.h"
#include "handlers/instance_metadata.h"
#include "handlers/links.h"
#include "handlers/listed.h"
#include "handlers/made_frame.h"
#include "handlers/representation.h"
#include "handlers/transactions.h"
#include "http/multipart_writer.h"

/* One bulk value of the instance under way, found by its link. */
struct value {
    struct bytes path;          /* behind /bulkdata/; in `object` */
    const struct offer *offer;  /* of pixel data; of others it is known once they are read */
    const struct offer *stored; /* of pixel data, as they are */
    uint32_t parts;
};

struct collection {
    const struct service *service;
    const struct request *request;
    const struct catalog_listing *listing;
    const struct accept *accept;
    bool pixels_only;

    /* the instance under way, in `instance_arena` */
    struct arena instance_arena;
    const struct instance_record *record;
    struct store_reader *reader; /* NULL while they are only looked at */
    struct buffer object;        /* its metadata */
    struct value *values;
    size_t count;
    size_t left_out;       /* values that are not acceptable */
    char common_type[112]; /* the media type of all parts; of differing ones that of octets */
};

static void note_type(struct collection *collection, const char *media_type)
{
    if (!collection->common_type[0])
        snprintf(collection->common_type, sizeof(collection->common_type), "%s", media_type);
    else if (strcmp(collection->common_type, media_type) != 0)
        snprintf(collection->common_type, sizeof(collection->common_type), "application/octet-stream");
}

static void collection_close(void *closed)
{
    struct collection *collection = closed;

    store_reader_close(collection->reader);
    arena_release(&collection->instance_arena);
    buffer_done(&collection->object);
}

/* The next link of a metadata object, cut to its path. A key in quotes can stand in no value: those inside
 * are escaped. */
static bool next_link(struct bytes *rest, struct bytes *ret_path)
{
    static const char key[] = "\"BulkDataURI\":\"", place[] = "/bulkdata/";
    const uint8_t *found = rest->size ? memmem(rest->data, rest->size, key, sizeof(key) - 1) : NULL;

    if (!found)
        return false;
    *rest = bytes_from(*rest, (size_t)(found - rest->data) + sizeof(key) - 1);
    const struct bytes link = bytes_cut(rest, '"');
    const uint8_t *path = memmem(link.data, link.size, place, sizeof(place) - 1);
    if (path)
        *ret_path = bytes_from(link, (size_t)(path - link.data) + sizeof(place) - 1);
    return path != NULL;
}

static void send_pixels_as(struct value *value, const struct instance_record *record,
                           const struct offer *offer)
{
    const uint32_t frames = frame_table_count(record->frames);

    value->offer = offer;
    value->parts = !pixels_are_one_part(record, offer)       ? frames
                   : offer->way == OFFER_MADE && frames == 0 ? 0
                                                             : 1;
}

/* How pixel data go out. False: not at all. */
static bool choose_pixels(struct collection *collection, struct value *value)
{
    const struct instance_record *record = collection->record;
    struct offers *offers = arena_alloc(&collection->instance_arena, sizeof(*offers));
    struct choice choice = { 0 };
    struct error ignored = { 0 };

    if (!frames_exist(record, &ignored))
        return false;
    offers_of_frames(offers, record);
    if (!offers_choose(offers, collection->accept, false, &choice, &ignored))
        return false;
    for (size_t i = offers->count; i-- > 0;)
        if (offers->list[i].way == OFFER_STORED && !offers->list[i].is_alias)
            value->stored = &offers->list[i];
    send_pixels_as(value, record, choice.offer);
    if (value->parts > 0)
        note_type(collection, choice.offer->media_type);
    return value->parts > 0;
}

static bool choose_value(struct collection *collection, struct value *value)
{
    struct offers *offers = arena_alloc(&collection->instance_arena, sizeof(*offers));
    struct choice choice;
    struct error ignored = { 0 };

    offers_of_value(offers, collection->record, value->path, buffer_bytes(&collection->object), false,
                    &collection->instance_arena);
    value->offer = NULL;
    value->parts = 1;
    if (!offers_choose(offers, collection->accept, false, &choice, &ignored))
        return false;
    note_type(collection, choice.offer->media_type);
    return true;
}

static size_t count_links(struct bytes object)
{
    struct bytes path;
    size_t count = 0;

    while (next_link(&object, &path))
        count++;
    return count;
}

/* Although its file was to be held. */
static bool has_left(struct error *err)
{
    if (err->fault != FAULT_NOT_FOUND)
        return false;
    error_clear(err);
    return true;
}

/* The instance at `n`; its file stays open while it is under way. May wait. */
static bool read_instance(struct collection *collection, size_t n, bool to_send, struct error *err)
{
    const struct service *service = collection->service;

    store_reader_close(TAKE(collection->reader));
    arena_release(&collection->instance_arena);
    buffer_cut(&collection->object, 0);
    collection->count = 0;
    if (!listed_record(service, &collection->listing->list[n], &collection->record, err))
        return has_left(err);
    held_record(&collection->instance_arena, collection->record);
    if (to_send && !store_reader_open(service->store, collection->record->generation, MAY_WAIT,
                                      &collection->reader, err))
        return has_left(err);
    if (!instance_metadata_read(service, collection->record, &collection->object, err))
        return has_left(err);
    struct bytes rest = buffer_bytes(&collection->object);
    struct value value = { 0 };
    collection->values =
        arena_array(&collection->instance_arena, count_links(rest) + 1, sizeof(*collection->values));
    while (next_link(&rest, &value.path)) {
        const bool pixels = bulk_path_is_pixel_data(value.path);
        if (collection->pixels_only && !pixels)
            continue;
        if (pixels ? choose_pixels(collection, &value) : choose_value(collection, &value))
            collection->values[collection->count++] = value;
        else
            collection->left_out++;
    }
    return true;
}

/* ── the body ── */

struct all_source {
    struct body_source source; /* first: the two are one */
    struct collection collection;
    struct bytes boundary;
    size_t instance; /* the next one in the listing */
    size_t value;    /* of the instance under way */
    uint32_t part;   /* of the value */
    bool begun, ended;

    struct arena part_arena;
    struct request part_request; /* ends with the part */
    struct bytes head;           /* what is left of it; of the tail, too */
    struct body_source *body;    /* behind it; NULL: none, or done */
};

static void all_close(void *closed)
{
    struct all_source *all = closed;

    arena_release(&all->part_arena);
    collection_close(&all->collection);
}

static bool open_value(struct all_source *all, const struct value *value, struct offer *ret_label,
                       struct body_source **ret, struct error *err)
{
    struct collection *collection = &all->collection;
    struct offers *offers = arena_alloc(&all->part_arena, sizeof(*offers));
    struct bulk_value bulk = { 0 };
    struct choice choice = { 0 };
    char file[4096];

    store_path(collection->service->store, collection->record->generation, file, sizeof(file));
    if (!bulk_value_read(file, value->path, &bulk, err))
        return false;
    *ret = body_of_block(&all->part_arena, bulk.block);
    offers_of_value(offers, collection->record, value->path, buffer_bytes(&collection->object),
                    bulk.is_encapsulated, &all->part_arena);
    if (!offers_choose(offers, collection->accept, false, &choice, err))
        choice.offer = &offers->list[0]; /* a compressed icon: better as it is than not at all */
    error_clear(err);
    *ret_label = *choice.offer;
    return true;
}

/* The first frame is made beforehand: whether it can be is known while another way can still be chosen. The
 * body finds it in the cache. */
static bool first_frame_is_made(struct all_source *all, const struct offer *offer, struct error *err)
{
    struct collection *collection = &all->collection;
    struct block *frame = NULL;

    if (!made_frame(collection->service, &all->part_request, collection->record, 1, offer->syntax,
                    collection->reader, MAY_WAIT, &frame, err))
        return false;
    block_unref(frame);
    return true;
}

static bool open_pixels(struct all_source *all, const struct value *value, const struct offer *offer,
                        const char *location, struct body_source **ret, struct error *err)
{
    struct collection *collection = &all->collection;
    const struct bytes alone = bytes_of(NULL, 0);

    if (value->parts == 1 && pixels_are_one_part(collection->record, offer))
        return (offer->way != OFFER_MADE || first_frame_is_made(all, offer, err)) &&
               pixels_body(collection->service, &all->part_request, collection->record, offer, location,
                           alone, collection->reader, ret, err);
    struct frame_list *frame = arena_alloc(&all->part_arena, sizeof(*frame));
    frame->frames = arena_alloc(&all->part_arena, sizeof(*frame->frames));
    frame->frames[0] = all->part + 1;
    frame->count = 1;
    frame->held_or_null = collection->reader;
    return frames_body(collection->service, &all->part_request, collection->record, frame, offer, location,
                       alone, ret, err);
}

/* Deleted a moment ago, too. */
static bool is_about_this_one(enum fault fault)
{
    return fault_is_lasting(fault) || fault == FAULT_NOT_DICOM || fault == FAULT_NOT_FOUND;
}

/* What came out of it for the log, and on. */
static void pass_over(const struct all_source *all, const char *what, struct error *err)
{
    log_line(LOG_INFO, "instance %zu of %zu: %s: %s id=%" PRIu64, all->instance,
             all->collection.listing->count, what, err->detail, all->collection.request->id);
    error_clear(err);
}

static bool open_bytes(struct all_source *all, struct value *value, const char *location,
                       struct offer *ret_label, struct body_source **ret, struct error *err)
{
    if (!value->offer)
        return open_value(all, value, ret_label, ret, err);
    *ret_label = *value->offer;
    if (open_pixels(all, value, value->offer, location, ret, err))
        return true;
    if (value->offer->way != OFFER_MADE || !is_about_this_one(err->fault) || !value->stored)
        return false;
    pass_over(all, "pixels go out as they are stored", err);
    if (all->part == 0)
        send_pixels_as(value, all->collection.record, value->stored);
    *ret_label = *value->stored;
    return open_pixels(all, value, value->stored, location, ret, err);
}

/* The part at hand, its head first. WOULD_WAIT: nothing has changed, ask again. */
static bool open_part(struct all_source *all, struct error *err)
{
    struct collection *collection = &all->collection;
    struct value *value = &collection->values[all->value];
    struct offer label = { 0 };

    arena_release(&all->part_arena);
    all->body = NULL;
    all->part_request = *collection->request;
    all->part_request.arena = &all->part_arena;
    all->part_request.patience = MAY_WAIT;
    all->part_request.waiter = NULL; /* a frame that has to be made is waited for here */
    const char *tail = arena_printf(&all->part_arena, "/bulkdata/%.*s", BYTES_ARG(value->path));
    const char *location =
        link_to(&all->part_arena, collection->request->public_base, &collection->record->key, tail);
    struct body_source *body = NULL;
    if (!open_bytes(all, value, location, &label, &body, err)) {
        if (all->part > 0 || !is_about_this_one(err->fault))
            return false;
        pass_over(all, "a value is left out", err);
        all->value++;
        return true;
    }
    all->head = multipart_part_head(&all->part_arena, all->boundary, !all->begun, label.media_type,
                                    label.transfer_syntax, location, body->size);
    all->body = body;
    all->begun = true;
    if (++all->part == value->parts) {
        all->part = 0;
        all->value++;
    }
    return true;
}

static bool next_part(struct all_source *all, enum patience patience, struct error *err)
{
    struct collection *collection = &all->collection;

    if (patience == MUST_NOT_WAIT)
        return error_set(err, FAULT_WOULD_WAIT, "gathering bulk data");
    while (all->value == collection->count) {
        if (all->instance == collection->listing->count) {
            arena_release(&all->part_arena);
            all->body = NULL;
            all->head = multipart_tail(&all->part_arena, all->boundary);
            all->ended = true;
            return true;
        }
        arena_release(&all->part_arena); /* before the record that its body was made of */
        all->body = NULL;
        all->value = 0;
        collection->count = 0;
        if (!read_instance(collection, all->instance, true, err))
            return false;
        all->instance++;
    }
    return open_part(all, err);
}

static bool all_read(struct body_source *source, void *into, size_t capacity, enum patience patience,
                     size_t *ret_size, struct error *err)
{
    struct all_source *all = (struct all_source *)source;
    size_t filled = 0;

    while (filled < capacity) {
        size_t got = 0;
        bool ok = true;

        if (all->head.size > 0) {
            got = all->head.size < capacity - filled ? all->head.size : capacity - filled;
            memcpy((uint8_t *)into + filled, all->head.data, got);
            all->head = bytes_from(all->head, got);
        } else if (all->body) {
            ok = all->body->read(all->body, (uint8_t *)into + filled, capacity - filled, patience, &got, err);
            if (ok && got == 0)
                all->body = NULL;
        } else if (all->ended) {
            break;
        } else {
            ok = next_part(all, patience, err);
        }
        if (!ok) {
            if (err->fault != FAULT_WOULD_WAIT || filled == 0)
                return false;
            error_clear(err);
            break;
        }
        filled += got;
    }
    *ret_size = filled;
    return true;
}

/* ── the transactions ── */

/* How many values there are that can be sent; *ret_left_out how many cannot. */
static bool look_at_all(struct collection *collection, size_t *ret_left_out, size_t *ret_count,
                        struct error *err)
{
    *ret_count = 0;
    for (size_t n = 0; n < collection->listing->count; n++) {
        if (!read_instance(collection, n, false, err))
            return false;
        *ret_count += collection->count;
    }
    *ret_left_out = collection->left_out;
    arena_release(&collection->instance_arena);
    collection->count = 0;
    return true;
}

static bool answer_all(const struct service *service, const struct request *request, bool pixels_only,
                       struct response *response, struct error *err)
{
    struct arena *arena = request->arena;
    struct catalog_listing *listing = NULL;
    struct instance_key key;
    struct accept *accept = arena_alloc(arena, sizeof(*accept));
    size_t left_out, count;

    if (!instance_key_parse(request->params, &key, err) || !accept_read(request, arena, accept, err))
        return false;
    if (request->patience == MUST_NOT_WAIT)
        return error_set(err, FAULT_WOULD_WAIT, "listing instances");
    if (!listed_instances(service, arena, &key, &listing, err))
        return false;

    struct all_source *all = arena_alloc(arena, sizeof(*all));
    arena_defer(arena, all_close, all);
    all->source = (struct body_source){ .size = BODY_SIZE_UNKNOWN, .read = all_read };
    all->collection = (struct collection){ .service = service,
                                           .request = request,
                                           .listing = listing,
                                           .accept = accept,
                                           .pixels_only = pixels_only };
    buffer_init(&all->collection.object, service->limits->answer_ceiling_bytes);
    if (!look_at_all(&all->collection, &left_out, &count, err))
        return false;
    if (count == 0 && left_out == 0)
        return error_tell(err, FAULT_NOT_FOUND,
                          pixels_only ? "There are no pixel data." : "There are no bulk data.");
    if (count == 0)
        return error_tell(
            err, FAULT_NOT_ACCEPTABLE,
            "Available: multipart/related; type=\"application/octet-stream\"; transfer-syntax=*.");

    const char *location =
        link_to(arena, request->public_base, &key, pixels_only ? "/pixeldata" : "/bulkdata");
    all->boundary = multipart_boundary(arena, bytes_of_text(location));
    struct representation what = {
        .content_type = multipart_content_type(arena, all->boundary, all->collection.common_type, NULL),
        .freshness = left_out ? FRESH_NEVER : FRESH_IF_ASKED,
    };
    (void)representation_is_held(request, &what, response); /* without a tag it never is */
    if (!representation_send(request, &what, &all->source, response, err))
        return false;
    if (left_out) {
        response->status = 206;
        response_header(response, arena, "Warning",
                        "299 %s: %zu of %zu values are not available as requested", request->public_base,
                        left_out, left_out + count);
    }
    return true;
}

bool wado_rs_bulkdata_all(const struct service *service, const struct request *request,
                          struct response *response, struct error *err)
{
    return answer_all(service, request, false, response, err);
}

bool wado_rs_pixeldata_all(const struct service *service, const struct request *request,
                           struct response *response, struct error *err)
{
    return answer_all(service, request, true, response, err);
}
