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

/* The answer to a rendered resource of such an instance. NOT_ACCEPTABLE tells what there is; NOT_FOUND,
 * CORRUPT. May wait unless it is a video. */
MUST_USE bool rendered_document(const struct service *service, const struct request *request,
                                const struct instance_record *record, const struct accept *accept,
                                struct response *response, struct error *err);

#endif
