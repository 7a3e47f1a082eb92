/* handlers/rendered_document.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See rendered_document.h.
 */
#include "handlers/rendered_document.h"

#include <limits.h>

#include "base/number.h"
#include "dicom/bulk_value.h"
#include "handlers/frames_body.h"
#include "handlers/held.h"
#include "handlers/instance_metadata.h"
#include "handlers/links.h"
#include "handlers/offer.h"
#include "handlers/report.h"
#include "handlers/representation.h"
#include "http/multipart_writer.h"

enum { REPORT_CEILING_BYTES = 256 * 1024 * 1024, DOCUMENT_TITLE = 0x00420010, DOCUMENT_LENGTH = 0x00420015 };

/* Structured reports and key object selections are all under this root (PS3.6 Table A-1). */
static const char REPORTS[] = "1.2.840.10008.5.1.4.1.1.88.";

enum document_kind rendered_document_kind(const struct instance_record *record)
{
    const struct bytes class = bytes_of_text(record->sop_class.text);

    if (record->frames)
        return frame_table_kind(record->frames) == FRAMES_VIDEO ? DOCUMENT_VIDEO : DOCUMENT_NONE;
    if (bytes_starts_with(class, bytes_of_text(REPORTS)))
        return DOCUMENT_REPORT;
    if (bytes_equal_text(class, "1.2.840.10008.5.1.4.1.1.104.1"))
        return DOCUMENT_PDF;
    return bytes_equal_text(class, "1.2.840.10008.5.1.4.1.1.104.2") ? DOCUMENT_CDA : DOCUMENT_NONE;
}

/* By preference; the first is the default of the kind. */
static void offer_types(enum document_kind kind, const struct instance_record *record, struct offers *offers)
{
    switch (kind) {
    case DOCUMENT_REPORT:
        offers_add(offers, "text/html", NULL, true);
        offers_add(offers, "text/plain", NULL, true);
        offers_add(offers, "text/xml", NULL, true);
        break;
    case DOCUMENT_PDF:
        offers_add(offers, "application/pdf", NULL, true);
        offers_add(offers, "text/html", NULL, true);
        break;
    case DOCUMENT_CDA:
        offers_add(offers, "text/xml", NULL, true);
        break;
    case DOCUMENT_VIDEO:
        offers_add(offers, transfer_syntax_info(record->syntax)->media_type, NULL, true);
        break;
    case DOCUMENT_NONE:
        break;
    }
}

static unsigned best_of(const struct offers *offers, const struct accept *accept, bool as_part,
                        const char **ret_type)
{
    unsigned best = 0;

    for (size_t i = 0; i < offers->count; i++) {
        const char *type = offers->list[i].media_type;
        const unsigned quality = accept_quality(accept, as_part, type, NULL, true, NULL);

        if (quality > best) {
            best = quality;
            *ret_type = type;
        }
    }
    return best;
}

const char *rendered_document_type(const struct instance_record *record, const struct accept *accept,
                                   bool as_part)
{
    struct offers offers = { .count = 0 };
    const char *type = NULL;

    offer_types(rendered_document_kind(record), record, &offers);
    best_of(&offers, accept, as_part, &type);
    return type;
}

const char *rendered_document_label(const struct instance_record *record, const char *type,
                                    struct arena *arena)
{
    const bool text = strncmp(type, "text/", 5) == 0;

    return text && rendered_document_kind(record) != DOCUMENT_CDA
               ? arena_printf(arena, "%s; charset=utf-8", type)
               : type;
}

/* Alone rather than as the only part: a document is looked at. */
static bool choose_type(const struct instance_record *record, const struct accept *accept,
                        const char **ret_type, bool *ret_multipart, struct error *err)
{
    struct offers offers = { .count = 0 };
    const char *alone = NULL, *part = NULL;

    offer_types(rendered_document_kind(record), record, &offers);
    const unsigned for_alone = best_of(&offers, accept, false, &alone),
                   for_part = best_of(&offers, accept, true, &part);
    *ret_multipart = for_part > for_alone;
    *ret_type = *ret_multipart ? part : alone;
    if (*ret_type)
        return true;
    return error_tell(err, FAULT_NOT_ACCEPTABLE, "Available: %s%s%s.", offers.list[0].media_type,
                      offers.count > 1 ? ", " : "", offers.count > 1 ? offers.list[1].media_type : "");
}

/* ── making the bytes ── */

static bool embedded_document(const struct service *service, const struct instance_record *record,
                              struct bytes metadata, struct arena *arena, struct bytes *ret,
                              struct error *err)
{
    char path[PATH_MAX];
    struct bulk_value value = { 0 };
    uint64_t length;

    store_path(service->store, record->generation, path, sizeof(path));
    if (!bulk_value_read(path, bytes_of_text("00420011"), &value, err))
        return error_while(err, "reading an embedded document");
    arena_defer(arena, (void (*)(void *))block_unref, value.block);
    *ret = block_bytes(value.block);
    /* The value is padded to even length; how long the document is may be told. */
    if (number_parse(instance_metadata_text(metadata, DOCUMENT_LENGTH, arena), 1, ret->size, &length))
        ret->size = (size_t)length;
    else if (ret->size > 0 && ret->data[ret->size - 1] == '\0')
        ret->size--;
    return true;
}

static void page_of_document(const struct request *request, const struct instance_record *record,
                             struct bytes metadata, struct buffer *into)
{
    struct bytes title = instance_metadata_text(metadata, DOCUMENT_TITLE, request->arena);

    if (title.size == 0)
        title = bytes_of_text("Document");
    buffer_append_text(into,
                       "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>");
    report_escape(title, into);
    buffer_append_text(into, "</title>\n</head>\n<body>\n<h1>");
    report_escape(title, into);
    buffer_append_text(into, "</h1>\n<p><a href=\"");
    report_escape(bytes_of_text(link_to(request->arena, request->public_base, &record->key, "/rendered")),
                  into);
    buffer_append_text(into, "?accept=application/pdf\">PDF</a></p>\n</body>\n</html>\n");
}

static bool make_document(const struct service *service, const struct request *request,
                          const struct instance_record *record, enum document_kind kind, const char *type,
                          struct bytes *ret, struct error *err)
{
    static const struct {
        const char *type;
        enum report_form form;
    } forms[] = { { "text/html", REPORT_HTML }, { "text/plain", REPORT_PLAIN }, { "text/xml", REPORT_XML } };
    struct buffer *metadata = held_buffer(request->arena, service->limits->answer_ceiling_bytes);
    struct buffer *text = held_buffer(request->arena, REPORT_CEILING_BYTES);

    if (!instance_metadata_read(service, record, metadata, err))
        return false;
    if (kind == DOCUMENT_CDA || (kind == DOCUMENT_PDF && strcmp(type, "text/html") != 0))
        return embedded_document(service, record, buffer_bytes(metadata), request->arena, ret, err);
    if (kind == DOCUMENT_PDF)
        page_of_document(request, record, buffer_bytes(metadata), text);
    for (size_t i = 0; kind == DOCUMENT_REPORT && i < COUNT_OF(forms); i++)
        if (strcmp(type, forms[i].type) == 0)
            report_write(buffer_bytes(metadata), forms[i].form, text);
    *ret = buffer_bytes(text);
    return buffer_check(text, "a report", err);
}

/* ── the answer ── */

static struct body_source *in_parts(const struct request *request, struct body_source *body,
                                    struct bytes boundary, const char *type, const char *location)
{
    struct body_source *parts[3] = {
        body_of_bytes(request->arena,
                      multipart_part_head(request->arena, boundary, true, type, NULL, location, body->size)),
        body,
        body_of_bytes(request->arena, multipart_tail(request->arena, boundary)),
    };
    return body_chain(request->arena, parts, COUNT_OF(parts));
}

static bool video_body(const struct service *service, const struct request *request,
                       const struct instance_record *record, const char *type, const char *location,
                       struct bytes boundary, struct body_source **ret, struct error *err)
{
    struct frame_list *first = arena_alloc(request->arena, sizeof(*first));
    struct offer *offer = arena_alloc(request->arena, sizeof(*offer));

    first->frames = arena_alloc(request->arena, sizeof(*first->frames));
    first->frames[0] = 1; /* the stream of all frames */
    first->count = 1;
    *offer = (struct offer){ .media_type = type };
    return frames_body(service, request, record, first, offer, location, boundary, ret, err);
}

/* No script runs, nothing is fetched, whatever a report's text might hold. */
void rendered_document_guard(const struct request *request, struct response *response)
{
    response_header(response, request->arena, "Content-Security-Policy",
                    "default-src 'none'; style-src 'unsafe-inline'");
}

bool rendered_document_body(const struct service *service, const struct request *request,
                            const struct instance_record *record, const char *type, struct body_source **ret,
                            struct error *err)
{
    const enum document_kind kind = rendered_document_kind(record);
    const char *location = link_to(request->arena, request->public_base, &record->key, "");
    struct bytes bytes;

    if (kind == DOCUMENT_VIDEO)
        return video_body(service, request, record, type, location, bytes_of(NULL, 0), ret, err);
    if (request->patience == MUST_NOT_WAIT)
        return error_set(err, FAULT_WOULD_WAIT, "reading a document");
    if (!make_document(service, request, record, kind, type, &bytes, err))
        return false;
    *ret = body_of_bytes(request->arena, bytes);
    return true;
}

bool rendered_document(const struct service *service, const struct request *request,
                       const struct instance_record *record, const struct accept *accept,
                       struct response *response, struct error *err)
{
    struct arena *arena = request->arena;
    struct bytes boundary = bytes_of(NULL, 0);
    const char *type = NULL;
    bool multipart = false;
    struct body_source *body = NULL;

    if (!choose_type(record, accept, &type, &multipart, err))
        return false;
    const char *location = link_to(arena, request->public_base, &record->key, "");
    const char *labelled = rendered_document_label(record, type, arena);
    struct representation how = { labelled, location, NULL, freshness_of_instances(service) };

    how.etag = representation_etag(request, record, arena_printf(arena, "%s/rendered", location), multipart,
                                   labelled);
    if (multipart) {
        boundary = multipart_boundary(arena, bytes_of_text(how.etag));
        how.content_type = multipart_content_type(arena, boundary, type, NULL);
        how.location = NULL;
    }
    if (representation_is_held(request, &how, response))
        return true;
    rendered_document_guard(request, response);
    if (!rendered_document_body(service, request, record, type, &body, err))
        return false;
    if (multipart)
        body = in_parts(request, body, boundary, labelled, location);
    return representation_send(request, &how, body, response, err);
}
