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
    char hex[2 * TAG_BYTES + 1];
    const uint64_t size = what.size; /* in front, so that the two cannot be divided otherwise */
    struct digest *digest = digest_new();

    digest_add(digest, bytes_of(&size, sizeof size));
    digest_add(digest, what);
    digest_add(digest, bytes_of_text(representation));
    digest_get(digest, sum);
    digest_free(digest);
    digest_hex(sum, TAG_BYTES, hex);
    return arena_printf(arena, "\"%s\"", hex);
}

/* The next tag of a list without its W/ (weak comparison), quotes included; size 0: the end, or no tag at
 * all. */
static struct bytes next_tag(struct bytes *rest)
{
    while (rest->size && (rest->data[0] == ',' || rest->data[0] == ' ' || rest->data[0] == '\t'))
        *rest = bytes_from(*rest, 1);
    if (bytes_starts_with(*rest, bytes_of("W/", 2)))
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

bool etag_none_match(const struct request *request, const char *etag)
{
    struct bytes rest = bytes_trim(request_header(request, "if-none-match"));
    struct bytes own = bytes_of_text(etag);

    if (bytes_starts_with(own, bytes_of("W/", 2)))
        own = bytes_from(own, 2);
    if (bytes_equal_text(rest, "*"))
        return true;
    for (struct bytes tag = next_tag(&rest); tag.size; tag = next_tag(&rest))
        if (bytes_equal(tag, own))
            return true;
    return false;
}
