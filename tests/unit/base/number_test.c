/* tests/unit/base/number_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/expect.h"

#include "base/number.h"

TEST(only_digits_within_the_limits_are_a_number)
{
    static const struct {
        const char *text;
        uint64_t least, most;
        bool good;
        uint64_t want;
    } cases[] = {
        { "0", 0, 10, true, 0 },
        { "10", 0, 10, true, 10 },
        { "11", 0, 10, false, 0 },
        { "4", 5, 10, false, 0 },
        { "007", 0, 10, true, 7 },
        { "", 0, 10, false, 0 },
        { " 1", 0, 10, false, 0 },
        { "1 ", 0, 10, false, 0 },
        { "+1", 0, 10, false, 0 },
        { "-1", 0, 10, false, 0 },
        { "0x1", 0, 10, false, 0 },
        { "1.0", 0, 10, false, 0 },
        { "1e1", 0, 10, false, 0 },
        { "\xD9\xA1", 0, 10, false, 0 },
        { "18446744073709551615", 0, UINT64_MAX, true, UINT64_MAX },
        { "18446744073709551616", 0, UINT64_MAX, false, 0 },
        { "99999999999999999999999", 0, UINT64_MAX, false, 0 },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t got = 77;
        const bool good = number_parse(bytes_of_text(cases[i].text), cases[i].least, cases[i].most, &got);
        EXPECT(good == cases[i].good && got == (good ? cases[i].want : 77), "\"%s\"", cases[i].text);
    }
}

TEST(a_signed_number_has_at_most_one_sign)
{
    static const struct {
        const char *text;
        bool good;
        int64_t want;
    } cases[] = {
        { "5", true, 5 },       { "+5", true, 5 },    { "-5", true, -5 },  { "-0", true, 0 },
        { "--5", false, 0 },    { "+-5", false, 0 },  { "-", false, 0 },   { "", false, 0 },
        { "5-", false, 0 },     { "-101", false, 0 }, { "101", false, 0 }, { "- 5", false, 0 },
        { "-100", true, -100 },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t got = 77;
        const bool good = number_parse_signed(bytes_of_text(cases[i].text), -100, 100, &got);
        EXPECT(good == cases[i].good && got == (good ? cases[i].want : 77), "\"%s\"", cases[i].text);
    }
    int64_t got = 0;
    EXPECT(number_parse_signed(bytes_of_text("9223372036854775807"), INT64_MIN, INT64_MAX, &got) &&
               got == INT64_MAX,
           "INT64_MAX");
    EXPECT(!number_parse_signed(bytes_of_text("9223372036854775808"), INT64_MIN, INT64_MAX, &got),
           "too large");
}

TEST(a_real_number_is_finite_and_decimal)
{
    static const struct {
        const char *text;
        bool good;
        double want;
    } cases[] = {
        { "1.5", true, 1.5 },
        { "-.5", true, -0.5 },
        { "+2.", true, 2 },
        { "1e3", true, 1000 },
        { "-1.5E-1", true, -0.15 },
        { "", false, 0 },
        { "nan", false, 0 },
        { "inf", false, 0 },
        { "1e999", false, 0 },
        { "0x1p3", false, 0 },
        { "1,5", false, 0 },
        { " 1", false, 0 },
        { "1.5.5", false, 0 },
        { "e5", false, 0 },
        { "1e", false, 0 },
        { "-", false, 0 },
        { "1\\2", false, 0 },
        { "00000000000000000000000000000000000000000000000000000000000000000000001", false, 0 },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        double got = 77;
        const bool good = number_parse_real(bytes_of_text(cases[i].text), &got);
        const double off = got - (good ? cases[i].want : 77);
        EXPECT(good == cases[i].good && off < 1e-12 && off > -1e-12, "\"%s\" gave %g", cases[i].text, got);
    }
}

TEST(a_hexadecimal_number_has_1_to_16_digits)
{
    uint64_t got = 77;

    EXPECT(number_parse_hex(bytes_of_text("7FE00010"), UINT32_MAX, &got) && got == 0x7FE00010, "%lx",
           (unsigned long)got);
    EXPECT(number_parse_hex(bytes_of_text("ffffFFFFffffFFFF"), UINT64_MAX, &got) && got == UINT64_MAX,
           "16 digits");
    EXPECT(!number_parse_hex(bytes_of_text("00000000000000001"), UINT64_MAX, &got), "17 digits");
    EXPECT(!number_parse_hex(bytes_of_text("100000000"), UINT32_MAX, &got), "over the most");
    EXPECT(!number_parse_hex(bytes_of_text(""), UINT32_MAX, &got), "empty");
    EXPECT(!number_parse_hex(bytes_of_text("0x1"), UINT32_MAX, &got), "prefix");
    EXPECT(!number_parse_hex(bytes_of_text("1g"), UINT32_MAX, &got), "letter");
}
