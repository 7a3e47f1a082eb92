/* tests/unit/dicom/dicom_json_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/expect.h"

#include "dicom/dicom_json.h"

#define VALUE(vr, text, want) expect_value(vr, bytes_of(text, sizeof text - 1), want)

static void expect_value(const char *vr, struct bytes text, const char *want)
{
    struct buffer got, whole;

    buffer_init(&got, 1 << 16);
    buffer_init(&whole, 1 << 16);
    dicom_json_attribute(&got, 0x0010ABCD, vr, text);
    buffer_printf(&whole, "\"0010ABCD\":{\"vr\":\"%s\"%s%s%s}", vr, *want ? ",\"Value\":[" : "", want,
                  *want ? "]" : "");
    EXPECT(bytes_equal(buffer_bytes(&got), buffer_bytes(&whole)), "%s \"%.*s\": got %.*s want %.*s", vr,
           BYTES_ARG(text), BYTES_ARG(buffer_bytes(&got)), BYTES_ARG(buffer_bytes(&whole)));
    buffer_done(&got);
    buffer_done(&whole);
}

TEST(JSN_08_nothing_is_only_a_vr)
{
    VALUE("LO", "", "");
    VALUE("LO", "  ", "");
    VALUE("IS", " ", "");
    VALUE("PN", "^^=", "{\"Alphabetic\":\"^^\"}");
    VALUE("PN", "==", "");
    VALUE("UI", "\0", "");
    VALUE("LT", "   ", "");
}

TEST(JSN_09_empty_values_among_others_are_null)
{
    VALUE("LO", "bar\\\\foo", "\"bar\",null,\"foo\"");
    VALUE("LO", "A\\\\B\\", "\"A\",null,\"B\",null");
    VALUE("LO", "A\\ ", "\"A\",null");
    VALUE("PN", "A\\\\B", "{\"Alphabetic\":\"A\"},null,{\"Alphabetic\":\"B\"}");
    VALUE("DS", "1\\\\2", "1,null,2");
}

TEST(JSN_20_decimal_strings_become_numbers_where_a_number_holds_them)
{
    VALUE("DS", "+00.50 ", "0.5");
    VALUE("DS", ".5\\5.\\-0\\007\\1E5\\-1.5e-3\\1e+2", "0.5,5,-0,7,100000,-0.0015,100");
    VALUE("DS", "1.23456789012345678", "\"1.23456789012345678\"");
    VALUE("DS", "0.1000000000000000055", "\"0.1000000000000000055\"");
    VALUE("DS", "0.30000000000000004", "0.30000000000000004"); /* seventeen digits that a double has */
    VALUE("DS", "1e400\\1e-400\\abc\\1,5\\1e\\.\\-\\0x10\\NaN",
          "\"1e400\",\"1e-400\",\"abc\",\"1,5\",\"1e\",\".\",\"-\",\"0x10\",\"NaN\"");
    VALUE("DS", "1e25\\123456789012345678901e-30\\1e-9", "1e25,\"123456789012345678901e-30\",1e-9");
    VALUE("DS", "100\\0.00\\1.10", "100,0,1.1");
}

TEST(JSN_21_integer_strings_become_numbers_in_range)
{
    VALUE("IS", " 12 \\+5\\-007\\1.0\\2147483648\\-2147483648", "12,5,-7,\"1.0\",\"2147483648\",-2147483648");
}

TEST(JSN_23_large_integers_are_strings)
{
    VALUE("UV", "9007199254740991\\9007199254740992", "9007199254740991,\"9007199254740992\"");
    VALUE("US", "512", "512");
}

TEST(padding_goes_as_the_vr_has_it)
{
    VALUE("LO", "  a b  ", "\"a b\"");
    VALUE("SH", " a \\ b ", "\"a\",\"b\"");
    VALUE("LT", "  a\\b  ", "\"  a\\\\b\"");
    VALUE("UC", "  a ", "\"  a\"");
    VALUE("UI", "1.2.3\0", "\"1.2.3\"");
    VALUE("DA", "20240101 ", "\"20240101\"");
}

TEST(names_are_objects)
{
    VALUE("PN", "Yamada^Tarou=山田^太郎=やまだ^たろう ",
          "{\"Alphabetic\":\"Yamada^Tarou\",\"Ideographic\":\"山田^太郎\",\"Phonetic\":\"やまだ^たろう\"}");
    VALUE("PN", "=山田", "{\"Ideographic\":\"山田\"}");
    VALUE("PN", "a=b=c=d", "{\"Alphabetic\":\"a\",\"Ideographic\":\"b\",\"Phonetic\":\"c\"}");
}

TEST(JSN_11_text_is_escaped)
{
    VALUE("LT", "a\"b\\c\n\x01\x1B", "\"a\\\"b\\\\c\\n\\u0001\\u001b\"");
}

TEST(links_begin_with_the_mark_and_leave_out_empty_levels)
{
    const struct instance_key key = { { "1.2" }, { "3.4" }, { "" } };
    struct buffer got;

    buffer_init(&got, 1024);
    dicom_json_retrieve_url(&got, &key);
    EXPECT_TEXT(buffer_bytes(&got),
                "\"00081190\":{\"vr\":\"UR\",\"Value\":[\"\x01/studies/1.2/series/3.4\"]}");
    buffer_done(&got);
}
