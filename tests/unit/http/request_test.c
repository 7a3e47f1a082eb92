/* tests/unit/http/request_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/expect.h"

#include "http/request.h"
#include "http/response.h"

static void add(struct fields *fields, struct arena *arena, const char *name, const char *value)
{
    fields_add(fields, arena, bytes_of_text(name), bytes_of_text(value));
}

TEST(HTP_02_methods_are_told_apart_by_case)
{
    static const char *const known[] = { "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS" };
    static const char *const unknown[] = { "get", "Get", "TRACE", "CONNECT", "", "GETT", "UNKNOWN", "PATCH" };

    for (size_t i = 0; i < COUNT_OF(known); i++) {
        EXPECT(method_parse(bytes_of_text(known[i])) == (enum method)i, "%s", known[i]);
        EXPECT_TEXT(bytes_of_text(method_text((enum method)i)), known[i]);
    }
    for (size_t i = 0; i < COUNT_OF(unknown); i++)
        EXPECT(method_parse(bytes_of_text(unknown[i])) == METHOD_UNKNOWN, "%s", unknown[i]);
}

TEST(NEG_01_headers_of_one_name_are_joined)
{
    struct arena arena = { 0 };
    struct request request = { .arena = &arena };

    add(&request.headers, &arena, "accept", "a/b");
    add(&request.headers, &arena, "host", "h");
    add(&request.headers, &arena, "accept", "");
    add(&request.headers, &arena, "accept", "c/d;q=0");
    EXPECT_TEXT(request_header(&request, "accept"), "a/b, , c/d;q=0");
    EXPECT_TEXT(request_header(&request, "host"), "h");
    arena_release(&arena);
}

TEST(an_absent_header_is_not_an_empty_one)
{
    struct arena arena = { 0 };
    struct request request = { .arena = &arena };

    fields_add(&request.headers, &arena, bytes_of_text("origin"), bytes_of(NULL, 0));
    EXPECT(request_header(&request, "origin").data && request_header(&request, "origin").size == 0, "absent");
    EXPECT(!request_header(&request, "accept").data, "there");
    arena_release(&arena);
}

TEST(the_first_query_parameter_of_a_name_counts)
{
    struct arena arena = { 0 };
    struct request request = { .arena = &arena };

    add(&request.query, &arena, "limit", "1");
    add(&request.query, &arena, "limit", "2");
    add(&request.query, &arena, "offset", "");
    EXPECT_TEXT(request_query(&request, "limit"), "1");
    EXPECT(request_query(&request, "offset").data, "absent");
    EXPECT(!request_query(&request, "Limit").data, "GEN-05: case");
    EXPECT(request_query_is_repeated(&request, "limit") && !request_query_is_repeated(&request, "offset"),
           "repeated");
    arena_release(&arena);
}

TEST(fields_grow_and_keep_their_order)
{
    struct arena arena = { 0 };
    struct fields fields = { 0 };

    for (int i = 0; i < 100; i++)
        add(&fields, &arena, "n", arena_printf(&arena, "%d", i));
    EXPECT(fields.count == 100, "count %zu", fields.count);
    EXPECT_TEXT(fields.list[99].value, "99");
    EXPECT_TEXT(fields_find(&fields, "n")->value, "0");
    EXPECT(!fields_find(&fields, "N"), "found another case");
    arena_release(&arena);
}

TEST(a_header_of_an_answer_cannot_be_split)
{
    struct arena arena = { 0 };
    struct response response = { 0 };

    response_header(&response, &arena, "X-Test", "%s", "a\r\nSet-Cookie: b\x7f\t");
    EXPECT_TEXT(response_find(&response, "x-test"), "a  Set-Cookie: b \t");
    arena_release(&arena);
}

TEST(headers_of_an_answer_are_found_and_removed_in_any_case)
{
    struct arena arena = { 0 };
    struct response response = { 0 };

    response_text(&response, &arena, 201, "text/plain", bytes_of_text("made"));
    response_header(&response, &arena, "Vary", "Accept");
    response_header(&response, &arena, "vary", "Origin");
    EXPECT(response.status == 201 && response.body->size == 4, "status %d", response.status);
    EXPECT_TEXT(response_find(&response, "CONTENT-TYPE"), "text/plain");
    EXPECT_TEXT(response_find(&response, "vary"), "Accept");
    response_remove(&response, "VARY");
    EXPECT(!response_find(&response, "vary").data && response.headers.count == 1, "%zu left",
           response.headers.count);
    arena_release(&arena);
}
