/* dicom/xml_data_set.c
 * SPDX-License-Identifier: Apache-2.0
 *
 *   NativeDicomModel ─┬─ DicomAttribute tag vr ─┬─ Value number        text
 *   or Item           │                         ├─ PersonName number ── Alphabetic, … ── FamilyName, …
 *                     │                         ├─ Item number ──────── DicomAttribute …
 *                     │                         ├─ InlineBinary         text
 *                     └─ …                      └─ BulkData uri
 *
 * One place of a stack for each open data set; within it, at most one attribute is open.
 */
#include "dicom/xml_data_set.h"

#include <expat.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/number.h"
#include "dicom/json_data_set.h"

enum { VALUES_MOST = 1 << 20, PADDED_MOST = 65536, TEXT_CEILING = 256 << 20, NAME_PARTS = 5 };

enum state { OUTSIDE, IN_DATA_SET, IN_ATTRIBUTE, IN_VALUE, IN_BINARY, IN_NAME, IN_GROUP, IN_PART };

struct level {
    json_t *data_set;  /* owned by its parent, but for the first */
    json_t *attribute; /* open in it, or NULL */
};

struct reader {
    XML_Parser parser;
    json_t *root;
    struct level levels[JSON_DATA_SET_DEPTH + 1];
    unsigned depth; /* open data sets */
    enum state state;
    unsigned skipping; /* elements that are not of the model, and all in them */
    unsigned number;   /* of the value under way, from 1 */
    unsigned padded;   /* values that were not there */
    unsigned part;     /* of the name group under way */
    const char *group;
    json_t *name;
    struct buffer text; /* of the value under way; of a name, all its parts */
    size_t part_from[NAME_PARTS], part_size[NAME_PARTS];
    struct error *err;
    bool failed;
};

static void fail(struct reader *r, const char *what)
{
    if (!r->failed)
        error_tell(r->err, FAULT_NOT_DICOM, "The XML metadata, line %lu: %s.",
                   (unsigned long)XML_GetCurrentLineNumber(r->parser), what);
    r->failed = true;
    XML_StopParser(r->parser, XML_FALSE);
}

static struct level *top(struct reader *r)
{
    return &r->levels[r->depth - 1];
}

static const char *local_name(const char *name)
{
    const char *colon = strrchr(name, ':');

    return colon ? colon + 1 : name;
}

static const char *xml_attribute(const char **attributes, const char *name)
{
    for (; *attributes; attributes += 2)
        if (strcmp(attributes[0], name) == 0)
            return attributes[1];
    return NULL;
}

/* ── values ── */

static void read_number(struct reader *r, const char **attributes)
{
    const char *text = xml_attribute(attributes, "number");
    uint64_t number = json_array_size(json_object_get(top(r)->attribute, "Value")) + 1;

    if (text && !number_parse(bytes_of_text(text), 1, VALUES_MOST, &number))
        fail(r, "the number of a value is none");
    r->number = (unsigned)number;
}

/* Takes `value`. */
static void add_value(struct reader *r, json_t *value)
{
    json_t *values = json_object_get(top(r)->attribute, "Value");

    if (!values) {
        values = json_array();
        json_object_set_new(top(r)->attribute, "Value", values);
    }
    while (json_array_size(values) + 1 < r->number && !r->failed) {
        json_array_append_new(values, json_null());
        if (++r->padded > PADDED_MOST)
            fail(r, "too many values are left out");
    }
    if (json_array_size(values) >= r->number)
        json_array_set_new(values, r->number - 1, value);
    else
        json_array_append_new(values, value);
}

static json_t *text_value(struct reader *r, struct bytes text)
{
    json_t *value = json_stringn(text.size ? (const char *)text.data : "", text.size);

    if (!value)
        fail(r, "a value is not UTF-8");
    return value ? value : json_null();
}

/* ── elements ── */

static void begin_data_set(struct reader *r, json_t *data_set)
{
    if (r->depth == COUNT_OF(r->levels)) {
        json_decref(data_set);
        fail(r, "sequences are nested too deeply");
        return;
    }
    if (r->depth == 0)
        r->root = data_set;
    else
        add_value(r, data_set);
    r->levels[r->depth++] = (struct level){ .data_set = data_set };
    r->state = IN_DATA_SET;
}

static void begin_attribute(struct reader *r, const char **attributes)
{
    const char *tag = xml_attribute(attributes, "tag"), *vr = xml_attribute(attributes, "vr");
    json_t *attribute = json_object();

    if (!tag || strlen(tag) != 8) {
        json_decref(attribute);
        fail(r, "an attribute has no tag");
        return;
    }
    if (vr)
        json_object_set_new(attribute, "vr", json_string(vr));
    if (json_object_get(top(r)->data_set, tag)) {
        json_decref(attribute);
        fail(r, "an attribute stands there twice");
        return;
    }
    json_object_set_new(top(r)->data_set, tag, attribute);
    top(r)->attribute = attribute;
    r->state = IN_ATTRIBUTE;
}

static void begin_content(struct reader *r, const char *name, const char **attributes)
{
    if (strcmp(name, "Value") == 0) {
        read_number(r, attributes);
        r->state = IN_VALUE;
    } else if (strcmp(name, "PersonName") == 0) {
        read_number(r, attributes);
        r->name = json_object();
        add_value(r, r->name);
        r->state = IN_NAME;
    } else if (strcmp(name, "Item") == 0) {
        read_number(r, attributes);
        begin_data_set(r, json_object());
    } else if (strcmp(name, "InlineBinary") == 0) {
        r->state = IN_BINARY;
    } else if (strcmp(name, "BulkData") == 0) {
        const char *uri = xml_attribute(attributes, "uri");
        if (!uri)
            fail(r, "BulkData has no uri");
        else
            json_object_set_new(top(r)->attribute, "BulkDataURI", json_string(uri));
        r->skipping = 1;
    } else {
        r->skipping = 1;
    }
    buffer_cut(&r->text, 0);
}

static void begin_name_content(struct reader *r, const char *name)
{
    static const char *const groups[] = { "Alphabetic", "Ideographic", "Phonetic" };
    static const char *const parts[NAME_PARTS] = { "FamilyName", "GivenName", "MiddleName", "NamePrefix",
                                                   "NameSuffix" };

    if (r->state == IN_NAME)
        for (size_t i = 0; i < COUNT_OF(groups); i++)
            if (strcmp(name, groups[i]) == 0) {
                r->group = groups[i];
                memset(r->part_size, 0, sizeof r->part_size);
                buffer_cut(&r->text, 0);
                r->state = IN_GROUP;
                return;
            }
    if (r->state == IN_GROUP)
        for (unsigned i = 0; i < NAME_PARTS; i++)
            if (strcmp(name, parts[i]) == 0) {
                r->part = i;
                r->part_from[i] = r->text.size;
                r->state = IN_PART;
                return;
            }
    r->skipping = 1;
}

static void XMLCALL begin_element(void *context, const char *name, const char **attributes)
{
    struct reader *r = context;

    name = local_name(name);
    if (r->skipping) {
        r->skipping++;
        return;
    }
    switch (r->state) {
    case OUTSIDE:
        if (strcmp(name, "NativeDicomModel") != 0 || r->root)
            fail(r, "there is no NativeDicomModel");
        else
            begin_data_set(r, json_object());
        break;
    case IN_DATA_SET:
        if (strcmp(name, "DicomAttribute") == 0)
            begin_attribute(r, attributes);
        else
            r->skipping = 1;
        break;
    case IN_ATTRIBUTE:
        begin_content(r, name, attributes);
        break;
    case IN_NAME:
    case IN_GROUP:
        begin_name_content(r, name);
        break;
    case IN_VALUE:
    case IN_BINARY:
    case IN_PART:
        r->skipping = 1;
        break;
    }
}

/* "Family^Given^Middle^Prefix^Suffix" without empty ones at the end. */
static void end_group(struct reader *r)
{
    SCOPED(buffer) struct buffer name;
    unsigned last = 0;

    buffer_init(&name, TEXT_CEILING);
    for (unsigned i = 0; i < NAME_PARTS; i++)
        if (r->part_size[i])
            last = i + 1;
    for (unsigned i = 0; i < last; i++) {
        if (i)
            buffer_append_byte(&name, '^');
        if (r->part_size[i])
            buffer_append(&name, bytes_of(r->text.data + r->part_from[i], r->part_size[i]));
    }
    json_object_set_new(r->name, r->group, text_value(r, buffer_bytes(&name)));
    r->state = IN_NAME;
}

static void XMLCALL end_element(void *context, const char *name)
{
    struct reader *r = context;

    (void)name;
    if (r->skipping) {
        r->skipping--;
        return;
    }
    switch (r->state) {
    case IN_VALUE:
        add_value(r, text_value(r, buffer_bytes(&r->text)));
        r->state = IN_ATTRIBUTE;
        break;
    case IN_BINARY:
        json_object_set_new(top(r)->attribute, "InlineBinary", text_value(r, buffer_bytes(&r->text)));
        r->state = IN_ATTRIBUTE;
        break;
    case IN_PART:
        r->part_size[r->part] = r->text.size - r->part_from[r->part];
        r->state = IN_GROUP;
        break;
    case IN_GROUP:
        end_group(r);
        break;
    case IN_NAME:
        r->state = IN_ATTRIBUTE;
        break;
    case IN_ATTRIBUTE:
        top(r)->attribute = NULL;
        r->state = IN_DATA_SET;
        break;
    case IN_DATA_SET:
        r->depth--;
        r->state = r->depth ? IN_ATTRIBUTE : OUTSIDE;
        break;
    case OUTSIDE:
        break;
    }
}

static void XMLCALL character_data(void *context, const char *text, int size)
{
    struct reader *r = context;

    if (r->skipping || (r->state != IN_VALUE && r->state != IN_BINARY && r->state != IN_PART))
        return;
    buffer_append(&r->text, bytes_of(text, (size_t)size));
    if (r->text.overflowed)
        fail(r, "a value is too long");
}

static void XMLCALL refuse_doctype(void *context, const char *name, const char *system_id,
                                   const char *public_id, int has_internal_subset)
{
    (void)name, (void)system_id, (void)public_id, (void)has_internal_subset;
    fail(context, "document types are not taken");
}

bool xml_data_set_read(struct bytes document, json_t **ret, struct error *err)
{
    struct reader r = { .err = err };

    if (document.size > INT32_MAX)
        return error_tell(err, FAULT_TOO_LARGE, "An XML document may have 2 GiB.");
    r.parser = XML_ParserCreate(NULL);
    if (!r.parser)
        return error_set(err, FAULT_BUSY, "no memory for an XML parser");
    buffer_init(&r.text, TEXT_CEILING);
    XML_SetUserData(r.parser, &r);
    XML_SetElementHandler(r.parser, begin_element, end_element);
    XML_SetCharacterDataHandler(r.parser, character_data);
    XML_SetStartDoctypeDeclHandler(r.parser, refuse_doctype);
    if (XML_Parse(r.parser, (const char *)document.data, (int)document.size, XML_TRUE) != XML_STATUS_OK &&
        !r.failed)
        fail(&r, XML_ErrorString(XML_GetErrorCode(r.parser)));
    if (!r.failed && !r.root)
        fail(&r, "there is no NativeDicomModel");
    XML_ParserFree(r.parser);
    buffer_done(&r.text);
    if (r.failed) {
        json_decref(r.root);
        return false;
    }
    *ret = r.root;
    return true;
}
