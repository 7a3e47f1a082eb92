/* tests/unit/http/conditional_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/expect.h"

#include "http/conditional.h"

TEST(HTP_40_a_tag_is_strong_and_depends_on_the_thing_and_on_its_form)
{
    struct arena arena = { 0 };
    const struct bytes tag = bytes_of_text(etag_make(&arena, bytes_of_text("1.2.3"), "application/dicom"));

    EXPECT(tag.size == 34 && tag.data[0] == '"' && tag.data[33] == '"', "%.*s", BYTES_ARG(tag));
    EXPECT_TEXT(tag, etag_make(&arena, bytes_of_text("1.2.3"), "application/dicom"));
    EXPECT(!bytes_equal_text(tag, etag_make(&arena, bytes_of_text("1.2.4"), "application/dicom")),
           "another thing");
    EXPECT(!bytes_equal_text(tag, etag_make(&arena, bytes_of_text("1.2.3"), "image/jpeg")), "another form");
    EXPECT(!bytes_equal_text(tag, etag_make(&arena, bytes_of_text("1.2.3a"), "pplication/dicom")),
           "another division");
    arena_release(&arena);
}

static bool none_match(const char *header, const char *etag)
{
    struct arena arena = { 0 };
    struct request request = { .arena = &arena };

    if (header)
        fields_add(&request.headers, &arena, bytes_of_text("if-none-match"), bytes_of_text(header));
    const bool met = etag_none_match(&request, etag);
    arena_release(&arena);
    return met;
}

TEST(HTP_41_If_None_Match_meets_lists_stars_and_weak_tags)
{
    static const char *const met[] = { "\"a\"",    "W/\"a\"",        "*",
                                       " * ",      "\"x\", \"a\"",   "\"x\",W/\"a\",\"y\"",
                                       ", ,\"a\"", "\"x,y\" , \"a\"" };
    static const char *const unmet[] = { NULL,       "",         "\"b\"", "a",        "\"a",
                                         "\"A\"",    "\"aa\"",   "\"\"",  "w/\"a\"",  "W/",
                                         "\"x\"a\"", "\"x, \"a", "**",    "W/ \"a\"", "\"" };

    for (size_t i = 0; i < COUNT_OF(met); i++) {
        EXPECT(none_match(met[i], "\"a\""), "%s", met[i]);
        EXPECT(none_match(met[i], "W/\"a\""), "%s, weak", met[i]);
    }
    for (size_t i = 0; i < COUNT_OF(unmet); i++)
        EXPECT(!none_match(unmet[i], "\"a\""), "%s", unmet[i] ? unmet[i] : "absent");
}
