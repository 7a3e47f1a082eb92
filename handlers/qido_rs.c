/* handlers/qido_rs.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * GET of /studies, /series, /instances and the same below a study or series: PS3.18 10.6. The catalog answers
 * alone.
 */
#include <inttypes.h>

#include "handlers/model_answer.h"
#include "handlers/transactions.h"
#include "storage/search.h"

/* The query string but for what is HTTP's. */
static size_t search_parameters(const struct request *request, struct search_parameter **ret)
{
    size_t count = 0;

    *ret = arena_array(request->arena, request->query.count + 1, sizeof(**ret));
    for (size_t i = 0; i < request->query.count; i++) {
        const struct field *field = &request->query.list[i];

        if (!bytes_equal_text(field->name, "accept") && !bytes_equal_text(field->name, "charset"))
            (*ret)[count++] = (struct search_parameter){ field->name, field->value };
    }
    return count;
}

static void warn(const struct request *request, struct response *response, const struct search *search,
                 uint64_t remaining)
{
    const char *text;

    for (size_t n = 0; (text = search_warning(search, n)); n++)
        response_header(response, request->arena, "Warning", "299 %s: %s", request->public_base, text);
    if (remaining > 0)
        response_header(response, request->arena, "Warning",
                        "299 %s: There are %" PRIu64 " additional results that can be requested",
                        request->public_base, remaining);
}

static bool answer_search(const struct service *service, const struct request *request,
                          enum query_level level, struct response *response, struct error *err)
{
    struct arena *arena = request->arena;
    struct search_options options = {
        .level = level,
        .max_results = service->limits->max_results,
        .unknown_matches = service->limits->unknown_matches,
    };
    struct model_form form;
    struct search_parameter *parameters;
    struct search *search = NULL;
    SCOPED(buffer) struct buffer rows = { 0 };
    uint64_t row_count = 0, remaining = 0;

    buffer_init(&rows, service->limits->answer_ceiling_bytes);
    if (!instance_key_parse(request->params, &options.under, err) ||
        !model_form_choose(request, false, &form, err))
        return false;
    options.relational = (level == LEVEL_SERIES && !options.under.study.text[0]) ||
                         (level == LEVEL_INSTANCE && !options.under.series.text[0]);
    const size_t count = search_parameters(request, &parameters);
    if (!search_parse(&options, parameters, count, arena, &search, err))
        return false;
    if (request->patience == MUST_NOT_WAIT)
        return error_set(err, FAULT_WOULD_WAIT, "searching");
    if (!catalog_search(service->catalog, search, &rows, &row_count, &remaining, err))
        return false;

    warn(request, response, search, remaining);
    response_header(response, arena, "Cache-Control", "private, no-cache");
    response_header(response, arena, "Vary", "Accept, Accept-Encoding");
    if (row_count == 0) {
        response->status = 204; /* also for a study that is not known (SEA-04) */
        return true;
    }

    return model_answer(request, &form, buffer_bytes(&rows), service->limits->answer_ceiling_bytes, response,
                        err);
}

bool qido_rs_studies(const struct service *service, const struct request *request, struct response *response,
                     struct error *err)
{
    return answer_search(service, request, LEVEL_STUDY, response, err);
}

bool qido_rs_series(const struct service *service, const struct request *request, struct response *response,
                    struct error *err)
{
    return answer_search(service, request, LEVEL_SERIES, response, err);
}

bool qido_rs_instances(const struct service *service, const struct request *request,
                       struct response *response, struct error *err)
{
    return answer_search(service, request, LEVEL_INSTANCE, response, err);
}
