/* tests/unit/server/framing_machine_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Requests as bytes, whole, cut at every place, and byte by byte: what goes on, how many requests it is, and
 * what is refused.
 */
#include "tests/support/expect.h"

#include <stdlib.h>

#include "base/buffer.h"
#include "server/framing_machine.h"

static const struct framing_limits limits = { .target_bytes = 100, .header_bytes = 400, .header_fields = 10 };

struct outcome {
    struct framing_machine machine;
    struct buffer out;
    size_t held;
};

/* Feeds `input` in two pieces, cut at `cut`, or in pieces of one byte when `cut` lies behind its end. */
static struct outcome feed(struct bytes input, size_t cut)
{
    struct outcome outcome = { 0 };
    uint8_t *window = malloc(input.size + 1);
    size_t held = 0, in = 0;

    buffer_init(&outcome.out, 1 << 20);
    while (in < input.size && outcome.machine.state != FRAMING_REFUSED) {
        const size_t size = cut > input.size ? 1 : in < cut ? cut - in : input.size - in;
        memcpy(window + held, input.data + in, size);
        in += size;
        size_t now_held = 0;
        const size_t passed = framing_machine_run(&outcome.machine, &limits, window, held + size, &now_held);
        buffer_append(&outcome.out, bytes_of(window, passed));
        memmove(window, window + passed, now_held);
        held = now_held;
    }
    outcome.held = held;
    free(window);
    return outcome;
}

struct example {
    const char *name, *input;
    size_t size;         /* of the input, 0: up to its NUL */
    const char *out;     /* NULL: the same as the input */
    unsigned heads;      /* that go on */
    enum fault fault;    /* FAULT_NONE: all goes on */
    const char *telling; /* words of the refusal */
};

static void check_one(const struct example *example, size_t cut)
{
    const struct bytes input =
        bytes_of(example->input, example->size ? example->size : strlen(example->input));
    struct outcome got = feed(input, cut);
    const struct bytes want = example->out ? bytes_of_text(example->out) : input;

    EXPECT(got.machine.error.fault == example->fault, "%s cut at %zu: fault %d (%s)", example->name, cut,
           got.machine.error.fault, got.machine.error.told);
    EXPECT((got.machine.state == FRAMING_REFUSED) == (example->fault != FAULT_NONE),
           "%s cut at %zu: state %d", example->name, cut, got.machine.state);
    EXPECT(bytes_equal(buffer_bytes(&got.out), want), "%s cut at %zu: \"%.*s\" went on", example->name, cut,
           BYTES_ARG(buffer_bytes(&got.out)));
    EXPECT(got.machine.heads == example->heads, "%s cut at %zu: %llu heads", example->name, cut,
           (unsigned long long)got.machine.heads);
    if (example->telling)
        EXPECT(strstr(got.machine.error.told, example->telling), "%s: told \"%s\"", example->name,
               got.machine.error.told);
    if (example->fault == FAULT_NONE)
        EXPECT(got.held == 0, "%s cut at %zu: %zu held", example->name, cut, got.held);
    buffer_done(&got.out);
}

static void check_all(const struct example *examples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const size_t size = examples[i].size ? examples[i].size : strlen(examples[i].input);
        for (size_t cut = 1; cut <= size + 1; cut++)
            check_one(&examples[i], cut);
    }
}

#define GET_HEAD "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
#define POST_HEAD "POST / HTTP/1.1\r\nHost: x\r\n"
#define CHUNKED_HEAD POST_HEAD "Transfer-Encoding: chunked\r\n\r\n"

TEST(plain_messages_go_on_as_they_are)
{
    static const struct example examples[] = {
        { "get", GET_HEAD, 0, NULL, 1, FAULT_NONE, NULL },
        { "two in a row", GET_HEAD GET_HEAD, 0, NULL, 2, FAULT_NONE, NULL },
        { "length and another", POST_HEAD "content-length:5\r\n\r\nab\r\nc" GET_HEAD, 0, NULL, 2, FAULT_NONE,
          NULL },
        { "no body", POST_HEAD "Content-Length: 0\r\n\r\n" GET_HEAD, 0, NULL, 2, FAULT_NONE, NULL },
        { "chunks",
          CHUNKED_HEAD "5\r\nab\r\nc\r\n1f\r\n0123456789012345678901234567890\r\n0\r\n\r\n" GET_HEAD, 0, NULL,
          2, FAULT_NONE, NULL },
        { "big digits", CHUNKED_HEAD "000A\r\n0123456789\r\n00\r\n\r\n", 0, NULL, 1, FAULT_NONE, NULL },
        { "coding in any case", POST_HEAD "TRANSFER-ENCODING:\tChunked \r\n\r\n0\r\n\r\n", 0, NULL, 1,
          FAULT_NONE, NULL },
        { "old version", "GET /a?b HTTP/1.0\r\n\r\n", 0, NULL, 1, FAULT_NONE, NULL },
        { "absolute form", "GET https://pacs.example:8443/x HTTP/1.1\r\nHost: PACS.example:8443\r\n\r\n", 0,
          NULL, 1, FAULT_NONE, NULL },
        { "star", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 0, NULL, 1, FAULT_NONE, NULL },
        { "UTF-8 and an empty value", "GET /?a=\xC3\xA9 HTTP/1.1\r\nHost: x\r\nX:\r\nY: \xC3\xA9\t.\r\n\r\n",
          0, NULL, 1, FAULT_NONE, NULL },
    };
    check_all(examples, COUNT_OF(examples));
}

TEST(what_is_harmless_but_not_plain_is_taken_out)
{
    static const struct example examples[] = {
        { "empty lines ahead", "\r\n\r\n" GET_HEAD "\r\n" GET_HEAD, 0, GET_HEAD GET_HEAD, 2, FAULT_NONE,
          NULL },
        { "chunk extensions", CHUNKED_HEAD "5;a=b;c=\"d;\"\r\nabcde\r\n0;x\r\n\r\n" GET_HEAD, 0,
          CHUNKED_HEAD "5\r\nabcde\r\n0\r\n\r\n" GET_HEAD, 2, FAULT_NONE, NULL },
        { "trailers", CHUNKED_HEAD "1\r\na\r\n0\r\nContent-Length: 5\r\nX: y\r\n\r\n" GET_HEAD, 0,
          CHUNKED_HEAD "1\r\na\r\n0\r\n\r\n" GET_HEAD, 2, FAULT_NONE, NULL },
    };
    check_all(examples, COUNT_OF(examples));
}

TEST(HTP_18_30_to_36_what_two_readers_could_cut_differently_is_refused)
{
#define HEAD(name, fields, fault, telling) \
    { \
        name, "POST /a HTTP/1.1\r\n" fields "\r\n" GET_HEAD, 0, "", 0, fault, telling \
    }
#define BAD(name, fields, telling) HEAD(name, fields, FAULT_MALFORMED, telling)
    static const struct example examples[] = {
        BAD("both", "Host: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n", "exclude"),
        BAD("two lengths", "Host: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n", "several"),
        BAD("two equal lengths", "Host: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n", "several"),
        BAD("list of lengths", "Host: x\r\nContent-Length: 3, 3\r\n", "not a length"),
        BAD("plus", "Host: x\r\nContent-Length: +3\r\n", "not a length"),
        BAD("minus", "Host: x\r\nContent-Length: -1\r\n", "not a length"),
        BAD("hex", "Host: x\r\nContent-Length: 0x3\r\n", "not a length"),
        BAD("empty length", "Host: x\r\nContent-Length:\r\n", "not a length"),
        BAD("space in length", "Host: x\r\nContent-Length: 1 2\r\n", "not a length"),
        BAD("over 2^63", "Host: x\r\nContent-Length: 9223372036854775808\r\n", "not a length"),
        BAD("over 2^64", "Host: x\r\nContent-Length: 18446744073709551619\r\n", "not a length"),
        HEAD("gzip", "Host: x\r\nTransfer-Encoding: gzip, chunked\r\n", FAULT_NOT_IMPLEMENTED, "chunked"),
        HEAD("identity", "Host: x\r\nTransfer-Encoding: identity\r\n", FAULT_NOT_IMPLEMENTED, "chunked"),
        HEAD("xchunked", "Host: x\r\nTransfer-Encoding: xchunked\r\n", FAULT_NOT_IMPLEMENTED, "chunked"),
        HEAD("twice in one", "Host: x\r\nTransfer-Encoding: chunked, chunked\r\n", FAULT_NOT_IMPLEMENTED,
             "chunked"),
        HEAD("quoted", "Host: x\r\nTransfer-Encoding: \"chunked\"\r\n", FAULT_NOT_IMPLEMENTED, "chunked"),
        HEAD("empty coding", "Host: x\r\nTransfer-Encoding:\r\n", FAULT_NOT_IMPLEMENTED, "chunked"),
        BAD("vertical tab",
            "Host: x\r\nTransfer-Encoding: \x0b"
            "chunked\r\n",
            "control"),
        BAD("two codings", "Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
            "several"),
        BAD("space before the colon", "Host: x\r\nTransfer-Encoding : chunked\r\n", "token"),
        BAD("tab before the colon", "Host: x\r\nContent-Length\t: 5\r\n", "token"),
        BAD("no colon", "Host: x\r\nContent-Length\r\n", "colon"),
        BAD("empty name", "Host: x\r\n: 5\r\n", "token"),
        BAD("folded", "Host: x\r\nX: a\r\n Content-Length: 5\r\n", "folded"),
        BAD("folded with a tab", "Host: x\r\nX: a\r\n\tb\r\n", "folded"),
        BAD("space ahead of the first field", " Host: x\r\n", "folded"),
        BAD("bare CR", "Host: x\r\nX: a\rContent-Length: 5\r\n", "control"),
        BAD("CR CR LF", "Host: x\r\r\n", "control"),
        BAD("delete", "Host: x\r\nX: a\x7f\r\n", "control"),
        BAD("no host", "X: y\r\n", "Host"),
        BAD("two hosts", "Host: x\r\nHost: x\r\n", "several"),
        BAD("host with a path", "Host: x/y\r\n", "Host"),
        BAD("host with a user", "Host: a@x\r\n", "Host"),
        BAD("empty host", "Host:\r\n", "Host"),
        { "NUL in a value", "GET / HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n", 35, "", 0, FAULT_MALFORMED,
          "control" },
        { "NUL in a name", "GET / HTTP/1.1\r\nHost: x\r\nX\0: b\r\n\r\n", 34, "", 0, FAULT_MALFORMED,
          "token" },
        { "NUL in the target", "GET /\0a HTTP/1.1\r\nHost: x\r\n\r\n", 29, "", 0, FAULT_MALFORMED,
          "control" },
        { "bare LF ends a field", "GET / HTTP/1.1\r\nHost: x\nX: y\r\n\r\n", 0, "", 0, FAULT_MALFORMED,
          "LF" },
        { "bare LF ends the line", "GET / HTTP/1.1\nHost: x\r\n\r\n", 0, "", 0, FAULT_MALFORMED, "LF" },
        { "bare LF ends the head", "GET / HTTP/1.1\r\nHost: x\r\n\n", 0, "", 0, FAULT_MALFORMED, "LF" },
        { "bare LF ahead", "\n" GET_HEAD, 0, "", 0, FAULT_MALFORMED, "LF" },
        { "coding in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 0, "", 0, FAULT_MALFORMED,
          "1.1" },
        { "behind a good one", GET_HEAD "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 0, GET_HEAD, 1,
          FAULT_MALFORMED, "several" },
    };
    check_all(examples, COUNT_OF(examples));
}

TEST(HTP_37_chunks_that_are_not_plain_end_there)
{
#define CHUNK(name, chunks, out, telling) \
    { \
        name, CHUNKED_HEAD chunks, 0, CHUNKED_HEAD out, 1, FAULT_MALFORMED, telling \
    }
    static const struct example examples[] = {
        CHUNK("no digits", "\r\n", "", "hexadecimal"),
        CHUNK("not hex", "5\r\nabcde\r\ng\r\n", "5\r\nabcde\r\n", "hexadecimal"),
        CHUNK("minus", "-1\r\n", "", "hexadecimal"),
        CHUNK("0x", "0x5\r\nabcde\r\n", "", "hexadecimal"),
        CHUNK("space ahead", " 5\r\nabcde\r\n", "", "hexadecimal"),
        CHUNK("space behind", "5 \r\nabcde\r\n", "", "hexadecimal"),
        CHUNK("sixteen digits", "0000000000000005\r\nabcde\r\n", "", "digits"),
        CHUNK("overflow", "10000000000000005\r\nabcde\r\n", "", "digits"),
        CHUNK("bare LF", "5\nabcde\r\n", "", "CRLF"),
        CHUNK("bare LF behind an extension", "5;a\nabcde\r\n", "", "CRLF"),
        CHUNK("CR in an extension", "5;a\rb\r\nabcde\r\n", "", "control"),
        CHUNK("no CRLF behind", "5\r\nabcdefg\r\n", "5\r\nabcde", "CRLF"),
        CHUNK("LF behind", "5\r\nabcde\n0\r\n\r\n", "5\r\nabcde", "CRLF"),
        CHUNK("LF in the trailer", "0\r\nX: y\n\r\n", "0\r\n", "trailer"),
        CHUNK("bare LF ends the trailer", "0\r\n\n", "0\r\n", "trailer"),
    };
    check_all(examples, COUNT_OF(examples));
}

TEST(HTP_38_request_lines_have_three_parts_and_a_version_that_is_served)
{
    static const struct example examples[] = {
        { "two spaces", "GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 0, "", 0, FAULT_MALFORMED, "request line" },
        { "space in the target", "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 0, "", 0, FAULT_MALFORMED,
          "request line" },
        { "tab", "GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n", 0, "", 0, FAULT_MALFORMED, "token" },
        { "space behind", "GET / HTTP/1.1 \r\nHost: x\r\n\r\n", 0, "", 0, FAULT_MALFORMED, "request line" },
        { "space ahead", " GET / HTTP/1.1\r\nHost: x\r\n\r\n", 0, "", 0, FAULT_MALFORMED, "token" },
        { "0.9", "GET /\r\n\r\n", 0, "", 0, FAULT_MALFORMED, "request line" },
        { "small letters", "GET / http/1.1\r\nHost: x\r\n\r\n", 0, "", 0, FAULT_MALFORMED, "request line" },
        { "long version", "GET / HTTP/1.10\r\nHost: x\r\n\r\n", 0, "", 0, FAULT_MALFORMED, "request line" },
        { "2.0", "PRI * HTTP/2.0\r\n\r\n", 0, "", 0, FAULT_HTTP_VERSION, "HTTP/1.1" },
        { "1.2", "GET / HTTP/1.2\r\nHost: x\r\n\r\n", 0, "", 0, FAULT_HTTP_VERSION, "HTTP/1.1" },
        { "another authority", "GET https://y/ HTTP/1.1\r\nHost: x\r\n\r\n", 0, "", 0, FAULT_MALFORMED,
          "authority" },
        { "another port", "GET http://x:1 HTTP/1.1\r\nHost: x\r\n\r\n", 0, "", 0, FAULT_MALFORMED,
          "authority" },
        { "a user", "GET HTTPS://x@y?z HTTP/1.1\r\nHost: y\r\n\r\n", 0, "", 0, FAULT_MALFORMED, "authority" },
        { "empty lines without an end", "\r\n\r\n\r\n\r\n\r\n" GET_HEAD, 0, "", 0, FAULT_MALFORMED,
          "empty lines" },
    };
    check_all(examples, COUNT_OF(examples));
}

/* `head`, `count` letters, `tail`. */
static struct outcome feed_long(const char *head, size_t count, const char *tail, size_t cut)
{
    struct buffer text;

    buffer_init(&text, 1 << 20);
    buffer_append_text(&text, head);
    for (size_t i = 0; i < count; i++)
        buffer_append_byte(&text, 'a');
    buffer_append_text(&text, tail);
    struct outcome got = feed(buffer_bytes(&text), cut ? cut : text.size + 1);
    buffer_done(&text);
    return got;
}

TEST(HTP_12_limits_hold_to_the_byte_whole_or_not)
{
    static const struct {
        const char *head, *tail;
        size_t most;
        enum fault fault;
        const char *setting;
    } cases[] = {
        { "GET /", " HTTP/1.1\r\nHost: x\r\n\r\n", 99, FAULT_URI_TOO_LONG, "target_bytes" },
        { "GET / HTTP/1.1\r\nHost: x\r\nX: ", "\r\n\r\n", 400 - 14, FAULT_HEADERS_TOO_LARGE, "header_bytes" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (size_t more = 0; more < 2; more++)
            for (size_t cut = 0; cut < 3; cut++) {
                struct outcome got = feed_long(cases[i].head, cases[i].most + more, cases[i].tail,
                                               cut == 2 ? 10
                                               : cut    ? 100000
                                                        : 0);
                EXPECT(got.machine.error.fault == (more ? cases[i].fault : FAULT_NONE), "%s, %zu more: %d %s",
                       cases[i].setting, more, got.machine.error.fault, got.machine.error.told);
                if (more)
                    EXPECT(strstr(got.machine.error.told, cases[i].setting), "%s", got.machine.error.told);
                buffer_done(&got.out);
            }
}

TEST(HTP_12_a_head_without_an_end_is_not_waited_for)
{
    struct outcome line = feed_long("GET /", 1000, "", 0);
    struct outcome fields = feed_long("GET / HTTP/1.1\r\nX: ", 10000, "", 0);

    EXPECT(line.machine.error.fault == FAULT_URI_TOO_LONG && line.held < 200, "%zu held", line.held);
    EXPECT(fields.machine.error.fault == FAULT_HEADERS_TOO_LARGE && fields.held < 500, "%zu held",
           fields.held);
    buffer_done(&line.out);
    buffer_done(&fields.out);
}

TEST(HTP_12_fields_are_counted)
{
    struct buffer text;

    for (unsigned count = 10; count <= 11; count++) {
        buffer_init(&text, 4096);
        buffer_append_text(&text, "GET / HTTP/1.1\r\nHost: x\r\n");
        for (unsigned i = 1; i < count; i++)
            buffer_append_text(&text, "a: b\r\n");
        buffer_append_text(&text, "\r\n");
        struct outcome got = feed(buffer_bytes(&text), text.size);
        EXPECT(got.machine.error.fault == (count > 10 ? FAULT_HEADERS_TOO_LARGE : FAULT_NONE),
               "%u fields: %s", count, got.machine.error.told);
        buffer_done(&got.out);
        buffer_done(&text);
    }
}

TEST(HTP_37_extensions_and_trailers_are_bounded)
{
    static const struct {
        const char *head, *tail, *telling;
        size_t few, many;
    } cases[] = {
        { CHUNKED_HEAD "5;", "\r\nabcde\r\n0\r\n\r\n", "extension", 1000, 2000 },
        { CHUNKED_HEAD "0\r\nX: ", "\r\n\r\n", "trailer", 8000, 9000 },
        { CHUNKED_HEAD "5;", "", "extension", 1000, 2000 },
        { CHUNKED_HEAD "0\r\nX: ", "", "trailer", 8000, 9000 },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (size_t cut = 0; cut < 2; cut++) {
            struct outcome few = feed_long(cases[i].head, cases[i].few, cases[i].tail, cut * 100000);
            struct outcome many = feed_long(cases[i].head, cases[i].many, cases[i].tail, cut * 100000);
            EXPECT(few.machine.error.fault == FAULT_NONE, "%zu: %s", i, few.machine.error.told);
            EXPECT(many.machine.error.fault == FAULT_MALFORMED &&
                       strstr(many.machine.error.told, cases[i].telling),
                   "%zu: %s", i, many.machine.error.told);
            buffer_done(&few.out);
            buffer_done(&many.out);
        }
}

TEST(what_went_on_goes_on_unchanged_a_second_time)
{
    static const char *const inputs[] = {
        "\r\n" GET_HEAD CHUNKED_HEAD "5;x\r\nabcde\r\n0\r\nA: b\r\n\r\n\r\n" GET_HEAD,
        POST_HEAD "Content-Length: 3\r\n\r\n\r\n\r" GET_HEAD "\r\n" CHUNKED_HEAD "0;\r\n\r\n",
    };

    for (size_t i = 0; i < COUNT_OF(inputs); i++) {
        struct outcome first = feed(bytes_of_text(inputs[i]), 7);
        struct outcome second = feed(buffer_bytes(&first.out), 11);
        EXPECT(bytes_equal(buffer_bytes(&first.out), buffer_bytes(&second.out)), "%.*s",
               BYTES_ARG(buffer_bytes(&second.out)));
        EXPECT(first.machine.heads == second.machine.heads && second.machine.state == FRAMING_HEAD,
               "%llu heads", (unsigned long long)second.machine.heads);
        buffer_done(&first.out);
        buffer_done(&second.out);
    }
}
