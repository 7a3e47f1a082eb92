/* tests/fuzz/handlers_rendering_parameters_fuzz.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Any query as the parameters of rendering: rows and columns of the image (2 bytes each), then the query.
 * What is taken fits: the region lies in the image and the picture within the viewport.
 */
#include "handlers/rendering_parameters.h"

#include <stdlib.h>

#include "http/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct rendering_parameters *parameters, uint32_t rows, uint32_t columns)
{
    struct error err = { 0 };
    struct region region;
    uint32_t into_rows, into_columns;

    if (!rendering_parameters_fit(parameters, rows, columns, &region, &into_rows, &into_columns, &err)) {
        if (err.fault != FAULT_MALFORMED)
            abort();
        return;
    }
    if (!(region.x >= 0) || !(region.y >= 0) || !(region.width > 0) || !(region.height > 0) ||
        region.x + region.width > columns * (1 + 1e-9) || region.y + region.height > rows * (1 + 1e-9))
        abort();
    if (into_rows < 1 || into_columns < 1)
        abort();
    if (parameters->has_viewport &&
        (into_rows > parameters->viewport_rows || into_columns > parameters->viewport_columns))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4)
        return 0;
    struct arena arena = { 0 };
    struct request request = { .arena = &arena, .query_text = bytes_of(data + 4, size - 4) };
    const uint32_t rows = 1u + data[0] + 256u * data[1], columns = 1u + data[2] + 256u * data[3];
    struct rendering_parameters parameters;
    struct error err = { 0 };

    if (uri_query(request.query_text, &arena, &request.query, &err)) {
        if (rendering_parameters_read(&request, 16384, &parameters, &err))
            check(&parameters, rows, columns);
        if (thumbnail_parameters_read(&request, 16384, &parameters, &err))
            check(&parameters, rows, columns);
        if (uri_parameters_read(&request, 16384, &parameters, &err))
            check(&parameters, rows, columns);
        rendering_parameters_name(&parameters, &arena);
    }
    arena_release(&arena);
    return 0;
}
