/* handlers/wado_uri_rendered.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * WADO-URI's rendered images and documents: PS3.18 9.5. The first type of contentType that the instance has
 * decides; without it Accept does. Of several frames it is frameNumber, else the first.
 */
#include "handlers/wado_uri_rendered.h"

#include "base/number.h"
#include "handlers/held.h"
#include "handlers/rendered_answer.h"
#include "handlers/rendered_choice.h"
#include "handlers/rendered_document.h"
#include "handlers/rendered_state.h"
#include "handlers/shown_frame.h"

/* Beside the pictures. */
static const char *const documents[] = { "text/html", "text/plain", "text/xml",  "application/pdf",
                                         "video/mp4", "video/mpeg", "video/h265" };

static const char *name_of(const struct media_type *type, struct arena *arena)
{
    return arena_printf(arena, "%.*s/%.*s", BYTES_ARG(type->type), BYTES_ARG(type->subtype));
}

static bool format_of(const char *name, enum picture_format *ret)
{
    for (unsigned i = 0; i < PICTURE_FORMATS; i++)
        if (strcmp(picture_format_info(i)->media_type, name) == 0) {
            *ret = i;
            return true;
        }
    return false;
}

bool wado_uri_renders(const struct media_type *type)
{
    struct arena arena = { 0 };
    const char *name = name_of(type, &arena);
    enum picture_format format;
    bool found = format_of(name, &format);

    for (size_t i = 0; i < COUNT_OF(documents); i++)
        found = found || strcmp(documents[i], name) == 0;
    arena_release(&arena);
    return found;
}

const char *wado_uri_rendered_types(void)
{
    return ", image/jpeg, image/png, image/gif, image/webp; text/html, text/plain, text/xml of reports; "
           "application/pdf of documents; video/mp4 and others of videos";
}

/* The first picture of contentType, or what Accept says; JPEG where it says nothing. */
static bool choose_format(const struct request *request, enum picture_format *ret, struct error *err)
{
    struct bytes list = request_query(request, "contentType");
    struct rendered_choice choice = { 0 };
    struct accept accept;

    if (!list.data) {
        accept_parse(request_header(request, "accept"), request->arena, &accept);
        if (!rendered_choose(request, &accept, EXTENT_THUMBNAIL, false, &choice, err))
            return false;
        *ret = choice.format;
        return true;
    }
    while (list.data) {
        struct media_type type;
        if (media_type_parse(bytes_trim(bytes_cut(&list, ',')), request->arena, &type, err) &&
            format_of(name_of(&type, request->arena), ret))
            return true;
        error_clear(err);
    }
    return error_tell(err, FAULT_NOT_ACCEPTABLE,
                      "contentType of an image can be: image/jpeg, image/png, image/gif, image/webp.");
}

/* URI-06 */
static bool choose_frame(const struct request *request, const struct instance_record *record, uint32_t *ret,
                         struct error *err)
{
    const struct bytes text = request_query(request, "frameNumber");
    const uint32_t count = frame_table_count(record->frames);
    uint64_t frame = 1;

    if (text.data && count == 1)
        return error_tell(err, FAULT_MALFORMED, "frameNumber does not go with an image of one frame.");
    if (text.data && !number_parse(text, 1, count, &frame))
        return error_tell(err, FAULT_MALFORMED, "frameNumber is one number from 1 to the number of frames.");
    *ret = (uint32_t)frame;
    return true;
}

/* URI-10: both names or none; nothing beside them that the state decides. */
static bool find_state(struct rendered *what, struct error *err)
{
    const struct request *request = what->request;
    const struct bytes uids[3] = { bytes_of_text(what->record->key.study.text),
                                   request_query(request, "presentationSeriesUID"),
                                   request_query(request, "presentationUID") };
    const struct instance_record *record = NULL;
    struct instance_key key;

    if (!uids[1].data && !uids[2].data)
        return true;
    if (!uids[1].data || !uids[2].data)
        return error_tell(err, FAULT_MALFORMED, "presentationUID and presentationSeriesUID go together.");
    if (what->parameters.has_window)
        return error_tell(err, FAULT_MALFORMED,
                          "windowCenter and windowWidth do not go with presentationUID.");
    if (!instance_key_parse(uids, &key, err))
        return false;
    if (!catalog_find(what->service->catalog, &key, request->patience, &record, err)) {
        if (err->fault != FAULT_NOT_FOUND && err->fault != FAULT_GONE)
            return false;
        error_clear(err);
        return error_tell(err, FAULT_MALFORMED, "presentationUID names no presentation state of this study.");
    }
    held_record(request->arena, record);
    if (!rendered_state_is(record))
        return error_tell(err, FAULT_MALFORMED, "presentationUID names no presentation state.");
    return rendered_state_read(what->service, request, record, &what->parameters, err);
}

static bool answer_document(const struct rendered *what, struct error *err)
{
    const struct bytes list = request_query(what->request, "contentType");
    struct accept accept;

    accept_parse(list.data ? list : request_header(what->request, "accept"), what->request->arena, &accept);
    return rendered_document(what->service, what->request, what->record, &accept, what->response, err);
}

bool wado_uri_rendered(const struct service *service, const struct request *request,
                       const struct instance_record *record, struct response *response, struct error *err)
{
    struct rendered what = { .service = service, .request = request, .response = response, .record = record };
    enum picture_format format = PICTURE_JPEG;
    uint32_t frame = 1;

    if (!uri_parameters_read(request, service->limits->viewport_ceiling, &what.parameters, err))
        return false;
    if (what.parameters.quality == 0) {
        what.parameters.quality = service->limits->rendered_quality;
        what.parameters.quality_is_default = true;
    }
    rendering_parameters_warn(&what.parameters, request, response);
    if (rendered_document_kind(record) != DOCUMENT_NONE)
        return answer_document(&what, err);
    if (!record->frames)
        return error_tell(err, FAULT_NOT_ACCEPTABLE, "Instances of this SOP class cannot be rendered.");
    return choose_format(request, &format, err) && choose_frame(request, record, &frame, err) &&
           shown_frame_check(record, frame, err) && find_state(&what, err) &&
           rendered_answer_frame(&what, frame, format, frame_table_count(record->frames) > 1, err);
}
