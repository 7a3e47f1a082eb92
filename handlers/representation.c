/* handlers/representation.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * What every negotiated answer has in common. Patient data are never for shared caches (HTP-44).
 */
#include "handlers/representation.h"

#include "base/digest.h"
#include "http/conditional.h"
#include "http/range.h"

static const char *cache_control(enum freshness freshness)
{
    switch (freshness) {
    case FRESH_FOR_LONG:
        return "private, max-age=86400, immutable";
    case FRESH_IF_ASKED:
        return "private, no-cache";
    case FRESH_NEVER:
        break;
    }
    return "no-store";
}

enum freshness freshness_of_instances(const struct service *service)
{
    return service->limits->duplicates == DUPLICATE_REPLACE ? FRESH_IF_ASKED : FRESH_FOR_LONG;
}

const char *representation_etag(const struct request *request, const struct instance_record *record,
                                const char *location, bool multipart, const char *content_type)
{
    const size_t length = strlen(location);
    const size_t size = STORE_DIGEST_BYTES + sizeof(record->generation) + length;
    uint8_t *what = arena_alloc(request->arena, size);

    memcpy(what, record->digest, STORE_DIGEST_BYTES);
    memcpy(what + STORE_DIGEST_BYTES, &record->generation, sizeof(record->generation));
    memcpy(what + size - length, location, length);
    return etag_make(request->arena, bytes_of(what, size),
                     arena_printf(request->arena, "%s%s", multipart ? "multipart " : "", content_type));
}

const char *representation_etag_of_listing(const struct request *request,
                                           const struct catalog_listing *listing, const char *location,
                                           const char *content_type)
{
    struct digest *digest = digest_new();
    uint8_t all[DIGEST_BYTES];

    for (size_t i = 0; i < listing->count; i++) {
        const uint64_t names[2] = { listing->list[i].generation, listing->list[i].instance_id };
        digest_add(digest, bytes_of(names, sizeof(names)));
    }
    digest_add(digest, bytes_of_text(location));
    digest_get(digest, all);
    digest_free(digest);
    return etag_make(request->arena, bytes_of(all, sizeof(all)), content_type);
}

/* The texts last as long as the exchange. */
static void add_header(const struct request *request, struct response *response, const char *name,
                       const char *value)
{
    fields_add(&response->headers, request->arena, bytes_of_text(name), bytes_of_text(value));
}

bool representation_is_held(const struct request *request, const struct representation *what,
                            struct response *response)
{
    if (what->etag)
        add_header(request, response, "ETag", what->etag);
    add_header(request, response, "Cache-Control", cache_control(what->freshness));
    add_header(request, response, "Vary", "Accept, Accept-Encoding");
    if (what->location)
        response_header(response, request->arena, "Content-Location", "%s", what->location);

    if (!what->etag || !etag_none_match(request, what->etag))
        return false;
    response->status = 304;
    return true;
}

bool representation_send(const struct request *request, const struct representation *what,
                         struct body_source *body, struct response *response, struct error *err)
{
    response->status = 200;
    response->body = body;
    add_header(request, response, "Content-Type", what->content_type);
    if (!what->etag || body->size == BODY_SIZE_UNKNOWN)
        return true;

    add_header(request, response, "Accept-Ranges", "bytes");
    return range_apply(request, response, err);
}
