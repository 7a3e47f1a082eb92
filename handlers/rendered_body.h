/* handlers/rendered_body.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Many rendered frames and documents as the parts of one answer: each is made when its turn comes, as one job
 * of a worker, so that memory does not grow with the answer and a client that leaves stops the work.
 */
#ifndef GANTRY_HANDLERS_RENDERED_BODY_H
#define GANTRY_HANDLERS_RENDERED_BODY_H

#include "codec/picture_format.h"
#include "handlers/frames_body.h"
#include "handlers/handler.h"
#include "handlers/rendering_parameters.h"
#include "storage/catalog.h"

/* What is rendered: the instances of a listing, of each the frames of its list in `frames_or_null`; without
 * one, and where it is empty, all of them. All of it outlives the exchange. */
struct rendered_parts {
    const struct catalog_listing *listing;
    const struct frame_list *frames_or_null;
    const struct rendering_parameters *parameters;
    bool has_format; /* false: images are passed over */
    enum picture_format format;
    const struct accept *accept_or_null; /* of documents and videos; NULL: they are passed over */
};

/* Makes the first part at once, so that failing can still be told by a status; what cannot be rendered later
 * on is left out (REN-13). NOT_ACCEPTABLE when nothing can be. *ret_type: the media type of the first part.
 * May wait. */
MUST_USE bool rendered_body(const struct service *service, const struct request *request,
                            const struct rendered_parts *parts, struct bytes boundary, const char **ret_type,
                            struct body_source **ret, struct error *err);

#endif
