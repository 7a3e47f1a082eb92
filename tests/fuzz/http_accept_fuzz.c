/* tests/fuzz/http_accept_fuzz.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first line is a query text, the rest an Accept header.
 */
#include <stdlib.h>

#include "http/accept.h"
#include "http/problem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void weigh(const struct accept *accept)
{
    static const char *const types[] = {
        "application/dicom", "application/octet-stream", "application/dicom+json", "image/jls", "image/jpeg",
        "text/html"
    };
    static const char *const syntaxes[] = { NULL, "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.80" };

    must(!accept->absent || accept->count == 0);
    for (size_t i = 0; i < accept->count; i++) {
        const struct accept_range *range = &accept->list[i];
        must(range->q <= 1000 && range->place == i && range->type.size > 0 && range->subtype.size > 0);
        must(i == 0 || range->second || !accept->list[i - 1].second);
    }
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        for (size_t j = 0; j < sizeof syntaxes / sizeof syntaxes[0]; j++)
            for (unsigned bits = 0; bits < 4; bits++) {
                uint32_t place = 0;
                const unsigned q = accept_quality(accept, bits & 1, types[i], syntaxes[j], bits & 2, &place);
                must(q <= 1000 && (accept->count == 0 || place < accept->count));
            }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = { 0 };
    struct error err = { 0 };
    struct accept accept = { 0 };
    struct request request = { .arena = &arena };
    struct bytes rest = bytes_of(data, size);

    request.query_text = bytes_cut(&rest, '\n');
    accept_parse(rest, &arena, &accept);
    weigh(&accept);

    fields_add(&request.headers, &arena, bytes_of_text("accept"), rest);
    if (accept_read(&request, &arena, &accept, &err)) {
        struct response response = { 0 };
        weigh(&accept);
        error_tell(&err, FAULT_NOT_ACCEPTABLE, "x");
        problem_response(&request, &err, &response);
        must(response.status == 406 && response.body);
    } else {
        must(err.fault == FAULT_MALFORMED);
    }
    arena_release(&arena);
    return 0;
}
