/* tests/unit/http/range_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/expect.h"

#include "http/range.h"

/* The answer to a GET of "0123456789" with these headers. */
struct asked {
    struct arena arena;
    struct request request;
    struct response response;
    struct error err;
    bool good;
    char body[1000];
    size_t size;
};

static void ask(struct asked *asked, const char *body, const char *range, const char *if_range)
{
    *asked = (struct asked){ .request = { .method = METHOD_GET } };
    asked->request.arena = &asked->arena;
    if (range)
        fields_add(&asked->request.headers, &asked->arena, bytes_of_text("range"), bytes_of_text(range));
    if (if_range)
        fields_add(&asked->request.headers, &asked->arena, bytes_of_text("if-range"),
                   bytes_of_text(if_range));
    response_text(&asked->response, &asked->arena, 200, "a/b", bytes_of_text(body));
    response_header(&asked->response, &asked->arena, "ETag", "\"tag\"");
}

static void apply(struct asked *asked)
{
    asked->good = range_apply(&asked->request, &asked->response, &asked->err);
    struct body_source *source = asked->response.body;
    for (size_t got = 1; source && got > 0 && asked->size < sizeof asked->body; asked->size += got)
        if (!EXPECT(source->read(source, asked->body + asked->size, 4, MAY_WAIT, &got, &asked->err), "%s",
                    asked->err.detail))
            break;
}

TEST(HTP_51_single_ranges_give_their_bytes)
{
    static const struct {
        const char *range, *want, *content_range;
    } cases[] = {
        { "bytes=0-3", "0123", "bytes 0-3/10" },
        { "bytes=4-", "456789", "bytes 4-9/10" },
        { "bytes=-3", "789", "bytes 7-9/10" },
        { "bytes=9-9", "9", "bytes 9-9/10" },
        { "bytes=5-1000", "56789", "bytes 5-9/10" },
        { "bytes=-1000", "0123456789", "bytes 0-9/10" },
        { "bytes=0-", "0123456789", "bytes 0-9/10" },
        { "Bytes = 1 - 2 ", "12", "bytes 1-2/10" },
        { "bytes=2-99999999999999999999999", "23456789", "bytes 2-9/10" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct asked asked;
        ask(&asked, "0123456789", cases[i].range, NULL);
        apply(&asked);
        EXPECT(asked.good && asked.response.status == 206, "%s: %d", cases[i].range, asked.response.status);
        EXPECT_TEXT(bytes_of(asked.body, asked.size), cases[i].want);
        EXPECT(asked.response.body->size == asked.size, "%s: size", cases[i].range);
        EXPECT_TEXT(response_find(&asked.response, "content-range"), cases[i].content_range);
        EXPECT_TEXT(response_find(&asked.response, "etag"), "\"tag\"");
        EXPECT_TEXT(response_find(&asked.response, "accept-ranges"), "bytes");
        arena_release(&asked.arena);
    }
}

TEST(HTP_51_HTP_54_what_is_malformed_or_several_gets_the_whole)
{
    static const char *const cases[] = { NULL,
                                         "",
                                         "bytes",
                                         "bytes=",
                                         "bytes=-",
                                         "bytes=a-b",
                                         "bytes=3-2",
                                         "bytes=+1-2",
                                         "items=0-1",
                                         "bytes=,",
                                         "bytes=0-1,1-3",
                                         "bytes=4-5,0-1",
                                         "bytes=0-1,-9",
                                         "bytes=0-1,5-6,x",
                                         "bytes=0-1,8-6",
                                         "bytes=1",
                                         "bytes=0x1-2",
                                         "0-1",
                                         "bytes=--1",
                                         "bytes=1--2",
                                         "bytes=0-0,0-0,0-0,0-0,0-0,0-0" };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct asked asked;
        ask(&asked, "0123456789", cases[i], NULL);
        apply(&asked);
        EXPECT(asked.good && asked.response.status == 200, "%s: %d", cases[i], asked.response.status);
        EXPECT_TEXT(bytes_of(asked.body, asked.size), "0123456789");
        EXPECT(!response_find(&asked.response, "content-range").data, "%s", cases[i]);
        EXPECT_TEXT(response_find(&asked.response, "accept-ranges"), "bytes");
        arena_release(&asked.arena);
    }
}

TEST(HTP_51_several_ranges_give_a_part_each)
{
    struct asked asked;
    struct error err = { 0 };

    ask(&asked, "0123456789", "bytes=0-1, ,3-3 , 20-30, -2", "\"tag\"");
    apply(&asked);
    EXPECT(asked.good && asked.response.status == 206, "%d", asked.response.status);
    EXPECT(!response_find(&asked.response, "content-range").data, "Content-Range of the whole");
    const struct bytes type = response_find(&asked.response, "content-type");
    const struct bytes lead = bytes_of_text("multipart/byteranges; boundary=");
    EXPECT(bytes_starts_with(type, lead), "%.*s", BYTES_ARG(type));
    const struct bytes b = bytes_from(type, lead.size);
    const char *want =
        arena_printf(&asked.arena,
                     "--%.*s\r\nContent-Type: a/b\r\nContent-Range: bytes 0-1/10\r\n\r\n01\r\n"
                     "--%.*s\r\nContent-Type: a/b\r\nContent-Range: bytes 3-3/10\r\n\r\n3\r\n"
                     "--%.*s\r\nContent-Type: a/b\r\nContent-Range: bytes 8-9/10\r\n\r\n89\r\n--%.*s--\r\n",
                     BYTES_ARG(b), BYTES_ARG(b), BYTES_ARG(b), BYTES_ARG(b));
    EXPECT_TEXT(bytes_of(asked.body, asked.size), want);
    EXPECT(asked.response.body->size == asked.size, "size %zu", asked.size);
    arena_release(&asked.arena);

    /* One that is left, behind those that lie outside, is a single one. */
    ask(&asked, "0123456789", "bytes=2-3,10-,-0", NULL);
    apply(&asked);
    EXPECT_TEXT(response_find(&asked.response, "content-range"), "bytes 2-3/10");
    EXPECT_TEXT(bytes_of(asked.body, asked.size), "23");
    arena_release(&asked.arena);

    ask(&asked, "0123456789", "bytes=10-,11-12", NULL);
    EXPECT(!range_apply(&asked.request, &asked.response, &err) && err.fault == FAULT_RANGE, "fault %d",
           err.fault);
    arena_release(&asked.arena);
}

TEST(HTP_54_a_thousand_ranges_get_the_whole_once)
{
    struct asked asked;
    char range[8192] = "bytes=0-0";

    for (unsigned i = 1; i < 1000; i++)
        snprintf(range + strlen(range), sizeof range - strlen(range), ",%u-%u", 2 * i, 2 * i);
    static char body[4001];
    memset(body, 'x', 4000);
    ask(&asked, body, range, NULL);
    EXPECT(range_apply(&asked.request, &asked.response, &asked.err), "%s", asked.err.detail);
    EXPECT(asked.response.status == 200 && asked.response.body->size == 4000, "%d", asked.response.status);
    arena_release(&asked.arena);
}

TEST(HTP_51_a_range_outside_is_416_and_tells_the_size)
{
    static const char *const cases[] = { "bytes=10-", "bytes=10-11", "bytes=-0",
                                         "bytes=99999999999999999999-" };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct asked asked;
        ask(&asked, "0123456789", cases[i], NULL);
        apply(&asked);
        EXPECT(!asked.good && asked.err.fault == FAULT_RANGE, "%s: fault %d", cases[i], asked.err.fault);
        EXPECT(!asked.response.body, "%s: a body", cases[i]);
        EXPECT_TEXT(response_find(&asked.response, "content-range"), "bytes */10");
        arena_release(&asked.arena);
    }
}

TEST(an_empty_body_has_no_ranges)
{
    static const char *const cases[] = { "bytes=0-", "bytes=-1", "bytes=0-0" };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct asked asked;
        ask(&asked, "", cases[i], NULL);
        apply(&asked);
        EXPECT(!asked.good && asked.err.fault == FAULT_RANGE, "%s", cases[i]);
        EXPECT_TEXT(response_find(&asked.response, "content-range"), "bytes */0");
        arena_release(&asked.arena);
    }
}

TEST(HTP_52_If_Range_lets_only_the_same_thing_be_continued)
{
    static const struct {
        const char *if_range;
        int want;
    } cases[] = { { "\"tag\"", 206 },
                  { "\"other\"", 200 },
                  { "W/\"tag\"", 200 },
                  { "", 200 },
                  { "tag", 200 },
                  { "Sun, 06 Nov 1994 08:49:37 GMT", 206 },
                  { "Sun, 06 Nov 1994 08:49:38 GMT", 200 } };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct asked asked;
        ask(&asked, "0123456789", "bytes=1-2", cases[i].if_range);
        response_header(&asked.response, &asked.arena, "Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT");
        apply(&asked);
        EXPECT(asked.good && asked.response.status == cases[i].want, "%s: %d", cases[i].if_range,
               asked.response.status);
        arena_release(&asked.arena);
    }
}

TEST(HTP_52_other_answers_are_left_alone)
{
    for (int i = 0; i < 5; i++) {
        struct asked asked;
        ask(&asked, "0123456789", "bytes=1-2", NULL);
        if (i == 0)
            asked.request.method = METHOD_HEAD;
        else if (i == 1)
            asked.request.method = METHOD_POST;
        else if (i == 2)
            asked.response.body->size = BODY_SIZE_UNKNOWN;
        else if (i == 3)
            response_remove(&asked.response, "ETag");
        else
            asked.response.status = 404;
        const int before = asked.response.status;
        apply(&asked);
        EXPECT(asked.good && asked.response.status == before && asked.size == 10, "case %d", i);
        EXPECT((response_find(&asked.response, "accept-ranges").data != NULL) == (i == 0), "case %d", i);
        arena_release(&asked.arena);
    }
}

TEST(HTP_56_two_ranges_of_the_progressive_loader_make_the_whole)
{
    struct asked first, second;

    ask(&first, "0123456789", "bytes=0-5", NULL);
    apply(&first);
    ask(&second, "0123456789", "bytes=6-", NULL);
    apply(&second);
    memcpy(first.body + first.size, second.body, second.size);
    EXPECT_TEXT(bytes_of(first.body, first.size + second.size), "0123456789");
    arena_release(&first.arena);
    arena_release(&second.arena);
}
