/* tests/unit/codec/text_order_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "codec/text_order.h"

#include "tests/support/expect.h"

TEST(letters_from_right_to_left_are_drawn_so_and_arabic_ones_join)
{
    static const struct {
        const char *read, *drawn;
    } cases[] = {
        { "Doe^Jane", "Doe^Jane" },
        { "M\xC3\xBCller 12", "M\xC3\xBCller 12" },
        /* Hebrew alef, bet, gimel */
        { "\u05D0\u05D1\u05D2", "\u05D2\u05D1\u05D0" },
        { "ID \u05D0\u05D1 7", "ID \u05D1\u05D0 7" },
        { "\u05D0\u05D1^\u05D2\u05D3", "\u05D3\u05D2^\u05D1\u05D0" },
        { "\u05D0 (\u05D1) 12.5 \u05D2", "\u05D2 12.5 (\u05D1) \u05D0" },
        { "A \u05D0\u05D1 B \u05D2\u05D3 C", "A \u05D1\u05D0 B \u05D3\u05D2 C" },
        /* points are left out */
        { "\u05D1\u05BC\u05D0", "\u05D0\u05D1" },
        /* seen, lam with alef, meem: at the beginning, at the end, alone */
        { "\u0633\u0644\u0627\u0645", "\uFEE1\uFEFC\uFEB3" },
        /* qaf, beh, alef, noon, yeh */
        { "\u0642\u0628\u0627\u0646\u064A", "\uFEF2\uFEE7\uFE8E\uFE92\uFED7" },
        /* peh and gaf of Persian; a mark between letters hinders nothing */
        { "\u067E\u064E\u06AF", "\uFB93\uFB58" },
        { "\u0644\u0627", "\uFEFB" },
        { "\xFF\u05D0", "\uFFFD\u05D0" },
        { "", "" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        SCOPED(buffer) struct buffer drawn = { 0 };

        buffer_init(&drawn, 1000);
        text_order_apply(bytes_of_text(cases[i].read), &drawn);
        EXPECT(bytes_equal_text(buffer_bytes(&drawn), cases[i].drawn), "\"%s\" became \"%.*s\"",
               cases[i].read, BYTES_ARG(buffer_bytes(&drawn)));
    }
}

TEST(only_text_that_needs_it_is_looked_at)
{
    EXPECT(!text_order_matters(bytes_of_text("Doe^J\xC3\xB6rg \u0416")), "Latin and Cyrillic");
    EXPECT(text_order_matters(bytes_of_text("x\u05D0")) && text_order_matters(bytes_of_text("\u0627")),
           "others");
}
