/* handlers/wado_uri_rendered.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * WADO-URI draws nothing: every rendered type is refused, and what can be had is named.
 */
#include "handlers/wado_uri_rendered.h"

bool wado_uri_renders(const struct media_type *type)
{
    (void)type;
    return false;
}

const char *wado_uri_rendered_types(void)
{
    return "";
}

bool wado_uri_rendered(const struct service *service, const struct request *request,
                       const struct instance_record *record, struct response *response, struct error *err)
{
    (void)service, (void)request, (void)record, (void)response;
    return error_tell(err, FAULT_NOT_ACCEPTABLE, "contentType can be: application/dicom.");
}
