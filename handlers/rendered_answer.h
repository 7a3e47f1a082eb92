/* handlers/rendered_answer.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * One rendered picture as an answer: what DICOMweb's and WADO-URI's rendered resources have in common.
 */
#ifndef GANTRY_HANDLERS_RENDERED_ANSWER_H
#define GANTRY_HANDLERS_RENDERED_ANSWER_H

#include "codec/picture_format.h"
#include "handlers/handler.h"
#include "handlers/rendering_parameters.h"
#include "handlers/representation.h"
#include "http/accept.h"

/* What all the forms of an answer need. */
struct rendered {
    const struct service *service;
    const struct request *request;
    struct response *response;
    const struct instance_record *record;
    struct rendering_parameters parameters;
    struct accept accept;
};

/* A profile that the format cannot carry is refused, not left out (REN-32). */
MUST_USE bool rendered_check_profile(const struct rendered *what, enum picture_format format,
                                     struct error *err);
/* Over the instance, the parameters, and what `tail` behind its URL says is shown. */
const char *rendered_etag(const struct rendered *what, const char *tail, bool multipart,
                          const char *content_type);
/* A block as the whole body. */
MUST_USE bool rendered_send(const struct rendered *what, const struct representation *how,
                            struct block *taken, struct error *err);
/* The frame alone, or 304; made where making is due (response_patience). `several`: the instance has others,
 * so that the location names this one. WOULD_WAIT and faults as of rendered_picture. */
MUST_USE bool rendered_answer_frame(const struct rendered *asked, uint32_t frame, enum picture_format format,
                                    bool several, struct error *err);

#endif
