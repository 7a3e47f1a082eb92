/* tests/unit/server/framing_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Which messages have a certain end and one host; what the library lets through beside them.
 */
#include "tests/support/expect.h"

#include "server/framing.h"

struct outcome {
    bool ok;
    enum fault fault;
    uint64_t length;
};

/* `lines`: "Name: value" separated by newlines; the name as it stands before the first colon. */
static struct outcome check(const char *version, const char *lines)
{
    struct field list[16];
    struct fields fields = { list, 0, COUNT_OF(list) };
    struct outcome outcome = { .length = 12345 };
    struct error err = { 0 };

    for (struct bytes rest = bytes_of_text(lines); rest.size;) {
        struct bytes line = bytes_cut(&rest, '\n');
        list[fields.count].name = bytes_cut(&line, ':');
        list[fields.count++].value = bytes_from(line, 1);
    }
    outcome.ok = framing_check(bytes_of_text(version), &fields, &outcome.length, &err);
    outcome.fault = err.fault;
    return outcome;
}

TEST(HTP_30_to_HTP_35_the_length_of_a_body_is_certain_or_the_message_refused)
{
    static const struct {
        const char *lines;
        enum fault fault;
        uint64_t length;
    } cases[] = {
        { "Host: a", FAULT_NONE, 0 },
        { "Host: a\nContent-Length: 0", FAULT_NONE, 0 },
        { "host: a\ncontent-length: 17", FAULT_NONE, 17 },
        { "Host: a\nTransfer-Encoding: chunked", FAULT_NONE, BODY_SIZE_UNKNOWN },
        { "Host: a\nTransfer-Encoding: Chunked", FAULT_NONE, BODY_SIZE_UNKNOWN },
        { "Host: a\nContent-Length: 1\nTransfer-Encoding: chunked", FAULT_MALFORMED, 0 },
        { "Host: a\nContent-Length: 1\nContent-Length: 2", FAULT_MALFORMED, 0 },
        { "Host: a\nContent-Length: 1\ncontent-length: 1", FAULT_MALFORMED, 0 },
        { "Host: a\nContent-Length: 3, 3", FAULT_MALFORMED, 0 },
        { "Host: a\nContent-Length: +3", FAULT_MALFORMED, 0 },
        { "Host: a\nContent-Length: -1", FAULT_MALFORMED, 0 },
        { "Host: a\nContent-Length: 0x3", FAULT_MALFORMED, 0 },
        { "Host: a\nContent-Length: ", FAULT_MALFORMED, 0 },
        { "Host: a\nContent-Length: 9223372036854775808", FAULT_MALFORMED, 0 },
        { "Host: a\nTransfer-Encoding: identity", FAULT_NOT_IMPLEMENTED, 0 },
        { "Host: a\nTransfer-Encoding: gzip, chunked", FAULT_NOT_IMPLEMENTED, 0 },
        { "Host: a\nTransfer-Encoding: xchunked", FAULT_NOT_IMPLEMENTED, 0 },
        { "Host: a\nTransfer-Encoding: \tchunked", FAULT_NOT_IMPLEMENTED, 0 },
        { "Host: a\nTransfer-Encoding: chunked\nTransfer-Encoding: chunked", FAULT_MALFORMED, 0 },
        { "Host: a\nTransfer-Encoding : chunked", FAULT_MALFORMED, 0 },
        { "Host: a\n: x", FAULT_MALFORMED, 0 },
        { "Host: a\nX(: x", FAULT_MALFORMED, 0 },
        { "Host: a\nX: a\rb", FAULT_MALFORMED, 0 },
        { "Host: a\nX: a\177b", FAULT_MALFORMED, 0 },
        { "Host: a\nX: a\tb \303\244", FAULT_NONE, 0 },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct outcome outcome = check("HTTP/1.1", cases[i].lines);
        EXPECT(outcome.ok == (cases[i].fault == FAULT_NONE) && outcome.fault == cases[i].fault,
               "\"%s\" gave fault %d", cases[i].lines, outcome.fault);
        EXPECT(!outcome.ok || outcome.length == cases[i].length, "\"%s\" gave length %llu", cases[i].lines,
               (unsigned long long)outcome.length);
        EXPECT(outcome.ok || outcome.length == 12345, "\"%s\" touched the length", cases[i].lines);
    }
}

TEST(HTP_18_there_is_one_host_and_it_is_one)
{
    static const char *const good[] = { "a",     "localhost:8443", "pacs.example.org",
                                        "[::1]", "[::1]:443",      "10.0.0.1:1",
                                        "a_b" };
    static const char *const bad[] = { "",     "a/b", "a b", "user@a", "a:b", "a:99999", "a:1:2",
                                       "[::1", "[]",  "[x]", "a,b",    ":1",  "a\"b",    "[::1]x" };
    char line[64];

    for (size_t i = 0; i < COUNT_OF(good); i++)
        EXPECT(framing_host_is_valid(bytes_of_text(good[i])), "refused \"%s\"", good[i]);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        snprintf(line, sizeof line, "Host: %s", bad[i]);
        EXPECT(check("HTTP/1.1", line).fault == FAULT_MALFORMED, "accepted \"%s\"", bad[i]);
    }
    EXPECT(check("HTTP/1.1", "X: y").fault == FAULT_MALFORMED, "no host");
    EXPECT(check("HTTP/1.1", "Host: a\nHost: a").fault == FAULT_MALFORMED, "two hosts");
    EXPECT(check("HTTP/1.0", "X: y").ok, "HTTP/1.0 needs none");
}

TEST(HTP_38_other_versions_are_refused)
{
    EXPECT(check("HTTP/2.0", "Host: a").fault == FAULT_HTTP_VERSION, "2.0");
    EXPECT(check("HTTP/1.2", "Host: a").fault == FAULT_HTTP_VERSION, "1.2");
    EXPECT(check("", "Host: a").fault == FAULT_HTTP_VERSION, "none");
    EXPECT(check("HTTP/1.0", "Transfer-Encoding: chunked").fault == FAULT_MALFORMED, "chunks in 1.0");
}
