/* tests/unit/http/problem_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/expect.h"

#include <jansson.h>

#include "http/problem.h"

struct asked {
    struct arena arena;
    struct request request;
    struct response response;
    struct error err;
    char body[4096];
    size_t size;
};

static void ask(struct asked *asked, const char *accept)
{
    *asked = (struct asked){ .request = { .id = 4711 } };
    asked->request.arena = &asked->arena;
    if (accept)
        fields_add(&asked->request.headers, &asked->arena, bytes_of_text("accept"), bytes_of_text(accept));
}

static void answer(struct asked *asked)
{
    problem_response(&asked->request, &asked->err, &asked->response);
    struct body_source *body = asked->response.body;
    EXPECT(body &&
               body->read(body, asked->body, sizeof asked->body, MUST_NOT_WAIT, &asked->size, &asked->err),
           "no body");
}

TEST(ERR_02_whoever_takes_JSON_gets_problem_json)
{
    static const char *const accepts[] = { NULL,
                                           "*/*",
                                           "application/dicom+json",
                                           "application/json",
                                           "application/problem+json",
                                           "text/html, application/json",
                                           "multipart/related; type=\"application/dicom+json\"",
                                           "application/*" };

    for (size_t i = 0; i < COUNT_OF(accepts); i++) {
        struct asked asked;
        ask(&asked, accepts[i]);
        error_tell(&asked.err, FAULT_MALFORMED, "The parameter \"limit\" is no \xFF number.");
        answer(&asked);
        EXPECT(asked.response.status == 400, "%d", asked.response.status);
        EXPECT_TEXT(response_find(&asked.response, "content-type"), "application/problem+json");
        EXPECT_TEXT(response_find(&asked.response, "cache-control"), "no-store");
        json_t *problem = json_loadb(asked.body, asked.size, 0, NULL);
        if (EXPECT(problem, "no JSON: %.*s", (int)asked.size, asked.body)) {
            EXPECT_TEXT(bytes_of_text(json_string_value(json_object_get(problem, "type"))),
                        "urn:gantry:problem:malformed");
            EXPECT_TEXT(bytes_of_text(json_string_value(json_object_get(problem, "title"))),
                        "The request is malformed.");
            EXPECT(json_integer_value(json_object_get(problem, "status")) == 400, "status");
            EXPECT_TEXT(bytes_of_text(json_string_value(json_object_get(problem, "detail"))),
                        "The parameter \"limit\" is no \xEF\xBF\xBD number.");
            EXPECT_TEXT(bytes_of_text(json_string_value(json_object_get(problem, "instance"))),
                        "urn:gantry:request:4711");
        }
        json_decref(problem);
        arena_release(&asked.arena);
    }
}

TEST(ERR_02_browsers_get_a_page_in_which_nothing_is_markup)
{
    static const char *const accepts[] = {
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8", "text/html",
        "text/*", "text/html, */*;q=0.1"
    };

    for (size_t i = 0; i < COUNT_OF(accepts); i++) {
        struct asked asked;
        ask(&asked, accepts[i]);
        error_tell(&asked.err, FAULT_MALFORMED, "<script> & \"'");
        answer(&asked);
        EXPECT_TEXT(response_find(&asked.response, "content-type"), "text/html; charset=utf-8");
        EXPECT_TEXT(response_find(&asked.response, "content-security-policy"), "default-src 'none'");
        EXPECT_TEXT(bytes_of(asked.body, asked.size),
                    "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>400</title>\n"
                    "<h1>The request is malformed.</h1>\n<p>&#60;script&#62; &#38; &#34;&#39;</p>\n"
                    "<p>Request 4711</p>\n");
        arena_release(&asked.arena);
    }
}

TEST(ERR_06_the_header_at_fault_is_named)
{
    static const struct {
        enum fault fault;
        const char *told, *header;
    } cases[] = { { FAULT_NOT_ACCEPTABLE, "x", "\"header\":\"Accept\"" },
                  { FAULT_UNSUPPORTED_MEDIA, "x", "\"header\":\"Content-Type\"" },
                  { FAULT_UNSUPPORTED_MEDIA, "Content-Encoding: only gzip",
                    "\"header\":\"Content-Encoding\"" },
                  { FAULT_RANGE, "x", "\"header\":\"Range\"" },
                  { FAULT_NOT_FOUND, "x", NULL } };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct asked asked;
        ask(&asked, NULL);
        error_tell(&asked.err, cases[i].fault, "%s", cases[i].told);
        answer(&asked);
        const char *want = cases[i].header ? cases[i].header : "\"header\"";
        EXPECT((memmem(asked.body, asked.size, want, strlen(want)) != NULL) == (cases[i].header != NULL),
               "case %zu: %.*s", i, (int)asked.size, asked.body);
        arena_release(&asked.arena);
    }
}

TEST(ERR_02_others_get_plain_text)
{
    static const char *const accepts[] = { "text/csv", "multipart/related; type=application/octet-stream",
                                           "image/*", "bogus", "*/*;q=0" };

    for (size_t i = 0; i < COUNT_OF(accepts); i++) {
        struct asked asked;
        ask(&asked, accepts[i]);
        error_tell(&asked.err, FAULT_NOT_ACCEPTABLE, "Available: application/dicom.");
        answer(&asked);
        EXPECT(asked.response.status == 406, "%d", asked.response.status);
        EXPECT_TEXT(response_find(&asked.response, "content-type"), "text/plain; charset=utf-8");
        EXPECT_TEXT(bytes_of(asked.body, asked.size), "None of the accepted media types can be produced. "
                                                      "Available: application/dicom.\nRequest 4711\n");
        arena_release(&asked.arena);
    }
}

TEST(ERR_04_the_detail_for_the_log_never_leaves)
{
    for (enum fault fault = FAULT_NONE + 1; fault < FAULT_COUNT; fault++) {
        struct asked asked;
        ask(&asked, NULL);
        error_set(&asked.err, fault, "/var/lib/secret");
        answer(&asked);
        EXPECT(!memmem(asked.body, asked.size, "secret", 6), "fault %d", fault);
        EXPECT(!memmem(asked.body, asked.size, "detail", 6), "fault %d", fault);
        EXPECT(asked.response.status == fault_info(fault)->http_status, "fault %d", fault);
        arena_release(&asked.arena);
    }
}

TEST(ERR_06_busy_and_full_say_when_to_come_again)
{
    static const enum fault faults[] = { FAULT_BUSY, FAULT_DISK_FULL, FAULT_DISK };

    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        struct asked asked;
        ask(&asked, NULL);
        error_set(&asked.err, faults[i], "x");
        answer(&asked);
        const struct bytes retry = response_find(&asked.response, "retry-after");
        EXPECT(i < 2 ? bytes_equal_text(retry, "5") : !retry.data, "case %zu: %.*s", i, BYTES_ARG(retry));
        arena_release(&asked.arena);
    }
}

TEST(ERR_06_what_the_failed_answer_had_set_goes_and_what_the_status_wants_stays)
{
    struct asked asked;

    ask(&asked, NULL);
    response_text(&asked.response, &asked.arena, 200, "application/dicom", bytes_of_text("x"));
    response_header(&asked.response, &asked.arena, "ETag", "\"t\"");
    response_header(&asked.response, &asked.arena, "Cache-Control", "private, immutable");
    response_header(&asked.response, &asked.arena, "Content-Range", "bytes */1");
    response_header(&asked.response, &asked.arena, "Allow", "GET");
    response_header(&asked.response, &asked.arena, "Vary", "Accept");
    error_set(&asked.err, FAULT_RANGE, "x");
    answer(&asked);
    EXPECT_TEXT(response_find(&asked.response, "content-type"), "application/problem+json");
    EXPECT_TEXT(response_find(&asked.response, "cache-control"), "no-store");
    EXPECT_TEXT(response_find(&asked.response, "content-range"), "bytes */1");
    EXPECT_TEXT(response_find(&asked.response, "allow"), "GET");
    EXPECT_TEXT(response_find(&asked.response, "vary"), "Accept");
    EXPECT(!response_find(&asked.response, "etag").data, "etag");
    EXPECT(asked.response.headers.count == 5, "%zu headers", asked.response.headers.count);
    arena_release(&asked.arena);
}
