/* tests/unit/http/multipart_reader_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * What the reader sees is written down as text: "[name=value;|" for a part's begin, its bytes, "]" for its
 * end; a property is that this text does not depend on how the message is cut.
 */
#include "tests/support/expect.h"

#include <stdlib.h>

#include "base/buffer.h"
#include "http/multipart_reader.h"

struct seen {
    struct buffer text;
    uint64_t largest;
    unsigned refuse_at, events; /* the event that says false, 0: none */
};

static bool allow(struct seen *seen, struct error *err)
{
    if (++seen->events == seen->refuse_at)
        return error_set(err, FAULT_DISK, "refused");
    return true;
}

static bool part_begin(void *context, const struct fields *headers, struct error *err)
{
    struct seen *seen = context;

    buffer_append_text(&seen->text, "[");
    for (size_t i = 0; i < headers->count; i++) {
        buffer_append(&seen->text, headers->list[i].name);
        buffer_append_text(&seen->text, "=");
        buffer_append(&seen->text, headers->list[i].value);
        buffer_append_text(&seen->text, ";");
    }
    buffer_append_text(&seen->text, "|");
    return allow(seen, err);
}

static bool part_bytes(void *context, struct bytes chunk, struct error *err)
{
    struct seen *seen = context;

    EXPECT(chunk.size > 0, "an empty chunk");
    if (chunk.size > seen->largest)
        seen->largest = chunk.size;
    buffer_append(&seen->text, chunk);
    return allow(seen, err);
}

static bool part_end(void *context, struct error *err)
{
    struct seen *seen = context;

    buffer_append_text(&seen->text, "]");
    return allow(seen, err);
}

static const struct multipart_events events = { part_begin, part_bytes, part_end };

/* Pushes `message` in slices of `step` bytes, the first one `first` bytes; each slice lies in memory of its
 * own size. */
static bool read_message(struct bytes message, const char *boundary, size_t first, size_t step,
                         struct seen *seen, struct error *err)
{
    struct arena arena = { 0 };
    struct multipart_reader *reader = NULL;
    bool good = multipart_reader_new(bytes_of_text(boundary), &events, seen, &arena, &reader, err);

    for (size_t at = 0; good && at < message.size;) {
        size_t size = at == 0 && first ? first : step;
        if (size > message.size - at)
            size = message.size - at;
        uint8_t *slice = malloc(size);
        memcpy(slice, message.data + at, size);
        good = multipart_reader_push(reader, bytes_of(slice, size), err);
        free(slice);
        at += size;
    }
    good = good && multipart_reader_end(reader, err);
    arena_release(&arena);
    return good;
}

static void seen_init(struct seen *seen)
{
    *seen = (struct seen){ 0 };
    buffer_init(&seen->text, 1 << 20);
}

/* Every cut into two, and every step, gives `want`; with `want` NULL, MALFORMED. */
static void expect_at_every_cut(struct bytes message, const char *boundary, const struct bytes *want)
{
    for (int by_step = 0; by_step < 2; by_step++) {
        for (size_t cut = 1; cut <= message.size; cut++) {
            struct seen seen;
            struct error err = { 0 };
            seen_init(&seen);
            const bool good = read_message(message, boundary, cut, by_step ? cut : message.size, &seen, &err);
            EXPECT(good == (want != NULL), "cut %zu of \"%.*s\": %s", cut, BYTES_ARG(message), err.detail);
            if (want)
                EXPECT(bytes_equal(buffer_bytes(&seen.text), *want), "cut %zu: \"%.*s\", want \"%.*s\"", cut,
                       BYTES_ARG(buffer_bytes(&seen.text)), BYTES_ARG(*want));
            else
                EXPECT(err.fault == FAULT_MALFORMED && err.told[0], "cut %zu: fault %d", cut, err.fault);
            buffer_done(&seen.text);
        }
    }
}

static void expect_text(const char *message, const char *boundary, const char *want)
{
    const struct bytes wanted = bytes_of_text(want);

    expect_at_every_cut(bytes_of_text(message), boundary, want ? &wanted : NULL);
}

TEST(STO_09_two_parts_are_found_however_the_message_is_cut)
{
    expect_text(
        "--b\r\nContent-Type: application/dicom\r\n\r\nDICM\r\n--b\r\nA: 1\r\nB:2 \r\n\r\n\r\n\r\n--b--\r\n",
        "b", "[content-type=application/dicom;|DICM][a=1;b=2;|\r\n]");
}

TEST(STO_08_preamble_and_epilogue_are_ignored)
{
    expect_text(
        "This is --b\r\npreamble\r\n--bx\r\n--b\r\n\r\nx\r\n--b--\r\nepilogue\r\n--b\r\n\r\ny\r\n--b--", "b",
        "[|x]");
    expect_text("\r\n\r\n--b\r\n\r\nx\r\n--b--", "b", "[|x]");
    expect_text("\r--b\r\n--b\r\n\r\nx\r\n--b--junk", "b", "[|x]");
}

TEST(STO_08_a_message_of_dicomweb_client_begins_with_CRLF_and_ends_without)
{
    expect_text("\r\n--9f3c-11ee\r\nContent-Type: application/dicom\r\n\r\nDICM\r\n--9f3c-11ee--",
                "9f3c-11ee", "[content-type=application/dicom;|DICM]");
}

TEST(STO_09_boundary_text_that_does_not_start_a_line_is_data)
{
    expect_text("--b\r\n\r\nx--b--\n--b\r--b\n\r\n-b\r\n--\r\n\r\n--a\r\n--bb\r\nx--b\r\n--b--", "b",
                "[|x--b--\n--b\r--b\n\r\n-b\r\n--\r\n\r\n--a\r\n--bb\r\nx--b]");
    expect_text("--b\r\n\r\n\r\r\n\r\n-\r\n--\r\n--b-\r\n--b x\r\n--b \r\r\n--b", "b", NULL);
    expect_text("--b\r\n\r\n\r\r\n\r\n-\r\n--\r\n--b-\r\n--b x\r\n--b \r\r\n--b--", "b",
                "[|\r\r\n\r\n-\r\n--\r\n--b-\r\n--b x\r\n--b \r]");
    expect_text("--b\r\n\r\n1\r\n--b\t \r\n--b\t-\r\n\r\n--b--", "b", NULL);
    expect_text("--b\r\n\r\n1\r\n--b\rX\r\n--b \n\r\n--b--", "b", "[|1\r\n--b\rX\r\n--b \n]");
}

TEST(a_boundary_that_begins_another_one_does_not_end_a_part)
{
    expect_text("--A-B\r\n\r\n\r\n--A-B-C\r\ninner\r\n--A-B-C--\r\n\r\n--A-B--", "A-B",
                "[|\r\n--A-B-C\r\ninner\r\n--A-B-C--\r\n]");
}

TEST(STO_10_transport_padding_is_accepted)
{
    expect_text("--b \t \r\nA: 1\r\n\r\nx\r\n--b\t\r\n\r\ny\r\n--b-- \t", "b", "[a=1;|x][|y]");
}

TEST(padding_beyond_64_bytes_is_refused)
{
    char message[256];
    const int most = snprintf(message, sizeof message, "--b%64s\r\n\r\nx\r\n--b--", "");
    const struct bytes want = bytes_of_text("[|x]");

    expect_at_every_cut(bytes_of(message, (size_t)most), "b", &want);
    const int more = snprintf(message, sizeof message, "--b%65s\r\n\r\nx\r\n--b--", "");
    expect_at_every_cut(bytes_of(message, (size_t)more), "b", NULL);
}

TEST(STO_10_a_missing_closing_delimiter_is_an_error)
{
    static const char *const cases[] = { "",
                                         "\r\n",
                                         "--b",
                                         "--b\r\n",
                                         "--b\r\nA: 1\r\n",
                                         "--b\r\n\r\n",
                                         "--b\r\n\r\nx",
                                         "--b\r\n\r\nx\r\n--b",
                                         "--b\r\n\r\nx\r\n--b-",
                                         "--b\r\n\r\nx\n--b--",
                                         "--b\n\nx\n--b--\n",
                                         "--B\r\n\r\nx\r\n--B--" };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct seen seen;
        struct error err = { 0 };
        seen_init(&seen);
        EXPECT(!read_message(bytes_of_text(cases[i]), "b", 0, 1000, &seen, &err), "accepted \"%s\"",
               cases[i]);
        EXPECT(err.fault == FAULT_MALFORMED && err.told[0], "\"%s\" gave fault %d", cases[i], err.fault);
        buffer_done(&seen.text);
        if (cases[i][0])
            expect_text(cases[i], "b", NULL);
    }
}

TEST(STO_14_a_message_without_parts_ends_well_and_counts_none)
{
    static const char *const cases[] = { "--b--", "\r\n--b--\r\n", "x\r\n--b--" };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct arena arena = { 0 };
        struct multipart_reader *reader = NULL;
        struct seen seen;
        struct error err = { 0 };
        seen_init(&seen);
        EXPECT(multipart_reader_new(bytes_of_text("b"), &events, &seen, &arena, &reader, &err) &&
                   multipart_reader_push(reader, bytes_of_text(cases[i]), &err) &&
                   multipart_reader_end(reader, &err),
               "%s: %s", cases[i], err.detail);
        EXPECT(multipart_reader_parts(reader) == 0 && !multipart_reader_in_part(reader), "parts");
        arena_release(&arena);
        buffer_done(&seen.text);
    }
}

TEST(empty_parts_are_parts)
{
    expect_text("--b\r\n\r\n\r\n--b\r\n\r\n--b\r\nA: 1\r\n\r\n--b\r\nA: 2\r\n\r\n\r\n--b--", "b",
                "[|][|][a=1;|][a=2;|]");
}

TEST(STO_12_names_are_lowered_and_values_trimmed)
{
    expect_text("--b\r\nCONTENT-type:\t Application/DICOM; X=\"Y\" \t\r\nX-Empty:\r\nx-y: a:b\r\nN: "
                "\xC3\xA9\r\n\r\nd\r\n--b--",
                "b", "[content-type=Application/DICOM; X=\"Y\";x-empty=;x-y=a:b;n=\xC3\xA9;|d]");
}

TEST(STO_12_broken_part_headers_are_refused)
{
    static const char *const cases[] = {
        "A: 1\r\n folded\r\n\r\n",
        "A: 1\r\n\tfolded\r\n\r\n",
        " A: 1\r\n\r\n",
        "A : 1\r\n\r\n",
        "A\r\n\r\n",
        ": 1\r\n\r\n",
        "A: 1\n\r\n",
        "A: 1\n\n",
        "\n",
        "A: \x01\r\n\r\n",
        "A: b\rc\r\n\r\n",
        "A: 1\r\r\n\r\n",
        "--b\r\n\r\n",
        "\r\r\n",
        "A\x80: 1\r\n\r\n",
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char message[200];
        snprintf(message, sizeof message, "--b\r\n%sx\r\n--b--", cases[i]);
        expect_text(message, "b", NULL);
    }
}

TEST(a_NUL_in_a_part_header_is_refused)
{
    static const char message[] = "--b\r\nA: 1\0002\r\n\r\nx\r\n--b--";

    expect_at_every_cut(bytes_of(message, sizeof message - 1), "b", NULL);
}

/* A part whose header block, with all its line ends, is `size` bytes long. */
static bool read_headers_of(size_t size, size_t lines, size_t step, struct error *err)
{
    struct buffer message;
    struct seen seen;

    buffer_init(&message, 1 << 20);
    seen_init(&seen);
    buffer_append_text(&message, "--b\r\n");
    for (size_t i = 1; i < lines; i++)
        buffer_append_text(&message, "A:\r\n");
    buffer_append_text(&message, "A:");
    while (message.size < 5 + size - 4)
        buffer_append_byte(&message, 'x');
    buffer_append_text(&message, "\r\n\r\ny\r\n--b--");
    const bool good = read_message(buffer_bytes(&message), "b", 0, step, &seen, err);
    buffer_done(&message);
    buffer_done(&seen.text);
    return good;
}

TEST(STO_12_part_headers_have_a_ceiling_of_16_KiB)
{
    struct error err = { 0 };

    EXPECT(read_headers_of(16384, 1, 100000, &err), "%s", err.detail);
    EXPECT(read_headers_of(16384, 1, 7, &err), "%s", err.detail);
    EXPECT(!read_headers_of(16385, 1, 100000, &err) && err.fault == FAULT_MALFORMED, "accepted");
    EXPECT(!read_headers_of(16385, 1, 7, &err) && err.fault == FAULT_MALFORMED, "accepted");
    EXPECT(!read_headers_of(500000, 1, 4096, &err) && err.fault == FAULT_MALFORMED, "accepted");
    EXPECT(read_headers_of(1000, 128, 100000, &err), "%s", err.detail);
    EXPECT(!read_headers_of(1000, 129, 100000, &err) && err.fault == FAULT_MALFORMED, "accepted 129 lines");
}

TEST(STO_03_a_boundary_is_1_to_70_characters_of_its_set)
{
    static const char *const good[] = {
        "b",
        "gc0pJq0M:08jU534c0p",
        "a b",
        "'()+_,-./:=?",
        "-",
        "--",
        "0123456789012345678901234567890123456789012345678901234567890123456789"
    };
    static const char *const bad[] = {
        "",         " ",
        "a ",       "a\r\nb",
        "a;b",      "a\"b",
        "\xC3\xA9", "a\tb",
        "a*b",      "01234567890123456789012345678901234567890123456789012345678901234567890"
    };

    for (size_t i = 0; i < COUNT_OF(good); i++) {
        char message[300];
        snprintf(message, sizeof message, "--%s\r\n\r\nx\r\n--%s--", good[i], good[i]);
        expect_text(message, good[i], "[|x]");
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct arena arena = { 0 };
        struct multipart_reader *reader = NULL;
        struct error err = { 0 };
        EXPECT(!multipart_reader_new(bytes_of_text(bad[i]), &events, NULL, &arena, &reader, &err),
               "accepted \"%s\"", bad[i]);
        EXPECT(err.fault == FAULT_MALFORMED && !reader, "\"%s\" gave fault %d", bad[i], err.fault);
        arena_release(&arena);
    }
    struct arena arena = { 0 };
    struct multipart_reader *reader = NULL;
    struct error err = { 0 };
    EXPECT(!multipart_reader_new(bytes_of(NULL, 0), &events, NULL, &arena, &reader, &err),
           "accepted an absent one");
    EXPECT(!multipart_reader_new(bytes_of("a\0b", 3), &events, NULL, &arena, &reader, &err),
           "accepted a NUL");
}

TEST(it_stops_at_the_first_event_that_says_false)
{
    static const char message[] = "--b\r\n\r\nx\r\n--b\r\n\r\n\r\n--bx\r\n--b--";

    for (unsigned n = 1; n <= 7; n++) {
        for (size_t step = 1; step < sizeof message; step++) {
            struct arena arena = { 0 };
            struct multipart_reader *reader = NULL;
            struct seen seen;
            struct error err = { 0 };
            bool good = true;
            seen_init(&seen);
            seen.refuse_at = n;
            EXPECT(multipart_reader_new(bytes_of_text("b"), &events, &seen, &arena, &reader, &err), "%s",
                   err.detail);
            for (size_t at = 0; good && at < sizeof message - 1; at += step) {
                const size_t left = sizeof message - 1 - at;
                good = multipart_reader_push(reader, bytes_of(message + at, left < step ? left : step), &err);
            }
            if (!good) {
                EXPECT(err.fault == FAULT_DISK && seen.events == n, "event %u: fault %d", seen.events,
                       err.fault);
                EXPECT(!multipart_reader_push(reader, bytes_of_text("x"), &err), "goes on");
                EXPECT(!multipart_reader_end(reader, &err), "ends well");
                EXPECT(seen.events == n, "%u events after %u", seen.events, n);
            } else {
                EXPECT(n > 5, "event %u was not refused at step %zu", n, step);
            }
            arena_release(&arena);
            buffer_done(&seen.text);
        }
    }
}

TEST(it_tells_whether_a_part_is_open_and_how_many_began)
{
    struct arena arena = { 0 };
    struct multipart_reader *reader = NULL;
    struct seen seen;
    struct error err = { 0 };

    seen_init(&seen);
    EXPECT(multipart_reader_new(bytes_of_text("b"), &events, &seen, &arena, &reader, &err), "%s", err.detail);
    EXPECT(multipart_reader_push(reader, bytes_of_text("--b\r\nA:"), &err), "%s", err.detail);
    EXPECT(!multipart_reader_in_part(reader) && multipart_reader_parts(reader) == 0, "too early");
    EXPECT(multipart_reader_push(reader, bytes_of_text("1\r\n\r\nx\r\n--b"), &err), "%s", err.detail);
    EXPECT(multipart_reader_in_part(reader) && multipart_reader_parts(reader) == 1, "not begun");
    EXPECT(multipart_reader_push(reader, bytes_of_text("\r\n"), &err), "%s", err.detail);
    EXPECT(!multipart_reader_in_part(reader) && multipart_reader_parts(reader) == 1, "not ended");
    EXPECT(multipart_reader_push(reader, bytes_of(NULL, 0), &err), "%s", err.detail);
    arena_release(&arena);
    buffer_done(&seen.text);
}

TEST(large_slices_pass_through_in_place)
{
    static const char head[] = "--bound\r\n\r\n";
    struct arena arena = { 0 };
    struct multipart_reader *reader = NULL;
    struct seen seen;
    struct error err = { 0 };
    uint8_t pixels[65536];

    seen_init(&seen);
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(i * 7);
    EXPECT(multipart_reader_new(bytes_of_text("bound"), &events, &seen, &arena, &reader, &err) &&
               multipart_reader_push(reader, bytes_of(head, sizeof head - 1), &err),
           "%s", err.detail);
    EXPECT(multipart_reader_push(reader, bytes_of(pixels, sizeof pixels), &err), "%s", err.detail);
    EXPECT(seen.largest == sizeof pixels && seen.events <= 3, "in %u events", seen.events);
    arena_release(&arena);
    buffer_done(&seen.text);
}

/* Messages of nothing but what delimiters are made of, against a slow reader that has the whole message at
 * hand. */
static bool read_slowly(const char *message, size_t size, const char *b, struct buffer *into)
{
    const size_t dash = strlen(b) + 2;
    bool open = false;
    size_t from = 0;

    for (size_t at = 0; at <= size; at++) {
        const bool line = at == 0 || (at >= 2 && message[at - 2] == '\r' && message[at - 1] == '\n');
        if (!line || size - at < dash || memcmp(message + at, "--", 2) != 0 ||
            memcmp(message + at + 2, b, dash - 2) != 0)
            continue;
        size_t end = at + dash;
        const bool last = size - end >= 2 && memcmp(message + end, "--", 2) == 0;
        while (!last && end < size && message[end] == ' ')
            end++;
        if (!last && (size - end < 2 || memcmp(message + end, "\r\n", 2) != 0))
            continue;
        if (open) {
            if (at >= from + 2)
                buffer_append(into, bytes_of(message + from, at - 2 - from));
            buffer_append_text(into, "]");
        }
        if (last)
            return true;
        end += 2;
        if (size - end < 2 || memcmp(message + end, "\r\n", 2) != 0)
            return false; /* these messages have no headers */
        buffer_append_text(into, "[|");
        open = true;
        from = end + 2;
        at = from - 1;
    }
    return false;
}

TEST(STO_09_messages_made_of_delimiter_crumbs_are_read_like_a_slow_reader_would)
{
    static const char *const crumbs[] = {
        "\r\n", "\r\n--b\r\n\r\n", "\r\n--b",          "--b", "-", "\r", "\n", "b",
        " ",    "\r\n--b--",       "\r\n--b \r\n\r\n", "x"
    };
    uint32_t random = 12345;
    unsigned whole = 0;

    for (int round = 0; round < 20000; round++) {
        char message[256] = "--b\r\n\r\n";
        struct buffer want;
        struct seen seen;
        struct error err = { 0 };

        for (int i = 0; i < 12; i++) {
            random = random * 1664525u + 1013904223u;
            strcat(message, crumbs[(random >> 16) % COUNT_OF(crumbs)]);
        }
        random = random * 1664525u + 1013904223u;
        const size_t step = 1 + (random >> 16) % 20;
        buffer_init(&want, 10000);
        seen_init(&seen);
        const bool expected = read_slowly(message, strlen(message), "b", &want);
        const bool got = read_message(bytes_of_text(message), "b", 0, step, &seen, &err);
        EXPECT(got == expected, "step %zu: \"%s\": %s", step, message, err.detail);
        if (got && expected) {
            whole++;
            EXPECT(bytes_equal(buffer_bytes(&seen.text), buffer_bytes(&want)), "step %zu: \"%s\"", step,
                   message);
        }
        buffer_done(&want);
        buffer_done(&seen.text);
    }
    EXPECT(whole > 1000, "only %u of them were whole", whole);
}
