/* handlers/wado_rs_metadata.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * GET .../metadata: PS3.18 10.4.1.1.2, as DICOM JSON or as the Native DICOM Model. What was written down when
 * the instances arrived; no DICOM is read.
 *
 *   JSON of a study or series   its packs, as they are: gzip and zstd by copying, plain by expanding
 *   all else                    instance by instance: a single one, XML, `includefield`, and a series that
 * has not come to rest yet
 */
#include "handlers/held.h"
#include "handlers/links.h"
#include "handlers/metadata_body.h"
#include "handlers/offer.h"
#include "handlers/representation.h"
#include "handlers/transactions.h"
#include "http/conditional.h"
#include "http/multipart_writer.h"

struct wanted {
    struct instance_key key;
    const char *type; /* of the body, or of its parts */
    bool is_xml, multipart;
    const struct attribute_selection *selection_or_null;
    enum content_coding coding; /* liked best; that of the answer once it is known */
};

/* `includefield` is an extension of ours: in lists, repeated, by tag or keyword, and `all` (OHIF asks for a
 * few attributes of whole studies). */
static bool read_selection(const struct request *request, const struct attribute_selection **ret,
                           struct error *err)
{
    struct attribute_selection *selection = NULL;

    *ret = NULL;
    for (size_t i = 0; i < request->query.count; i++) {
        const struct field *field = &request->query.list[i];

        if (!bytes_equal_text(field->name, "includefield"))
            continue;
        if (!selection) {
            selection = arena_alloc(request->arena, sizeof(*selection));
            attribute_selection_begin(selection);
        }
        if (!attribute_selection_add(selection, field->value, err))
            return false;
    }
    if (selection && !selection->all)
        *ret = selection;
    return true;
}

static bool read_request(const struct request *request, struct wanted *ret, struct error *err)
{
    *ret = (struct wanted){ .coding = CODING_IDENTITY };
    if (!instance_key_parse(request->params, &ret->key, err) ||
        !offer_metadata(request, ret->key.instance.text[0], &ret->type, &ret->is_xml, &ret->multipart, err) ||
        !read_selection(request, &ret->selection_or_null, err))
        return false;
    /* A client that refuses even identity gets it all the same: an answer is worth more than a refusal. */
    if (!accept_encoding_choose(request_header(request, "accept-encoding"),
                                1u << CODING_GZIP | 1u << CODING_ZSTD, &ret->coding))
        ret->coding = CODING_IDENTITY;
    return true;
}

/* Over which instances there are, where they are said to be, and how they are put. */
static const char *make_etag(const struct request *request, const struct wanted *wanted, const char *location,
                             const struct metadata_version *version, uint64_t instances)
{
    const struct attribute_selection *selection = wanted->selection_or_null;
    const size_t tags = selection ? selection->count * sizeof(*selection->tags) : 0;
    const size_t length = strlen(location);
    const char *coding = content_coding_name(wanted->coding);
    uint8_t *what = arena_alloc(request->arena, sizeof(*version) + sizeof(instances) + tags + length);
    uint8_t *at = what;

    memcpy(at, version, sizeof(*version));
    memcpy(at += sizeof(*version), &instances, sizeof(instances));
    at += sizeof(instances);
    if (tags)
        memcpy(at, selection->tags, tags);
    memcpy(at += tags, location, length);
    return etag_make(request->arena, bytes_of(what, (size_t)(at - what) + length),
                     arena_printf(request->arena, "%s%s %s", wanted->multipart ? "multipart " : "",
                                  wanted->type, coding ? coding : "identity"));
}

/* The headers that all answers have; true: it is a complete 304. */
static bool begin_answer(const struct request *request, const struct wanted *wanted,
                         const struct metadata_version *version, uint64_t instances,
                         struct representation *what, struct bytes *ret_boundary, struct response *response)
{
    what->location = link_to(request->arena, request->public_base, &wanted->key, "/metadata");
    what->content_type = wanted->type;
    what->freshness = FRESH_IF_ASKED;
    what->etag = make_etag(request, wanted, what->location, version, instances);
    *ret_boundary = bytes_of(NULL, 0);
    if (wanted->multipart) {
        *ret_boundary = multipart_boundary(request->arena, bytes_of_text(what->etag));
        what->content_type = multipart_content_type(request->arena, *ret_boundary, wanted->type, NULL);
    }
    return representation_is_held(request, what, response);
}

static bool answer_with_set(const struct request *request, const struct wanted *wanted,
                            const struct metadata_set *taken, struct response *response, struct error *err)
{
    struct representation what;
    struct bytes unused;

    if (begin_answer(request, wanted, &taken->version, taken->instances, &what, &unused, response)) {
        metadata_set_unref(taken);
        return true;
    }
    if (wanted->coding != CODING_IDENTITY)
        response_header(response, request->arena, "Content-Encoding", "%s",
                        content_coding_name(wanted->coding));
    return representation_send(request, &what, metadata_set_body(request->arena, taken, wanted->coding),
                               response, err);
}

/* JSON as the only part, for clients that take nothing else (MPR-11). */
static struct body_source *as_part(const struct request *request, const struct representation *what,
                                   struct bytes boundary, const char *type, struct body_source *array)
{
    struct arena *arena = request->arena;
    struct body_source **parts = arena_array(arena, 3, sizeof(struct body_source *));

    parts[0] = body_of_bytes(
        arena, multipart_part_head(arena, boundary, true, type, NULL, what->location, array->size));
    parts[1] = array;
    parts[2] = body_of_bytes(arena, multipart_tail(arena, boundary));
    return body_chain(arena, parts, 3);
}

/* Of one instance its record, mostly in memory, says enough. */
static bool list(const struct service *service, const struct request *request,
                 const struct instance_record *record_or_null, const struct instance_key *key,
                 struct catalog_listing **ret, struct error *err)
{
    if (!record_or_null) {
        if (!catalog_list(service->catalog, key, ret, err))
            return false;
        held_listing(request->arena, *ret);
        return true;
    }
    struct catalog_listing *listing = arena_alloc(request->arena, sizeof(*listing));
    listing->list = arena_alloc(request->arena, sizeof(*listing->list));
    listing->count = 1;
    listing->list[0] = (struct listed_instance){ .key = record_or_null->key,
                                                 .instance_id = record_or_null->generation,
                                                 .generation = record_or_null->generation };
    *ret = listing;
    return true;
}

static bool answer_with_rows(const struct service *service, const struct request *request,
                             const struct instance_record *record_or_null, struct wanted *wanted,
                             struct response *response, struct error *err)
{
    struct catalog_listing *listing = NULL;
    struct metadata_rows rows = { .selection_or_null = wanted->selection_or_null };
    struct representation what;
    struct body_source *body = NULL;

    if (!list(service, request, record_or_null, &wanted->key, &listing, err))
        return false;
    wanted->coding = CODING_IDENTITY;
    const struct metadata_version version = catalog_listing_version(listing);
    if (begin_answer(request, wanted, &version, listing->count, &what, &rows.boundary, response))
        return true;
    rows.listing = listing;
    rows.form = !wanted->is_xml ? METADATA_JSON : wanted->multipart ? METADATA_XML_PARTS : METADATA_XML;
    if (!metadata_rows_body(service, request, &rows, &body, err))
        return false;
    if (wanted->multipart && !wanted->is_xml)
        body = as_part(request, &what, rows.boundary, wanted->type, body);
    return representation_send(request, &what, body, response, err);
}

/* Is it worth asking whether there is a pack for just this? A picture of one frame has neighbours and little
 * to say. */
static bool may_be_packed(const struct wanted *wanted, const struct instance_record *record_or_null)
{
    if (wanted->is_xml || wanted->multipart || wanted->selection_or_null)
        return false;
    return !record_or_null || !record_or_null->frames || frame_table_count(record_or_null->frames) != 1;
}

bool wado_rs_metadata(const struct service *service, const struct request *request, struct response *response,
                      struct error *err)
{
    const struct instance_record *record = NULL;
    const struct metadata_set *set = NULL;
    struct wanted wanted;

    if (!read_request(request, &wanted, err))
        return false;
    if (wanted.key.instance.text[0]) {
        if (!catalog_find(service->catalog, &wanted.key, request->patience, &record, err))
            return false;
        held_record(request->arena, record);
    }
    if (may_be_packed(&wanted, record) &&
        !catalog_metadata_set(service->catalog, &wanted.key, request->public_base, request->patience, &set,
                              err))
        return false;
    if (set)
        return answer_with_set(request, &wanted, set, response, err);
    if (request->patience == MUST_NOT_WAIT)
        return error_set(err, FAULT_WOULD_WAIT, "listing instances");
    return answer_with_rows(service, request, record, &wanted, response, err);
}
