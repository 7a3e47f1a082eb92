/* tests/unit/http/cors_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/expect.h"

#include "http/cors.h"

struct asked {
    struct arena arena;
    struct request request;
    struct response response;
};

static void ask(struct asked *asked, enum method method, const char *origin, const char *wanted_method,
                const char *wanted_headers)
{
    *asked = (struct asked){ .request = { .method = method } };
    asked->request.arena = &asked->arena;
    struct fields *headers = &asked->request.headers;
    if (origin)
        fields_add(headers, &asked->arena, bytes_of_text("origin"), bytes_of_text(origin));
    if (wanted_method)
        fields_add(headers, &asked->arena, bytes_of_text("access-control-request-method"),
                   bytes_of_text(wanted_method));
    if (wanted_headers)
        fields_add(headers, &asked->arena, bytes_of_text("access-control-request-headers"),
                   bytes_of_text(wanted_headers));
}

static struct bytes header(const struct asked *asked, const char *name)
{
    return response_find(&asked->response, name);
}

TEST(HTP_04_a_preflight_is_told_from_other_OPTIONS)
{
    static const struct {
        enum method method;
        const char *origin, *wanted;
        bool want;
    } cases[] = { { METHOD_OPTIONS, "https://v", "GET", true },
                  { METHOD_OPTIONS, "null", "POST", true },
                  { METHOD_OPTIONS, NULL, "GET", false },
                  { METHOD_OPTIONS, "https://v", NULL, false },
                  { METHOD_GET, "https://v", "GET", false } };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct asked asked;
        ask(&asked, cases[i].method, cases[i].origin, cases[i].wanted, NULL);
        EXPECT(cors_is_preflight(&asked.request) == cases[i].want, "case %zu", i);
        arena_release(&asked.arena);
    }
}

TEST(COR_03_a_preflight_is_granted_what_it_asks_of_the_list)
{
    static const struct cors cors = { .allowed_origins = "*" };
    struct asked asked;

    ask(&asked, METHOD_OPTIONS, "https://viewer.example", "GET",
        "Accept, AUTHORIZATION,x-evil , content-type");
    cors_preflight(&cors, &asked.request, &asked.response);
    EXPECT(asked.response.status == 204 && !asked.response.body, "%d", asked.response.status);
    EXPECT_TEXT(header(&asked, "access-control-allow-origin"), "*");
    EXPECT_TEXT(header(&asked, "access-control-allow-headers"), "authorization, accept, content-type");
    EXPECT_TEXT(header(&asked, "access-control-allow-methods"), "GET, HEAD, POST, PUT, DELETE, OPTIONS");
    EXPECT_TEXT(header(&asked, "access-control-max-age"), "7200");
    EXPECT(!header(&asked, "access-control-allow-credentials").data, "COR-05");
    const size_t count = asked.response.headers.count;
    cors_headers(&cors, &asked.request, &asked.response);
    EXPECT(asked.response.headers.count == count, "headers came twice");
    arena_release(&asked.arena);
}

TEST(COR_03_every_header_of_the_list_is_granted)
{
    static const char *const names[] = { "authorization",     "accept",     "content-type",
                                         "content-encoding",  "range",      "if-none-match",
                                         "if-modified-since", "if-range",   "cache-control",
                                         "traceparent",       "tracestate", "x-requested-with" };
    static const struct cors cors = { .allowed_origins = "*" };

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct asked asked;
        ask(&asked, METHOD_OPTIONS, "https://v", "GET", names[i]);
        cors_preflight(&cors, &asked.request, &asked.response);
        EXPECT_TEXT(header(&asked, "access-control-allow-headers"), names[i]);
        arena_release(&asked.arena);
    }
    struct asked asked;
    ask(&asked, METHOD_OPTIONS, "https://v", "GET", NULL);
    cors_preflight(&cors, &asked.request, &asked.response);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        EXPECT(strstr((const char *)header(&asked, "access-control-allow-headers").data, names[i]), "%s",
               names[i]);
    arena_release(&asked.arena);
}

TEST(COR_11_a_preflight_that_asks_for_nothing_allowed_is_answered_without_it)
{
    static const struct cors cors = { .allowed_origins = "*" };
    struct asked asked;

    ask(&asked, METHOD_OPTIONS, "https://v", "GET", "x-evil");
    cors_preflight(&cors, &asked.request, &asked.response);
    EXPECT(asked.response.status == 204 && !header(&asked, "access-control-allow-headers").data, "granted");
    arena_release(&asked.arena);
}

TEST(COR_02_any_origin_gets_the_star_and_what_may_be_read)
{
    static const struct cors cors = { .allowed_origins = "*" };
    static const char *const exposed[] = {
        "Content-Location", "Content-Range",    "Accept-Ranges",   "ETag", "Warning", "Location",
        "Retry-After",      "WWW-Authenticate", "Content-Encoding"
    };
    struct asked asked;

    ask(&asked, METHOD_GET, NULL, NULL, NULL);
    cors_headers(&cors, &asked.request, &asked.response);
    EXPECT_TEXT(header(&asked, "access-control-allow-origin"), "*");
    EXPECT_TEXT(header(&asked, "timing-allow-origin"), "*");
    EXPECT_TEXT(header(&asked, "cross-origin-resource-policy"), "cross-origin");
    EXPECT(!header(&asked, "vary").data, "varies");
    for (size_t i = 0; i < COUNT_OF(exposed); i++)
        EXPECT(strstr((const char *)header(&asked, "access-control-expose-headers").data, exposed[i]), "%s",
               exposed[i]);
    arena_release(&asked.arena);
}

TEST(COR_01_a_list_lets_in_its_own)
{
    static const struct {
        const char *list, *origin;
        bool want;
    } cases[] = {
        { "https://a.example", "https://a.example", true },
        { "https://b.example https://a.example", "https://a.example", true },
        { " https://b.example, https://a.example ,", "https://A.example", true },
        { "https://a.example", "https://a.example.evil", false },
        { "https://a.example", "https://a.exampl", false },
        { "https://a.example", "http://a.example", false },
        { "https://a.example", "null", false },
        { "https://a.example", "", false },
        { "https://a.example", NULL, false },
        { "https://a.example *", "*", true },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct cors cors = { .allowed_origins = cases[i].list };
        struct asked asked;
        ask(&asked, METHOD_GET, cases[i].origin, NULL, NULL);
        cors_headers(&cors, &asked.request, &asked.response);
        const struct bytes allowed = header(&asked, "access-control-allow-origin");
        EXPECT((allowed.data != NULL) == cases[i].want, "case %zu: %.*s", i, BYTES_ARG(allowed));
        EXPECT(!allowed.data || bytes_equal_text(allowed, cases[i].origin), "case %zu is not echoed", i);
        EXPECT_TEXT(header(&asked, "vary"), "Origin");
        arena_release(&asked.arena);
    }
}

TEST(COR_01_without_origins_nothing_is_said)
{
    static const char *const lists[] = { "", NULL };

    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        const struct cors cors = { .allowed_origins = lists[i] };
        struct asked asked;
        ask(&asked, METHOD_GET, "https://a.example", NULL, NULL);
        cors_headers(&cors, &asked.request, &asked.response);
        EXPECT(asked.response.headers.count == 0, "%zu headers", asked.response.headers.count);
        cors_preflight(&cors, &asked.request, &asked.response);
        EXPECT(asked.response.status == 204 && asked.response.headers.count == 0, "%d",
               asked.response.status);
        arena_release(&asked.arena);
    }
}

TEST(COR_05_credentials_are_allowed_to_listed_origins_alone)
{
    static const struct {
        const char *origins, *origin;
        bool credentials, want;
    } cases[] = { { "https://viewer.example", "https://viewer.example", true, true },
                  { "https://viewer.example", "https://viewer.example", false, false },
                  { "https://viewer.example", "https://other.example", true, false },
                  { "*", "https://viewer.example", true, false },
                  { "", "https://viewer.example", true, false } };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (unsigned preflight = 0; preflight < 2; preflight++) {
            const struct cors cors = { .allowed_origins = cases[i].origins,
                                       .credentials = cases[i].credentials };
            struct asked asked;

            ask(&asked, preflight ? METHOD_OPTIONS : METHOD_GET, cases[i].origin, preflight ? "GET" : NULL,
                NULL);
            if (preflight)
                cors_preflight(&cors, &asked.request, &asked.response);
            else
                cors_headers(&cors, &asked.request, &asked.response);
            EXPECT(bytes_equal_text(header(&asked, "access-control-allow-credentials"), "true") ==
                       cases[i].want,
                   "case %zu, preflight %u", i, preflight);
            arena_release(&asked.arena);
        }
}

TEST(COR_07_the_resource_policy_is_cross_origin_unless_set)
{
    static const char *const policies[] = { NULL, "same-site" };

    for (size_t i = 0; i < COUNT_OF(policies); i++) {
        const struct cors cors = { .allowed_origins = "*", .resource_policy = policies[i] };
        struct asked asked;

        ask(&asked, METHOD_GET, "https://viewer.example", NULL, NULL);
        cors_headers(&cors, &asked.request, &asked.response);
        EXPECT_TEXT(header(&asked, "cross-origin-resource-policy"),
                    policies[i] ? policies[i] : "cross-origin");
        arena_release(&asked.arena);
    }
}
