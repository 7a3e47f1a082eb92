/* tests/unit/base/bytes_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/expect.h"

TEST(equality_is_by_bytes_and_by_ASCII_case_where_asked)
{
    EXPECT(bytes_equal(bytes_of(NULL, 0), bytes_of("", 0)), "empty ones");
    EXPECT(!bytes_equal_text(bytes_of_text("a"), "A"), "case");
    EXPECT(!bytes_equal_text(bytes_of("a\0", 2), "a"), "length");
    EXPECT(bytes_equal_nocase(bytes_of_text("Content-TYPE"), bytes_of_text("content-type")), "case");
    EXPECT(!bytes_equal_nocase(bytes_of_text("[@"), bytes_of_text("{`")), "neighbours of letters");
    EXPECT(!bytes_equal_nocase(bytes_of_text("\xC4"), bytes_of_text("\xE4")), "not ASCII");
    EXPECT(bytes_of_text(NULL).size == 0, "NULL");
}

TEST(a_prefix_is_told)
{
    EXPECT(bytes_starts_with(bytes_of_text("abc"), bytes_of_text("ab")), "ab");
    EXPECT(bytes_starts_with(bytes_of_text("abc"), bytes_of(NULL, 0)), "empty");
    EXPECT(!bytes_starts_with(bytes_of_text("ab"), bytes_of_text("abc")), "longer");
}

TEST(a_rest_never_lies_beyond_the_end)
{
    const struct bytes text = bytes_of_text("abc");

    EXPECT_TEXT(bytes_from(text, 1), "bc");
    EXPECT(bytes_from(text, 3).size == 0 && bytes_from(text, 3).data == text.data + 3, "at the end");
    EXPECT(bytes_from(text, 99).size == 0 && bytes_from(text, 99).data == text.data + 3, "behind the end");
    EXPECT(!bytes_from(bytes_of(NULL, 0), 1).data, "of nothing");
}

TEST(trimming_takes_spaces_and_tabs_only)
{
    EXPECT_TEXT(bytes_trim(bytes_of_text(" \t a b\t ")), "a b");
    EXPECT_TEXT(bytes_trim(bytes_of_text("\n a")), "\n a");
    EXPECT(bytes_trim(bytes_of_text(" \t")).size == 0, "only spaces");
    EXPECT(bytes_trim(bytes_of(NULL, 0)).size == 0, "nothing");
}

TEST(cutting_gives_every_piece_and_tells_the_last)
{
    struct bytes rest = bytes_of_text("a,,b,");

    EXPECT_TEXT(bytes_cut(&rest, ','), "a");
    EXPECT_TEXT(bytes_cut(&rest, ','), "");
    EXPECT_TEXT(bytes_cut(&rest, ','), "b");
    EXPECT(rest.data && rest.size == 0, "an empty last piece is still one");
    EXPECT(bytes_cut(&rest, ',').size == 0 && !rest.data, "the end");
    EXPECT(bytes_cut(&rest, ',').size == 0 && !rest.data, "behind the end");
}
