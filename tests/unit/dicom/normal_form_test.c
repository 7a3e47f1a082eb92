/* tests/unit/dicom/normal_form_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "dicom/normal_form.h"

#include "tests/support/expect.h"

TEST(marks_are_composed_with_their_letters)
{
    static const char *const cases[][2] = {
        { "", "" },
        { "plain", "plain" },
        { "M\u00FCller", "M\u00FCller" },
        { "Mu\u0308ller", "M\u00FCller" },
        { "a\u0323\u0302", "\u1EAD" },                  /* two marks, one letter */
        { "\u1112\u1161\u11AB", "\uD55C" },             /* Hangul */
        { "\u304B\u3099\u306F\u309A", "\u304C\u3071" }, /* kana */
        { "q\u0308", "q\u0308" },                       /* there is no such letter */
        { "\u0308a", "\u0308a" },
        { "e\u0301e\u0301", "\u00E9\u00E9" },
        { "a\xFF\u0301", "a\xFF\u0301" }, /* not UTF-8: stays */
    };
    struct arena arena = { 0 };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        EXPECT_TEXT(normal_form(bytes_of_text(cases[i][0]), &arena), cases[i][1]);
    arena_release(&arena);
}

TEST(text_without_marks_is_not_copied)
{
    const struct bytes text = bytes_of_text("Stra\u00DFe");
    struct arena arena = { 0 };

    EXPECT(normal_form(text, &arena).data == text.data, "copied");
    arena_release(&arena);
}
