/* tests/unit/http/uri_reference_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/uri_reference.h"

#include "tests/support/expect.h"

/* RFC 3986 5.4.1 and 5.4.2, without the fragments, which mean nothing here. */
TEST(references_resolve_as_the_examples_of_RFC_3986)
{
    static const struct {
        const char *reference, *target;
    } cases[] = {
        { "g:h", "g:h" },
        { "g", "http://a/b/c/g" },
        { "./g", "http://a/b/c/g" },
        { "g/", "http://a/b/c/g/" },
        { "/g", "http://a/g" },
        { "//g", "http://g" },
        { "g?y", "http://a/b/c/g?y" },
        { "g#s", "http://a/b/c/g" },
        { ";x", "http://a/b/c/;x" },
        { "g;x", "http://a/b/c/g;x" },
        { ".", "http://a/b/c/" },
        { "./", "http://a/b/c/" },
        { "..", "http://a/b/" },
        { "../", "http://a/b/" },
        { "../g", "http://a/b/g" },
        { "../..", "http://a/" },
        { "../../", "http://a/" },
        { "../../g", "http://a/g" },
        { "../../../g", "http://a/g" },
        { "../../../../g", "http://a/g" },
        { "/./g", "http://a/g" },
        { "/../g", "http://a/g" },
        { "g.", "http://a/b/c/g." },
        { ".g", "http://a/b/c/.g" },
        { "g..", "http://a/b/c/g.." },
        { "..g", "http://a/b/c/..g" },
        { "./../g", "http://a/b/g" },
        { "./g/.", "http://a/b/c/g/" },
        { "g/./h", "http://a/b/c/g/h" },
        { "g/../h", "http://a/b/c/h" },
        { "g;x=1/./y", "http://a/b/c/g;x=1/y" },
        { "g;x=1/../y", "http://a/b/c/y" },
        { "", "http://a/b/c/d;p" },
        { "HTTP://A/b", "http://a/b" },
        { "urn:oid:1.2.3", "urn:oid:1.2.3" },
    };
    struct arena arena = { 0 };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct bytes got =
            uri_resolve(bytes_of_text("http://a/b/c/d;p"), bytes_of_text(cases[i].reference), &arena);
        EXPECT(bytes_equal_text(got, cases[i].target), "\"%s\" became %.*s", cases[i].reference,
               BYTES_ARG(got));
    }
    arena_release(&arena);
}

TEST(STO_30_three_spellings_of_a_location_meet)
{
    static const char *const spellings[] = { "bulk/1", "/dicom-web/bulk/1", "https://pacs/dicom-web/bulk/1",
                                             "HTTPS://PACS/dicom-web/x/../bulk/1", "./bulk/1" };
    struct arena arena = { 0 };

    for (size_t i = 0; i < COUNT_OF(spellings); i++) {
        const struct bytes got =
            uri_resolve(bytes_of_text("https://pacs/dicom-web/studies"), bytes_of_text(spellings[i]), &arena);
        EXPECT_TEXT(got, "https://pacs/dicom-web/bulk/1");
    }
    arena_release(&arena);
}
