/* handlers/rendered_choice.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See rendered_choice.h.
 *
 *   one frame     alone, or as the only part
 *   a thumbnail   alone
 *   frames        parts; an animated GIF
 *   an instance   parts; an animated GIF; for <img>, whose list ends with a wildcard, the animation or one
 * frame a collection  parts
 */
#include "handlers/rendered_choice.h"

/* In order of preference among equally accepted ones; JPEG is the default (Table 8.7.4-1). */
static const enum picture_format preferred[] = { PICTURE_JPEG, PICTURE_PNG, PICTURE_GIF, PICTURE_WEBP };

static bool is_wild(struct bytes text)
{
    return bytes_equal_text(text, "*");
}

bool rendered_accept_read(const struct request *request, struct accept *ret, struct error *err)
{
    size_t kept = 0;

    if (!accept_read(request, request->arena, ret, err))
        return false;
    for (size_t i = 0; i < ret->count; i++)
        if (ret->list[i].transfer_syntax.size == 0 || is_wild(ret->list[i].type))
            ret->list[kept++] = ret->list[i];
    ret->count = kept;
    return true;
}

static unsigned quality_of(const struct accept *accept, bool parts, enum picture_format format)
{
    return accept_quality(accept, parts, picture_format_info(format)->media_type, NULL, true, NULL);
}

/* The list that browsers send for <img>: images by name, and wildcards behind them. */
static bool is_of_an_img(const struct accept *accept)
{
    bool wildcard = false, image = false;

    for (size_t i = 0; i < accept->count; i++) {
        const struct accept_range *range = &accept->list[i];
        if (range->multipart || range->second)
            continue;
        wildcard = wildcard || is_wild(range->type) || is_wild(range->subtype);
        image = image || bytes_equal_text(range->type, "image");
    }
    return wildcard && image;
}

static void consider(const struct accept *accept, bool parts, enum picture_format format,
                     enum rendered_form form, unsigned *best, struct rendered_choice *ret)
{
    const unsigned quality = quality_of(accept, parts, format);

    if (quality > *best) {
        *best = quality;
        *ret = (struct rendered_choice){ format, form };
    }
}

static void consider_all(const struct accept *accept, bool parts, enum rendered_form form, unsigned *best,
                         struct rendered_choice *ret)
{
    for (size_t i = 0; i < COUNT_OF(preferred); i++)
        consider(accept, parts, preferred[i], form, best, ret);
}

bool rendered_choose(const struct request *request, const struct accept *accept, enum rendered_extent extent,
                     bool can_animate, struct rendered_choice *ret, struct error *err)
{
    unsigned best = 0;

    if (extent == EXTENT_ONE_FRAME) {
        consider_all(accept, false, RENDERED_ALONE, &best, ret);
        consider_all(accept, true, RENDERED_PARTS, &best, ret);
    } else if (extent == EXTENT_THUMBNAIL) {
        consider_all(accept, false, RENDERED_ALONE, &best, ret);
    } else if (extent == EXTENT_INSTANCE && is_of_an_img(accept)) {
        *ret = can_animate ? (struct rendered_choice){ PICTURE_GIF, RENDERED_ANIMATED }
                           : (struct rendered_choice){ PICTURE_JPEG, RENDERED_REPRESENTATIVE };
        return true;
    } else {
        consider_all(accept, true, RENDERED_PARTS, &best, ret);
        if (extent != EXTENT_COLLECTION && can_animate)
            consider(accept, false, PICTURE_GIF, RENDERED_ANIMATED, &best, ret);
        /* OHIF asks for its thumbnails with ?accept=image/jpeg, of whatever the instance is, and Cornerstone
         * then leaves the header to the browser: what only the header takes counts less (http/accept.h). */
        if (extent == EXTENT_INSTANCE && request_query(request, "accept").data)
            consider_all(accept, false, RENDERED_REPRESENTATIVE, &best, ret);
    }
    if (best > 0)
        return true;
    return error_tell(
        err, FAULT_NOT_ACCEPTABLE, "Available: image/jpeg, image/png, image/gif, image/webp%s.",
        extent == EXTENT_ONE_FRAME || extent == EXTENT_THUMBNAIL ? ""
        : extent == EXTENT_COLLECTION
            ? "; of documents text/html, text/plain, text/xml, application/pdf; videos by their "
              "type; each as multipart/related"
            : ", each as multipart/related, or image/gif for all frames");
}
