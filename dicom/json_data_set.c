/* dicom/json_data_set.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * From the JSON model to a file; see json_data_set.h. Each attribute's value is made in one buffer and
 * written behind its header; sequences and items have undefined length, so that nothing has to be measured
 * ahead:
 *
 *   (gggg,eeee) SQ 00 00 FFFFFFFF │ item FFFFFFFF │ attributes … │ end of item │ … │ end of sequence
 */
#include "dicom/json_data_set.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/buffer.h"
#include "base/number.h"
#include "bridge/shortest.h"
#include "dicom/dictionary.h"
#include "dicom/implementation.h"
#include "dicom/tag.h"
#include "dicom/vr.h"

enum {
    VALUE_CEILING = 256 << 20, /* of one value in the JSON text; larger ones are bulk data */
    SHORT_VALUE_MOST = 0xFFFE, /* what a length of 16 bits holds, even */
    DECIMAL_CHARACTERS = 16,
    TAG_ITEM = 0xFFFEE000,
    TAG_ITEM_END = 0xFFFEE00D,
    TAG_SEQUENCE_END = 0xFFFEE0DD,
    UNDEFINED_LENGTH = -1
};

struct writer {
    const struct json_data_set_output *output;
    struct buffer value;
    unsigned depth;
    struct error *err;
};

static bool bad(struct writer *w, uint32_t tag, const char *what)
{
    return error_tell(w->err, FAULT_NOT_DICOM, "(%04X,%04X): %s.", tag >> 16, tag & 0xFFFF, what);
}

static void le16(struct buffer *into, uint32_t value)
{
    buffer_append_byte(into, (uint8_t)value);
    buffer_append_byte(into, (uint8_t)(value >> 8));
}

static void le32(struct buffer *into, uint32_t value)
{
    le16(into, value & 0xFFFF);
    le16(into, value >> 16);
}

static void le64(struct buffer *into, uint64_t value)
{
    le32(into, (uint32_t)value);
    le32(into, (uint32_t)(value >> 32));
}

/* ── elements ── */

static bool has_long_header(const char *vr)
{
    static const char list[] = "OBODOFOLOVOWSQSVUCUNURUTUV";

    for (const char *at = list; *at; at += 2)
        if (at[0] == vr[0] && at[1] == vr[1])
            return true;
    return false;
}

static bool put(struct writer *w, struct bytes data)
{
    return w->output->put(w->output->context, data, w->err);
}

static bool put_header(struct writer *w, uint32_t tag, const char *vr, uint64_t size)
{
    uint8_t room[12];
    struct buffer header = { .data = room, .capacity = sizeof room, .ceiling = sizeof room };

    if (size >= UINT32_MAX)
        return bad(w, tag, "a value of 4 GiB or more fits in no element");
    /* PS3.5 6.2.2: too long for its own length field. */
    if (!has_long_header(vr) && size > SHORT_VALUE_MOST)
        vr = "UN";
    le16(&header, tag >> 16);
    le16(&header, tag & 0xFFFF);
    buffer_append(&header, bytes_of(vr, 2));
    if (has_long_header(vr)) {
        le16(&header, 0);
        le32(&header, (uint32_t)size);
    } else {
        le16(&header, (uint32_t)size);
    }
    return put(w, buffer_bytes(&header));
}

static bool put_marker(struct writer *w, uint32_t tag, uint32_t length)
{
    uint8_t room[8];
    struct buffer marker = { .data = room, .capacity = sizeof room, .ceiling = sizeof room };

    le16(&marker, tag >> 16);
    le16(&marker, tag & 0xFFFF);
    le32(&marker, length);
    return put(w, buffer_bytes(&marker));
}

static bool put_sequence_header(struct writer *w, uint32_t tag)
{
    uint8_t room[12];
    struct buffer header = { .data = room, .capacity = sizeof room, .ceiling = sizeof room };

    le16(&header, tag >> 16);
    le16(&header, tag & 0xFFFF);
    buffer_append_text(&header, "SQ");
    le16(&header, 0);
    le32(&header, (uint32_t)UNDEFINED_LENGTH);
    return put(w, buffer_bytes(&header));
}

/* What is in w->value, padded to an even length (PS3.5 6.2). */
static bool put_value(struct writer *w, uint32_t tag, const char *vr)
{
    const enum vr_class class = vr_info(vr)->class;

    if (w->value.size % 2)
        buffer_append_byte(&w->value, class == VR_OPAQUE || memcmp(vr, "UI", 2) == 0 ? 0 : ' ');
    if (!buffer_check(&w->value, "a value", w->err))
        return false;
    return put_header(w, tag, vr, w->value.size) && put(w, buffer_bytes(&w->value));
}

/* ── values ── */

static void decimal_text(double number, char room[JSON_VALUE_ROOM])
{
    size_t size = shortest_double(number, room);

    /* PS3.5: a decimal string has 16 characters at the most. */
    for (int digits = 16; size > DECIMAL_CHARACTERS && digits > 8; digits--)
        size = (size_t)snprintf(room, JSON_VALUE_ROOM, "%.*g", digits, number);
}

/* A string's characters or a number's; data NULL for all else. */
static struct bytes scalar_text(const json_t *value, char room[JSON_VALUE_ROOM])
{
    if (json_is_string(value))
        return bytes_of(json_string_value(value), json_string_length(value));
    if (json_is_integer(value))
        return bytes_of(room, (size_t)snprintf(room, JSON_VALUE_ROOM, "%" JSON_INTEGER_FORMAT,
                                               json_integer_value(value)));
    if (json_is_real(value)) {
        decimal_text(json_real_value(value), room);
        return bytes_of_text(room);
    }
    return bytes_of(NULL, 0);
}

static bool append_name(struct writer *w, uint32_t tag, const json_t *name)
{
    static const char *const groups[] = { "Alphabetic", "Ideographic", "Phonetic" };
    char room[JSON_VALUE_ROOM];
    size_t last = 0;

    if (!json_is_object(name)) { /* a plain string, as some writers have it */
        const struct bytes text = scalar_text(name, room);
        if (!json_is_string(name))
            return bad(w, tag, "a person name is an object");
        buffer_append(&w->value, text);
        return true;
    }
    for (size_t i = 0; i < COUNT_OF(groups); i++)
        if (json_is_string(json_object_get(name, groups[i])))
            last = i + 1;
    for (size_t i = 0; i < last; i++) {
        const json_t *group = json_object_get(name, groups[i]);
        if (i)
            buffer_append_byte(&w->value, '=');
        if (json_is_string(group))
            buffer_append(&w->value, bytes_of(json_string_value(group), json_string_length(group)));
    }
    return true;
}

static bool append_text(struct writer *w, uint32_t tag, const json_t *value)
{
    char room[JSON_VALUE_ROOM];
    const struct bytes text = scalar_text(value, room);

    if (!text.data)
        return bad(w, tag, "a value is neither text nor a number");
    if (memchr(text.data, '\0', text.size))
        return bad(w, tag, "a value holds a NUL");
    buffer_append(&w->value, text);
    return true;
}

static bool append_decimal(struct writer *w, uint32_t tag, const char *vr, const json_t *value)
{
    char room[JSON_VALUE_ROOM];
    const struct bytes text = scalar_text(value, room);
    double number;
    int64_t whole;

    if (!text.data ||
        !(memcmp(vr, "IS", 2) == 0 ? number_parse_signed(bytes_trim(text), INT32_MIN, INT32_MAX, &whole)
                                   : number_parse_real(bytes_trim(text), &number)))
        return bad(w, tag, "not a number that its VR holds");
    buffer_append(&w->value, bytes_trim(text));
    return true;
}

static bool append_float(struct writer *w, uint32_t tag, const char *vr, const json_t *value)
{
    char room[JSON_VALUE_ROOM];
    const struct bytes text = scalar_text(value, room);
    double number = 0;

    if (json_is_number(value))
        number = json_number_value(value);
    else if (bytes_equal_nocase(text, bytes_of_text("nan")))
        number = NAN;
    else if (bytes_equal_nocase(text, bytes_of_text("inf")) ||
             bytes_equal_nocase(text, bytes_of_text("infinity")))
        number = INFINITY;
    else if (bytes_equal_nocase(text, bytes_of_text("-inf")) ||
             bytes_equal_nocase(text, bytes_of_text("-infinity")))
        number = -INFINITY;
    else if (!text.data || !number_parse_real(bytes_trim(text), &number))
        return bad(w, tag, "not a number that its VR holds");
    if (memcmp(vr, "FD", 2) == 0) {
        uint64_t bits;
        memcpy(&bits, &number, sizeof bits);
        le64(&w->value, bits);
    } else {
        const float single = (float)number;
        uint32_t bits;
        memcpy(&bits, &single, sizeof bits);
        le32(&w->value, bits);
    }
    return true;
}

static bool append_number(struct writer *w, uint32_t tag, const char *vr, const json_t *value)
{
    static const struct {
        char vr[3];
        uint8_t width;
        int64_t least;
        uint64_t most;
    } kinds[] = {
        { "US", 2, 0, UINT16_MAX }, { "SS", 2, INT16_MIN, INT16_MAX },
        { "UL", 4, 0, UINT32_MAX }, { "SL", 4, INT32_MIN, INT32_MAX },
        { "UV", 8, 0, UINT64_MAX }, { "SV", 8, INT64_MIN, INT64_MAX },
    };
    char room[JSON_VALUE_ROOM];
    const struct bytes text = bytes_trim(scalar_text(value, room));

    if (vr[0] == 'F')
        return append_float(w, tag, vr, value);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        int64_t with_sign = 0;
        uint64_t number = 0;

        if (memcmp(kinds[i].vr, vr, 2) != 0)
            continue;
        const bool fits = kinds[i].least < 0
                              ? number_parse_signed(text, kinds[i].least, (int64_t)kinds[i].most, &with_sign)
                              : number_parse(text, 0, kinds[i].most, &number);
        if (!fits)
            break;
        if (kinds[i].least < 0)
            number = (uint64_t)with_sign;
        if (kinds[i].width == 2)
            le16(&w->value, (uint32_t)number & 0xFFFF);
        else if (kinds[i].width == 4)
            le32(&w->value, (uint32_t)number);
        else
            le64(&w->value, number);
        return true;
    }
    return bad(w, tag, "not a number that its VR holds");
}

static bool append_tag(struct writer *w, uint32_t tag, const json_t *value)
{
    char room[JSON_VALUE_ROOM];
    const struct bytes text = scalar_text(value, room);
    uint64_t number;

    if (text.size != 8 || !number_parse_hex(text, UINT32_MAX, &number))
        return bad(w, tag, "not eight hexadecimal digits");
    le16(&w->value, (uint32_t)(number >> 16));
    le16(&w->value, (uint32_t)(number & 0xFFFF));
    return true;
}

static bool append_values(struct writer *w, uint32_t tag, const char *vr, const json_t *values)
{
    const enum vr_class class = vr_info(vr)->class;
    const bool binary = class == VR_NUMBER || class == VR_TAG;

    for (size_t i = 0; i < json_array_size(values); i++) {
        const json_t *value = json_array_get(values, i);
        bool ok = true;

        if (i && !binary)
            buffer_append_byte(&w->value, '\\');
        if (json_is_null(value)) {
            if (binary)
                return bad(w, tag, "a binary number cannot be null");
            continue;
        }
        switch (class) {
        case VR_NAMES:
            ok = append_name(w, tag, value);
            break;
        case VR_DECIMAL:
            ok = append_decimal(w, tag, vr, value);
            break;
        case VR_NUMBER:
            ok = append_number(w, tag, vr, value);
            break;
        case VR_TAG:
            ok = append_tag(w, tag, value);
            break;
        case VR_VALUES:
        case VR_TEXT:
            ok = append_text(w, tag, value);
            break;
        case VR_OPAQUE:
        case VR_SEQUENCE:
            return bad(w, tag, "such a VR has InlineBinary or BulkDataURI, not values");
        }
        if (!ok)
            return false;
    }
    return true;
}

/* ── attributes ── */

struct attribute {
    uint32_t tag;
    json_t *content;
};

static int by_tag(const void *a, const void *b)
{
    const uint32_t left = ((const struct attribute *)a)->tag, right = ((const struct attribute *)b)->tag;

    return (left > right) - (left < right);
}

static bool write_object(struct writer *w, json_t *object);

static bool write_sequence(struct writer *w, uint32_t tag, const json_t *items)
{
    if (items && !json_is_array(items))
        return bad(w, tag, "the value of a sequence is an array of items");
    if (w->depth >= JSON_DATA_SET_DEPTH)
        return bad(w, tag, "sequences are nested too deeply");
    if (!put_sequence_header(w, tag))
        return false;
    w->depth++;
    for (size_t i = 0; i < json_array_size(items); i++) {
        json_t *item = json_array_get(items, i);

        if (!json_is_object(item) && !json_is_null(item))
            return bad(w, tag, "an item is no object");
        if (!put_marker(w, TAG_ITEM, UINT32_MAX) ||
            (item && json_is_object(item) && !write_object(w, item)) || !put_marker(w, TAG_ITEM_END, 0))
            return false;
    }
    w->depth--;
    return put_marker(w, TAG_SEQUENCE_END, 0);
}

static bool write_bulk(struct writer *w, uint32_t tag, const char *vr, struct bytes uri)
{
    const struct json_data_set_output *output = w->output;
    uint64_t size = 0;

    if (tag == TAG_PIXEL_DATA && w->depth == 0) {
        bool done = false;
        if (!output->pixel_data(output->context, uri, &done, w->err))
            return false;
        if (done)
            return true;
    }
    if (!output->bulk_size(output->context, uri, &size, w->err))
        return error_while(w->err, "(%04X,%04X)", tag >> 16, tag & 0xFFFF);
    if (!put_header(w, tag, vr, size + size % 2) || !output->bulk_put(output->context, uri, w->err))
        return false;
    return size % 2 == 0 || put(w, bytes_of(vr_info(vr)->class == VR_OPAQUE ? "" : " ", 1));
}

static bool find_vr(struct writer *w, const struct attribute *attribute, char vr[3])
{
    const json_t *said = json_object_get(attribute->content, "vr");

    if (said && (!json_is_string(said) || json_string_length(said) != 2))
        return bad(w, attribute->tag, "vr is no value representation");
    if (said)
        memcpy(vr, json_string_value(said), 3);
    else if (json_is_array(json_object_get(attribute->content, "Value")) &&
             json_is_object(json_array_get(json_object_get(attribute->content, "Value"), 0)) &&
             !dictionary_vr(attribute->tag, vr))
        memcpy(vr, "SQ", 3);
    else if (!dictionary_vr(attribute->tag, vr))
        memcpy(vr, "UN", 3);
    if (memcmp(vr_info(vr)->name, vr, 2) != 0)
        return bad(w, attribute->tag, "vr is no value representation");
    return true;
}

static bool write_attribute(struct writer *w, const struct attribute *attribute)
{
    const json_t *values = json_object_get(attribute->content, "Value");
    const json_t *binary = json_object_get(attribute->content, "InlineBinary");
    const json_t *uri = json_object_get(attribute->content, "BulkDataURI");
    char vr[3];

    if (!find_vr(w, attribute, vr))
        return false;
    if (json_is_null(values))
        values = NULL;
    if ((values != NULL) + (binary != NULL) + (uri != NULL) > 1)
        return bad(w, attribute->tag, "Value, InlineBinary and BulkDataURI exclude each other");
    if (uri)
        return json_is_string(uri) ? write_bulk(w, attribute->tag, vr,
                                                bytes_of(json_string_value(uri), json_string_length(uri)))
                                   : bad(w, attribute->tag, "BulkDataURI is no text");
    buffer_cut(&w->value, 0);
    if (binary) {
        if (!json_is_string(binary) ||
            !base64_read(bytes_of(json_string_value(binary), json_string_length(binary)), &w->value))
            return bad(w, attribute->tag, "InlineBinary is no Base64");
    } else if (vr_info(vr)->class == VR_SEQUENCE) {
        return write_sequence(w, attribute->tag, values);
    } else if (values && (!json_is_array(values) ? !bad(w, attribute->tag, "Value is no array")
                                                 : !append_values(w, attribute->tag, vr, values))) {
        return false;
    }
    return put_value(w, attribute->tag, vr);
}

/* Its attributes in ascending order. False: NOT_DICOM. */
static bool list_attributes(struct writer *w, json_t *object, struct attribute **ret, size_t *ret_count)
{
    const size_t count = json_object_size(object);
    struct attribute *list = calloc(count + 1, sizeof *list);
    const char *key;
    json_t *content;
    size_t at = 0;
    uint64_t tag;

    if (!list)
        return error_set(w->err, FAULT_BUSY, "no memory for %zu attributes", count);
    *ret = list;
    json_object_foreach(object, key, content)
    {
        if (strlen(key) != 8 || !number_parse_hex(bytes_of(key, 8), UINT32_MAX, &tag))
            return error_tell(w->err, FAULT_NOT_DICOM,
                              "A name of an attribute is not eight hexadecimal digits.");
        if (!json_is_object(content))
            return bad(w, (uint32_t)tag, "an attribute is an object");
        if ((tag & 0xFFFF) == 0) /* group lengths would be wrong */
            continue;
        list[at++] = (struct attribute){ (uint32_t)tag, content };
    }
    *ret_count = at;
    qsort(list, at, sizeof *list, by_tag);
    for (size_t i = 1; i < at; i++)
        if (list[i].tag == list[i - 1].tag)
            return bad(w, list[i].tag, "stands there twice");
    return true;
}

static bool write_object(struct writer *w, json_t *object)
{
    struct attribute *list = NULL;
    size_t count = 0;
    bool ok = list_attributes(w, object, &list, &count);

    for (size_t i = 0; ok && i < count; i++)
        ok = write_attribute(w, &list[i]);
    free(list);
    return ok;
}

/* ── the data set ── */

static void tag_name(uint32_t tag, char into[9])
{
    snprintf(into, 9, "%08X", tag);
}

/* Found by any spelling of its hexadecimal digits. */
static json_t *find_attribute(const json_t *object, uint32_t tag)
{
    char name[9];

    tag_name(tag, name);
    json_t *found = json_object_get(object, name);
    for (char *c = name; !found && *c; c++)
        if (*c >= 'A' && *c <= 'F')
            *c = (char)(*c + 32);
    return found ? found : json_object_get(object, name);
}

struct bytes json_data_set_text(const json_t *object, uint32_t tag, char room[JSON_VALUE_ROOM])
{
    return scalar_text(json_array_get(json_object_get(find_attribute(object, tag), "Value"), 0), room);
}

static void set_attribute(json_t *object, uint32_t tag, const char *vr, json_t *value)
{
    char name[9];

    tag_name(tag, name);
    for (char *c = name; *c; c++)
        if (*c >= 'A' && *c <= 'F')
            *c = (char)(*c + 32);
    json_object_del(object, name); /* the other spelling */
    tag_name(tag, name);
    json_object_set_new(object, name, json_pack("{s:s, s:[o]}", "vr", vr, "Value", value));
}

void json_data_set_set_text(json_t *object, uint32_t tag, const char *vr, const char *value)
{
    set_attribute(object, tag, vr, json_string(value));
}

void json_data_set_set_number(json_t *object, uint32_t tag, const char *vr, uint32_t value)
{
    set_attribute(object, tag, vr, json_integer(value));
}

static bool has_more_than_ascii(const json_t *value, unsigned depth)
{
    const char *key;
    json_t *member;
    size_t i;

    if (json_is_string(value)) {
        const char *text = json_string_value(value);
        for (size_t k = 0; k < json_string_length(value); k++)
            if ((unsigned char)text[k] >= 0x80)
                return true;
        return false;
    }
    if (depth == 0)
        return false;
    json_array_foreach(value, i, member) if (has_more_than_ascii(member, depth - 1)) return true;
    json_object_foreach((json_t *)(uintptr_t)value, key,
                        member) if (strcmp(key, "BulkDataURI") != 0 &&
                                    has_more_than_ascii(member, depth - 1)) return true;
    return false;
}

static bool drop_meta(json_t *object)
{
    const char *key;
    json_t *content;
    void *next;
    bool dropped = false;

    json_object_foreach_safe(object, next, key, content) if (strncmp(key, "0002", 4) == 0)
    {
        dropped = true;
        json_object_del(object, key);
    }
    return dropped;
}

static void meta_element(struct buffer *into, uint32_t tag, const char *vr, struct bytes text)
{
    le16(into, tag >> 16);
    le16(into, tag & 0xFFFF);
    buffer_append_text(into, vr);
    le16(into, (uint32_t)(text.size + text.size % 2));
    buffer_append(into, text);
    if (text.size % 2)
        buffer_append_byte(into, vr[0] == 'U' ? 0 : ' ');
}

static bool write_meta(struct writer *w, const json_t *object, const char *syntax)
{
    SCOPED(buffer) struct buffer elements;
    SCOPED(buffer) struct buffer head;
    static const uint8_t preamble[128];
    char room[JSON_VALUE_ROOM], other_room[JSON_VALUE_ROOM];
    const struct bytes sop_class = json_data_set_text(object, TAG_SOP_CLASS_UID, room),
                       instance = json_data_set_text(object, TAG_SOP_INSTANCE_UID, other_room);
    struct uid uid;

    buffer_init(&elements, 4096);
    buffer_init(&head, 4096);
    if (!sop_class.data || !uid_parse(sop_class, &uid, w->err))
        return error_tell(w->err, FAULT_MISMATCH, "SOP Class UID (0008,0016) is missing or no UID.");
    if (!instance.data || !uid_parse(instance, &uid, w->err))
        return error_tell(w->err, FAULT_MISMATCH, "SOP Instance UID (0008,0018) is missing or no UID.");
    le32(&elements, 0x00010002); /* (0002,0001) OB, two bytes: 00 01 */
    buffer_append_text(&elements, "OB");
    le16(&elements, 0);
    le32(&elements, 2);
    le16(&elements, 0x0100);
    meta_element(&elements, 0x00020002, "UI", sop_class);
    meta_element(&elements, 0x00020003, "UI", instance);
    meta_element(&elements, 0x00020010, "UI", bytes_of_text(syntax));
    meta_element(&elements, 0x00020012, "UI", bytes_of_text(IMPLEMENTATION_CLASS_UID));
    meta_element(&elements, 0x00020013, "SH", bytes_of_text(IMPLEMENTATION_VERSION_NAME));
    buffer_append(&head, bytes_of(preamble, sizeof preamble));
    buffer_append_text(&head, "DICM");
    le32(&head, 0x00000002); /* (0002,0000) UL */
    buffer_append_text(&head, "UL");
    le16(&head, 4);
    le32(&head, (uint32_t)elements.size);
    return put(w, buffer_bytes(&head)) && put(w, buffer_bytes(&elements));
}

bool json_data_set_write(json_t *object, const char *transfer_syntax_uid,
                         const struct json_data_set_output *output, bool *ret_dropped, struct error *err)
{
    struct writer w = { .output = output, .err = err };

    if (!json_is_object(object))
        return error_tell(err, FAULT_NOT_DICOM, "The metadata of an instance are no object.");
    *ret_dropped = drop_meta(object);
    if (has_more_than_ascii(object, 3 * JSON_DATA_SET_DEPTH))
        json_data_set_set_text(object, TAG_SPECIFIC_CHARACTER_SET, "CS", "ISO_IR 192");
    buffer_init(&w.value, VALUE_CEILING);
    const bool written = write_meta(&w, object, transfer_syntax_uid) && write_object(&w, object);
    buffer_done(&w.value);
    return written;
}
