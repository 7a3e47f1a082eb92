/* tests/fuzz/http_conditions_fuzz.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The lines are Range, If-Range, If-Match, If-None-Match, Accept-Encoding and a body, applied to an answer in
 * the order of the server. What comes out keeps its promises: the size, the parts of the ranges, the coding.
 */
#include <stdlib.h>

#include "http/accept_encoding.h"
#include "http/compress.h"
#include "http/conditional.h"
#include "http/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void drain(struct body_source *body)
{
    uint8_t room[512];
    uint64_t total = 0;
    size_t got = 1;
    struct error err = { 0 };

    while (got > 0) {
        must(body->read(body, room, sizeof room, MAY_WAIT, &got, &err));
        total += got;
    }
    must(body->size == BODY_SIZE_UNKNOWN || body->size == total);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "range", "if-range", "if-match", "if-none-match",
                                         "accept-encoding" };
    struct arena arena = { 0 };
    struct request request = { .method = METHOD_GET };
    struct response response = { 0 };
    struct bytes rest = bytes_of(data, size);
    struct error err = { 0 };

    request.arena = &arena;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const struct bytes line = bytes_cut(&rest, '\n');
        if (line.size > 0)
            fields_add(&request.headers, &arena, bytes_of_text(names[i]), line);
    }
    response_text(&response, &arena, 200, "application/json", rest);
    response_header(&response, &arena, "ETag", "\"tag\"");
    const bool served = range_apply(&request, &response, &err) &&
                        conditional_apply(&request, &response, &err) &&
                        compress_apply(&request, &response, 0, &err);
    if (served) {
        must(response.status == 200 || response.status == 206 || response.status == 304);
        must((response.status == 304) == (response.body == NULL));
        must(response.status != 206 || rest.size > 0);
        if (response.body) {
            /* Ranges ascend without overlapping: each adds its head at most. */
            must(response.body->size == BODY_SIZE_UNKNOWN || response.body->size <= 2 * rest.size + 65 * 200);
            drain(response.body);
        }
    } else {
        must(err.fault == FAULT_RANGE || err.fault == FAULT_PRECONDITION);
        must(err.told[0] != '\0');
    }
    arena_release(&arena);
    return 0;
}
