/* http/conditional.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * ETags; see conditional.h.
 */
#include "http/conditional.h"

#include "base/digest.h"

enum { TAG_BYTES = 16 };

const char *etag_make(struct arena *arena, struct bytes what, const char *representation)
{
    uint8_t sum[DIGEST_BYTES];
    const uint64_t size = what.size; /* in front, so that the two cannot be divided otherwise */
    const size_t length = strlen(representation);
    uint8_t *all = arena_alloc(arena, sizeof size + what.size + length);
    char *tag = arena_alloc(arena, 2 * TAG_BYTES + 3);

    memcpy(all, &size, sizeof size);
    memcpy(all + sizeof size, what.data, what.size);
    memcpy(all + sizeof size + what.size, representation, length);
    digest_of(bytes_of(all, sizeof size + what.size + length), sum);
    tag[0] = '"';
    digest_hex(sum, TAG_BYTES, tag + 1);
    memcpy(tag + 1 + 2 * TAG_BYTES, "\"", 2);
    return tag;
}

/* The next tag of a list, quotes included, and whether it is weak; size 0: the end, or no tag at all. */
static struct bytes next_tag(struct bytes *rest, bool *ret_weak)
{
    while (rest->size && (rest->data[0] == ',' || rest->data[0] == ' ' || rest->data[0] == '\t'))
        *rest = bytes_from(*rest, 1);
    *ret_weak = bytes_starts_with(*rest, bytes_of("W/", 2));
    if (*ret_weak)
        *rest = bytes_from(*rest, 2);
    if (rest->size < 2 || rest->data[0] != '"')
        return bytes_of(NULL, 0);
    const uint8_t *end = memchr(rest->data + 1, '"', rest->size - 1);
    if (!end)
        return bytes_of(NULL, 0);
    const struct bytes tag = bytes_of(rest->data, (size_t)(end - rest->data) + 1);
    *rest = bytes_from(*rest, tag.size);
    return tag;
}

static struct bytes without_weakness(struct bytes tag)
{
    return bytes_starts_with(tag, bytes_of("W/", 2)) ? bytes_from(tag, 2) : tag;
}

/* Weak comparison with each of the list; *ret_weak: the one that meets is weak. */
static bool none_match_meets(const struct request *request, struct bytes etag, bool *ret_weak)
{
    struct bytes rest = bytes_trim(request_header(request, "if-none-match"));
    const struct bytes own = without_weakness(etag);

    *ret_weak = own.size != etag.size;
    if (bytes_equal_text(rest, "*"))
        return true;
    for (struct bytes tag = next_tag(&rest, ret_weak); tag.size; tag = next_tag(&rest, ret_weak))
        if (bytes_equal(tag, own))
            return true;
    return false;
}

bool etag_none_match(const struct request *request, const char *etag)
{
    bool weak;

    return none_match_meets(request, bytes_of_text(etag), &weak);
}

/* Strong comparison; absent: true. */
static bool match_holds(const struct request *request, struct bytes etag)
{
    const struct bytes header = request_header(request, "if-match");
    struct bytes rest = bytes_trim(header);
    bool weak;

    if (!header.data || bytes_equal_text(rest, "*"))
        return true;
    for (struct bytes tag = next_tag(&rest, &weak); tag.size; tag = next_tag(&rest, &weak))
        if (!weak && bytes_equal(tag, etag))
            return true;
    return false;
}

bool conditional_apply(const struct request *request, struct response *response, struct error *err)
{
    const struct bytes etag = response_find(response, "ETag");
    bool weak;

    if (!etag.size || (request->method != METHOD_GET && request->method != METHOD_HEAD) ||
        (response->status != 200 && response->status != 206 && response->status != 304))
        return true;
    if (!match_holds(request, etag))
        return error_tell(err, FAULT_PRECONDITION, "If-Match names no tag that the resource has now.");
    if (!none_match_meets(request, etag, &weak))
        return true;
    response->status = 304;
    response->body = NULL;
    response_remove(response, "Content-Range");
    const char *own = arena_text(request->arena, without_weakness(etag));
    response_remove(response, "ETag");
    response_header(response, request->arena, "ETag", "%s%s", weak ? "W/" : "", own);
    return true;
}
