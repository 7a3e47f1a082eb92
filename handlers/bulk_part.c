/* handlers/bulk_part.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Parts of bulk data; see bulk_part.h.
 */
#include "handlers/bulk_part.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/number.h"
#include "dicom/code_stream.h"
#include "dicom/json_data_set.h"
#include "dicom/tag.h"
#include "http/uri_reference.h"

void bulk_parts_init(struct bulk_parts *parts, struct store *store, struct bytes base)
{
    *parts = (struct bulk_parts){ .store = store, .base = base, .by_location = json_object() };
    buffer_init(&parts->table, BULK_PARTS_MOST * sizeof(struct bulk_part));
}

void bulk_parts_done(struct bulk_parts *parts)
{
    spool_close(TAKE(parts->spool));
    buffer_done(&parts->table);
    json_decref(TAKE(parts->by_location));
}

size_t bulk_parts_count(const struct bulk_parts *parts)
{
    return parts->table.size / sizeof(struct bulk_part);
}

static struct bulk_part *part_at(const struct bulk_parts *parts, size_t i)
{
    return (struct bulk_part *)(void *)parts->table.data + i;
}

/* ── arriving ── */

static bool note_location(struct bulk_parts *parts, struct bytes location, struct error *err)
{
    struct arena scratch = { 0 };
    const struct bytes resolved = uri_resolve(parts->base, bytes_trim(location), &scratch);
    json_t *same = json_object_getn(parts->by_location, (const char *)resolved.data, resolved.size);
    bool ok = true;

    if (!same) {
        same = json_array();
        ok = json_object_setn_new(parts->by_location, (const char *)resolved.data, resolved.size, same) == 0;
    }
    arena_release(&scratch);
    if (!ok)
        return error_tell(err, FAULT_MALFORMED, "A Content-Location is not UTF-8.");
    json_array_append_new(same, json_integer((json_int_t)bulk_parts_count(parts)));
    return true;
}

bool bulk_parts_begin(struct bulk_parts *parts, const struct fields *headers,
                      const struct media_type *type_or_null, struct error *err)
{
    const struct field *location = fields_find(headers, "content-location");
    struct bulk_part part = { 0 };

    if (!parts->spool && !spool_open(parts->store, &parts->spool, err))
        return false;
    if (location && !note_location(parts, location->value, err))
        return false;
    part.offset = spool_size(parts->spool);
    if (type_or_null) {
        const struct bytes syntax = media_type_parameter(type_or_null, "transfer-syntax");
        snprintf(part.media_type, sizeof part.media_type, "%.*s/%.*s", BYTES_ARG(type_or_null->type),
                 BYTES_ARG(type_or_null->subtype));
        if (syntax.data && syntax.size < sizeof part.transfer_syntax)
            memcpy(part.transfer_syntax, syntax.data, syntax.size);
    }
    buffer_append(&parts->table, bytes_of(&part, sizeof part));
    if (parts->table.overflowed)
        return error_tell(err, FAULT_TOO_LARGE, "A request may have %d parts of bulk data.", BULK_PARTS_MOST);
    return true;
}

bool bulk_parts_append(struct bulk_parts *parts, struct bytes chunk, struct error *err)
{
    return spool_append(parts->spool, chunk, err);
}

bool bulk_parts_end(struct bulk_parts *parts, struct error *err)
{
    struct bulk_part *part = part_at(parts, bulk_parts_count(parts) - 1);

    (void)err;
    part->size = spool_size(parts->spool) - part->offset;
    return true;
}

/* ── found ── */

static const json_t *indices_of(const struct bulk_parts *parts, struct bytes resolved)
{
    return json_object_getn(parts->by_location, (const char *)resolved.data, resolved.size);
}

bool bulk_parts_find(struct bulk_parts *parts, struct bytes uri, struct arena *arena, struct bulk_list *ret)
{
    const struct bytes resolved = uri_resolve(parts->base, bytes_trim(uri), arena);
    const json_t *same = indices_of(parts, resolved);
    size_t count = json_array_size(same);

    *ret = (struct bulk_list){ 0 };
    if (!same) /* one location a frame */
        while (indices_of(
            parts, bytes_of_text(arena_printf(arena, "%.*s/frames/%zu", BYTES_ARG(resolved), count + 1))))
            count++;
    if (count == 0)
        return false;
    ret->list = arena_array(arena, count, sizeof *ret->list);
    for (size_t i = 0; i < count; i++) {
        const json_t *index =
            same ? json_array_get(same, i)
                 : json_array_get(indices_of(parts, bytes_of_text(arena_printf(arena, "%.*s/frames/%zu",
                                                                               BYTES_ARG(resolved), i + 1))),
                                  0);
        ret->list[i] = part_at(parts, (size_t)json_integer_value(index));
        ret->list[i]->used = true;
    }
    ret->count = count;
    return true;
}

bool bulk_parts_read(struct bulk_parts *parts, const struct bulk_part *part, uint64_t offset, void *into,
                     size_t size, struct error *err)
{
    return spool_read(parts->spool, part->offset + offset, into, size, err);
}

size_t bulk_parts_unused(const struct bulk_parts *parts)
{
    size_t unused = 0;

    for (size_t i = 0; i < bulk_parts_count(parts); i++)
        unused += !part_at(parts, i)->used;
    return unused;
}

/* ── what they are ── */

static bool read_stream(struct bulk_parts *parts, const struct bulk_part *part, struct code_stream *ret,
                        bool *ret_known, struct error *err)
{
    const size_t size = part->size < CODE_STREAM_HEAD_BYTES ? (size_t)part->size : CODE_STREAM_HEAD_BYTES;
    uint8_t *head = malloc(size + 1);

    if (!head)
        return error_set(err, FAULT_BUSY, "no memory for the head of a part");
    const bool read = bulk_parts_read(parts, part, 0, head, size, err);
    *ret_known = read && code_stream_read(bytes_of(head, size), ret);
    free(head);
    return read;
}

/* Boxes around a code stream stay behind (PS3.18 Table 10.5.2-1). */
static bool unbox(struct bulk_parts *parts, const struct bulk_list *list, struct error *err)
{
    for (size_t i = 0; i < list->count; i++) {
        struct bulk_part *part = list->list[i];
        struct code_stream stream;
        bool known = false;

        if (!read_stream(parts, part, &stream, &known, err))
            return false;
        if (!known || stream.begin == 0)
            continue;
        part->offset += stream.begin;
        part->size -= stream.begin;
        if (stream.size && stream.size < part->size)
            part->size = stream.size;
    }
    return true;
}

static bool is_image(const char *media_type)
{
    return strncmp(media_type, "image/", 6) == 0;
}

/* Code streams that code_stream.h reads: without a transfer syntax that is named they say what they are. */
static bool is_read_here(const char *media_type)
{
    static const char *const types[] = { "image/jpeg", "image/jls",  "image/jp2", "image/jpx",
                                         "image/jph",  "image/jphc", "image/jxl" };

    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (strcmp(media_type, types[i]) == 0)
            return true;
    return false;
}

bool bulk_parts_syntax(struct bulk_parts *parts, const struct bulk_list *list, const char **ret_uid,
                       struct error *err)
{
    const struct bulk_part *first = list->list[0];
    enum transfer_syntax syntax =
        first->transfer_syntax[0] ? transfer_syntax_of_uid(bytes_of_text(first->transfer_syntax))
        : first->media_type[0]    ? transfer_syntax_of_media(bytes_of_text(first->media_type))
                                  : SYNTAX_EXPLICIT_LE;
    struct code_stream stream;
    bool known = false;

    if (strcmp(first->media_type, "image/jph") == 0 && !first->transfer_syntax[0])
        syntax = SYNTAX_HTJ2K;
    if (syntax == SYNTAX_UNKNOWN || syntax == SYNTAX_EXPLICIT_BE || syntax == SYNTAX_DEFLATED_LE)
        return error_tell(err, FAULT_UNSUPPORTED_MEDIA,
                          "Pixel Data (7FE0,0010) in a part of %s cannot be stored.",
                          first->media_type[0] ? first->media_type : "this type");
    if (!transfer_syntax_info(syntax)->encapsulated) {
        *ret_uid = transfer_syntax_info(SYNTAX_EXPLICIT_LE)->uid;
        return list->count == 1 ||
               error_tell(err, FAULT_NOT_DICOM, "Uncompressed Pixel Data (7FE0,0010) are one part.");
    }
    if (is_image(transfer_syntax_info(syntax)->media_type) && !unbox(parts, list, err))
        return false;
    if (!read_stream(parts, first, &stream, &known, err))
        return false;
    if (!known && !first->transfer_syntax[0] && is_read_here(first->media_type))
        return error_tell(err, FAULT_NOT_DICOM,
                          "Pixel Data (7FE0,0010): a part of %s is no code stream of that type.",
                          first->media_type);
    if (known && !first->transfer_syntax[0])
        syntax = stream.syntax;
    else if (known && !code_stream_fits(stream.syntax, syntax))
        return error_tell(err, FAULT_NOT_DICOM,
                          "Pixel Data (7FE0,0010) are not in the transfer syntax of their part.");
    *ret_uid = transfer_syntax_info(syntax)->uid;
    return true;
}

static const char *photometric_text(enum photometric photometric)
{
    static const char *const texts[] = {
        [MONOCHROME2] = "MONOCHROME2",   [RGB] = "RGB",         [YBR_FULL] = "YBR_FULL",
        [YBR_FULL_422] = "YBR_FULL_422", [YBR_ICT] = "YBR_ICT", [YBR_RCT] = "YBR_RCT",
    };

    return texts[photometric];
}

bool bulk_parts_settle_number(json_t *model, uint32_t tag, uint32_t value)
{
    char room[JSON_VALUE_ROOM];
    const struct bytes said = json_data_set_text(model, tag, room);
    uint64_t number;

    if (said.data)
        return number_parse(bytes_trim(said), 0, UINT32_MAX, &number) && number == value;
    json_data_set_set_number(model, tag, "US", value);
    return true;
}

bool bulk_parts_describe(struct bulk_parts *parts, const struct bulk_list *list, const char *syntax_uid,
                         json_t *model, struct error *err)
{
    struct code_stream stream;
    bool known = false;
    char room[JSON_VALUE_ROOM];

    (void)syntax_uid;
    if (!read_stream(parts, list->list[0], &stream, &known, err))
        return false;
    if (!known)
        return true;
    const struct pixel_shape *shape = &stream.shape;
    if (!bulk_parts_settle_number(model, TAG_ROWS, shape->rows))
        return error_tell(err, FAULT_MISMATCH, "Rows (0028,0010) is not what the code stream has.");
    if (!bulk_parts_settle_number(model, TAG_COLUMNS, shape->columns))
        return error_tell(err, FAULT_MISMATCH, "Columns (0028,0011) is not what the code stream has.");
    if (!bulk_parts_settle_number(model, TAG_SAMPLES_PER_PIXEL, shape->samples_per_pixel))
        return error_tell(err, FAULT_MISMATCH,
                          "Samples per Pixel (0028,0002) is not what the code stream has.");
    /* Of these the metadata may know better: 12 bits in a stream of 16, say. */
    if (!json_data_set_text(model, TAG_BITS_STORED, room).data)
        (void)bulk_parts_settle_number(model, TAG_BITS_STORED, shape->bits_stored);
    (void)bulk_parts_settle_number(model, TAG_BITS_ALLOCATED, shape->bits_allocated);
    (void)bulk_parts_settle_number(model, TAG_HIGH_BIT, shape->bits_stored - 1u);
    (void)bulk_parts_settle_number(model, TAG_PIXEL_REPRESENTATION, shape->is_signed);
    if (shape->samples_per_pixel > 1)
        (void)bulk_parts_settle_number(model, TAG_PLANAR_CONFIGURATION, 0);
    if (!json_data_set_text(model, TAG_PHOTOMETRIC_INTERPRETATION, room).data)
        json_data_set_set_text(model, TAG_PHOTOMETRIC_INTERPRETATION, "CS",
                               photometric_text(shape->photometric));
    return true;
}
