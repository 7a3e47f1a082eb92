/* http/range.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Range requests; see range.h. What cannot be understood is ignored, as RFC 9110 14.2 says; only ranges that
 * lie wholly outside are refused. Several ranges are served in one pass over the body, so they have to ascend
 * without overlapping, as those of every known client do: others get the whole body, and cannot multiply the
 * work (HTP-54).
 */
#include "http/range.h"

#include <inttypes.h>

#include "base/number.h"
#include "http/multipart_writer.h"

enum { RANGES_MOST = 64 }; /* of more, the whole body is the answer */
enum reading { IGNORED, OUTSIDE, INSIDE };

struct byte_range {
    uint64_t first, last;
};

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

/* One of the list, in a body of `size` bytes. */
static enum reading read_one(struct bytes text, uint64_t size, struct byte_range *ret)
{
    uint64_t first = 0, last = UINT64_MAX;

    if (text.size == 0 || !memchr(text.data, '-', text.size))
        return IGNORED;
    const struct bytes from = bytes_trim(bytes_cut(&text, '-'));
    const struct bytes to = bytes_trim(text);

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
    *ret = (struct byte_range){ first, last < size ? last : size - 1 };
    return INSIDE;
}

/* Those of the list that lie inside, in a body of `size` bytes. */
static enum reading read_ranges(struct bytes header, uint64_t size, struct byte_range *list,
                                size_t *ret_count)
{
    struct bytes rest = bytes_trim(header);
    const struct bytes unit = bytes_trim(bytes_cut(&rest, '='));
    size_t count = 0;
    bool any = false;

    if (!bytes_equal_nocase(unit, bytes_of("bytes", 5)))
        return IGNORED;
    while (rest.size > 0) {
        const struct bytes text = bytes_trim(bytes_cut(&rest, ','));
        struct byte_range range;
        if (text.size == 0) /* RFC 9110 5.6.1: an empty element of a list */
            continue;
        const enum reading reading = read_one(text, size, &range);
        any = true;
        if (reading == OUTSIDE)
            continue;
        if (reading == IGNORED || count == RANGES_MOST || (count > 0 && range.first <= list[count - 1].last))
            return IGNORED;
        list[count++] = range;
    }
    *ret_count = count;
    return !any ? IGNORED : count > 0 ? INSIDE : OUTSIDE;
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

static void send_one(const struct request *request, const struct byte_range *range, uint64_t size,
                     struct response *response)
{
    response_header(response, request->arena, "Content-Range", "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
                    range->first, range->last, size);
    response->body = body_slice(request->arena, response->body, range->first, range->last - range->first + 1);
}

/* multipart/byteranges (RFC 9110 14.6): each part has its own Content-Range, the answer has none. */
static void send_several(const struct request *request, const struct byte_range *list, size_t count,
                         uint64_t size, struct bytes seed, struct response *response)
{
    struct arena *arena = request->arena;
    const struct bytes boundary = multipart_boundary(arena, seed);
    const struct bytes type = response_find(response, "Content-Type");
    struct body_source **parts = arena_array(arena, 2 * count + 1, sizeof *parts);
    uint64_t at = 0; /* in the one source of all slices */

    for (size_t i = 0; i < count; i++) {
        const char *head = arena_printf(
            arena, "%s--%.*s\r\n%s%.*s%sContent-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 "\r\n\r\n",
            i > 0 ? "\r\n" : "", BYTES_ARG(boundary), type.size ? "Content-Type: " : "", BYTES_ARG(type),
            type.size ? "\r\n" : "", list[i].first, list[i].last, size);
        parts[2 * i] = body_of_bytes(arena, bytes_of_text(head));
        parts[2 * i + 1] =
            body_slice(arena, response->body, list[i].first - at, list[i].last - list[i].first + 1);
        at = list[i].last + 1;
    }
    parts[2 * count] = body_of_bytes(arena, multipart_tail(arena, boundary));
    response->body = body_chain(arena, parts, 2 * count + 1);
    response_remove(response, "Content-Type");
    response_header(response, arena, "Content-Type", "multipart/byteranges; boundary=%.*s",
                    BYTES_ARG(boundary));
}

bool range_apply(const struct request *request, struct response *response, struct error *err)
{
    const struct bytes etag = response_find(response, "ETag");
    const struct bytes header = request_header(request, "range");
    struct byte_range list[RANGES_MOST];
    size_t count = 0;

    if (response->status != 200 || !response->body || response->body->size == BODY_SIZE_UNKNOWN ||
        !etag.size || (request->method != METHOD_GET && request->method != METHOD_HEAD))
        return true;
    if (!response_find(response, "Accept-Ranges").data)
        response_header(response, request->arena, "Accept-Ranges", "bytes");
    if (request->method != METHOD_GET || !header.data || !if_range_holds(request, response, etag))
        return true;

    const uint64_t size = response->body->size;
    const enum reading reading = read_ranges(header, size, list, &count);
    if (reading == IGNORED)
        return true;
    if (reading == OUTSIDE) {
        response->body = NULL;
        response_header(response, request->arena, "Content-Range", "bytes */%" PRIu64, size);
        return error_tell(err, FAULT_RANGE, "Range lies behind the %" PRIu64 " bytes that there are.", size);
    }
    response->status = 206;
    response_remove(response, "Content-Length");
    if (count == 1)
        send_one(request, &list[0], size, response);
    else
        send_several(request, list, count, size, header, response);
    return true;
}
