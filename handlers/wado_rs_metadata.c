/* handlers/wado_rs_metadata.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * GET .../metadata: PS3.18 10.4.1.1.2. One JSON array of what was written down when the instances arrived;
 * only the public base is put in on the way out.
 *
 *   catalog ─► text (one chunk, used again and again) ─► base put in place of its marks ─► blocks ─► client
 *
 * As much as fits into a few blocks is made at once, so that the usual answer has a Content-Length; what is
 * longer is streamed behind them and is never in memory whole.
 */
#include <inttypes.h>

#include "handlers/held.h"
#include "handlers/links.h"
#include "handlers/offer.h"
#include "handlers/representation.h"
#include "handlers/transactions.h"
#include "http/multipart_writer.h"

enum {
    CHUNK_BYTES = 128 * 1024, /* fetched from the catalog at once, at least */
    BLOCKS_AT_ONCE = 16,      /* of 256 KiB: 500 CT images */
};

struct metadata_body {
    struct body_source source; /* first: the two are one */
    struct catalog *catalog;
    const struct catalog_listing *listing;
    size_t next; /* in the listing */
    struct buffer *text;
    struct bytes left; /* of the text */
    struct bytes base;
    struct bytes base_left; /* of the base that is being put in */
    bool begun, ended;      /* the brackets */
};

static bool next_chunk(struct metadata_body *body, enum patience patience, struct error *err)
{
    if (body->next == body->listing->count) {
        body->ended = true;
        body->left = bytes_of_text(body->begun ? "]" : "[]");
        return true;
    }
    if (patience == MUST_NOT_WAIT)
        return error_set(err, FAULT_WOULD_WAIT, "reading metadata");
    buffer_cut(body->text, 0);
    buffer_append_byte(body->text, body->begun ? ',' : '[');
    if (!catalog_metadata(body->catalog, body->listing, body->next, CHUNK_BYTES, body->text, &body->next,
                          err) ||
        !buffer_check(body->text, "metadata", err))
        return false;
    body->left = buffer_bytes(body->text);
    if (body->left.size == 1) /* all of them were deleted since they were listed */
        body->left.size = 0;
    else
        body->begun = true;
    return true;
}

static size_t copy_some(struct bytes *from, uint8_t *into, size_t capacity)
{
    const size_t size = from->size < capacity ? from->size : capacity;

    if (size > 0)
        memcpy(into, from->data, size);
    *from = bytes_from(*from, size);
    return size;
}

static bool metadata_read(struct body_source *source, void *into, size_t capacity, enum patience patience,
                          size_t *ret_size, struct error *err)
{
    struct metadata_body *body = (struct metadata_body *)source;
    uint8_t *at = into;
    size_t total = 0;

    while (total < capacity) {
        if (body->base_left.size > 0) {
            total += copy_some(&body->base_left, at + total, capacity - total);
            continue;
        }
        if (body->left.size == 0) {
            if (body->ended)
                break;
            if (!next_chunk(body, patience, err)) {
                if (err->fault != FAULT_WOULD_WAIT || total == 0)
                    return false;
                error_clear(err);
                break;
            }
            continue;
        }
        const size_t seen = body->left.size < capacity - total ? body->left.size : capacity - total;
        const uint8_t *mark = memchr(body->left.data, JSON_BASE_MARK, seen);
        struct bytes plain = bytes_of(body->left.data, mark ? (size_t)(mark - body->left.data) : seen);

        body->left = bytes_from(body->left, plain.size + (mark ? 1 : 0));
        total += copy_some(&plain, at + total, capacity - total);
        if (mark)
            body->base_left = body->base;
    }
    *ret_size = total;
    return true;
}

/* Blocks of text at once; then the body itself if there is more. Blocks that cannot be had are no failure:
 * the body streams. */
static bool read_ahead(struct metadata_body *body, struct arena *arena, struct body_source **ret,
                       struct error *err)
{
    struct body_source **parts = arena_array(arena, BLOCKS_AT_ONCE + 1, sizeof(struct body_source *));
    size_t count = 0;
    bool whole = false;

    while (count < BLOCKS_AT_ONCE && !whole) {
        struct error refused = { 0 };
        struct block *block = NULL;
        size_t size = 0, filled = 0;

        if (!block_take(BLOCK_STANDARD_BYTES, &block, &refused))
            break;
        do {
            if (!metadata_read(&body->source, block_room(block, NULL) + filled, BLOCK_STANDARD_BYTES - filled,
                               MAY_WAIT, &size, err)) {
                block_unref(block);
                return false;
            }
            filled += size;
        } while (size > 0 && filled < BLOCK_STANDARD_BYTES);
        whole = size == 0;
        block_seal(block, filled);
        parts[count++] = body_of_block(arena, block);
    }
    if (!whole)
        parts[count++] = &body->source;
    *ret = body_chain(arena, parts, count);
    return true;
}

bool wado_rs_metadata(const struct service *service, const struct request *request, struct response *response,
                      struct error *err)
{
    struct arena *arena = request->arena;
    struct catalog_listing *listing = NULL;
    struct instance_key key;
    const char *type = NULL;
    bool multipart = false;
    struct body_source *array = NULL;

    if (!instance_key_parse(request->params, &key, err) || !offer_json(request, &type, &multipart, err))
        return false;
    if (request->patience == MUST_NOT_WAIT)
        return error_set(err, FAULT_WOULD_WAIT, "listing instances");
    if (!catalog_list(service->catalog, &key, &listing, err))
        return false;
    held_listing(arena, listing);

    const char *location = link_to(arena, request->public_base, &key, "/metadata");
    struct representation what = { type, location, NULL, FRESH_IF_ASKED };
    struct bytes boundary = bytes_of(NULL, 0);

    what.etag = representation_etag_of_listing(request, listing, location, multipart ? "multipart" : type);
    if (multipart) {
        boundary = multipart_boundary(arena, bytes_of_text(what.etag));
        what.content_type = multipart_content_type(arena, boundary, type, NULL);
    }
    if (representation_is_held(request, &what, response))
        return true;

    struct metadata_body *body = arena_alloc(arena, sizeof(*body));
    *body = (struct metadata_body){
        .source = { .size = BODY_SIZE_UNKNOWN, .read = metadata_read },
        .catalog = service->catalog,
        .listing = listing,
        .text = held_buffer(arena, service->limits->answer_ceiling_bytes),
        .base = bytes_of_text(request->public_base),
    };
    if (!read_ahead(body, arena, &array, err))
        return false;
    if (multipart) {
        struct body_source **parts = arena_array(arena, 3, sizeof(struct body_source *));
        const struct bytes head =
            multipart_part_head(arena, boundary, true, type, NULL, location, array->size);

        parts[0] = body_of_bytes(arena, head);
        parts[1] = array;
        parts[2] = body_of_bytes(arena, multipart_tail(arena, boundary));
        array = body_chain(arena, parts, 3);
    }
    return representation_send(request, &what, array, response, err);
}
