/* tests/unit/http/media_type_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/expect.h"

#include "http/media_type.h"

TEST(STO_02_parameters_come_in_any_order_case_and_quoting)
{
    static const char *const cases[] = {
        "multipart/related; type=\"application/dicom\"; boundary=B",
        "multipart/related;boundary=\"B\";type=application/dicom",
        "Multipart/RELATED ; BOUNDARY=B ; Type=application/dicom ; start=\"<a;b>\"; charset=utf-8",
        "multipart/related; start-info=\"x, y\"; type = application/dicom; boundary = \"B\"",
        "multipart/related;;type=\"application\\/dicom\"; ;boundary=B;",
        " multipart/related; unknown=1; boundary=B; type=application/dicom; boundary=C ",
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct arena arena = { 0 };
        struct error err = { 0 };
        struct media_type type;
        if (!EXPECT(media_type_parse(bytes_of_text(cases[i]), &arena, &type, &err), "%s: %s", cases[i],
                    err.detail))
            continue;
        EXPECT(media_type_is(&type, "multipart/related"), "%s", cases[i]);
        EXPECT_TEXT(media_type_parameter(&type, "type"), "application/dicom");
        EXPECT_TEXT(media_type_parameter(&type, "boundary"), "B");
        EXPECT(!media_type_parameter(&type, "absent").data, "%s", cases[i]);
        arena_release(&arena);
    }
}

TEST(quoted_values_keep_their_case_and_lose_their_backslashes)
{
    struct arena arena = { 0 };
    struct error err = { 0 };
    struct media_type type;

    EXPECT(media_type_parse(bytes_of_text("a/b;C=\"Q\\\"u;o\\\\t, e\";d=\"\""), &arena, &type, &err), "%s",
           err.detail);
    EXPECT_TEXT(media_type_parameter(&type, "c"), "Q\"u;o\\t, e");
    EXPECT(media_type_parameter(&type, "d").data && media_type_parameter(&type, "d").size == 0, "d");
    arena_release(&arena);
}

TEST(what_is_no_media_type_is_refused)
{
    static const char *const cases[] = {
        "",
        "a",
        "a/",
        "/b",
        "a/b/c",
        "a b/c",
        "a/b;c",
        "a/b;c=",
        "a/b;=d",
        "a/b;c=\"",
        "a/b;c=\"d",
        "a/b;c=\"d\\\"",
        "a/b;c=\"\\",
        "a/b;c=\"d\"e",
        "a/b;c=d\"e",
        "a/b;c=\"\n\"",
        "a/b;c=d\x01",
        "a/b;c d=e",
        "multipart",
        "a/b;c=\"\\\n\"",
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct arena arena = { 0 };
        struct error err = { 0 };
        struct media_type type = { 0 };
        EXPECT(!media_type_parse(bytes_of_text(cases[i]), &arena, &type, &err), "accepted \"%s\"", cases[i]);
        EXPECT(err.fault == FAULT_MALFORMED, "\"%s\" gave fault %d", cases[i], err.fault);
        EXPECT(!type.type.data, "touched");
        arena_release(&arena);
    }
}

TEST(a_media_type_is_itself_only)
{
    struct arena arena = { 0 };
    struct error err = { 0 };
    struct media_type type;

    EXPECT(media_type_parse(bytes_of_text("Application/DICOM+json"), &arena, &type, &err), "%s", err.detail);
    EXPECT(media_type_is(&type, "application/dicom+json"), "not itself");
    EXPECT(!media_type_is(&type, "application/dicom"), "a prefix");
    EXPECT(!media_type_is(&type, "application"), "half");
    arena_release(&arena);
}

TEST(a_media_type_has_at_most_64_parameters)
{
    struct arena arena = { 0 };
    struct error err = { 0 };
    struct media_type type;
    char *text = arena_text(&arena, bytes_of_text("a/b"));

    for (int i = 0; i < 64; i++)
        text = arena_printf(&arena, "%s;p=1", text);
    EXPECT(media_type_parse(bytes_of_text(text), &arena, &type, &err), "%s", err.detail);
    EXPECT(!media_type_parse(bytes_of_text(arena_printf(&arena, "%s;p=1", text)), &arena, &type, &err),
           "accepted 65");
    arena_release(&arena);
}
