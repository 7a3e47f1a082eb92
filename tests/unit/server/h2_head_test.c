/* tests/unit/server/h2_head_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Header sections of HTTP/2 become requests; what is wrong with them is told.
 */
#include "server/h2_head.h"
#include "tests/support/expect.h"

static const struct h2_head_limits limits = { .bytes = 2000, .fields = 12 };

struct read_head {
    struct arena arena;
    struct request request;
    struct error error;
    bool fine, condemned;
};

/* "name: value" lines; a pseudo field's name keeps its colon. */
static void read(struct read_head *into, const char *lines, bool body)
{
    struct h2_head head = { 0 };
    struct bytes rest = bytes_of_text(lines);

    memset(into, 0, sizeof *into);
    into->request.arena = &into->arena;
    while (rest.size) {
        const struct bytes line = bytes_cut(&rest, '\n');
        size_t colon = 1;
        while (colon < line.size && line.data[colon] != ':')
            colon++;
        const struct bytes name = bytes_of(line.data, colon), value = bytes_trim(bytes_from(line, colon + 1));
        if (!h2_head_add(&head, &limits, name, value, &into->request, &into->error))
            into->condemned = true;
    }
    into->fine = h2_head_end(&head, body, &into->request, &into->error);
}

TEST(RFC9113_8_3_1_a_section_becomes_a_request)
{
    struct read_head head;

    read(&head,
         ":method: GET\n:scheme: https\n:authority: pacs.example:8443\n:path: /a?b\naccept: x\ncookie: a=1\n"
         "accept: y\ncookie: b=2\ncookie: c=3\n",
         false);
    EXPECT(head.fine && head.request.method == METHOD_GET && head.request.content_length == 0, "%s",
           head.error.detail);
    EXPECT_TEXT(head.request.target, "/a?b");
    EXPECT_TEXT(request_header(&head.request, "host"), "pacs.example:8443");
    EXPECT_TEXT(request_header(&head.request, "accept"), "x, y");
    EXPECT_TEXT(request_header(&head.request, "cookie"), "a=1; b=2; c=3");
    arena_release(&head.arena);
}

TEST(RFC9113_8_1_1_the_length_is_what_is_said_or_unknown_or_none)
{
    static const struct {
        const char *more;
        bool body;
        uint64_t length;
    } cases[] = { { "", false, 0 }, { "", true, BODY_SIZE_UNKNOWN }, { "content-length: 77\n", true, 77 } };
    char text[256];

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct read_head head;
        snprintf(text, sizeof text, ":method: POST\n:scheme: https\n:authority: a\n:path: /\n%s",
                 cases[i].more);
        read(&head, text, cases[i].body);
        EXPECT(head.fine && head.request.content_length == cases[i].length, "case %zu: %llu", i,
               (unsigned long long)head.request.content_length);
        arena_release(&head.arena);
    }
}

TEST(HTP_18_one_valid_host_wherever_it_stands)
{
    static const struct {
        const char *fields;
        bool fine;
    } cases[] = {
        { ":authority: a.example\n", true },
        { "host: a.example\n", true },
        { ":authority: a.example\nhost: A.example\n", true },
        { ":authority: a.example\nhost: b.example\n", false },
        { "host: a.example\nhost: a.example\n", false },
        { ":authority: user@a.example\n", false },
        { ":authority: a.example/x\n", false },
        { ":authority:\n", false },
        { "accept: x\n", false },
    };
    char text[256];

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct read_head head;
        snprintf(text, sizeof text, ":method: GET\n:scheme: https\n:path: /\n%s", cases[i].fields);
        read(&head, text, false);
        EXPECT(head.fine == cases[i].fine, "%s: %s", cases[i].fields, head.error.detail);
        EXPECT(head.fine || (head.error.fault == FAULT_MALFORMED && head.error.told[0]), "%s: fault %d",
               cases[i].fields, head.error.fault);
        arena_release(&head.arena);
    }
}

TEST(only_https_is_served)
{
    struct read_head head;

    read(&head, ":method: GET\n:scheme: http\n:authority: a\n:path: /\n", false);
    EXPECT(!head.fine && head.error.fault == FAULT_MALFORMED && strstr(head.error.told, "https"), "%s",
           head.error.told);
    arena_release(&head.arena);
}

TEST(HTP_12_what_is_too_much_is_refused_by_what_it_is)
{
    static const char start[] = ":method: GET\n:scheme: https\n:authority: a\n";
    char text[40000];
    struct read_head head;

    snprintf(text, sizeof text, "%s:path: /%02000d\n", start, 0);
    read(&head, text, false);
    EXPECT(!head.fine && head.error.fault == FAULT_URI_TOO_LONG, "a long target: fault %d", head.error.fault);
    arena_release(&head.arena);
    snprintf(text, sizeof text, "%s:path: /\nx: %02000d\n", start, 0);
    read(&head, text, false);
    EXPECT(!head.fine && head.error.fault == FAULT_HEADERS_TOO_LARGE && !head.condemned,
           "a long field: fault %d", head.error.fault);
    arena_release(&head.arena);
    snprintf(text, sizeof text, "%s:path: /\na: 1\na: 1\na: 1\na: 1\na: 1\na: 1\na: 1\na: 1\na: 1\n", start);
    read(&head, text, false);
    EXPECT(!head.fine && head.error.fault == FAULT_HEADERS_TOO_LARGE, "13 fields: fault %d",
           head.error.fault);
    arena_release(&head.arena);
    snprintf(text, sizeof text, "%s:path: /\nx: %030000d\n", start, 0);
    read(&head, text, false);
    EXPECT(head.condemned, "fifteen times the limit");
    arena_release(&head.arena);
}

TEST(the_first_thing_that_is_wrong_is_told)
{
    struct error error = { 0 };

    h2_head_add_invalid(&error);
    EXPECT(error.fault == FAULT_MALFORMED && strstr(error.told, "characters"), "%s", error.told);
    error.fault = FAULT_URI_TOO_LONG;
    h2_head_add_invalid(&error);
    EXPECT(error.fault == FAULT_URI_TOO_LONG, "told again");
}
