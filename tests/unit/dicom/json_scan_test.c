/* tests/unit/dicom/json_scan_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "dicom/json_scan.h"

#include "tests/support/expect.h"

TEST(members_are_walked_over_strings_with_brackets_and_quotes_in_them)
{
    const struct bytes object =
        bytes_of_text("{\"a\":\"}]\\\"{\\\\\",\"b\":[1,{\"c\":[]},\"]\"],\"d\":-1.5e3,\"e\":{}}");
    static const char *const names[] = { "a", "b", "d", "e" };
    static const char *const values[] = { "\"}]\\\"{\\\\\"", "[1,{\"c\":[]},\"]\"]", "-1.5e3", "{}" };
    struct json_member member;
    size_t at = 0, count = 0;

    for (; json_object_next(object, &at, &member) && count < COUNT_OF(names); count++) {
        EXPECT_TEXT(member.name, names[count]);
        EXPECT_TEXT(member.value, values[count]);
    }
    EXPECT(count == COUNT_OF(names), "%zu members", count);
}

TEST(an_attribute_is_found_by_its_tag)
{
    const struct bytes object = bytes_of_text("{\"00080005\":{\"vr\":\"CS\"},\"0020000D\":{\"vr\":\"UI\"}}");
    struct json_member member;
    uint32_t tag;

    EXPECT(json_attribute_find(object, 0x0020000D, &member), "not found");
    EXPECT_TEXT(member.whole, "\"0020000D\":{\"vr\":\"UI\"}");
    EXPECT(json_attribute_tag(member.name, &tag) && tag == 0x0020000D, "another tag");
    EXPECT(!json_attribute_find(object, 0x00080060, &member), "found what is not there");
}

TEST(what_is_not_whole_just_ends)
{
    static const char *const broken[] = {
        "",         "{",         "{\"",   "{\"a", "{\"a\"",   "{\"a\":", "{\"a\":\"",   "[",  "{}",
        "{\"a\":1", "{\"a\":[1", "{a:1}", "null", "{\"a\":}", "{\"a\\",  "{\"a\":\"\\", "[]", "{\"a\":{"
    };
    struct json_member member;
    struct bytes value;

    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        size_t at = 0;
        EXPECT(!json_object_next(bytes_of_text(broken[i]), &at, &member), "a member in %s", broken[i]);
        at = 0;
        EXPECT(!json_array_next(bytes_of_text(broken[i]), &at, &value), "a value in %s", broken[i]);
    }
}

TEST(strings_are_unescaped)
{
    static const struct {
        const char *json, *text;
    } cases[] = { { "\"plain\"", "plain" },
                  { "\"a\\\\b\\\"c\\/d\"", "a\\b\"c/d" },
                  { "\"\\u00e9\\u5c71\\n\\t\"", "\xc3\xa9\xe5\xb1\xb1\n\t" },
                  { "12.5", "12.5" },
                  { "\"\"", "" },
                  { "\"\\u00\"", "u00" } };
    struct arena arena = { 0 };
    struct bytes text;

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (EXPECT(json_text(bytes_of_text(cases[i].json), &arena, &text), "%s", cases[i].json))
            EXPECT_TEXT(text, cases[i].text);
    EXPECT(!json_text(bytes_of_text("null"), &arena, &text), "null has a text");
    EXPECT(!json_text(bytes_of_text("{}"), &arena, &text), "an object has a text");
    arena_release(&arena);
}
