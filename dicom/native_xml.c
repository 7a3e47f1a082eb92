/* dicom/native_xml.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Walks the JSON and writes as it goes; see native_xml.h.
 *
 *   "00091001":{"vr":"LO","Value":["a"]}  ─►  <DicomAttribute tag="00090001" vr="LO" privateCreator="ACME">
 *                                               <Value number="1">a</Value></DicomAttribute>
 *
 * Private attributes lose the number of their block and carry their creator's name instead; the creators'
 * own elements are left out (XML-04). One that has no creator keeps its tag as it is.
 */
#include "dicom/native_xml.h"

#include <inttypes.h>

#include "base/arena.h"
#include "dicom/dicom_json.h"
#include "dicom/dictionary.h"
#include "dicom/json_scan.h"

enum { DEPTH = 256, BLOCK_MASK = 0x0000FF00 };

static const char HEAD[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                           "<NativeDicomModel xmlns=\"http://dicom.nema.org/PS3.19/models/NativeDICOM\""
                           " xml:space=\"preserve\">";
static const char TAIL[] = "</NativeDicomModel>\n";
static const char REPLACEMENT[] = "\xEF\xBF\xBD"; /* U+FFFD */

struct xml {
    struct buffer *into;
    struct arena scratch; /* of one value */
};

/* ── text ── */

/* How a byte that stands for itself nowhere is written; NULL: as it is. */
static const char *escape_of(uint8_t c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\r': /* a reader would make a line feed of it */
        return "&#13;";
    case '\t':
    case '\n':
    case JSON_BASE_MARK:
        return NULL;
    default:
        return c < 0x20 ? REPLACEMENT : NULL;
    }
}

/* U+FFFE and U+FFFF are no characters of XML 1.0. */
static bool is_no_character(struct bytes text)
{
    return text.size >= 3 && text.data[0] == 0xEF && text.data[1] == 0xBF && text.data[2] >= 0xBE;
}

static void append_escaped(struct buffer *into, struct bytes text, bool is_link)
{
    size_t plain = 0;

    for (size_t i = 0; i < text.size; i++) {
        const char *escape = escape_of(text.data[i]);
        size_t size = 1;

        if (text.data[i] == JSON_BASE_MARK && !is_link) /* a mark belongs into links alone */
            escape = REPLACEMENT;
        if (!escape && is_no_character(bytes_from(text, i))) {
            escape = REPLACEMENT;
            size = 3;
        }
        if (!escape)
            continue;
        buffer_append(into, bytes_of(text.data + plain, i - plain));
        buffer_append_text(into, escape);
        i += size - 1;
        plain = i + 1;
    }
    buffer_append(into, bytes_from(text, plain));
}

/* A string's or a number's text, escaped. */
static void append_value_text(struct xml *xml, struct bytes value)
{
    struct bytes text;

    if (json_text(value, &xml->scratch, &text))
        append_escaped(xml->into, text, false);
    arena_release(&xml->scratch);
}

/* ── values ── */

static void append_name_group(struct xml *xml, struct bytes value, const char *group)
{
    static const char *const parts[] = { "FamilyName", "GivenName", "MiddleName", "NamePrefix",
                                         "NameSuffix" };
    struct bytes name;

    if (!json_text(value, &xml->scratch, &name))
        return;
    buffer_printf(xml->into, "<%s>", group);
    for (size_t i = 0; i < COUNT_OF(parts) && name.data; i++) {
        /* What stands behind the fifth is against the rules; it must not get lost. */
        const struct bytes part = i + 1 < COUNT_OF(parts) ? bytes_cut(&name, '^') : name;
        if (part.size == 0)
            continue;
        buffer_printf(xml->into, "<%s>", parts[i]);
        append_escaped(xml->into, part, false);
        buffer_printf(xml->into, "</%s>", parts[i]);
    }
    buffer_printf(xml->into, "</%s>", group);
    arena_release(&xml->scratch);
}

static void append_person_name(struct xml *xml, struct bytes value)
{
    static const char *const groups[] = { "Alphabetic", "Ideographic", "Phonetic" };
    struct json_member member;

    for (size_t i = 0; i < COUNT_OF(groups); i++)
        if (json_object_find(value, groups[i], &member))
            append_name_group(xml, member.value, groups[i]);
}

static bool write_object(struct xml *xml, struct bytes object, unsigned depth, struct error *err);

static bool write_values(struct xml *xml, struct bytes array, struct bytes vr, unsigned depth,
                         struct error *err)
{
    const char *element = bytes_equal_text(vr, "SQ")   ? "Item"
                          : bytes_equal_text(vr, "PN") ? "PersonName"
                                                       : "Value";
    struct bytes value;
    uint64_t number = 0;

    for (size_t at = 0; json_array_next(array, &at, &value);) {
        buffer_printf(xml->into, "<%s number=\"%" PRIu64 "\"", element, ++number);
        if (bytes_equal_text(value, "null")) {
            buffer_append_text(xml->into, "/>");
            continue;
        }
        buffer_append_byte(xml->into, '>');
        if (element[0] == 'V')
            append_value_text(xml, value);
        else if (element[0] == 'P')
            append_person_name(xml, value);
        else if (!write_object(xml, value, depth + 1, err))
            return false;
        buffer_printf(xml->into, "</%s>", element);
    }
    return true;
}

/* The quotes off. Links and base64 hold nothing that JSON escapes. */
static struct bytes unquoted(struct bytes string)
{
    return string.size < 2 ? bytes_of(NULL, 0) : bytes_of(string.data + 1, string.size - 2);
}

/* ── attributes ── */

static bool is_creator(uint32_t tag)
{
    return (tag >> 16 & 1) && (tag & 0xFFFF) >= 0x10 && (tag & 0xFFFF) <= 0xFF;
}

/* The creator of the private block that `tag` is in; kept from one attribute to the next. */
struct creator {
    uint32_t tag;      /* its element; 0: none looked for yet */
    struct bytes name; /* JSON text; size 0: there is none */
};

static struct bytes creator_of(struct bytes object, uint32_t tag, struct creator *last)
{
    const uint32_t creator = (tag & 0xFFFF0000) | (tag >> 8 & 0xFF);
    struct json_member attribute, values;
    struct bytes name = bytes_of(NULL, 0);
    size_t at = 0;

    if (!(tag >> 16 & 1) || (tag & 0xFFFF) < 0x1000)
        return name;
    if (last->tag != creator) {
        last->tag = creator;
        last->name = name;
        if (json_attribute_find(object, creator, &attribute) &&
            json_object_find(attribute.value, "Value", &values) &&
            json_array_next(values.value, &at, &name) && name.size > 2 && name.data[0] == '"')
            last->name = name;
    }
    return last->name;
}

static void begin_attribute(struct xml *xml, uint32_t tag, struct bytes vr, struct bytes creator)
{
    const char *keyword = dictionary_keyword(tag);

    buffer_printf(xml->into, "<DicomAttribute tag=\"%08" PRIX32 "\" vr=\"",
                  creator.size ? tag & ~(uint32_t)BLOCK_MASK : tag);
    append_escaped(xml->into, vr, false);
    buffer_append_byte(xml->into, '"');
    if (keyword[0])
        buffer_printf(xml->into, " keyword=\"%s\"", keyword);
    if (creator.size) {
        buffer_append_text(xml->into, " privateCreator=\"");
        append_value_text(xml, creator);
        buffer_append_byte(xml->into, '"');
    }
}

static bool write_attribute(struct xml *xml, struct bytes attribute, struct bytes vr, unsigned depth,
                            struct error *err)
{
    struct json_member content;

    if (json_object_find(attribute, "Value", &content)) {
        buffer_append_byte(xml->into, '>');
        if (!write_values(xml, content.value, vr, depth, err))
            return false;
    } else if (json_object_find(attribute, "BulkDataURI", &content)) {
        buffer_append_text(xml->into, "><BulkData uri=\"");
        append_escaped(xml->into, unquoted(content.value), true);
        buffer_append_text(xml->into, "\"/>");
    } else if (json_object_find(attribute, "InlineBinary", &content)) {
        buffer_append_text(xml->into, "><InlineBinary>");
        append_escaped(xml->into, unquoted(content.value), false);
        buffer_append_text(xml->into, "</InlineBinary>");
    } else {
        buffer_append_text(xml->into, "/>");
        return true;
    }
    buffer_append_text(xml->into, "</DicomAttribute>");
    return true;
}

/* Recursive as deep as the data set is nested, which is bounded. */
static bool write_object(struct xml *xml, struct bytes object, unsigned depth, struct error *err)
{
    struct creator creator = { 0 };
    struct json_member member, vr;
    uint32_t tag;

    if (depth > DEPTH)
        return error_set(err, FAULT_INTERNAL, "metadata nested deeper than %d", DEPTH);
    for (size_t at = 0; json_object_next(object, &at, &member);) {
        if (!json_attribute_tag(member.name, &tag) || is_creator(tag) ||
            !json_object_find(member.value, "vr", &vr))
            continue;
        const struct bytes vr_name = unquoted(vr.value);
        begin_attribute(xml, tag, vr_name, creator_of(object, tag, &creator));
        if (!write_attribute(xml, member.value, vr_name, depth, err))
            return false;
    }
    return true;
}

/* ── documents ── */

void native_xml_begin(struct buffer *into)
{
    buffer_append_text(into, HEAD);
}

bool native_xml_attributes(struct bytes object, struct buffer *into, struct error *err)
{
    struct xml xml = { .into = into };
    const bool written = write_object(&xml, object, 0, err);

    arena_release(&xml.scratch);
    return written && buffer_check(into, "metadata as XML", err);
}

void native_xml_sequence_begin(uint32_t tag, struct buffer *into)
{
    struct xml xml = { .into = into };

    begin_attribute(&xml, tag, bytes_of_text("SQ"), bytes_of(NULL, 0));
    buffer_append_byte(into, '>');
}

bool native_xml_item(uint64_t number, struct bytes object, struct buffer *into, struct error *err)
{
    buffer_printf(into, "<Item number=\"%" PRIu64 "\">", number);
    if (!native_xml_attributes(object, into, err))
        return false;
    buffer_append_text(into, "</Item>");
    return true;
}

void native_xml_sequence_end(struct buffer *into)
{
    buffer_append_text(into, "</DicomAttribute>");
}

void native_xml_end(struct buffer *into)
{
    buffer_append_text(into, TAIL);
}

bool native_xml_write(struct bytes object, struct buffer *into, struct error *err)
{
    native_xml_begin(into);
    const bool written = native_xml_attributes(object, into, err);
    native_xml_end(into);
    return written && buffer_check(into, "metadata as XML", err);
}
