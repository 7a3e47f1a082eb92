/* handlers/routes.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Which handler answers a URL: routes.def made into a table, searched segment by segment. The table is short
 * enough to be walked for every request.
 */
#include "handlers/routes.h"

#include <pthread.h>
#include <stdio.h>

#include "handlers/transactions.h"
#include "http/uri.h"

static const struct route routes[] = {
#define ROUTE(method, pattern, scope, first_try, receive, answer) \
    { METHOD_##method, pattern, false, SCOPE_##scope, TRY_##first_try, receive, answer },
#define ROOT_ROUTE(method, pattern, scope, first_try, receive, answer) \
    { METHOD_##method, pattern, true, SCOPE_##scope, TRY_##first_try, receive, answer },
#include "handlers/routes.def"
#undef ROUTE
#undef ROOT_ROUTE
};

/* Segments of the longest pattern, and as many more as a {...} may stand for. */
enum { SEGMENTS_MOST = 64, ALLOW_BYTES = 64 };

struct segments {
    const struct bytes *list;
    size_t count;
};

const struct route *route_at(size_t n)
{
    return n < COUNT_OF(routes) ? &routes[n] : NULL;
}

/* One slash at the end names the same resource (HTTP-11). */
static bool cut_segments(struct bytes path, struct arena *arena, struct bytes room[SEGMENTS_MOST],
                         struct segments *ret, struct error *err)
{
    struct bytes rest = bytes_from(path, 1);
    size_t count = 0;

    if (rest.size > 0 && rest.data[rest.size - 1] == '/')
        rest.size--;
    while (rest.size > 0) {
        const struct bytes segment = bytes_cut(&rest, '/');

        if (count == SEGMENTS_MOST)
            return error_set(err, FAULT_NOT_FOUND, "more than %d path segments", SEGMENTS_MOST);
        if (!uri_decode(segment, false, arena, &room[count], err))
            return false;
        count++;
    }
    *ret = (struct segments){ room, count };
    return true;
}

/* The pattern's next word is `segment`: where it ends. NULL: it is another. Every request is held against
 * every route, so nothing is searched for here. */
static const char *behind_word(const char *at, struct bytes segment)
{
    size_t same = 0;

    while (same < segment.size && at[same] && (uint8_t)at[same] == segment.data[same])
        same++;
    return same == segment.size && (at[same] == '/' || at[same] == '\0') ? at + same : NULL;
}

/* How many segments the pattern of each route has, 0: any number. Most routes are passed over by it. */
static uint8_t pattern_segments[COUNT_OF(routes)];

static size_t slashes_of(const char *text)
{
    size_t count = 0;

    for (; *text; text++)
        count += *text == '/';
    return count;
}

static void count_pattern_segments(void)
{
    for (size_t i = 0; i < COUNT_OF(routes); i++)
        pattern_segments[i] = routes[i].pattern[1] == '\0' || strstr(routes[i].pattern, "{...}")
                                  ? 0
                                  : (uint8_t)slashes_of(routes[i].pattern);
}

/* Does the pattern fit? What stands for its {} goes into params. */
static bool pattern_fits(const char *pattern, const struct segments *path, struct arena *arena,
                         struct bytes params[REQUEST_PARAMS])
{
    const char *at = pattern + 1;
    size_t segment = 0, param = 0;

    for (; *at; segment++) {
        if (segment >= path->count)
            return false;
        if (*at != '{') {
            at = behind_word(at, path->list[segment]);
            if (!at)
                return false;
        } else if (at[1] == '.') { /* {...}: all that is left */
            char *joined = arena_text(arena, path->list[segment]);
            for (size_t i = segment + 1; i < path->count; i++)
                joined = arena_printf(arena, "%s/%.*s", joined, BYTES_ARG(path->list[i]));
            params[param++] = bytes_of_text(joined);
            segment = path->count;
            break;
        } else {
            params[param++] = path->list[segment];
            at += 2;
        }
        at += *at == '/';
    }
    if (segment != path->count)
        return false;
    for (; param < REQUEST_PARAMS; param++)
        params[param] = bytes_of(NULL, 0);
    return true;
}

const char *route_pattern_of(struct bytes path, struct arena *arena)
{
    struct segments segments;
    struct bytes room[SEGMENTS_MOST], params[REQUEST_PARAMS] = { { NULL, 0 } };
    struct error ignored = { 0 };

    if (!cut_segments(path, arena, room, &segments, &ignored))
        return NULL;
    for (size_t i = 0; i < COUNT_OF(routes); i++)
        if (!routes[i].at_root && pattern_fits(routes[i].pattern, &segments, arena, params))
            return routes[i].pattern;
    return NULL;
}

static const struct route *capabilities_route(void)
{
    for (size_t i = 0; i < COUNT_OF(routes); i++)
        if (routes[i].answer == capabilities && routes[i].method == METHOD_OPTIONS)
            return &routes[i];
    return NULL;
}

/* HEAD is GET without its body; OPTIONS is everywhere. */
static const char *allow_text(const bool offered[METHOD_UNKNOWN], struct arena *arena)
{
    char text[ALLOW_BYTES] = "";
    size_t size = 0;

    for (int method = 0; method < METHOD_UNKNOWN; method++) {
        const bool told =
            offered[method] || method == METHOD_OPTIONS || (method == METHOD_HEAD && offered[METHOD_GET]);

        if (told)
            size += (size_t)snprintf(text + size, sizeof(text) - size, "%s%s", size ? ", " : "",
                                     method_text((enum method)method));
    }
    return arena_text(arena, bytes_of(text, size));
}

/* The path under the base, or data NULL when it is not under it. */
static struct bytes path_under(struct bytes path, const char *base_path)
{
    const struct bytes base = bytes_of_text(base_path);
    const struct bytes under = bytes_from(path, base.size);

    if (!bytes_starts_with(path, base) || (under.size > 0 && under.data[0] != '/'))
        return bytes_of(NULL, 0);
    return under.size > 0 ? under : bytes_of("/", 1);
}

bool route_find(enum method method, struct bytes path, const char *base_path, struct arena *arena,
                const struct route **ret, struct bytes params[REQUEST_PARAMS], struct bytes *ret_path,
                const char **ret_allow, struct error *err)
{
    const enum method sought = method == METHOD_HEAD ? METHOD_GET : method;
    const struct bytes under = path_under(path, base_path);
    static pthread_once_t counted = PTHREAD_ONCE_INIT;
    struct segments at_root, below = { .count = 0 };
    struct bytes room[SEGMENTS_MOST];
    bool offered[METHOD_UNKNOWN] = { false }, known = false;
    struct bytes matched[REQUEST_PARAMS];

    if (method == METHOD_UNKNOWN)
        return error_set(err, FAULT_NOT_IMPLEMENTED, "a method that is not known");
    if (bytes_equal_text(path, "*") && method == METHOD_OPTIONS) { /* the server as a whole: RFC 9110 9.3.7 */
        for (size_t i = 0; i < COUNT_OF(routes); i++)
            offered[routes[i].method] = true;
        *ret = capabilities_route();
        *ret_path = bytes_of("/", 1);
        *ret_allow = allow_text(offered, arena);
        return true;
    }
    if (!uri_check_path(path, err) || !cut_segments(path, arena, room, &at_root, err))
        return false;
    if (under.data) {
        const size_t told = slashes_of(base_path), of_base = told < at_root.count ? told : at_root.count;
        below = (struct segments){ at_root.list + of_base, at_root.count - of_base };
    }
    pthread_once(&counted, count_pattern_segments);

    for (size_t i = 0; i < COUNT_OF(routes); i++) {
        const struct segments *segments = routes[i].at_root ? &at_root : &below;

        if ((!routes[i].at_root && !under.data) ||
            (pattern_segments[i] && pattern_segments[i] != segments->count) ||
            !pattern_fits(routes[i].pattern, segments, arena, matched))
            continue;
        if (!known || routes[i].method == sought) {
            *ret_path = routes[i].at_root ? path : under;
            memcpy(params, matched, sizeof(matched));
        }
        known = true;
        offered[routes[i].method] = true;
        if (routes[i].method == sought) {
            *ret = &routes[i];
            if (method != METHOD_OPTIONS)
                return true;
        }
    }
    if (!known)
        return error_set(err, FAULT_NOT_FOUND, "no such route");
    *ret_allow = allow_text(offered, arena);
    if (method != METHOD_OPTIONS)
        return error_tell(err, FAULT_METHOD_NOT_ALLOWED, "Offered here: %s.", *ret_allow);
    *ret = capabilities_route();
    return true;
}
