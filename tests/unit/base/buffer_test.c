/* tests/unit/base/buffer_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/expect.h"

#include <inttypes.h>

#include "base/buffer.h"

TEST(what_is_appended_is_there_in_order)
{
    SCOPED(buffer) struct buffer buffer;
    struct error err = { 0 };

    buffer_init(&buffer, 100000);
    EXPECT(buffer.capacity == 0, "holds something");
    for (int i = 0; i < 3000; i++)
        buffer_append_byte(&buffer, (uint8_t)('a' + i % 26));
    buffer_append_text(&buffer, "-");
    buffer_append(&buffer, bytes_of(NULL, 0));
    buffer_printf(&buffer, "%d%0*d", 42, 5000, 1);
    EXPECT(buffer_check(&buffer, "x", &err), "%s", err.detail);
    EXPECT(buffer.size == 3000 + 1 + 2 + 5000, "size %zu", buffer.size);
    EXPECT(memcmp(buffer.data + 2998, "ij-420", 6) == 0, "%.6s", (const char *)buffer.data + 2998);
    EXPECT(buffer.data[buffer.size - 1] == '1', "end");
}

TEST(an_append_over_the_ceiling_makes_all_later_ones_do_nothing)
{
    SCOPED(buffer) struct buffer buffer;
    struct error err = { 0 };

    buffer_init(&buffer, 5);
    buffer_append_text(&buffer, "12345");
    EXPECT(buffer_check(&buffer, "thing", &err), "%s", err.detail);
    buffer_append_byte(&buffer, '6');
    EXPECT(!buffer_check(&buffer, "thing", &err) && err.fault == FAULT_TOO_LARGE, "fault %d", err.fault);
    EXPECT(strstr(err.detail, "thing"), "%s", err.detail);
    buffer_cut(&buffer, 0);
    buffer_append_text(&buffer, "x");
    buffer_append_byte(&buffer, 'x');
    buffer_printf(&buffer, "%d", 1);
    EXPECT(buffer.size == 0 && !buffer_reserve(&buffer, 1), "size %zu", buffer.size);
}

TEST(reserved_room_is_counted_when_it_is_written)
{
    SCOPED(buffer) struct buffer buffer;

    buffer_init(&buffer, 1 << 20);
    buffer_append_text(&buffer, "ab");
    uint8_t *room = buffer_reserve(&buffer, 100000);
    if (!EXPECT(room, "no room"))
        return;
    memset(room, 'c', 100000);
    buffer_grew(&buffer, 2);
    EXPECT_TEXT(buffer_bytes(&buffer), "abcc");
    buffer_cut(&buffer, 1);
    EXPECT_TEXT(buffer_bytes(&buffer), "a");
    buffer_done(&buffer);
    EXPECT(buffer.size == 0 && !buffer.data && buffer.ceiling == 1 << 20, "not empty");
}

TEST(JSON_strings_are_escaped_and_always_UTF_8)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "", "\"\"" },
        { "abc", "\"abc\"" },
        { "\"\\/", "\"\\\"\\\\/\"" },
        { "a\nb\rc\td", "\"a\\nb\\rc\\td\"" },
        { "\x01\x1F\x7F\x08", "\"\\u0001\\u001f\\u007f\\u0008\"" },
        { "\xC3\xA4\xE6\x97\xA5\xF0\x9F\x98\x80", "\"\xC3\xA4\xE6\x97\xA5\xF0\x9F\x98\x80\"" },
        { "a\xFFz", "\"a\xEF\xBF\xBDz\"" },
        { "\xC3", "\"\xEF\xBF\xBD\"" },
        { "\xC0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\"" },
        { "\xED\xA0\x80x", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDx\"" },
        { "\xF4\x90\x80\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"" },
        { "\xE6\x97", "\"\xEF\xBF\xBD\xEF\xBF\xBD\"" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        SCOPED(buffer) struct buffer buffer;
        buffer_init(&buffer, 1000);
        buffer_append_json_string(&buffer, bytes_of_text(cases[i].text));
        EXPECT_TEXT(buffer_bytes(&buffer), cases[i].want);
    }
    SCOPED(buffer) struct buffer buffer;
    buffer_init(&buffer, 1000);
    buffer_append_json_string(&buffer, bytes_of("a\0b", 3));
    EXPECT_TEXT(buffer_bytes(&buffer), "\"a\\u0000b\"");
}

TEST(numbers_are_written_as_printf_writes_them)
{
    static const int64_t numbers[] = { 0, 1, -1, 9, 10, -10, 65535, INT32_MIN, INT64_MAX, INT64_MIN };

    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        SCOPED(buffer) struct buffer buffer;
        char want[32];

        buffer_init(&buffer, 100);
        buffer_append_number(&buffer, numbers[i]);
        snprintf(want, sizeof want, "%" PRId64, numbers[i]);
        EXPECT_TEXT(buffer_bytes(&buffer), want);
    }
}
