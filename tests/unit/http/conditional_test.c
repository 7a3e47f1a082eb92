/* tests/unit/http/conditional_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/expect.h"

#include "http/conditional.h"

TEST(HTP_40_a_tag_is_strong_and_depends_on_the_thing_and_on_its_form)
{
    struct arena arena = { 0 };
    const struct bytes tag = bytes_of_text(etag_make(&arena, bytes_of_text("1.2.3"), "application/dicom"));

    EXPECT(tag.size == 34 && tag.data[0] == '"' && tag.data[33] == '"', "%.*s", BYTES_ARG(tag));
    EXPECT_TEXT(tag, etag_make(&arena, bytes_of_text("1.2.3"), "application/dicom"));
    EXPECT(!bytes_equal_text(tag, etag_make(&arena, bytes_of_text("1.2.4"), "application/dicom")),
           "another thing");
    EXPECT(!bytes_equal_text(tag, etag_make(&arena, bytes_of_text("1.2.3"), "image/jpeg")), "another form");
    EXPECT(!bytes_equal_text(tag, etag_make(&arena, bytes_of_text("1.2.3a"), "pplication/dicom")),
           "another division");
    arena_release(&arena);
}

static bool none_match(const char *header, const char *etag)
{
    struct arena arena = { 0 };
    struct request request = { .arena = &arena };

    if (header)
        fields_add(&request.headers, &arena, bytes_of_text("if-none-match"), bytes_of_text(header));
    const bool met = etag_none_match(&request, etag);
    arena_release(&arena);
    return met;
}

TEST(HTP_41_If_None_Match_meets_lists_stars_and_weak_tags)
{
    static const char *const met[] = { "\"a\"",    "W/\"a\"",        "*",
                                       " * ",      "\"x\", \"a\"",   "\"x\",W/\"a\",\"y\"",
                                       ", ,\"a\"", "\"x,y\" , \"a\"" };
    static const char *const unmet[] = { NULL,       "",         "\"b\"", "a",        "\"a",
                                         "\"A\"",    "\"aa\"",   "\"\"",  "w/\"a\"",  "W/",
                                         "\"x\"a\"", "\"x, \"a", "**",    "W/ \"a\"", "\"" };

    for (size_t i = 0; i < COUNT_OF(met); i++) {
        EXPECT(none_match(met[i], "\"a\""), "%s", met[i]);
        EXPECT(none_match(met[i], "W/\"a\""), "%s, weak", met[i]);
    }
    for (size_t i = 0; i < COUNT_OF(unmet); i++)
        EXPECT(!none_match(unmet[i], "\"a\""), "%s", unmet[i] ? unmet[i] : "absent");
}

struct conditional {
    struct arena arena;
    struct request request;
    struct response response;
    struct error err;
    bool good;
};

static void ask(struct conditional *asked, enum method method, int status, const char *etag, const char *name,
                const char *value)
{
    *asked = (struct conditional){ .request = { .method = method } };
    asked->request.arena = &asked->arena;
    if (name)
        fields_add(&asked->request.headers, &asked->arena, bytes_of_text(name), bytes_of_text(value));
    response_text(&asked->response, &asked->arena, status, "a/b", bytes_of_text("body"));
    if (etag)
        response_header(&asked->response, &asked->arena, "ETag", "%s", etag);
    asked->good = conditional_apply(&asked->request, &asked->response, &asked->err);
}

TEST(HTP_41_an_answer_that_the_client_has_becomes_304_with_the_tag_as_the_client_wrote_it)
{
    static const struct {
        enum method method;
        int status;
        const char *etag, *name, *value;
        int want; /* 412: refused */
        const char *tag;
    } cases[] = {
        { METHOD_GET, 200, "\"a\"", NULL, NULL, 200, "\"a\"" },
        { METHOD_GET, 200, "\"a\"", "if-none-match", "\"a\"", 304, "\"a\"" },
        { METHOD_HEAD, 200, "\"a\"", "if-none-match", "\"b\", W/\"a\"", 304, "W/\"a\"" },
        { METHOD_GET, 304, "\"a\"", "if-none-match", "W/\"a\"", 304, "W/\"a\"" },
        { METHOD_GET, 200, "W/\"a\"", "if-none-match", "*", 304, "W/\"a\"" },
        { METHOD_GET, 206, "\"a\"", "if-none-match", "*", 304, "\"a\"" },
        { METHOD_GET, 200, "\"a\"", "if-none-match", "\"b\"", 200, "\"a\"" },
        { METHOD_GET, 200, NULL, "if-none-match", "*", 200, NULL },
        { METHOD_GET, 404, "\"a\"", "if-none-match", "*", 404, "\"a\"" },
        { METHOD_POST, 200, "\"a\"", "if-none-match", "*", 200, "\"a\"" },
        { METHOD_GET, 200, "\"a\"", "if-match", "\"a\"", 200, "\"a\"" },
        { METHOD_GET, 206, "\"a\"", "if-match", "\"x\", \"a\"", 206, "\"a\"" },
        { METHOD_GET, 200, "\"a\"", "if-match", "*", 200, "\"a\"" },
        { METHOD_GET, 200, "\"a\"", "if-match", "\"b\"", 412, NULL },
        { METHOD_GET, 200, "\"a\"", "if-match", "W/\"a\"", 412, NULL },
        { METHOD_GET, 200, "W/\"a\"", "if-match", "\"a\"", 412, NULL },
        { METHOD_GET, 200, "\"a\"", "if-match", "", 412, NULL },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct conditional asked;
        ask(&asked, cases[i].method, cases[i].status, cases[i].etag, cases[i].name, cases[i].value);
        EXPECT(asked.good == (cases[i].want != 412), "case %zu: %s", i, asked.err.detail);
        if (asked.good) {
            EXPECT(asked.response.status == cases[i].want, "case %zu: %d", i, asked.response.status);
            EXPECT((asked.response.body == NULL) == (cases[i].want == 304), "case %zu: body", i);
            EXPECT_TEXT(response_find(&asked.response, "etag"), cases[i].tag);
        } else {
            EXPECT(asked.err.fault == FAULT_PRECONDITION && asked.err.told[0], "case %zu: %d", i,
                   asked.err.fault);
        }
        arena_release(&asked.arena);
    }
}
