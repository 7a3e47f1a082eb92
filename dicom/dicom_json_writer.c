/* dicom/dicom_json_writer.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Walks a parsed data set and writes it; see dicom_json_writer.h. DCMTK's writer is not used: it gives up
 * on encapsulated pixel data and leaves half a document.
 *
 * The text says ISO_IR 192 in (0008,0005) only when something else than ASCII came out (JSN-29), which is
 * known at the end: the places are noted on the way and filled in while the body is copied to where it goes.
 */
#include "dicom/dicom_json_writer.h"

#include <inttypes.h>

#include "dicom/charset.h"
#include "dicom/dicom_json_value.h"
#include "dicom/resolve_vr.h"
#include "dicom/tag.h"

enum { DEPTH = 256, SCRATCH_CEILING = 64 * 1024 * 1024 };

/* The text from..to in the body gives way to `text` when the document is not ASCII. */
struct mark {
    size_t from, to;
    const char *text;
};

struct writer {
    const struct json_document *document;
    struct buffer body, path, value, text, marks;
    bool foreign; /* something else than ASCII came out */
    bool told_root_charset, told_syntax;
    unsigned depth;
};

static void writer_drop(struct writer **writer)
{
    buffer_done(&(*writer)->body);
    buffer_done(&(*writer)->path);
    buffer_done(&(*writer)->value);
    buffer_done(&(*writer)->text);
    buffer_done(&(*writer)->marks);
}

static bool write_elements(struct writer *writer, struct resolve_level *level, struct charset *charset,
                           bool *any, struct error *err);

static void mark_place(struct writer *writer, size_t from, size_t to, const char *text)
{
    const struct mark mark = { from, to, text };

    buffer_append(&writer->marks, bytes_of(&mark, sizeof mark));
}

static void write_bulk_uri(struct writer *writer, uint32_t tag)
{
    buffer_append_text(&writer->body, ",\"BulkDataURI\":\"");
    dicom_json_instance_url(&writer->body, writer->document->key);
    buffer_append_text(&writer->body, "/bulkdata/");
    buffer_append(&writer->body, buffer_bytes(&writer->path));
    buffer_printf(&writer->body, "%08" PRIX32 "\"", tag);
}

/* Group lengths, file meta, command and delimiters are no attributes of the object (JSN-05, JSN-33). */
static bool is_shown(uint32_t tag)
{
    const uint32_t group = tag >> 16;

    return (tag & 0xFFFF) != 0 && (group >= 0x0008 || group == 0x0004) && group != 0xFFFE;
}

static bool read_value(struct writer *writer, const struct dataset_element *element, struct bytes *ret,
                       struct error *err)
{
    const uint8_t *in_place;

    if (dataset_value_in_place(element, &in_place)) {
        *ret = bytes_of(in_place, (size_t)element->size);
        return true;
    }
    buffer_cut(&writer->value, 0);
    uint8_t *room = element->size <= SIZE_MAX ? buffer_reserve(&writer->value, (size_t)element->size) : NULL;

    if (!room)
        return error_set(err, FAULT_TOO_LARGE, "a value of %" PRIu64 " bytes for the metadata",
                         element->size);
    if (!dataset_value(element, room, err))
        return false;
    *ret = bytes_of(room, (size_t)element->size);
    return true;
}

static bool write_items(struct writer *writer, const struct dataset_element *sequence,
                        struct resolve_level *parent, const struct charset *inherited, struct error *err)
{
    const struct dataset_item *item = NULL;
    const size_t path_size = writer->path.size;
    uint32_t number = 0;

    if (++writer->depth > DEPTH)
        return error_tell(err, FAULT_NOT_DICOM, "Sequences nested more than %d deep", DEPTH);
    while ((item = dataset_next_item(sequence, item))) {
        struct resolve_level level = { .item = item, .parent = parent };
        struct charset charset = { .kind = inherited->kind, .g0 = inherited->g0, .g1 = inherited->g1 };
        bool any = false;

        number++;
        buffer_append_text(&writer->body, number == 1 ? ",\"Value\":[{" : ",{");
        buffer_printf(&writer->path, "%08" PRIX32 "/%" PRIu32 "/", sequence->tag, number);
        const bool written = write_elements(writer, &level, &charset, &any, err);
        charset_done(&charset);
        if (!written)
            return false;
        buffer_cut(&writer->path, path_size);
        buffer_append_byte(&writer->body, '}');
    }
    if (number > 0)
        buffer_append_byte(&writer->body, ']');
    writer->depth--;
    return true;
}

static void write_text(struct writer *writer, const struct vr_info *vr, struct bytes value,
                       struct charset *charset)
{
    const enum charset_text what = vr->class == VR_NAMES  ? CHARSET_NAMES
                                   : vr->class == VR_TEXT ? CHARSET_TEXT
                                                          : CHARSET_VALUES;

    buffer_cut(&writer->text, 0);
    writer->foreign |= charset_append(charset, value, what, &writer->text);
    json_value_text(&writer->body, vr, buffer_bytes(&writer->text));
}

/* What a viewer needs before the first image: a request for each would keep that waiting (OHIF asks one by
 * one). Overlay Data of any group; LUT Data; palettes, plain and segmented. */
static bool is_for_display(uint32_t tag)
{
    return (tag & 0xFF01FFFF) == 0x60003000 || tag == 0x00283006 ||
           (tag >= 0x00281201 && tag <= 0x00281204) || (tag >= 0x00281221 && tag <= 0x00281224);
}

static bool wants_reference(const struct writer *writer, const struct vr_info *vr,
                            const struct dataset_element *element)
{
    const struct json_limits *limits = writer->document->limits;

    if (element->is_encapsulated)
        return true;
    if (vr->class == VR_NUMBER && element->size < vr->width) /* no value, but bytes */
        return true;
    uint32_t most = vr->class == VR_OPAQUE ? limits->inline_binary_bytes : limits->inline_text_bytes;
    if (is_for_display(element->tag) && most < limits->inline_display_bytes)
        most = limits->inline_display_bytes;
    return vr->may_be_bulk && element->size > most;
}

static bool write_element(struct writer *writer, const struct dataset_element *element,
                          struct resolve_level *level, struct charset *charset, struct error *err)
{
    char name[3];
    struct bytes value;

    resolve_vr(level, element, name);
    const struct vr_info *vr = vr_info(name);

    json_value_begin(&writer->body, element->tag, vr->name);
    if (element->is_sequence) {
        if (!write_items(writer, element, level, charset, err))
            return false;
    } else if (element->size == 0) {
        /* only the vr */
    } else if (wants_reference(writer, vr, element)) {
        write_bulk_uri(writer, element->tag);
    } else if (!read_value(writer, element, &value, err)) {
        return false;
    } else if (vr->class == VR_OPAQUE || vr->class == VR_SEQUENCE) {
        json_value_inline_binary(&writer->body, value);
    } else if (json_value_is_unspeakable(vr, value)) {
        write_bulk_uri(writer, element->tag);
    } else if (vr->class == VR_NUMBER || vr->class == VR_TAG) {
        json_value_binary(&writer->body, vr, value);
    } else if (element->tag == TAG_SPECIFIC_CHARACTER_SET) {
        const size_t from = writer->body.size;
        charset_done(charset);
        charset_parse(value, charset);
        write_text(writer, vr, value, &(struct charset){ 0 });
        mark_place(writer, from, writer->body.size, ",\"Value\":[\"ISO_IR 192\"]");
    } else {
        write_text(writer, vr, value, charset);
    }
    buffer_append_byte(&writer->body, '}');
    return true;
}

static void separate(struct writer *writer, bool *any)
{
    if (*any)
        buffer_append_byte(&writer->body, ',');
    *any = true;
}

static void write_pixels(struct writer *writer, bool *any)
{
    const struct json_document *document = writer->document;

    separate(writer, any);
    json_value_begin(&writer->body, document->pixel_tag, vr_info(document->pixel_vr)->name);
    if (!document->pixels_empty)
        write_bulk_uri(writer, document->pixel_tag);
    buffer_append_byte(&writer->body, '}');
}

/* Available Transfer Syntax UID, ours instead of one that came along, in its place before `next`. False:
 * `next` is that one. */
static bool tell_syntax(struct writer *writer, uint32_t next, bool *any)
{
    if (!writer->told_syntax && next >= TAG_AVAILABLE_TRANSFER_SYNTAX_UID) {
        separate(writer, any);
        dicom_json_attribute(&writer->body, TAG_AVAILABLE_TRANSFER_SYNTAX_UID, "UI",
                             bytes_of_text(writer->document->syntax_uid));
        writer->told_syntax = true;
    }
    return next != TAG_AVAILABLE_TRANSFER_SYNTAX_UID;
}

static bool write_elements(struct writer *writer, struct resolve_level *level, struct charset *charset,
                           bool *any, struct error *err)
{
    struct dataset_element element = { 0 };

    while (dataset_next_element(level->item, &element)) {
        if (!is_shown(element.tag))
            continue;
        if (!level->parent && !writer->told_root_charset && element.tag >= TAG_SPECIFIC_CHARACTER_SET) {
            if (element.tag != TAG_SPECIFIC_CHARACTER_SET || element.size == 0) {
                const size_t here = writer->body.size + (*any ? 1 : 0);
                mark_place(writer, here, here, "\"00080005\":{\"vr\":\"CS\",\"Value\":[\"ISO_IR 192\"]},");
            }
            writer->told_root_charset = true;
            /* One that is there but empty gives way to the full one, should that be needed. */
            if (element.tag == TAG_SPECIFIC_CHARACTER_SET && element.size == 0)
                continue;
        }
        if (!level->parent && !tell_syntax(writer, element.tag, any))
            continue;
        separate(writer, any);
        if (!write_element(writer, &element, level, charset, err))
            return false;
    }
    return true;
}

static void copy_marked(const struct writer *writer, struct buffer *into)
{
    const struct bytes body = buffer_bytes(&writer->body);
    const struct mark *marks = (const struct mark *)(const void *)writer->marks.data;
    size_t at = 0;

    for (size_t i = 0; writer->foreign && i < writer->marks.size / sizeof *marks; i++) {
        buffer_append(into, bytes_of(body.data + at, marks[i].from - at));
        buffer_append_text(into, marks[i].text);
        at = marks[i].to;
    }
    buffer_append(into, bytes_from(body, at));
}

bool dicom_json_write(const struct json_document *document, struct buffer *into, struct error *err)
{
    struct writer state = { .document = document };
    SCOPED(writer) struct writer *writer = &state;
    struct resolve_level root = { .item = dataset_root(document->elements) };
    struct charset charset = { 0 };
    bool any = false;

    buffer_init(&writer->body, into->ceiling);
    buffer_init(&writer->path, 64 * 1024);
    buffer_init(&writer->value, SCRATCH_CEILING);
    buffer_init(&writer->text, SCRATCH_CEILING);
    buffer_init(&writer->marks, SCRATCH_CEILING);
    buffer_append_byte(&writer->body, '{');
    bool written = write_elements(writer, &root, &charset, &any, err);
    if (written && document->pixel_tag)
        write_pixels(writer, &any);
    if (written && document->tail_or_null) {
        struct resolve_level tail = { .item = dataset_root(document->tail_or_null) };
        written = write_elements(writer, &tail, &charset, &any, err);
    }
    charset_done(&charset);
    if (!written)
        return false;
    buffer_append_byte(&writer->body, '}');
    if (!buffer_check(&writer->body, "metadata", err) || !buffer_check(&writer->path, "path", err) ||
        !buffer_check(&writer->value, "value", err) || !buffer_check(&writer->text, "text", err) ||
        !buffer_check(&writer->marks, "character sets", err))
        return false;
    copy_marked(writer, into);
    return buffer_check(into, "metadata", err);
}
