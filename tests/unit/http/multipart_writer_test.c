/* tests/unit/http/multipart_writer_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/expect.h"

#include "base/buffer.h"
#include "http/body.h"
#include "http/multipart_reader.h"
#include "http/multipart_writer.h"

TEST(MPR_02_MPR_08_a_boundary_is_the_same_for_the_same_seed_alone)
{
    struct arena arena = { 0 };
    const struct bytes first = multipart_boundary(&arena, bytes_of_text("1.2.3/1"));

    EXPECT(first.size == 32, "size %zu", first.size);
    for (size_t i = 0; i < first.size; i++)
        EXPECT(strchr("0123456789abcdefghijklmnopqrstuvwxyz-", first.data[i]), "character %d", first.data[i]);
    EXPECT(bytes_equal(first, multipart_boundary(&arena, bytes_of_text("1.2.3/1"))), "another one");
    EXPECT(!bytes_equal(first, multipart_boundary(&arena, bytes_of_text("1.2.3/2"))), "the same one");
    EXPECT(multipart_boundary(&arena, bytes_of(NULL, 0)).size == 32, "no seed");
    arena_release(&arena);
}

TEST(a_given_secret_makes_boundaries_that_outlive_the_process)
{
    struct arena arena = { 0 };
    const struct bytes own = multipart_boundary(&arena, bytes_of_text("seed"));

    multipart_boundary_secret(bytes_of_text("secret"));
    const struct bytes given = multipart_boundary(&arena, bytes_of_text("seed"));
    EXPECT(!bytes_equal(own, given), "the same");
    /* printf seed | openssl dgst -sha256 -mac HMAC -macopt hexkey:$(printf secret | sha256sum) */
    EXPECT_TEXT(given, "6f404d388a303364b0ee2666205a00c1");
    multipart_boundary_secret(bytes_of_text("other secret"));
    EXPECT(!bytes_equal(given, multipart_boundary(&arena, bytes_of_text("seed"))), "the same");
    arena_release(&arena);
}

TEST(MPR_01_the_wrapper_quotes_its_type_and_nothing_else)
{
    struct arena arena = { 0 };

    EXPECT_TEXT(bytes_of_text(multipart_content_type(&arena, bytes_of_text("b"), "application/dicom", NULL)),
                "multipart/related; type=\"application/dicom\"; boundary=b");
    EXPECT_TEXT(bytes_of_text(multipart_content_type(&arena, bytes_of_text("b"), "image/jls", "1.2.840")),
                "multipart/related; type=\"image/jls\"; boundary=b; transfer-syntax=1.2.840");
    arena_release(&arena);
}

TEST(MPR_03_MPR_04_heads_and_tails_are_spelled_as_viewers_search_them)
{
    struct arena arena = { 0 };
    const struct bytes b = bytes_of_text("b");

    EXPECT_TEXT(
        multipart_part_head(&arena, b, true, "application/octet-stream", "1.2", "https://h/x/frames/1", 5),
        "--b\r\nContent-Type: application/octet-stream; transfer-syntax=1.2\r\n"
        "Content-Location: https://h/x/frames/1\r\nContent-Length: 5\r\n\r\n");
    EXPECT_TEXT(multipart_part_head(&arena, b, false, "a/b", NULL, NULL, BODY_SIZE_UNKNOWN),
                "\r\n--b\r\nContent-Type: a/b\r\n\r\n");
    EXPECT_TEXT(multipart_tail(&arena, b), "\r\n--b--\r\n");
    arena_release(&arena);
}

TEST(MPR_05_a_head_stays_short_however_long_the_location)
{
    struct arena arena = { 0 };
    const struct bytes b = multipart_boundary(&arena, bytes_of_text("x"));

    for (int path = 1; path < 2000; path += 13) {
        const char *location = arena_printf(&arena, "https://a-rather-long-host.example:8443/%0*d", path, 1);
        const struct bytes head = multipart_part_head(&arena, b, false, "application/octet-stream",
                                                      "1.2.840.10008.1.2.4.100", location, 1);
        const char *at = strstr((const char *)head.data, "Content-Location: ");
        EXPECT(head.size < 1000, "path of %d: %zu bytes", path, head.size);
        EXPECT(path > 200 || (head.size < 512 && at && strncmp(at + 18, "https://", 8) == 0), "path of %d",
               path);
        EXPECT(path < 500 || path > 600 || (at && at[18] == '/'), "path of %d", path);
        EXPECT(path < 1000 || !at, "path of %d", path);
    }
    arena_release(&arena);
}

static bool begin(void *context, const struct fields *headers, struct error *err)
{
    (void)err;
    buffer_append_text(context, "[");
    buffer_append(context, fields_find(headers, "content-length")->value);
    buffer_append_text(context, "|");
    return true;
}

static bool take(void *context, struct bytes chunk, struct error *err)
{
    (void)err;
    buffer_append(context, chunk);
    return true;
}

static bool end(void *context, struct error *err)
{
    (void)err;
    buffer_append_text(context, "]");
    return true;
}

TEST(what_is_written_can_be_read)
{
    static const struct multipart_events events = { begin, take, end };
    struct arena arena = { 0 };
    struct error err = { 0 };
    struct buffer seen;
    struct multipart_reader *reader = NULL;
    const struct bytes b = multipart_boundary(&arena, bytes_of_text("x"));
    const struct bytes pieces[] = { multipart_part_head(&arena, b, true, "a/b", "1.2", "/1", 3),
                                    bytes_of_text("one"),
                                    multipart_part_head(&arena, b, false, "a/b", "1.2", "/2", 5),
                                    bytes_of_text("two\r\n"), multipart_tail(&arena, b) };

    buffer_init(&seen, 1000);
    EXPECT(multipart_reader_new(b, &events, &seen, &arena, &reader, &err), "%s", err.detail);
    for (size_t i = 0; i < COUNT_OF(pieces); i++)
        EXPECT(multipart_reader_push(reader, pieces[i], &err), "%s", err.detail);
    EXPECT(multipart_reader_end(reader, &err), "%s", err.detail);
    EXPECT_TEXT(buffer_bytes(&seen), "[3|one][5|two\r\n]");
    buffer_done(&seen);
    arena_release(&arena);
}
