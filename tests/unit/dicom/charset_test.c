/* tests/unit/dicom/charset_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The examples of PS3.5 Annexes H to K, and what the field does to them.
 */
#include "tests/support/expect.h"

#include "dicom/charset.h"

static void expect_text(const char *terms, struct bytes text, enum charset_text what, const char *want)
{
    struct charset charset;
    struct buffer got;
    bool ascii = true;

    charset_parse(bytes_of_text(terms), &charset);
    buffer_init(&got, 1 << 20);
    const bool foreign = charset_append(&charset, text, what, &got);
    EXPECT(bytes_equal_text(buffer_bytes(&got), want), "%s: got \"%.*s\", want \"%s\"", terms,
           BYTES_ARG(buffer_bytes(&got)), want);
    for (size_t i = 0; i < got.size; i++)
        ascii &= got.data[i] < 0x80;
    EXPECT(foreign || ascii, "%s: \"%s\" is not told as foreign", terms, want);
    buffer_done(&got);
    charset_done(&charset);
}
#define NAME(terms, text, want) expect_text(terms, bytes_of(text, sizeof text - 1), CHARSET_NAMES, want)
#define VALUES(terms, text, want) expect_text(terms, bytes_of(text, sizeof text - 1), CHARSET_VALUES, want)
#define LONG_TEXT(terms, text, want) expect_text(terms, bytes_of(text, sizeof text - 1), CHARSET_TEXT, want)

TEST(ascii_stays_what_it_is)
{
    static const char *const terms[] = { "",    "ISO_IR 6",   "ISO_IR 100",       "ISO_IR 192",     "GB18030",
                                         "GBK", "ISO_IR 166", "\\ISO 2022 IR 87", "ISO 2022 IR 149" };

    for (size_t i = 0; i < COUNT_OF(terms); i++)
        NAME(terms[i], "Doe^Jane~[]\\B", "Doe^Jane~[]\\B");
}

TEST(single_byte_sets_give_their_letters)
{
    NAME("ISO_IR 100", "Buc^J\xE9r\xF4me", "Buc^Jérôme");
    NAME("ISO_IR 101", "W\xB3\xE1\x9C", "Włá\xC2\x9C");
    NAME("ISO_IR 109", "\xA1\xB1", "Ħħ");
    NAME("ISO_IR 110", "\xA2", "ĸ");
    NAME("ISO_IR 144", "\xBB\xEE\xDA\x63\x65\xDC\xD1\xE3\xE0\xD3", "Люкceмбург");
    NAME("ISO_IR 127", "\xE2\xC8\xC7\xE6\xEA^\xE4\xE6\xD2\xC7\xD1", "قباني^لنزار");
    NAME("ISO_IR 126", "\xC4\xE9\xEF\xED\xF5\xF3\xE9\xEF\xF2", "Διονυσιος");
    NAME("ISO_IR 138", "\xF9\xF8\xE5\xEF^\xE3\xE1\xE5\xF8\xE4", "שרון^דבורה");
    NAME("ISO_IR 148",
         "\xC7"
         "avu\xFEo\xF0lu",
         "Çavuşoğlu");
    NAME("ISO_IR 203", "\xA4\xBC", "€Œ");
    NAME("ISO_IR 166", "\xB9\xD2\xC1\xCA\xA1\xD8\xC5", "นามสกุล");
}

TEST(japanese_names_of_annex_h)
{
    NAME("\\ISO 2022 IR 87",
         "Yamada^Tarou=\033$B;3ED\033(B^\033$BB@O:\033(B=\033$B$d$^$@\033(B^\033$B$?$m$&\033(B",
         "Yamada^Tarou=山田^太郎=やまだ^たろう");
    NAME("ISO 2022 IR 13\\ISO 2022 IR 87",
         "\xD4\xCF\xC0\xDE^\xC0\xDB\xB3=\033$B;3ED\033(J^\033$BB@O:\033(J=\033$B$d$^$@\033(J^\033$B$?$m$&"
         "\033(J",
         "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう");
    /* JIS X 0212 and an announcement that forgets it */
    NAME("\\ISO 2022 IR 159", "\033$(D0!\033(B", "丂");
    NAME("", "\033$B;3ED\033(B", "山田");
}

TEST(korean_and_chinese_names_of_annexes_i_to_k)
{
    NAME("\\ISO 2022 IR 149",
         "Hong^Gildong=\033$)C\xFB\xF3^\033$)C\xD1\xCE\xD4\xD7=\033$)C\xC8\xAB^\033$)C\xB1\xE6\xB5\xBF",
         "Hong^Gildong=洪^吉洞=홍^길동");
    NAME("ISO 2022 IR 149", "\xC8\xAB^\xB1\xE6\xB5\xBF", "홍^길동"); /* no escape sequence at all */
    NAME("\\ISO 2022 IR 58",
         "Zhang^XiaoDong=\033$)A\xD5\xC5^\033$)A\xD0\xA1\xB6\xAB=", "Zhang^XiaoDong=张^小东=");
    NAME("ISO_IR 192", "Wang^XiaoDong=\xE7\x8E\x8B^\xE5\xB0\x8F\xE6\x9D\xB1=", "Wang^XiaoDong=王^小東=");
    NAME("GB18030", "Wang^XiaoDong=\xCD\xF5^\xD0\xA1\xB6\xAB=", "Wang^XiaoDong=王^小东=");
}

TEST(JSN_28_a_backslash_inside_a_character_separates_nothing)
{
    VALUES("GB18030", "\x81\x5C\\b", "乗\\b");
    VALUES("GBK", "\x81\x5C\\\xB0\x5C", "乗\\癨");
    VALUES("\\ISO 2022 IR 87", "\033$B%\\\033(B\\b", "ボ\\b"); /* 255C */
}

TEST(JSN_28_the_yen_sign_separates_values_and_is_a_yen_in_text)
{
    VALUES("ISO_IR 13", "\xB1\\\xB2", "ｱ\\ｲ");
    LONG_TEXT("ISO_IR 13", "\xB1\\~\xB2", "ｱ¥‾ｲ");
}

TEST(sets_fall_back_where_values_and_components_end)
{
    VALUES("ISO_IR 100\\ISO 2022 IR 144", "\033-L\xBB\\\xE9", "Л\\é");
    NAME("ISO_IR 100\\ISO 2022 IR 144", "\033-L\xBB^\xE9=\033-L\xBB=\xE9", "Л^é=Л=é");
    LONG_TEXT("ISO_IR 100\\ISO 2022 IR 144", "\033-L\xBB\\\xBB\r\n\xE9", "Л\\Л\r\né");
}

TEST(misspelt_terms_are_understood)
{
    static const char *const latin1[] = { "ISO_IR 100 ",     "ISO IR 100",      "ISO-IR 100", "iso_ir_100",
                                          "ISOIR100",        "ISO 2022 IR 100", "ISO8859-1",  "LATIN1",
                                          "ISO_2022_IR_100", "ISO_IR 100\0" };

    for (size_t i = 0; i < COUNT_OF(latin1); i++)
        VALUES(latin1[i], "\xE9", "é");
    VALUES("UTF-8", "\xC3\xA9", "é");
    VALUES("ISO 2022 GBK", "\xD6\xD0", "中");
}

TEST(JSN_30_what_means_nothing_becomes_the_replacement_character)
{
    VALUES("", "a\xE9z", "a\xEF\xBF\xBDz");
    VALUES("ISO_IR 192", "a\xE9z\xC3", "a\xEF\xBF\xBDz\xEF\xBF\xBD");
    VALUES("ISO_IR 192", "\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"); /* a surrogate */
    VALUES("GB18030", "a\xFF", "a\xEF\xBF\xBD");
    VALUES("GB18030", "\xD6", "\xEF\xBF\xBD");
    VALUES("", "\033Q", "\xEF\xBF\xBDQ");
    VALUES("\\ISO 2022 IR 87", "\033$B;", "\xEF\xBF\xBD");
    VALUES("ISO_IR 127", "\xA1", "\xEF\xBF\xBD"); /* not assigned */
}

TEST(nul_is_padding_or_nothing)
{
    VALUES("", "1.2\0\\1.3\0\0", "1.2\\1.3");
    VALUES("", "a\0b",
           "a\xEF\xBF\xBD"
           "b");
    VALUES("ISO_IR 192", "\xC3\xA9\0b\0",
           "é\xEF\xBF\xBD"
           "b");
}

TEST(JSN_30_an_unknown_term_is_read_as_latin_1)
{
    struct charset charset;

    charset_parse(bytes_of_text("KLINGON 1"), &charset);
    EXPECT(charset.unknown, "not told");
    charset_done(&charset);
    VALUES("KLINGON 1", "\xE9", "é");
}
