/* handlers/health.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * GET /healthz: does the process answer? GET /readyz: should it be sent work? Outside the DICOMweb base path,
 * without any patient data (HTP-17).
 */
#include "handlers/transactions.h"

static bool say(const struct request *request, struct response *response, int status, const char *text)
{
    response_text(response, request->arena, status, "text/plain; charset=utf-8",
                  bytes_of_text(arena_printf(request->arena, "%s\n", text)));
    response_header(response, request->arena, "Cache-Control", "no-store");
    return true;
}

bool health_live(const struct service *service, const struct request *request, struct response *response,
                 struct error *err)
{
    (void)service;
    (void)err;
    return say(request, response, 200, "ok");
}

bool health_ready(const struct service *service, const struct request *request, struct response *response,
                  struct error *err)
{
    struct error broken = { 0 };
    const char *why = service->not_ready ? service->not_ready(service->not_ready_context) : NULL;

    if (why)
        return say(request, response, 503, why);
    if (request->patience == MUST_NOT_WAIT)
        return error_set(err, FAULT_WOULD_WAIT, "asking the catalog");
    if (!catalog_ping(service->catalog, &broken))
        return say(request, response, 503, "the catalog does not answer");
    return say(request, response, 200, "ready");
}
