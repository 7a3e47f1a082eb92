/* handlers/stow_rs_metadata.c
 * SPDX-License-Identifier: Apache-2.0
 *
 *   part +json, +xml ─► memory ─► models ─┐
 *                                         ├─► one DICOM file each ─► intake
 *   any other part ───► spool ──► parts ──┘
 *
 * A part is found by its Content-Location, resolved as the BulkDataURI is, against the request's URL.
 * Compressed pixel data are one part a frame, all with one location or with /frames/1, /frames/2 … behind it
 * (STO-35), and become items with a Basic Offset Table, beyond 4 GiB an Extended one (PS3.5 A.4).
 */
#include "handlers/stow_rs_metadata.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/number.h"
#include "dicom/json_data_set.h"
#include "dicom/tag.h"
#include "dicom/transfer_syntax.h"
#include "dicom/xml_data_set.h"
#include "handlers/bulk_picture.h"
#include "http/media_type.h"
#include "http/uri_reference.h"

enum {
    TREE_FOR_TEXT = 8,      /* bytes of a parsed model for one of its text */
    MEMORY_OF_A_PART = 512, /* its line in the table, and its location */
    HELD_LEAST = 64 * 1024,
    COPY_BYTES = 256 * 1024,
    WARNING_ELEMENTS_DISCARDED = 0xB006,
    ITEM_HEADER_BYTES = 8,
};

struct stow_metadata {
    const struct service *service;
    struct arena *arena;
    struct bytes url; /* of the request: what relative references are resolved against */
    bool is_xml;
    struct bulk_parts parts;
    struct buffer text;  /* of the metadata part under way */
    uint64_t text_bytes; /* of all metadata parts */
    struct block *held;  /* stands for all this memory in the budget */
    uint64_t held_bytes;
    json_t *models; /* an array of objects */
    bool in_metadata, part_is_xml;
    uint8_t *copying; /* COPY_BYTES, while instances are written */
};

static void stow_metadata_close(void *closed)
{
    struct stow_metadata *metadata = closed;

    bulk_parts_done(&metadata->parts);
    buffer_done(&metadata->text);
    block_unref(metadata->held);
    json_decref(metadata->models);
    free(metadata->copying);
}

struct stow_metadata *stow_metadata_new(const struct service *service, const struct request *request,
                                        bool is_xml)
{
    struct arena *arena = request->arena;
    struct stow_metadata *metadata = arena_alloc(arena, sizeof *metadata);

    metadata->service = service;
    metadata->arena = arena;
    metadata->is_xml = is_xml;
    metadata->url =
        bytes_of_text(arena_printf(arena, "%s%.*s", request->public_base, BYTES_ARG(request->path)));
    metadata->models = json_array();
    buffer_init(&metadata->text, service->limits->metadata_ceiling_bytes);
    bulk_parts_init(&metadata->parts, service->store, metadata->url);
    arena_defer(arena, stow_metadata_close, metadata);
    return metadata;
}

/* ── parts ── */

/* One request's memory is bounded by ceilings; that of all together by the budget of blocks, of which each
 * takes a share that is never written to. BUSY when there is none left, TOO_LARGE when it never suffices. */
static bool hold_memory(struct stow_metadata *metadata, struct error *err)
{
    const uint64_t wanted = metadata->text_bytes * (1 + TREE_FOR_TEXT) +
                            bulk_parts_count(&metadata->parts) * (uint64_t)MEMORY_OF_A_PART;

    if (wanted <= metadata->held_bytes)
        return true;
    block_unref(TAKE(metadata->held));
    metadata->held_bytes = wanted + wanted / 4 + HELD_LEAST;
    if (!block_take((size_t)metadata->held_bytes, &metadata->held, err)) {
        metadata->held_bytes = 0;
        if (err->fault == FAULT_OVER_BUDGET) /* of those who send, this one is too large */
            err->fault = FAULT_TOO_LARGE;
        return error_while(err, "holding memory for metadata");
    }
    return true;
}

bool stow_metadata_part_begin(struct stow_metadata *metadata, const struct fields *headers, struct error *err)
{
    const struct field *field = fields_find(headers, "content-type");
    struct arena scratch = { 0 };
    struct media_type type;
    struct error ignored = { 0 };

    const bool said = field && media_type_parse(field->value, &scratch, &type, &ignored);
    const bool is_json =
        said && (media_type_is(&type, "application/dicom+json") || media_type_is(&type, "application/json"));
    const bool is_xml = said && (media_type_is(&type, "application/dicom+xml") ||
                                 media_type_is(&type, "application/xml") || media_type_is(&type, "text/xml"));
    const bool located = fields_find(headers, "content-location") != NULL;
    bool ok = true;

    /* A part that says nothing is of the message's type (STO-12). */
    metadata->in_metadata = is_json || is_xml || (!field && !located);
    metadata->part_is_xml = is_xml || (!is_json && metadata->is_xml);
    buffer_cut(&metadata->text, 0);
    if (!metadata->in_metadata)
        ok = bulk_parts_begin(&metadata->parts, headers, said ? &type : NULL, err) &&
             hold_memory(metadata, err);
    arena_release(&scratch);
    return ok;
}

bool stow_metadata_part_bytes(struct stow_metadata *metadata, struct bytes chunk, struct error *err)
{
    const uint64_t ceiling = metadata->service->limits->metadata_ceiling_bytes;

    if (!metadata->in_metadata)
        return bulk_parts_append(&metadata->parts, chunk, err);
    metadata->text_bytes += chunk.size;
    if (metadata->text_bytes > ceiling)
        return error_tell(err, FAULT_TOO_LARGE,
                          "The metadata of one request may have %" PRIu64 " bytes (metadata_ceiling).",
                          ceiling);
    if (!hold_memory(metadata, err))
        return false;
    buffer_append(&metadata->text, chunk);
    return true;
}

static bool read_json(struct stow_metadata *metadata, struct error *err)
{
    const struct bytes text = buffer_bytes(&metadata->text);
    json_error_t why;
    json_t *read = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &why);
    bool ok = true;

    if (!read)
        return error_tell(err, FAULT_MALFORMED, "The JSON metadata cannot be read, line %d, column %d.",
                          why.line, why.column);
    if (json_is_array(read))
        ok = json_array_extend(metadata->models, read) == 0;
    else if (json_is_object(read))
        ok = json_array_append(metadata->models, read) == 0;
    else
        ok = error_tell(err, FAULT_MALFORMED, "The JSON metadata are no array of objects.");
    json_decref(read);
    return ok;
}

static bool read_xml(struct stow_metadata *metadata, struct error *err)
{
    json_t *read = NULL;

    if (!xml_data_set_read(buffer_bytes(&metadata->text), &read, err)) {
        if (err->fault == FAULT_NOT_DICOM)
            err->fault = FAULT_MALFORMED; /* of the message (PS3.18 10.5.3: bad syntax) */
        return false;
    }
    return json_array_append_new(metadata->models, read) == 0;
}

bool stow_metadata_part_end(struct stow_metadata *metadata, struct error *err)
{
    if (!metadata->in_metadata)
        return bulk_parts_end(&metadata->parts, err);
    const bool ok = metadata->part_is_xml ? read_xml(metadata, err) : read_json(metadata, err);
    buffer_cut(&metadata->text, 0);
    return ok;
}

/* ── an instance ── */

struct assembly {
    struct stow_metadata *metadata;
    struct intake *intake;
    struct bulk_list pixels;       /* compressed ones; count 0: none, or native */
    uint64_t pixel_bytes;          /* of all items with their headers */
    struct bulk_pictures pictures; /* that become native ones; frames 0: none */
};

/* BulkDataURIs of our own: \x01 and a digit, for no URI holds that byte. */
enum own { OWN_OFFSETS = 1, OWN_LENGTHS = 2, OWN_PICTURES = 3 };

static bool put(void *context, struct bytes data, struct error *err)
{
    struct assembly *assembly = context;

    (void)err;
    intake_write(assembly->intake, data); /* what fails there is the instance's outcome */
    return true;
}

static bool copy_part(struct assembly *assembly, const struct bulk_part *part, struct error *err)
{
    struct stow_metadata *metadata = assembly->metadata;

    for (uint64_t at = 0; at < part->size;) {
        const uint64_t left = part->size - at;
        const size_t size = left < COPY_BYTES ? (size_t)left : COPY_BYTES;

        if (!bulk_parts_read(&metadata->parts, part, at, metadata->copying, size, err))
            return false;
        (void)put(assembly, bytes_of(metadata->copying, size), err);
        at += size;
    }
    return true;
}

static void le32(uint8_t *into, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        into[i] = (uint8_t)(value >> 8 * i);
}

static bool is_own(struct bytes uri, enum own which)
{
    return uri.size == 2 && uri.data[0] == '\x01' && uri.data[1] == '0' + (int)which;
}

/* Offsets or lengths of frames, 64 bits each: PS3.3 C.7.6.3.1.8. */
static bool put_extended_table(struct assembly *assembly, enum own which, struct error *err)
{
    uint64_t at = 0;

    for (size_t i = 0; i < assembly->pixels.count; i++) {
        const uint64_t size = assembly->pixels.list[i]->size, even = size + size % 2;
        const uint64_t value = which == OWN_OFFSETS ? at : size;
        uint8_t room[8];

        le32(room, (uint32_t)value);
        le32(room + 4, (uint32_t)(value >> 32));
        if (!put(assembly, bytes_of(room, sizeof room), err))
            return false;
        at += ITEM_HEADER_BYTES + even;
    }
    return true;
}

static bool bulk_size(void *context, struct bytes uri, uint64_t *ret, struct error *err)
{
    struct assembly *assembly = context;
    struct bulk_list found;

    if (is_own(uri, OWN_PICTURES)) {
        *ret = bulk_pictures_bytes(&assembly->pictures);
        return true;
    }
    if (is_own(uri, OWN_OFFSETS) || is_own(uri, OWN_LENGTHS)) {
        *ret = assembly->pixels.count * sizeof(uint64_t);
        return true;
    }
    if (!bulk_parts_find(&assembly->metadata->parts, uri, assembly->metadata->arena, &found) ||
        found.count == 0)
        return error_tell(err, FAULT_NOT_DICOM, "A BulkDataURI is no part's Content-Location.");
    if (found.count > 1)
        return error_tell(err, FAULT_NOT_DICOM, "Several parts have the Content-Location of one value.");
    *ret = found.list[0]->size;
    return true;
}

static bool bulk_put(void *context, struct bytes uri, struct error *err)
{
    struct assembly *assembly = context;
    struct bulk_list found;

    if (is_own(uri, OWN_PICTURES))
        return bulk_pictures_put(&assembly->pictures, put, assembly, err);
    for (enum own which = OWN_OFFSETS; which <= OWN_LENGTHS; which++)
        if (is_own(uri, which))
            return put_extended_table(assembly, which, err);
    if (!bulk_parts_find(&assembly->metadata->parts, uri, assembly->metadata->arena, &found) ||
        found.count != 1)
        return error_set(err, FAULT_INTERNAL, "a part that was there");
    return copy_part(assembly, found.list[0], err);
}

static bool put_item_header(struct assembly *assembly, uint32_t element, uint32_t size, struct error *err)
{
    uint8_t header[ITEM_HEADER_BYTES];

    le32(header, 0xFFFE | element << 16);
    le32(header + 4, size);
    return put(assembly, bytes_of(header, sizeof header), err);
}

/* The whole element of compressed pixel data: table, an item a frame, end. */
static bool put_pixel_data(void *context, struct bytes uri, bool *ret_done, struct error *err)
{
    static const uint8_t head[] = { 0xE0, 0x7F, 0x10, 0x00, 'O', 'B', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF };
    struct assembly *assembly = context;
    const struct bulk_list *pixels = &assembly->pixels;
    const bool basic = assembly->pixel_bytes <= UINT32_MAX && pixels->count <= UINT32_MAX / 4;
    uint32_t at = 0;

    (void)uri;
    *ret_done = pixels->count > 0;
    if (pixels->count == 0)
        return true;
    if (!put(assembly, bytes_of(head, sizeof head), err) ||
        !put_item_header(assembly, 0xE000, basic ? (uint32_t)pixels->count * 4 : 0, err))
        return false;
    for (size_t i = 0; basic && i < pixels->count; i++) {
        uint8_t room[4];
        le32(room, at);
        if (!put(assembly, bytes_of(room, sizeof room), err))
            return false;
        at += (uint32_t)(ITEM_HEADER_BYTES + pixels->list[i]->size + pixels->list[i]->size % 2);
    }
    for (size_t i = 0; i < pixels->count; i++) {
        const uint64_t size = pixels->list[i]->size;
        if (size >= UINT32_MAX)
            return error_tell(err, FAULT_NOT_DICOM, "A frame of 4 GiB or more fits in no item.");
        if (!put_item_header(assembly, 0xE000, (uint32_t)(size + size % 2), err) ||
            !copy_part(assembly, pixels->list[i], err) || (size % 2 && !put(assembly, bytes_of("", 1), err)))
            return false;
    }
    return put_item_header(assembly, 0xE0DD, 0, err);
}

/* ── what the metadata leave to the parts ── */

static struct bytes uri_of(const json_t *model, uint32_t tag)
{
    char name[9];

    snprintf(name, sizeof name, "%08X", tag);
    const json_t *found = json_object_get(model, name);
    for (char *c = name; !found && *c; c++)
        if (*c >= 'A' && *c <= 'F')
            *c = (char)(*c + 32);
    found = json_object_get(found ? found : json_object_get(model, name), "BulkDataURI");
    return json_is_string(found) ? bytes_of(json_string_value(found), json_string_length(found))
                                 : bytes_of(NULL, 0);
}

static void refer_to_own(json_t *model, const char *name, const char *vr, enum own which)
{
    const char uri[] = { '\x01', (char)('0' + (int)which), '\0' };

    json_object_set_new(model, name, json_pack("{s:s, s:s}", "vr", vr, "BulkDataURI", uri));
}

static bool settle_pictures(struct assembly *assembly, json_t *model, const struct bulk_list *found,
                            struct error *err)
{
    struct stow_metadata *metadata = assembly->metadata;

    if (!bulk_pictures_settle(&metadata->parts, found, metadata->service->limits, model, &assembly->pictures,
                              err))
        return false;
    json_object_del(model, "7fe00010");
    refer_to_own(model, "7FE00010", assembly->pictures.shape.bits_allocated > 8 ? "OW" : "OB", OWN_PICTURES);
    return true;
}

/* Number of Frames, the offset tables, and the transfer syntax that the parts are in. */
static bool settle_pixels(struct assembly *assembly, json_t *model, const char **ret_syntax,
                          struct error *err)
{
    const struct bytes uri = uri_of(model, TAG_PIXEL_DATA);
    struct stow_metadata *metadata = assembly->metadata;
    char room[JSON_VALUE_ROOM];
    struct bulk_list found;

    *ret_syntax = transfer_syntax_info(SYNTAX_EXPLICIT_LE)->uid;
    if (!uri.data)
        return true;
    if (!bulk_parts_find(&metadata->parts, uri, metadata->arena, &found) || found.count == 0)
        return error_tell(err, FAULT_NOT_DICOM,
                          "Pixel Data (7FE0,0010): its BulkDataURI is no part's Content-Location.");
    if (bulk_pictures_are_meant(&found))
        return settle_pictures(assembly, model, &found, err);
    if (!bulk_parts_syntax(&metadata->parts, &found, ret_syntax, err))
        return false;
    if (!transfer_syntax_info(transfer_syntax_of_uid(bytes_of_text(*ret_syntax)))->encapsulated)
        return true;

    const struct bytes frames = json_data_set_text(model, TAG_NUMBER_OF_FRAMES, room);
    uint64_t count = 0;
    assembly->pixels = found;
    for (size_t i = 0; i < found.count; i++)
        assembly->pixel_bytes += ITEM_HEADER_BYTES + found.list[i]->size + found.list[i]->size % 2;
    if (frames.data && found.count > 1 &&
        (!number_parse(bytes_trim(frames), 1, UINT32_MAX, &count) || count != found.count))
        return error_tell(err, FAULT_NOT_DICOM,
                          "Number of Frames (0028,0008) is not the number of parts, %zu.", found.count);
    if (!frames.data && found.count > 1)
        json_data_set_set_number(model, TAG_NUMBER_OF_FRAMES, "IS", (uint32_t)found.count);
    if (assembly->pixel_bytes > UINT32_MAX) {
        refer_to_own(model, "7FE00001", "OV", OWN_OFFSETS);
        refer_to_own(model, "7FE00002", "OV", OWN_LENGTHS);
    }
    return bulk_parts_describe(&metadata->parts, &found, *ret_syntax, model, err);
}

/* Encapsulated documents: MIME Type of Encapsulated Document is the part's media type (STO-39). */
static bool settle_document(struct assembly *assembly, json_t *model, struct error *err)
{
    enum { TAG_DOCUMENT = 0x00420011, TAG_DOCUMENT_TYPE = 0x00420012 };
    const struct bytes uri = uri_of(model, TAG_DOCUMENT);
    struct stow_metadata *metadata = assembly->metadata;
    char room[JSON_VALUE_ROOM];
    struct bulk_list found;

    if (!uri.data || !bulk_parts_find(&metadata->parts, uri, metadata->arena, &found) || found.count != 1 ||
        !found.list[0]->media_type[0] || strcmp(found.list[0]->media_type, "application/octet-stream") == 0)
        return true;
    const struct bytes said = json_data_set_text(model, TAG_DOCUMENT_TYPE, room);
    if (!said.data || said.size == 0)
        json_data_set_set_text(model, TAG_DOCUMENT_TYPE, "LO", found.list[0]->media_type);
    else if (!bytes_equal_nocase(said, bytes_of_text(found.list[0]->media_type)))
        return error_tell(err, FAULT_MISMATCH,
                          "MIME Type of Encapsulated Document (0042,0012) is not that of the part.");
    return true;
}

static void name_instance(struct intake *intake, const json_t *model)
{
    struct instance_key key = { 0 };
    struct uid sop_class = { 0 };
    struct error ignored = { 0 };
    char room[JSON_VALUE_ROOM];

    /* What is no UID leaves its place empty: the instance then has no name. */
    if (!uid_parse(json_data_set_text(model, TAG_SOP_CLASS_UID, room), &sop_class, &ignored) ||
        !uid_parse(json_data_set_text(model, TAG_SOP_INSTANCE_UID, room), &key.instance, &ignored))
        memset(&key, 0, sizeof key);
    intake_name_instance(intake, &key, &sop_class);
}

static void write_instance(struct stow_metadata *metadata, json_t *model, struct intake *intake)
{
    struct assembly assembly = { .metadata = metadata, .intake = intake };
    const struct json_data_set_output output = { &assembly, put, bulk_size, bulk_put, put_pixel_data };
    const struct arena_mark mark = arena_mark(metadata->arena);
    const char *syntax = NULL;
    bool dropped = false;
    struct error why = { 0 };

    if (!intake_begin_instance(intake, &why)) {
        intake_refuse_instance(intake, &why);
        return;
    }
    name_instance(intake, model);
    const bool written =
        json_is_object(model)
            ? settle_pixels(&assembly, model, &syntax, &why) && settle_document(&assembly, model, &why) &&
                  json_data_set_write(model, syntax, &output, &dropped, &why)
            : error_tell(&why, FAULT_NOT_DICOM, "The metadata of an instance are no object.");
    if (dropped)
        intake_warn_instance(intake, WARNING_ELEMENTS_DISCARDED);
    if (written)
        intake_end_instance(intake);
    else
        intake_abandon_instance(intake, &why);
    arena_rewind(metadata->arena, mark);
}

bool stow_metadata_finish(struct stow_metadata *metadata, struct intake *intake, struct error *err)
{
    const size_t count = json_array_size(metadata->models);

    if (count == 0)
        return error_tell(err, FAULT_MALFORMED, "There are no metadata in the message.");
    metadata->copying = malloc(COPY_BYTES);
    if (!metadata->copying)
        return error_set(err, FAULT_BUSY, "no memory to copy bulk data");
    for (size_t i = 0; i < count; i++)
        write_instance(metadata, json_array_get(metadata->models, i), intake);
    for (size_t unused = bulk_parts_unused(&metadata->parts); unused > 0; unused--) {
        struct error why = { 0 };
        error_tell(&why, FAULT_MALFORMED, "A part is referred to by no metadata.");
        intake_refuse_instance(intake, &why);
    }
    return true;
}
