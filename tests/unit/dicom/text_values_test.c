/* tests/unit/dicom/text_values_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "dicom/text_values.h"

#include "tests/support/expect.h"

TEST(a_value_goes_behind_the_others_and_empty_ones_before_it_where_some_are_missing)
{
    static const struct {
        const char *own;
        size_t least;
        const char *made;
    } cases[] = {
        { "", 0, "new" },       { "a", 0, "a\\new" },     { "a\\b", 1, "a\\b\\new" },     { "", 1, "\\new" },
        { "", 3, "\\\\\\new" }, { "a", 3, "a\\\\\\new" }, { "a\\\\c", 3, "a\\\\c\\new" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        SCOPED(buffer) struct buffer made = { 0 };

        buffer_init(&made, 100);
        text_values_behind(bytes_of_text(cases[i].own), cases[i].least, "\\", bytes_of_text("new"), &made);
        EXPECT(bytes_equal_text(buffer_bytes(&made), cases[i].made), "case %zu: %.*s", i,
               BYTES_ARG(buffer_bytes(&made)));
    }
}

TEST(the_first_value_is_another_and_the_rest_stays)
{
    static const struct {
        const char *own, *made;
    } cases[] = { { "ORIGINAL\\PRIMARY\\AXIAL", "DERIVED\\PRIMARY\\AXIAL" },
                  { "ORIGINAL", "DERIVED" },
                  { "\\PRIMARY", "DERIVED\\PRIMARY" },
                  { "", "DERIVED\\SECONDARY" } };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        SCOPED(buffer) struct buffer made = { 0 };

        buffer_init(&made, 100);
        text_values_first(bytes_of_text(cases[i].own), bytes_of_text("DERIVED"), "\\SECONDARY", &made);
        EXPECT(bytes_equal_text(buffer_bytes(&made), cases[i].made), "case %zu: %.*s", i,
               BYTES_ARG(buffer_bytes(&made)));
    }
}

TEST(values_are_counted_empty_ones_between_others_too)
{
    EXPECT(text_values_count(bytes_of_text("")) == 0 && text_values_count(bytes_of_text("a")) == 1 &&
               text_values_count(bytes_of_text("a\\\\b")) == 3 && text_values_count(bytes_of_text("\\")) == 2,
           "other counts");
}
