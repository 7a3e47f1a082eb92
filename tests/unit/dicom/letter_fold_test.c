/* tests/unit/dicom/letter_fold_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "dicom/letter_fold.h"

#include "dicom/utf8.h"
#include "tests/support/expect.h"

static void fold(const char *text, char *into)
{
    struct bytes rest = bytes_of_text(text);

    while (rest.size) {
        uint32_t letter, folded[2];
        rest = bytes_from(rest, utf8_read(rest, &letter));
        const size_t count = letter_fold(letter, folded);
        for (size_t i = 0; i < count; i++)
            into += utf8_put(folded[i], (uint8_t *)into);
    }
    *into = 0;
}

TEST(case_and_accents_are_gone)
{
    static const char *const cases[][2] = {
        { "ABCxyz019^=-", "abcxyz019^=-" },
        { "ÀÉÎÕÜçñ", "aeioucn" },
        { "ŁŃŚŹĐłøÞßÆ", "lnszdlothssae" },
        { "ĞIİşı", "giisi" },
        { "ΆΈΉΊΌΎΏΣς", "αεηιουωσσ" },
        { "ЖЙЁжйё", "жиежие" },
        { "ỆỨ", "eu" },
        { "ＡＢｃ", "abc" },
        { "山田やまだ김", "山田やまだ김" },
        { "ԱԲ", "աբ" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char folded[200];
        fold(cases[i][0], folded);
        EXPECT(strcmp(folded, cases[i][1]) == 0, "%s gave %s", cases[i][0], folded);
    }
}

TEST(folding_twice_changes_nothing)
{
    for (uint32_t letter = 1; letter < 0x20000; letter++) {
        uint32_t once[2], twice[2];
        const size_t count = letter_fold(letter, once);
        for (size_t i = 0; i < count; i++)
            EXPECT(letter_fold(once[i], twice) == 1 && twice[0] == once[i], "U+%04X", letter);
    }
}
