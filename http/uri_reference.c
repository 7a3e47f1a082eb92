/* http/uri_reference.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * RFC 3986 5.2.2 to 5.2.4.
 */
#include "http/uri_reference.h"

struct uri {
    struct bytes scheme, authority, path, query; /* data NULL: absent */
};

static bool is_scheme_character(uint8_t c, bool first)
{
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
        return true;
    return !first && ((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.');
}

static struct uri cut(struct bytes text)
{
    struct uri uri = { 0 };
    size_t end = 0;

    const uint8_t *fragment = text.size ? memchr(text.data, '#', text.size) : NULL;
    if (fragment)
        text.size = (size_t)(fragment - text.data);
    while (end < text.size && is_scheme_character(text.data[end], end == 0))
        end++;
    if (end > 0 && end < text.size && text.data[end] == ':') {
        uri.scheme = bytes_of(text.data, end);
        text = bytes_from(text, end + 1);
    }
    if (text.size >= 2 && text.data[0] == '/' && text.data[1] == '/') {
        text = bytes_from(text, 2);
        for (end = 0; end < text.size && text.data[end] != '/' && text.data[end] != '?';)
            end++;
        uri.authority = bytes_of(text.data, end);
        text = bytes_from(text, end);
    }
    for (end = 0; end < text.size && text.data[end] != '?';)
        end++;
    uri.path = bytes_of(text.data, end);
    if (end < text.size)
        uri.query = bytes_from(text, end + 1);
    return uri;
}

/* Into `into`, which has room for the whole path; its size. */
static size_t without_dots(struct bytes path, uint8_t *into)
{
    size_t size = 0;

    while (path.size) {
        size_t end = 1;
        while (end < path.size && path.data[end] != '/')
            end++;
        const struct bytes segment =
            bytes_of(path.data, end); /* with the slash in front of it, but for a first one */
        const bool slash = segment.data[0] == '/';
        const struct bytes name = bytes_from(segment, slash);
        const bool last = end == path.size;

        path = bytes_from(path, end);
        if (bytes_equal_text(name, ".") || bytes_equal_text(name, "..")) {
            if (name.size == 2)
                while (size && into[--size] != '/')
                    ;
            if (last)
                into[size++] = '/';
            continue;
        }
        memcpy(into + size, segment.data, segment.size);
        size += segment.size;
    }
    return size;
}

static size_t put(uint8_t *into, size_t at, struct bytes text, bool lower)
{
    for (size_t i = 0; i < text.size; i++) {
        const uint8_t c = text.data[i];
        into[at + i] = lower && c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
    }
    return at + text.size;
}

/* The path of a reference that has neither scheme nor authority: beside the last segment of the base's. */
static struct bytes merge(const struct uri *base, struct bytes path, struct arena *arena)
{
    size_t keep = base->path.size;

    if (path.size && path.data[0] == '/')
        return path;
    if (base->authority.data && base->path.size == 0)
        return bytes_of_text(arena_printf(arena, "/%.*s", BYTES_ARG(path)));
    while (keep && base->path.data[keep - 1] != '/')
        keep--;
    uint8_t *both = arena_alloc(arena, keep + path.size + 1);
    size_t size = put(both, 0, bytes_of(base->path.data, keep), false);
    size = put(both, size, path, false);
    return bytes_of(both, size);
}

struct bytes uri_resolve(struct bytes base_text, struct bytes reference, struct arena *arena)
{
    const struct uri base = cut(base_text), given = cut(reference);
    struct uri target = given;

    if (!given.scheme.data) {
        target.scheme = base.scheme;
        if (!given.authority.data) {
            target.authority = base.authority;
            target.path = given.path.size ? merge(&base, given.path, arena) : base.path;
        }
    }
    uint8_t *into = arena_alloc(arena, target.scheme.size + target.authority.size + target.path.size +
                                           target.query.size + sizeof "://?" + 1);
    size_t size = put(into, 0, target.scheme, true);
    if (target.scheme.data)
        into[size++] = ':';
    if (target.authority.data) {
        size = put(into, size, bytes_of("//", 2), false);
        size = put(into, size, target.authority, true);
    }
    size += without_dots(target.path, into + size);
    if (target.query.data) {
        into[size++] = '?';
        size = put(into, size, target.query, false);
    }
    return bytes_of(into, size);
}
