/* handlers/rendered_answer.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See rendered_answer.h.
 */
#include "handlers/rendered_answer.h"

#include <inttypes.h>

#include "handlers/links.h"
#include "handlers/rendered_picture.h"

bool rendered_check_profile(const struct rendered *what, enum picture_format format, struct error *err)
{
    if (what->parameters.icc == ICC_ABSENT || what->parameters.icc == ICC_NO ||
        picture_format_info(format)->holds_profile)
        return true;
    return error_tell(err, FAULT_MALFORMED, "The query parameter \"iccprofile\" does not go with %s.",
                      picture_format_info(format)->media_type);
}

const char *rendered_etag(const struct rendered *what, const char *tail, bool multipart,
                          const char *content_type)
{
    const char *named =
        link_to(what->request->arena, what->request->public_base, &what->record->key,
                arena_printf(what->request->arena, "%s?%s", tail,
                             rendering_parameters_name(&what->parameters, what->request->arena)));

    return representation_etag(what->request, what->record, named, multipart, content_type);
}

bool rendered_send(const struct rendered *what, const struct representation *how, struct block *taken,
                   struct error *err)
{
    return representation_send(what->request, how, body_of_block(what->request->arena, taken), what->response,
                               err);
}

bool rendered_answer_frame(const struct rendered *asked, uint32_t frame, enum picture_format format,
                           bool several, struct error *err)
{
    struct arena *arena = asked->request->arena;
    struct rendered named = *asked;
    const struct rendered *const what = &named;
    const char *tail = arena_printf(arena, "/frames/%" PRIu32, frame);
    const char *type = picture_format_info(format)->media_type;
    struct block *picture = NULL;

    named.parameters.name = rendering_parameters_name(&asked->parameters, arena);
    const struct representation how = {
        .content_type = type,
        .location = link_to(arena, what->request->public_base, &what->record->key, several ? tail : ""),
        .etag = rendered_etag(what, tail, false, type),
        .freshness = freshness_of_instances(what->service),
    };

    if (representation_is_held(what->request, &how, what->response))
        return true;
    return rendered_picture(what->service, what->request, what->record, frame, &what->parameters, format,
                            response_patience(what->response, what->request, WORK_MAKES), &picture, err) &&
           rendered_send(what, &how, picture, err);
}
