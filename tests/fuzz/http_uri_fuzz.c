/* tests/fuzz/http_uri_fuzz.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * A request target: split, its path checked and decoded, its query read. The tag and range parsers get it
 * too.
 */
#include <stdlib.h>

#include "http/conditional.h"
#include "http/range.h"
#include "http/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

/* A checked path, decoded segment by segment, names nothing outside its place. */
static void look_at_path(struct bytes path, struct arena *arena)
{
    struct error err = { 0 };

    if (!uri_check_path(path, &err)) {
        must(err.fault == FAULT_MALFORMED);
        return;
    }
    for (struct bytes rest = bytes_from(path, 1); rest.size > 0;) {
        struct bytes segment;
        must(uri_decode(bytes_cut(&rest, '/'), false, arena, &segment, &err));
        must(segment.size > 0 && !bytes_equal_text(segment, ".") && !bytes_equal_text(segment, ".."));
        must(!memchr(segment.data, '/', segment.size) && !memchr(segment.data, '\0', segment.size) &&
             !memchr(segment.data, '\\', segment.size));
    }
}

static void look_at_headers(struct bytes value, struct arena *arena)
{
    struct request request = { .method = METHOD_GET, .arena = arena };
    struct response response = { 0 };
    struct error err = { 0 };

    fields_add(&request.headers, arena, bytes_of_text("if-none-match"), value);
    fields_add(&request.headers, arena, bytes_of_text("range"), value);
    (void)etag_none_match(&request, "\"t\"");
    response_text(&response, arena, 200, "a/b", bytes_of_text("0123456789"));
    response_header(&response, arena, "ETag", "\"t\"");
    if (range_apply(&request, &response, &err))
        must(response.status == 200 ? response.body->size == 10 : response.body->size > 0);
    else
        must(err.fault == FAULT_RANGE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = { 0 };
    struct error err = { 0 };
    struct bytes path, query;
    struct fields fields = { 0 };
    const struct bytes target = bytes_of(data, size);

    look_at_path(target, &arena);
    if (uri_split(target, &path, &query, &err)) {
        must(path.size > 0 && path.size + query.size <= size + 1);
        look_at_path(path, &arena);
        if (uri_query(query, &arena, &fields, &err))
            for (size_t i = 0; i < fields.count; i++)
                must(uri_is_utf8(fields.list[i].name) && uri_is_utf8(fields.list[i].value) &&
                     fields.list[i].value.data);
        else
            must(err.fault == FAULT_MALFORMED && fields.count == 0);
    } else {
        must(err.fault == FAULT_MALFORMED);
    }
    look_at_headers(target, &arena);
    arena_release(&arena);
    return 0;
}
