/* handlers/report.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * One pass over the attributes of each content item gathers what is shown of it; items nest, forms differ in
 * their marks alone.
 */
#include "handlers/report.h"

#include <stddef.h>

#include "handlers/instance_metadata.h"
#include "dicom/json_scan.h"

enum {
    DEPTH_MOST = 64, /* items inside one another */
    REFERENCED_SOP_CLASS = 0x00081150,
    REFERENCED_SOP_INSTANCE = 0x00081155,
    REFERENCED_FRAME = 0x00081160,
    CODE_VALUE = 0x00080100,
    CODE_MEANING = 0x00080104,
    NUMERIC_VALUE = 0x0040A30A,
    UNITS = 0x004008EA
};

/* The attributes of a content item that are shown, in the order of their tags. */
struct item {
    struct bytes references, relationship, type, name, date_time, date, time, person, uid, ranges, text,
        codes, measured, content, coordinates, shape;
};

static const struct {
    uint32_t tag;
    size_t offset;
} shown[] = {
    { 0x00081199, offsetof(struct item, references) },  { 0x0040A010, offsetof(struct item, relationship) },
    { 0x0040A040, offsetof(struct item, type) },        { 0x0040A043, offsetof(struct item, name) },
    { 0x0040A120, offsetof(struct item, date_time) },   { 0x0040A121, offsetof(struct item, date) },
    { 0x0040A122, offsetof(struct item, time) },        { 0x0040A123, offsetof(struct item, person) },
    { 0x0040A124, offsetof(struct item, uid) },         { 0x0040A130, offsetof(struct item, ranges) },
    { 0x0040A160, offsetof(struct item, text) },        { 0x0040A168, offsetof(struct item, codes) },
    { 0x0040A300, offsetof(struct item, measured) },    { 0x0040A730, offsetof(struct item, content) },
    { 0x00700022, offsetof(struct item, coordinates) }, { 0x00700023, offsetof(struct item, shape) },
};

static void read_item(struct bytes object, struct item *ret)
{
    struct json_member member;
    size_t at = 0;
    uint32_t tag;

    *ret = (struct item){ 0 };
    while (json_object_next(object, &at, &member))
        for (size_t i = 0; json_attribute_tag(member.name, &tag) && i < COUNT_OF(shown); i++)
            if (shown[i].tag == tag)
                *(struct bytes *)(void *)((char *)ret + shown[i].offset) = member.value;
}

struct writer {
    enum report_form form;
    struct buffer *into;
    struct arena arena; /* of unescaped texts; emptied after each item */
};

void report_escape(struct bytes text, struct buffer *into)
{
    for (size_t i = 0; i < text.size; i++) {
        const uint8_t c = text.data[i];
        if (c == '<')
            buffer_append_text(into, "&lt;");
        else if (c == '>')
            buffer_append_text(into, "&gt;");
        else if (c == '&')
            buffer_append_text(into, "&amp;");
        else if (c == '"')
            buffer_append_text(into, "&quot;");
        else if (c == '\'')
            buffer_append_text(into, "&#39;");
        else if (c < 0x20 && c != '\n' && c != '\t')
            buffer_append_text(into, c == '\r' ? "" : "\xEF\xBF\xBD");
        else
            buffer_append_byte(into, c);
    }
}

static void put(struct writer *writer, struct bytes text)
{
    if (writer->form == REPORT_PLAIN)
        buffer_append(writer->into, text);
    else
        report_escape(text, writer->into);
}

static void mark(struct writer *writer, const char *html, const char *plain, const char *xml)
{
    const char *const marks[] = { [REPORT_HTML] = html, [REPORT_PLAIN] = plain, [REPORT_XML] = xml };

    buffer_append_text(writer->into, marks[writer->form]);
}

/* The first value of an attribute's JSON; of a name the alphabetic components. */
static struct bytes first_value(struct writer *writer, struct bytes attribute)
{
    struct json_member values, name;
    struct bytes first, text;
    size_t at = 0;

    if (!attribute.data || !json_object_find(attribute, "Value", &values) ||
        !json_array_next(values.value, &at, &first))
        return bytes_of(NULL, 0);
    if (json_object_find(first, "Alphabetic", &name) || json_object_find(first, "Ideographic", &name))
        first = name.value;
    return json_text(first, &writer->arena, &text) ? text : bytes_of(NULL, 0);
}

/* The first item of a sequence's JSON. */
static struct bytes first_item(struct bytes sequence)
{
    struct json_member values;
    struct bytes first;
    size_t at = 0;

    if (!sequence.data || !json_object_find(sequence, "Value", &values) ||
        !json_array_next(values.value, &at, &first))
        return bytes_of(NULL, 0);
    return first;
}

static struct bytes code_meaning(struct writer *writer, struct bytes sequence)
{
    const struct bytes item = first_item(sequence);
    const struct bytes meaning = instance_metadata_text(item, CODE_MEANING, &writer->arena);

    return meaning.size > 0 ? meaning : instance_metadata_text(item, CODE_VALUE, &writer->arena);
}

static void put_measured(struct writer *writer, struct bytes sequence)
{
    const struct bytes item = first_item(sequence);
    struct json_member units;

    put(writer, instance_metadata_text(item, NUMERIC_VALUE, &writer->arena));
    if (!json_attribute_find(item, UNITS, &units))
        return;
    const struct bytes name = code_meaning(writer, units.value);
    if (name.size > 0 && !bytes_equal_text(name, "no units")) {
        buffer_append_text(writer->into, " ");
        put(writer, name);
    }
}

static void put_references(struct writer *writer, struct bytes sequence)
{
    struct json_member values;
    struct bytes item;
    size_t at = 0;
    bool first = true;

    if (!json_object_find(sequence, "Value", &values))
        return;
    while (json_array_next(values.value, &at, &item)) {
        const struct bytes frame = instance_metadata_text(item, REFERENCED_FRAME, &writer->arena);
        if (!first)
            buffer_append_text(writer->into, ", ");
        put(writer, instance_metadata_text(item, REFERENCED_SOP_INSTANCE, &writer->arena));
        if (frame.size > 0) {
            buffer_append_text(writer->into, " frame ");
            put(writer, frame);
        }
        first = false;
    }
}

/* Points as told: as many numbers as there are, up to a line's worth. */
static void put_coordinates(struct writer *writer, const struct item *item)
{
    struct json_member values;
    struct bytes number, text;
    size_t at = 0;
    unsigned count = 0;

    put(writer, first_value(writer, item->shape));
    if (!json_object_find(item->coordinates, "Value", &values))
        return;
    buffer_append_text(writer->into, " (");
    while (json_array_next(values.value, &at, &number) && count < 64) {
        if (count++ > 0)
            buffer_append_text(writer->into, ", ");
        if (json_text(number, &writer->arena, &text))
            put(writer, text);
    }
    buffer_append_text(writer->into, json_array_next(values.value, &at, &number) ? " ...)" : ")");
}

static void put_value(struct writer *writer, const struct item *item)
{
    const struct bytes plain[] = { item->text,   item->date_time, item->date,  item->time,
                                   item->person, item->uid,       item->ranges };
    struct json_member bulk;

    for (size_t i = 0; i < COUNT_OF(plain); i++) {
        const struct bytes text = first_value(writer, plain[i]);
        if (text.size > 0)
            put(writer, text);
        else if (plain[i].data && json_object_find(plain[i], "BulkDataURI", &bulk))
            buffer_append_text(writer->into, "(a long text, stored as bulk data)");
    }
    if (item->codes.data)
        put(writer, code_meaning(writer, item->codes));
    if (item->measured.data)
        put_measured(writer, item->measured);
    if (item->references.data)
        put_references(writer, item->references);
    if (item->coordinates.data)
        put_coordinates(writer, item);
}

static bool has_value(const struct item *item)
{
    return item->text.data || item->date_time.data || item->date.data || item->time.data ||
           item->person.data || item->uid.data || item->ranges.data || item->codes.data ||
           item->measured.data || item->references.data || item->coordinates.data;
}

static void begin_item(struct writer *writer, const struct item *item, unsigned depth)
{
    const struct bytes relationship = first_value(writer, item->relationship);

    for (unsigned i = 0; writer->form == REPORT_PLAIN && i < depth; i++)
        buffer_append_text(writer->into, "  ");
    mark(writer, "<li class=\"", "", "<item type=\"");
    if (writer->form != REPORT_PLAIN)
        put(writer, first_value(writer, item->type));
    mark(writer, "\" title=\"", "", "\" relationship=\"");
    if (writer->form != REPORT_PLAIN)
        put(writer, relationship);
    mark(writer, "\"><b>", "", "\"><name>");
    put(writer, code_meaning(writer, item->name));
    mark(writer, "</b>", "", "</name>");
    if (!has_value(item))
        return;
    mark(writer, ": <span>", item->name.data ? ": " : "", "<value>");
    put_value(writer, item);
    mark(writer, "</span>", "", "</value>");
}

static void put_content(struct writer *writer, struct bytes sequence, unsigned depth)
{
    struct json_member values;
    struct bytes object;
    size_t at = 0;

    if (!sequence.data || depth > DEPTH_MOST || !json_object_find(sequence, "Value", &values))
        return;
    mark(writer, "<ul>\n", "", "\n");
    while (json_array_next(values.value, &at, &object)) {
        struct item item;

        read_item(object, &item);
        begin_item(writer, &item, depth);
        mark(writer, "", "\n", "");
        arena_release(&writer->arena);
        put_content(writer, item.content, depth + 1);
        mark(writer, "</li>\n", "", "</item>\n");
    }
    mark(writer, "</ul>\n", "", "");
}

static void put_field(struct writer *writer, const char *name, struct bytes value)
{
    if (value.size == 0)
        return;
    mark(writer, "<tr><th>", "", "<field name=\"");
    buffer_append_text(writer->into, name);
    mark(writer, "</th><td>", ": ", "\">");
    put(writer, value);
    mark(writer, "</td></tr>\n", "\n", "</field>\n");
}

static void put_head(struct writer *writer, struct bytes object)
{
    static const struct {
        uint32_t tag;
        const char *name;
    } fields[] = {
        { 0x00100010, "Patient" },          { 0x00100020, "Patient ID" },
        { 0x00100030, "Birth date" },       { 0x00100040, "Sex" },
        { 0x00080020, "Study date" },       { 0x00081030, "Study" },
        { 0x00080050, "Accession number" }, { 0x00080023, "Content date" },
        { 0x0040A491, "Completion" },       { 0x0040A493, "Verification" },
        { 0x00080080, "Institution" },
    };

    mark(writer, "<table>\n", "", "<head>\n");
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        put_field(writer, fields[i].name, instance_metadata_text(object, fields[i].tag, &writer->arena));
    mark(writer, "</table>\n", "\n", "</head>\n");
}

void report_write(struct bytes object, enum report_form form, struct buffer *into)
{
    struct writer writer = { .form = form, .into = into };
    struct item root;

    read_item(object, &root);
    const struct bytes title = code_meaning(&writer, root.name);

    mark(&writer, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>", "",
         "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<report>\n<title>");
    put(&writer, title.size > 0 ? title : bytes_of_text("Report"));
    mark(&writer,
         "</title>\n<style>body{font-family:sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
         "th{text-align:left;padding-right:1em}li{margin:.3em 0}span{white-space:pre-wrap}</style>\n</head>\n"
         "<body>\n<h1>",
         "\n\n", "</title>\n");
    if (form == REPORT_HTML)
        put(&writer, title.size > 0 ? title : bytes_of_text("Report"));
    mark(&writer, "</h1>\n", "", "");
    put_head(&writer, object);
    put_content(&writer, root.content, 0);
    mark(&writer, "</body>\n</html>\n", "", "</report>\n");
    arena_release(&writer.arena);
}
