/* handlers/metadata_rows_body.c
 * SPDX-License-Identifier: Apache-2.0
 *
 *   catalog ─► JSON of some instances ─► chosen attributes, XML, links under the base ─► blocks ─► client
 *
 * Both texts are used again and again; no DICOM is read.
 */
#include "handlers/metadata_body.h"

#include "base/block.h"
#include "base/splice.h"
#include "dicom/json_scan.h"
#include "dicom/native_xml.h"
#include "handlers/held.h"
#include "handlers/links.h"
#include "http/multipart_writer.h"

enum {
    CHUNK_BYTES = 128 * 1024, /* fetched from the catalog at once, at least */
    BLOCKS_AT_ONCE = 16,      /* of 256 KiB: 500 CT images */
};

struct rows_source {
    struct body_source source; /* first: the two are one */
    struct metadata_rows rows;
    struct catalog *catalog;
    const char *base;
    size_t next;                        /* in the listing */
    struct buffer *json, *chosen, *out; /* as fetched; of one instance; ready to go */
    struct bytes left;                  /* of `out` */
    bool begun, ended;
};

/* What one instance becomes, behind `out`. */
static bool append_instance(struct rows_source *source, const struct instance_key *key, struct bytes object,
                            struct error *err)
{
    const struct metadata_rows *rows = &source->rows;
    const struct bytes base = bytes_of_text(source->base);
    struct arena scratch = { 0 };

    if (rows->selection_or_null) {
        buffer_cut(source->chosen, 0);
        attribute_selection_write(rows->selection_or_null, object, source->chosen);
        object = buffer_bytes(source->chosen);
    }
    if (rows->form == METADATA_JSON) {
        buffer_append_byte(source->out, source->begun ? ',' : '[');
        splice_text(source->out, object, JSON_BASE_MARK, base);
        source->begun = true;
        return true;
    }
    /* The document first, for its head says how long it is. */
    SCOPED(buffer) struct buffer marked = { 0 }, document = { 0 };
    buffer_init(&marked, source->out->ceiling);
    buffer_init(&document, source->out->ceiling);
    if (!native_xml_write(object, &marked, err))
        return false;
    splice_text(&document, buffer_bytes(&marked), JSON_BASE_MARK, base);
    if (rows->form == METADATA_XML_PARTS) {
        buffer_append(source->out,
                      multipart_part_head(&scratch, rows->boundary, !source->begun, "application/dicom+xml",
                                          NULL, link_to(&scratch, source->base, key, "/metadata"),
                                          document.size));
        arena_release(&scratch);
    }
    buffer_append(source->out, buffer_bytes(&document));
    source->begun = true;
    return buffer_check(&document, "metadata as XML", err);
}

static void append_end(struct rows_source *source)
{
    struct arena scratch = { 0 };

    if (source->rows.form == METADATA_JSON)
        buffer_append_text(source->out, source->begun ? "]" : "[]");
    else if (source->rows.form == METADATA_XML_PARTS)
        buffer_append(source->out, multipart_tail(&scratch, source->rows.boundary));
    arena_release(&scratch);
    source->ended = true;
}

/* What was fetched stands in `json` behind an opening bracket. */
static bool append_fetched(struct rows_source *source, struct error *err)
{
    const struct instance_key *key = &source->rows.listing->list[source->next - 1].key;
    struct bytes object;

    if (source->json->size == 1) /* all of them were deleted since they were listed */
        return true;
    if (source->rows.form == METADATA_JSON && !source->rows.selection_or_null) {
        if (source->begun)
            source->json->data[0] = ',';
        splice_text(source->out, buffer_bytes(source->json), JSON_BASE_MARK, bytes_of_text(source->base));
        source->begun = true;
        return true;
    }
    buffer_append_byte(source->json, ']');
    if (!buffer_check(source->json, "metadata", err))
        return false;
    const struct bytes array = buffer_bytes(source->json);
    for (size_t at = 0; json_array_next(array, &at, &object);)
        if (!append_instance(source, key, object, err))
            return false;
    return true;
}

static bool next_chunk(struct rows_source *source, enum patience patience, struct error *err)
{
    /* Parts are named after their instance: so they are fetched one by one. */
    const size_t enough = source->rows.form == METADATA_JSON ? CHUNK_BYTES : 1;

    buffer_cut(source->out, 0);
    if (source->next == source->rows.listing->count) {
        append_end(source);
    } else {
        if (patience == MUST_NOT_WAIT)
            return error_set(err, FAULT_WOULD_WAIT, "reading metadata");
        buffer_cut(source->json, 0);
        buffer_append_byte(source->json, '[');
        if (!catalog_metadata(source->catalog, source->rows.listing, source->next, enough, source->json,
                              &source->next, err))
            return false;
        if (!append_fetched(source, err))
            return false;
    }
    if (!buffer_check(source->out, "metadata", err))
        return false;
    source->left = buffer_bytes(source->out);
    return true;
}

static bool rows_read(struct body_source *read, void *into, size_t capacity, enum patience patience,
                      size_t *ret_size, struct error *err)
{
    struct rows_source *source = (struct rows_source *)read;
    size_t filled = 0;

    while (filled < capacity) {
        if (source->left.size == 0) {
            if (source->ended)
                break;
            if (!next_chunk(source, patience, err)) {
                if (err->fault != FAULT_WOULD_WAIT || filled == 0)
                    return false;
                error_clear(err);
                break;
            }
            continue;
        }
        const size_t room = capacity - filled;
        const size_t size = source->left.size < room ? source->left.size : room;
        memcpy((uint8_t *)into + filled, source->left.data, size);
        source->left = bytes_from(source->left, size);
        filled += size;
    }
    *ret_size = filled;
    return true;
}

/* Blocks of text at once; then the source itself if there is more. Blocks that cannot be had are no failure:
 * the body streams. */
static bool read_ahead(struct rows_source *source, struct arena *arena, struct body_source **ret,
                       struct error *err)
{
    struct body_source **parts = arena_array(arena, BLOCKS_AT_ONCE + 1, sizeof(struct body_source *));
    size_t count = 0;
    bool whole = false;

    while (count < BLOCKS_AT_ONCE && !whole) {
        struct error refused = { 0 };
        struct block *block = NULL;
        size_t size = 0;

        if (!block_take(BLOCK_STANDARD_BYTES, &block, &refused))
            break;
        if (!rows_read(&source->source, block_room(block, NULL), BLOCK_STANDARD_BYTES, MAY_WAIT, &size,
                       err)) {
            block_unref(block);
            return false;
        }
        whole = size < BLOCK_STANDARD_BYTES;
        block_seal(block, size);
        parts[count++] = body_of_block(arena, block);
    }
    if (!whole)
        parts[count++] = &source->source;
    *ret = body_chain(arena, parts, count);
    return true;
}

bool metadata_rows_body(const struct service *service, const struct request *request,
                        const struct metadata_rows *rows, struct body_source **ret, struct error *err)
{
    struct arena *arena = request->arena;
    struct rows_source *source = arena_alloc(arena, sizeof(*source));

    *source = (struct rows_source){
        .source = { .size = BODY_SIZE_UNKNOWN, .read = rows_read },
        .rows = *rows,
        .catalog = service->catalog,
        .base = request->public_base,
        .json = held_buffer(arena, service->limits->answer_ceiling_bytes),
        .chosen = held_buffer(arena, service->limits->answer_ceiling_bytes),
        .out = held_buffer(arena, 8 * (size_t)service->limits->answer_ceiling_bytes),
    };
    return read_ahead(source, arena, ret, err);
}
