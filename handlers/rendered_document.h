/* handlers/rendered_document.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Instances that are no images, for people to read: reports as HTML, plain text or XML, embedded documents as
 * they are, videos as they are (PS3.18 8.7.4, Table 8.7.4-1).
 */
#ifndef GANTRY_HANDLERS_RENDERED_DOCUMENT_H
#define GANTRY_HANDLERS_RENDERED_DOCUMENT_H

#include "handlers/handler.h"
#include "http/accept.h"
#include "storage/instance_record.h"

enum document_kind { DOCUMENT_NONE, DOCUMENT_REPORT, DOCUMENT_PDF, DOCUMENT_CDA, DOCUMENT_VIDEO };
enum document_kind rendered_document_kind(const struct instance_record *record);

/* The media type of it that `accept` likes best, as the body alone or as a part; NULL: none. */
const char *rendered_document_type(const struct instance_record *record, const struct accept *accept,
                                   bool as_part);
/* With the charset, where the type has one. */
const char *rendered_document_label(const struct instance_record *record, const char *type,
                                    struct arena *arena);
/* The document as `type`, of known size. All of it ends with the arena of `request`, which may be another
 * one than that of the exchange. Faults as of rendered_document. May wait. */
MUST_USE bool rendered_document_body(const struct service *service, const struct request *request,
                                     const struct instance_record *record, const char *type,
                                     struct body_source **ret, struct error *err);
/* Says for all of it that no script runs. */
void rendered_document_guard(const struct request *request, struct response *response);

/* The answer to a rendered resource of such an instance. NOT_ACCEPTABLE tells what there is; NOT_FOUND,
 * CORRUPT. May wait unless it is a video. */
MUST_USE bool rendered_document(const struct service *service, const struct request *request,
                                const struct instance_record *record, const struct accept *accept,
                                struct response *response, struct error *err);

#endif
