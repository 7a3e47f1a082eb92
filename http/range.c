/* http/range.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Range requests; see range.h. What cannot be understood is ignored, as RFC 9110 14.2 says; only a range that
 * lies wholly outside is refused. Several ranges at once get the whole body, so overlapping ones cannot
 * multiply the work.
 */
#include "http/range.h"

#include <inttypes.h>

#include "base/number.h"

enum reading { IGNORED, OUTSIDE, INSIDE };

/* Digits; a number beyond 64 bits is the largest one. */
static bool read_position(struct bytes text, uint64_t *ret)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    if (text.size == 0)
        return false;
    if (!number_parse(text, 0, UINT64_MAX, ret))
        *ret = UINT64_MAX;
    return true;
}

/* The first and last byte meant in a body of `size` bytes. */
static enum reading read_range(struct bytes header, uint64_t size, uint64_t *ret_first, uint64_t *ret_last)
{
    struct bytes rest = bytes_trim(header);
    const struct bytes unit = bytes_trim(bytes_cut(&rest, '='));
    uint64_t first = 0, last = UINT64_MAX;

    rest = bytes_trim(rest);
    if (!bytes_equal_nocase(unit, bytes_of("bytes", 5)) || rest.size == 0 ||
        !memchr(rest.data, '-', rest.size))
        return IGNORED;
    const struct bytes from = bytes_trim(bytes_cut(&rest, '-'));
    const struct bytes to = bytes_trim(rest);

    if (from.size == 0) { /* -n: the last n */
        uint64_t length;
        if (!read_position(to, &length))
            return IGNORED;
        if (length == 0 || size == 0)
            return OUTSIDE;
        first = length < size ? size - length : 0;
    } else {
        if (!read_position(from, &first) || (to.size && !read_position(to, &last)) || first > last)
            return IGNORED;
        if (first >= size)
            return OUTSIDE;
    }
    *ret_first = first;
    *ret_last = last < size ? last : size - 1;
    return INSIDE;
}

/* If-Range lets the range stand: absent, or the strong tag, or the exact date of the answer (RFC
 * 9110 13.1.5). */
static bool if_range_holds(const struct request *request, const struct response *response, struct bytes etag)
{
    const struct bytes wanted = bytes_trim(request_header(request, "if-range"));

    if (!wanted.data)
        return true;
    if (wanted.size && wanted.data[0] == '"')
        return bytes_equal(wanted, etag);
    const struct bytes modified = response_find(response, "Last-Modified");
    return wanted.size && modified.data && bytes_equal(wanted, modified);
}

bool range_apply(const struct request *request, struct response *response, struct error *err)
{
    const struct bytes etag = response_find(response, "ETag");
    const struct bytes header = request_header(request, "range");
    uint64_t first = 0, last = 0;

    if (response->status != 200 || !response->body || response->body->size == BODY_SIZE_UNKNOWN ||
        !etag.size || (request->method != METHOD_GET && request->method != METHOD_HEAD))
        return true;
    if (!response_find(response, "Accept-Ranges").data)
        response_header(response, request->arena, "Accept-Ranges", "bytes");
    if (request->method != METHOD_GET || !header.data || !if_range_holds(request, response, etag))
        return true;

    const uint64_t size = response->body->size;
    const enum reading reading = read_range(header, size, &first, &last);
    if (reading == IGNORED)
        return true;
    if (reading == OUTSIDE) {
        response->body = NULL;
        response_header(response, request->arena, "Content-Range", "bytes */%" PRIu64, size);
        return error_set(err, FAULT_RANGE, "range \"%.*s\" of %" PRIu64 " bytes",
                         (int)(header.size < 80 ? header.size : 80), (const char *)header.data, size);
    }
    response->status = 206;
    response_remove(response, "Content-Length");
    response_header(response, request->arena, "Content-Range", "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
                    first, last, size);
    response->body = body_slice(request->arena, response->body, first, last - first + 1);
    return true;
}
