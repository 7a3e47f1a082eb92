/* handlers/model_answer.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * JSON, an XML document, or parts of a multipart; see model_answer.h.
 */
#include "handlers/model_answer.h"

#include "base/splice.h"
#include "dicom/dicom_json.h"
#include "dicom/json_scan.h"
#include "dicom/native_xml.h"
#include "handlers/held.h"
#include "handlers/offer.h"
#include "http/multipart_writer.h"

bool model_form_choose(const struct request *request, bool one_object, struct model_form *ret,
                       struct error *err)
{
    return offer_metadata(request, one_object, &ret->type, &ret->is_xml, &ret->multipart, err);
}

static void append_part(struct buffer *into, struct arena *arena, struct bytes boundary, const char *type,
                        struct bytes content)
{
    buffer_append(into,
                  multipart_part_head(arena, boundary, into->size == 0, type, NULL, NULL, content.size));
    buffer_append(into, content);
}

static void append_json(const struct request *request, struct bytes objects, struct buffer *into)
{
    buffer_append_byte(into, '[');
    splice_text(into, objects, JSON_BASE_MARK, bytes_of_text(request->public_base));
    buffer_append_byte(into, ']');
}

/* The base goes in before: a mark within a text would be no character of XML. */
static bool append_documents(const struct request *request, const struct model_form *form,
                             struct bytes boundary, struct bytes objects, struct buffer *into,
                             struct error *err)
{
    SCOPED(buffer) struct buffer array, document;
    struct arena scratch = { 0 };
    struct bytes object;
    bool ok = true;

    buffer_init(&array, into->ceiling);
    buffer_init(&document, into->ceiling);
    append_json(request, objects, &array);
    ok = buffer_check(&array, "an answer", err);
    for (size_t at = 0; ok && json_array_next(buffer_bytes(&array), &at, &object);) {
        buffer_cut(&document, 0);
        ok = native_xml_write(object, &document, err) && buffer_check(&document, "an answer as XML", err);
        if (!ok)
            break;
        if (form->multipart)
            append_part(into, &scratch, boundary, form->type, buffer_bytes(&document));
        else
            buffer_append(into, buffer_bytes(&document));
        arena_release(&scratch);
    }
    return ok;
}

bool model_answer(const struct request *request, const struct model_form *form, struct bytes objects,
                  size_t ceiling_bytes, struct response *response, struct error *err)
{
    struct arena *arena = request->arena;
    struct buffer *text = held_buffer(arena, ceiling_bytes);
    struct bytes boundary = bytes_of(NULL, 0);
    const char *type = form->type;

    if (form->multipart) {
        boundary = multipart_boundary(
            arena, bytes_of_text(arena_printf(arena, "%llu", (unsigned long long)request->id)));
        type = multipart_content_type(arena, boundary, form->type, NULL);
    }
    if (form->is_xml) {
        if (!append_documents(request, form, boundary, objects, text, err))
            return false;
    } else if (form->multipart) {
        SCOPED(buffer) struct buffer json;
        buffer_init(&json, ceiling_bytes);
        append_json(request, objects, &json);
        if (!buffer_check(&json, "an answer", err))
            return false;
        append_part(text, arena, boundary, form->type, buffer_bytes(&json));
    } else {
        append_json(request, objects, text);
    }
    if (form->multipart)
        buffer_append(text, multipart_tail(arena, boundary));
    if (!buffer_check(text, "an answer", err))
        return false;
    response_text(response, arena, 200, type, buffer_bytes(text));
    return true;
}
