/* handlers/wado_uri_rendered.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The half of WADO-URI that draws (PS3.18 9.5): kept apart, so that the older service's grammar and the
 * drawing do not meet in one file.
 */
#ifndef GANTRY_HANDLERS_WADO_URI_RENDERED_H
#define GANTRY_HANDLERS_WADO_URI_RENDERED_H

#include "handlers/handler.h"
#include "http/media_type.h"
#include "storage/instance_record.h"

/* Can an instance be sent as this type? */
bool wado_uri_renders(const struct media_type *type);
/* Those types for the sentence of a refusal, each with ", " before it. */
const char *wado_uri_rendered_types(void);
/* The answer; everything but requestType, the UIDs, anonymize and contentType's grammar has still to be read
 * from the query. `record` is held for the exchange. NOT_ACCEPTABLE where none of the wanted types can be
 * drawn. */
MUST_USE bool wado_uri_rendered(const struct service *service, const struct request *request,
                                const struct instance_record *record, struct response *response,
                                struct error *err);

#endif
