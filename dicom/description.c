/* dicom/description.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Everything that arrival wants to know, in one reading; see description.h.
 *
 *   data_set_open ─→ UIDs ─→ shape ─→ frame_table_scan ─→ catalog values ─→ metadata JSON
 *
 * A deflated data set has no frame table: its pixels have no place in the file that could be named. Such
 * instances are found, described and returned whole; their metadata is complete.
 */
#include "dicom/description.h"

#include <stdio.h>

#include "base/number.h"
#include "dicom/charset.h"
#include "dicom/data_set.h"
#include "dicom/dicom_json_writer.h"
#include "dicom/frame_syntax.h"
#include "dicom/normal_form.h"
#include "dicom/tag.h"
#include "dicom/vr.h"

enum {
    JSON_CEILING = 64 * 1024 * 1024,
    OFFSET_TABLE_CEILING = 64 * 1024 * 1024,
    COLUMN_BYTES = 64 * 1024, /* of one value for the catalog; longer ones are cut */
    SHORT_VALUE = 256,
    WARNING_RULE_BROKEN = 0xB007
};

#define MEDIA_STORAGE_DIRECTORY "1.2.840.10008.1.3.10"

struct reading {
    struct data_set data_set;
    const struct dataset_item *root;
    struct arena *arena;
    struct buffer value, text;      /* scratch */
    struct buffer offsets, lengths; /* Extended Offset Table */
};

static void reading_drop(struct reading **reading)
{
    data_set_close(&(*reading)->data_set);
    buffer_done(&(*reading)->value);
    buffer_done(&(*reading)->text);
    buffer_done(&(*reading)->offsets);
    buffer_done(&(*reading)->lengths);
}

/* A value of the data set in `into`; empty when absent or longer than the buffer's ceiling. */
static bool read_value(const struct reading *reading, uint32_t tag, struct buffer *into, struct error *err)
{
    struct dataset_element element;

    buffer_cut(into, 0);
    if (!dataset_find(reading->root, tag, &element) || element.size == 0 || element.size > into->ceiling)
        return true;
    uint8_t *room = buffer_reserve(into, (size_t)element.size);
    if (!room)
        return error_set(err, FAULT_BUSY, "no memory for a value");
    if (!dataset_value(&element, room, err))
        return false;
    buffer_grew(into, (size_t)element.size);
    return true;
}

/* ---- identity ---- */

static bool read_uid(struct reading *reading, uint32_t tag, struct uid *ret, struct error *err)
{
    struct error bad = { 0 };

    if (!read_value(reading, tag, &reading->value, err))
        return false;
    if (!uid_parse_padded(buffer_bytes(&reading->value), ret, &bad))
        *ret = (struct uid){ { 0 } };
    return true;
}

static bool check_identity(const struct reading *reading, struct description *found, struct error *err)
{
    const struct part10 *part10 = &reading->data_set.part10;
    const struct {
        const struct uid *uid, *meta;
        const char *keyword;
    } needed[] = {
        { &found->sop_class, &part10->sop_class, "SOPClassUID" },
        { &found->key.instance, &part10->sop_instance, "SOPInstanceUID" },
        { &found->key.study, NULL, "StudyInstanceUID" },
        { &found->key.series, NULL, "SeriesInstanceUID" },
    };

    for (size_t i = 0; i < COUNT_OF(needed); i++) {
        if (!needed[i].uid->text[0])
            return error_tell(err, FAULT_MISMATCH, "%s is missing or is no UID.", needed[i].keyword);
        if (needed[i].meta && needed[i].meta->text[0] && !uid_equal(needed[i].uid, needed[i].meta))
            found->foreign_meta = needed[i].keyword;
    }
    found->needs_head = !part10->preamble || !part10->syntax.text[0] || !part10->sop_class.text[0] ||
                        !part10->sop_instance.text[0] || found->foreign_meta;
    return true;
}

static bool read_identity(struct reading *reading, struct description *found, struct error *err)
{
    if (!read_uid(reading, TAG_SOP_CLASS_UID, &found->sop_class, err) ||
        !read_uid(reading, TAG_SOP_INSTANCE_UID, &found->key.instance, err) ||
        !read_uid(reading, TAG_STUDY_INSTANCE_UID, &found->key.study, err) ||
        !read_uid(reading, TAG_SERIES_INSTANCE_UID, &found->key.series, err))
        return false;
    return check_identity(reading, found, err);
}

/* ---- pixels ---- */

static bool read_short(struct reading *reading, uint32_t tag, uint16_t fallback, uint16_t *ret,
                       struct error *err)
{
    if (!read_value(reading, tag, &reading->value, err))
        return false;
    const struct bytes value = buffer_bytes(&reading->value);
    *ret = value.size < 2 ? fallback : (uint16_t)(value.data[0] | value.data[1] << 8);
    return true;
}

static enum photometric photometric_of(struct bytes text)
{
    static const struct {
        const char *name;
        enum photometric photometric;
    } names[] = {
        { "MONOCHROME1", MONOCHROME1 },
        { "MONOCHROME2", MONOCHROME2 },
        { "RGB", RGB },
        { "YBR_FULL", YBR_FULL },
        { "YBR_FULL_422", YBR_FULL_422 },
        { "YBR_PARTIAL_420", YBR_PARTIAL_420 },
        { "YBR_ICT", YBR_ICT },
        { "YBR_RCT", YBR_RCT },
        { "PALETTE COLOR", PALETTE_COLOR },
        { "XYB", XYB },
    };
    const struct bytes name = vr_trim(vr_info("CS"), text);

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (bytes_equal_text(name, names[i].name))
            return names[i].photometric;
    return PHOTOMETRIC_OTHER;
}

static bool read_shape(struct reading *reading, struct pixel_shape *ret, struct error *err)
{
    uint16_t rows, columns, representation, planar;

    if (!read_short(reading, TAG_ROWS, 0, &rows, err) ||
        !read_short(reading, TAG_COLUMNS, 0, &columns, err) ||
        !read_short(reading, TAG_SAMPLES_PER_PIXEL, 1, &ret->samples_per_pixel, err) ||
        !read_short(reading, TAG_BITS_ALLOCATED, 0, &ret->bits_allocated, err) ||
        !read_short(reading, TAG_BITS_STORED, ret->bits_allocated, &ret->bits_stored, err) ||
        !read_short(reading, TAG_PIXEL_REPRESENTATION, 0, &representation, err) ||
        !read_short(reading, TAG_PLANAR_CONFIGURATION, 0, &planar, err) ||
        !read_value(reading, TAG_PHOTOMETRIC_INTERPRETATION, &reading->value, err))
        return false;
    ret->rows = rows;
    ret->columns = columns;
    ret->is_signed = representation == 1;
    ret->planar = planar == 1;
    ret->photometric = photometric_of(buffer_bytes(&reading->value));
    return true;
}

static bool read_frame_count(struct reading *reading, uint32_t *ret, struct error *err)
{
    uint64_t frames;

    if (!read_value(reading, TAG_NUMBER_OF_FRAMES, &reading->value, err))
        return false;
    const struct bytes text = vr_trim(vr_info("IS"), buffer_bytes(&reading->value));
    *ret = number_parse(text, 1, UINT32_MAX, &frames) ? (uint32_t)frames : 1;
    return true;
}

static bool is_video(enum transfer_syntax syntax)
{
    const char *media = transfer_syntax_info(syntax)->media_type;

    return syntax != SYNTAX_UNKNOWN && strncmp(media, "video/", 6) == 0;
}

/* Bits of one frame as it lies there: those of 1-bit frames are not rounded up to bytes (PS3.5 8.1.1). */
static uint64_t frame_bits(const struct description *found, uint32_t pixel_tag)
{
    struct pixel_shape shape = found->shape;

    if (pixel_tag == TAG_FLOAT_PIXEL_DATA)
        shape.bits_allocated = 32;
    if (pixel_tag == TAG_DOUBLE_FLOAT_PIXEL_DATA)
        shape.bits_allocated = 64;
    if (shape.bits_allocated == 1)
        return (uint64_t)shape.rows * shape.columns * shape.samples_per_pixel;
    return pixel_shape_frame_bytes(&shape) * 8;
}

/* Offsets of frames in a deflated file count in its inflated data set. */
static void place_inflated_frames(const struct data_set *data_set, uint32_t frames, struct description *found)
{
    const struct element_skeleton *skeleton = &data_set->skeleton;
    uint64_t available = skeleton->pixel_size;

    if (skeleton->pixel_size == UINT32_MAX) /* fragments: not in this transfer syntax */
        return;
    if (data_set->inflated_whole && available > data_set->inflated.size - skeleton->pixel_value)
        available = data_set->inflated.size - skeleton->pixel_value;
    found->frames = frame_table_of_native(FRAMES_NATIVE, skeleton->pixel_value,
                                          frame_bits(found, skeleton->pixel_tag), frames, available);
    if (frame_table_count(found->frames) < frames)
        found->warning_reason = WARNING_RULE_BROKEN;
}

/* The syntax of fragments is that of Explicit VR Little Endian data sets (PS3.5 A.4), hence a label of
 * another encoding says nothing of them. */
static bool true_syntax(const struct reading *reading, const struct description *found, uint32_t frames,
                        enum transfer_syntax *ret, struct error *err)
{
    const enum frame_kind kind = frame_table_kind(found->frames);
    const bool labelled_encapsulated = transfer_syntax_info(found->syntax)->encapsulated;
    const uint64_t value_bytes = frame_table_value(found->frames).size;
    uint64_t native_bits = 0;

    *ret = found->syntax;
    if (kind == FRAMES_ENCAPSULATED && !labelled_encapsulated) {
        *ret = SYNTAX_UNKNOWN;
        return found->syntax != SYNTAX_EXPLICIT_LE ||
               frame_syntax_find(reading->data_set.fd, found->frames, &found->shape, ret, err);
    }
    /* What a file claims to have may be more than a number can hold. */
    if ((kind != FRAMES_NATIVE && kind != FRAMES_NATIVE_BITS) || !labelled_encapsulated ||
        __builtin_mul_overflow(frame_bits(found, reading->data_set.skeleton.pixel_tag), (uint64_t)frames,
                               &native_bits))
        return true;
    const uint64_t native_bytes = native_bits / 8 + (native_bits % 8 != 0);
    if (native_bytes > 0 && value_bytes == native_bytes + native_bytes % 2)
        *ret = SYNTAX_EXPLICIT_LE;
    return true;
}

/* Code streams under the label of a native transfer syntax, and samples under that of a compressed one, are
 * taken for what they are, so that nobody gets the ones for the others. Fragments that are nothing known have
 * no frames; the file stays whole. */
static bool correct_syntax(const struct reading *reading, uint32_t frames, struct description *found,
                           struct error *err)
{
    enum transfer_syntax syntax;

    if (!found->frames || found->syntax == SYNTAX_UNKNOWN)
        return true;
    if (!true_syntax(reading, found, frames, &syntax, err))
        return false;
    if (syntax == found->syntax)
        return true;
    found->warning_reason = WARNING_RULE_BROKEN;
    if (syntax == SYNTAX_UNKNOWN) {
        frame_table_unref(found->frames);
        found->frames = NULL;
        return true;
    }
    found->syntax = syntax;
    snprintf(found->syntax_uid.text, sizeof found->syntax_uid.text, "%s", transfer_syntax_info(syntax)->uid);
    found->needs_head = true;
    return true;
}

static bool read_frames(struct reading *reading, struct description *found, struct error *err)
{
    const struct data_set *data_set = &reading->data_set;
    const struct element_skeleton *skeleton = &data_set->skeleton;
    uint32_t frames;

    if (!read_shape(reading, &found->shape, err) || !read_frame_count(reading, &frames, err))
        return false;
    if (skeleton->has_pixel_data && skeleton->pixel_tag != TAG_PIXEL_DATA)
        found->shape.bits_stored = 0;
    if (!skeleton->has_pixel_data || skeleton->pixel_size == 0)
        return true;
    if (data_set->deflated) {
        place_inflated_frames(data_set, frames, found);
        return true;
    }
    if (!read_value(reading, TAG_EXTENDED_OFFSET_TABLE, &reading->offsets, err) ||
        !read_value(reading, TAG_EXTENDED_OFFSET_TABLE_LENGTHS, &reading->lengths, err))
        return false;
    const struct frame_scan scan = {
        .fd = data_set->fd,
        .element_offset = skeleton->end,
        .file_size = data_set->file_size,
        .explicit_vr = data_set->encoding != DATASET_IMPLICIT_LE,
        .big_endian = data_set->encoding == DATASET_EXPLICIT_BE,
        .encapsulated = skeleton->pixel_size == UINT32_MAX,
        .video = skeleton->pixel_size == UINT32_MAX && is_video(found->syntax),
        /* A file that ends within its pixel data was cut on its way: refused, so that the sender keeps it. */
        .tolerate_cut = false,
        .frames = frames,
        .frame_bits = frame_bits(found, skeleton->pixel_tag),
        .extended_offsets = buffer_bytes(&reading->offsets),
        .extended_lengths = buffer_bytes(&reading->lengths),
    };
    if (!frame_table_scan(&scan, &found->frames, err))
        return false;
    if (!found->frames || (!scan.video && frame_table_count(found->frames) < frames))
        found->warning_reason = WARNING_RULE_BROKEN; /* STO-29: kept as it is */
    return correct_syntax(reading, frames, found, err);
}

/* Where the pixel data element ends, so that nobody walks its fragments twice; 0: not known. */
static uint64_t pixels_end(const struct description *found)
{
    if (!found->frames || found->syntax == SYNTAX_DEFLATED_LE)
        return 0;
    const struct extent value = frame_table_value(found->frames);
    const enum frame_kind kind = frame_table_kind(found->frames);
    const bool delimited = kind == FRAMES_ENCAPSULATED || kind == FRAMES_VIDEO;

    return delimited ? value.offset + value.size + 8 : 0;
}

/* ---- values of the catalog ---- */

static void append_numbers(struct bytes value, struct buffer *into)
{
    for (size_t i = 0; i + 2 <= value.size; i += 2)
        buffer_printf(into, "%s%u", i ? "\\" : "", (unsigned)(value.data[i] | value.data[i + 1] << 8));
}

static struct bytes column_text(struct reading *reading, const struct vr_info *vr, struct bytes raw,
                                struct charset *charset)
{
    struct buffer *text = &reading->text;
    size_t kept = 0;
    bool foreign = false;

    buffer_cut(text, 0);
    if (vr->class == VR_NUMBER)
        append_numbers(raw, text);
    else
        foreign = charset_append(charset, raw, vr->class == VR_NAMES ? CHARSET_NAMES : CHARSET_VALUES, text);
    /* Each value without its padding, closed up in place. */
    struct bytes rest = buffer_bytes(text);
    do {
        const struct bytes value = vr_trim(vr, bytes_cut(&rest, '\\'));
        if (value.size > 0)
            memmove(text->data + kept, value.data, value.size);
        kept += value.size;
        if (rest.data)
            text->data[kept++] = '\\';
    } while (rest.data);
    const struct bytes column = arena_copy(reading->arena, bytes_of(text->data, kept));
    return foreign ? normal_form(column, reading->arena) : column;
}

static bool read_columns(struct reading *reading, struct description *found, struct error *err)
{
    struct charset charset = { 0 };
    struct dataset_element element = { 0 };
    bool read = true;

    while (read && dataset_next_element(reading->root, &element)) {
        const enum query_key key = query_key_of_tag(element.tag);
        const bool is_charset = element.tag == TAG_SPECIFIC_CHARACTER_SET;
        if ((key == QUERY_KEY_COUNT && !is_charset) || element.is_sequence || element.size == 0 ||
            element.size > COLUMN_BYTES)
            continue;
        buffer_cut(&reading->value, 0);
        uint8_t *room = buffer_reserve(&reading->value, (size_t)element.size);
        if (!room) {
            read = error_set(err, FAULT_BUSY, "no memory for a value");
            break;
        }
        read = dataset_value(&element, room, err);
        const struct bytes raw = bytes_of(room, (size_t)element.size);
        if (read && is_charset)
            charset_parse(raw, &charset);
        else if (read)
            found->values[key] = column_text(reading, vr_info(query_key_info(key)->vr), raw, &charset);
    }
    charset_done(&charset);
    return read;
}

/* ---- metadata ---- */

static bool write_json(struct reading *reading, const struct json_limits *limits, struct description *found,
                       struct error *err)
{
    const struct data_set *data_set = &reading->data_set;
    const struct element_skeleton *skeleton = &data_set->skeleton;
    struct json_document document = {
        .elements = data_set->elements,
        .tail_or_null = data_set->tail,
        .pixel_tag = skeleton->pixel_tag,
        .pixels_empty = skeleton->pixel_size == 0,
        .syntax_uid = found->syntax_uid.text,
        .limits = limits,
        .key = &found->key,
    };
    struct buffer json;

    memcpy(document.pixel_vr, skeleton->pixel_vr, sizeof document.pixel_vr);
    buffer_init(&json, JSON_CEILING);
    bool written = dicom_json_write(&document, &json, err) && block_take(json.size, &found->json, err);
    if (written) {
        memcpy(block_room(found->json, NULL), json.data, json.size);
        block_seal(found->json, json.size);
    }
    buffer_done(&json);
    return written;
}

static void keep_syntax(const struct part10 *part10, struct description *found)
{
    found->syntax = part10->transfer_syntax;
    found->syntax_uid = part10->syntax;
    if (!found->syntax_uid.text[0]) /* guessed: said by name all the same */
        snprintf(found->syntax_uid.text, sizeof found->syntax_uid.text, "%s",
                 transfer_syntax_info(found->syntax)->uid);
    if (part10->wrong_label)
        found->warning_reason = WARNING_RULE_BROKEN;
    found->data_set_offset = part10->meta ? part10->data_set : 0;
    found->sop_class = part10->sop_class;
    found->key.instance = part10->sop_instance;
}

/* What belongs to no patient and no study has a service of its own (PS3.18 12.1): STO-68, STO-69. */
static bool is_storable(const struct uid *sop_class, struct error *err)
{
    static const struct {
        const char *uid, *name;
    } others[] = {
        { MEDIA_STORAGE_DIRECTORY, "DICOMDIR" },
        { "1.2.840.10008.5.1.4.38.1", "Hanging Protocol" },
        { "1.2.840.10008.5.1.4.39.1", "Color Palette" },
        { "1.2.840.10008.5.1.4.43.1", "Generic Implant Template" },
        { "1.2.840.10008.5.1.4.44.1", "Implant Assembly Template" },
        { "1.2.840.10008.5.1.4.45.1", "Implant Template Group" },
        { "1.2.840.10008.5.1.4.1.1.200.1", "CT Defined Procedure Protocol" },
        { "1.2.840.10008.5.1.4.1.1.200.7", "XA Defined Procedure Protocol" },
        { "1.2.840.10008.5.1.4.1.1.201.1", "Inventory" },
    };

    for (size_t i = 0; i < COUNT_OF(others); i++)
        if (strcmp(sop_class->text, others[i].uid) == 0)
            return error_tell(err, FAULT_NOT_STORABLE, "A %s is no part of a study and is not stored.",
                              others[i].name);
    return true;
}

static bool describe(const char *path, const struct json_limits *limits, struct reading *reading,
                     struct description *found, struct error *err)
{
    const bool opened = data_set_open(path, &reading->data_set, err);

    found->file_size = reading->data_set.file_size;
    keep_syntax(&reading->data_set.part10, found);
    if (!is_storable(&found->sop_class, err))
        return false;
    if (!opened && err->fault == FAULT_NOT_FOUND) /* what is to be stored was there: the disk has lost it */
        err->fault = FAULT_DISK;
    if (!opened)
        return false;
    reading->root = dataset_root(reading->data_set.elements);
    if (!read_identity(reading, found, err) || !read_frames(reading, found, err))
        return false;
    data_set_read_tail(&reading->data_set, pixels_end(found));
    return read_columns(reading, found, err) && write_json(reading, limits, found, err);
}

bool description_read(const char *path, const struct json_limits *limits, struct arena *arena,
                      struct description *ret, struct error *err)
{
    struct reading state = { .data_set = { .fd = -1 }, .arena = arena };
    SCOPED(reading) struct reading *reading = &state;

    *ret = (struct description){ 0 };
    buffer_init(&reading->value, COLUMN_BYTES);
    buffer_init(&reading->text, 4 * COLUMN_BYTES);
    buffer_init(&reading->offsets, OFFSET_TABLE_CEILING);
    buffer_init(&reading->lengths, OFFSET_TABLE_CEILING);
    if (!describe(path, limits, reading, ret, err)) {
        description_done(ret);
        return false;
    }
    return true;
}

void description_done(struct description *description)
{
    if (!description)
        return;
    frame_table_unref(description->frames);
    block_unref(description->json);
    description->frames = NULL;
    description->json = NULL;
}
