/* handlers/delete.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * DELETE of a study, series or instance. Not in PS3.18; what deployed archives agree on (STO-70).
 */
#include "handlers/transactions.h"
#include "storage/withdraw.h"

bool delete_resource(const struct service *service, const struct request *request, struct response *response,
                     struct error *err)
{
    struct instance_key key;
    uint64_t instances = 0;

    if (!service->limits->deletion) {
        response_header(response, request->arena, "Allow", "GET, HEAD, %sOPTIONS",
                        request->params[1].data ? "" : "POST, "); /* a study takes instances */
        return error_tell(err, FAULT_METHOD_NOT_ALLOWED, "Deletion is not offered by this server.");
    }
    if (!instance_key_parse(request->params, &key, err))
        return false;
    if (request->patience == MUST_NOT_WAIT)
        return error_set(err, FAULT_WOULD_WAIT, "deleting");
    /* Answers under way keep their files. A repetition is GONE (410): it was done. */
    if (!withdraw(service->store, service->catalog, &key, &instances, err))
        return false;
    response->status = 204;
    return true;
}
