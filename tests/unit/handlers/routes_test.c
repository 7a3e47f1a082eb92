/* tests/unit/handlers/routes_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Which handler answers a URL.
 */
#include "handlers/routes.h"

#include "handlers/transactions.h"
#include "tests/support/expect.h"

struct found {
    bool ok;
    const struct route *route;
    struct bytes params[REQUEST_PARAMS];
    struct bytes path;
    const char *allow;
    struct error err;
};

static struct found find(struct arena *arena, enum method method, const char *path, const char *base)
{
    struct found found = { 0 };

    found.ok = route_find(method, bytes_of_text(path), base, arena, &found.route, found.params, &found.path,
                          &found.allow, &found.err);
    return found;
}

TEST(every_route_is_found_by_its_own_pattern)
{
    for (size_t n = 0; route_at(n); n++) {
        struct arena arena = { 0 };
        char path[256] = "";
        size_t size = route_at(n)->at_root ? 0 : (size_t)snprintf(path, sizeof(path), "/dicom-web");

        for (const char *at = route_at(n)->pattern; *at; at++) {
            if (*at == '{') {
                size += (size_t)snprintf(path + size, sizeof(path) - size, "1.2.3");
                at = strchr(at, '}');
            } else {
                path[size++] = *at;
            }
        }
        path[size] = 0;
        const struct found found = find(&arena, route_at(n)->method, path, "/dicom-web");
        EXPECT(found.ok && found.route == route_at(n), "%s %s: %s", method_text(route_at(n)->method), path,
               found.err.detail);
        arena_release(&arena);
    }
}

TEST(segments_become_parameters)
{
    struct arena arena = { 0 };
    const struct found found = find(
        &arena, METHOD_GET, "/dicom-web/studies/1.2/series/1.2.3/instances/1%2E4/frames/1%2C3", "/dicom-web");

    EXPECT(found.ok && found.route->answer == wado_rs_frames, "%s", found.err.detail);
    EXPECT_TEXT(found.params[0], "1.2");
    EXPECT_TEXT(found.params[1], "1.2.3");
    EXPECT_TEXT(found.params[2], "1.4");
    EXPECT_TEXT(found.params[3], "1,3");
    EXPECT(!found.params[4].data, "a fifth parameter");
    EXPECT_TEXT(found.path, "/studies/1.2/series/1.2.3/instances/1%2E4/frames/1%2C3");
    arena_release(&arena);
}

TEST(the_rest_of_a_path_is_one_parameter)
{
    struct arena arena = { 0 };
    const struct found found =
        find(&arena, METHOD_GET, "/studies/1/series/2/instances/3/bulkdata/54000100/1/54001010", "");

    EXPECT(found.ok && found.route->answer == wado_rs_bulkdata, "%s", found.err.detail);
    EXPECT_TEXT(found.params[3], "54000100/1/54001010");
    arena_release(&arena);
}

TEST(HTP_11_a_slash_at_the_end_is_the_same_resource)
{
    struct arena arena = { 0 };
    const struct found found = find(&arena, METHOD_GET, "/dicom-web/studies/", "/dicom-web");

    EXPECT(found.ok && found.route->answer == qido_rs_studies, "%s", found.err.detail);
    arena_release(&arena);
}

TEST(HTP_01_head_is_answered_by_gets_handler)
{
    struct arena arena = { 0 };
    const struct found found = find(&arena, METHOD_HEAD, "/dicom-web/studies/1.2/metadata", "/dicom-web");

    EXPECT(found.ok && found.route->answer == wado_rs_metadata, "%s", found.err.detail);
    arena_release(&arena);
}

TEST(GEN_11_a_method_that_is_not_offered_is_told_which_are)
{
    static const struct {
        enum method method;
        const char *path, *allow;
    } cases[] = {
        { METHOD_DELETE, "/dicom-web/studies", "GET, HEAD, POST, OPTIONS" },
        { METHOD_PUT, "/dicom-web/studies", "GET, HEAD, POST, OPTIONS" },
        { METHOD_POST, "/dicom-web/series", "GET, HEAD, OPTIONS" },
        { METHOD_POST, "/healthz", "GET, HEAD, OPTIONS" },
        { METHOD_PUT, "/dicom-web/studies/1.2", "GET, HEAD, POST, DELETE, OPTIONS" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct arena arena = { 0 };
        const struct found found = find(&arena, cases[i].method, cases[i].path, "/dicom-web");

        EXPECT(!found.ok && found.err.fault == FAULT_METHOD_NOT_ALLOWED, "%s: fault %d", cases[i].path,
               found.err.fault);
        if (EXPECT(found.allow, "%s: no Allow", cases[i].path))
            EXPECT_TEXT(bytes_of_text(found.allow), cases[i].allow);
        arena_release(&arena);
    }
}

TEST(HTP_02_an_unknown_method_is_not_implemented)
{
    struct arena arena = { 0 };
    const struct found found = find(&arena, METHOD_UNKNOWN, "/dicom-web/studies", "/dicom-web");

    EXPECT(!found.ok && found.err.fault == FAULT_NOT_IMPLEMENTED, "fault %d", found.err.fault);
    arena_release(&arena);
}

TEST(CAP_03_options_on_any_resource_finds_the_capabilities)
{
    static const char *const paths[] = { "/dicom-web/", "/dicom-web", "/dicom-web/studies/1/metadata", "*" };

    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct arena arena = { 0 };
        const struct found found = find(&arena, METHOD_OPTIONS, paths[i], "/dicom-web");

        EXPECT(found.ok && found.route->answer == capabilities && found.allow, "%s: %s", paths[i],
               found.err.detail);
        arena_release(&arena);
    }
}

TEST(what_is_no_route_is_not_found)
{
    static const char *const paths[] = {
        "/dicom-web/patients",
        "/dicom-web/studies/1/series/2/instances/3/frames",
        "/dicom-web/studies/1/series/2/instances/3/bulk",
        "/dicom-webs/studies",
        "/studies",
        "/",
        "/dicom-web/healthz",
        "/dicom-web/Studies",
    };

    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct arena arena = { 0 };
        const struct found found = find(&arena, METHOD_GET, paths[i], "/dicom-web");

        EXPECT(!found.ok && found.err.fault == FAULT_NOT_FOUND, "%s: fault %d", paths[i], found.err.fault);
        arena_release(&arena);
    }
}

TEST(HTP_10_a_path_is_never_a_way_out)
{
    static const char *const paths[] = {
        "/dicom-web/studies/..",    "/dicom-web/studies/%2e%2e/x", "/dicom-web//studies",
        "/dicom-web/studies/1%2F2", "/dicom-web/studies/1%002",    "/dicom-web/studies/1\\2",
        "/dicom-web/studies/1%zz",  "/dicom-web/./studies",
    };

    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct arena arena = { 0 };
        const struct found found = find(&arena, METHOD_GET, paths[i], "/dicom-web");

        EXPECT(!found.ok && (found.err.fault == FAULT_MALFORMED || found.err.fault == FAULT_NOT_FOUND),
               "%s: fault %d", paths[i], found.err.fault);
        arena_release(&arena);
    }
}

TEST(a_path_of_a_thousand_segments_is_refused)
{
    struct arena arena = { 0 };
    char path[4096] = "/dicom-web/studies/1/series/2/instances/3/bulkdata";
    size_t size = strlen(path);

    while (size < sizeof(path) - 3)
        size += (size_t)snprintf(path + size, sizeof(path) - size, "/1");
    const struct found found = find(&arena, METHOD_GET, path, "/dicom-web");
    EXPECT(!found.ok && found.err.fault == FAULT_NOT_FOUND, "fault %d", found.err.fault);
    arena_release(&arena);
}
