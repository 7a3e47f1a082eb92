/* tests/unit/http/uri_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/expect.h"

#include "http/uri.h"

TEST(escapes_are_decoded_once)
{
    static const struct {
        const char *text;
        bool plus;
        const char *want;
    } cases[] = {
        { "", false, "" },
        { "abc", false, "abc" },
        { "a%20b", false, "a b" },
        { "%2541", false, "%41" },
        { "a+b", false, "a+b" },
        { "a+b%2Bc", true, "a b+c" },
        { "%e2%82%AC", false, "\xE2\x82\xAC" },
        { "Doe%5EJane", true, "Doe^Jane" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct arena arena = { 0 };
        struct error err = { 0 };
        struct bytes got = { 0 };
        EXPECT(uri_decode(bytes_of_text(cases[i].text), cases[i].plus, &arena, &got, &err), "%s",
               cases[i].text);
        EXPECT_TEXT(got, cases[i].want);
        EXPECT(got.data, "data NULL");
        arena_release(&arena);
    }
}

TEST(broken_escapes_are_refused)
{
    static const char *const cases[] = { "%", "%4", "a%", "%zz", "%4g", "%%41", "%-1", "% 1" };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct arena arena = { 0 };
        struct error err = { 0 };
        struct bytes got = { 0 };
        struct fields fields = { 0 };
        EXPECT(!uri_decode(bytes_of_text(cases[i]), false, &arena, &got, &err), "%s", cases[i]);
        EXPECT(err.fault == FAULT_MALFORMED && err.told[0], "%s: fault %d", cases[i], err.fault);
        EXPECT(!uri_query(bytes_of_text(cases[i]), &arena, &fields, &err), "query %s", cases[i]);
        EXPECT(!uri_check_path(bytes_of_text(arena_printf(&arena, "/%s", cases[i])), &err), "path %s",
               cases[i]);
        arena_release(&arena);
    }
}

TEST(HTP_20_targets_come_in_origin_and_absolute_form)
{
    static const struct {
        const char *target, *path, *query;
    } cases[] = {
        { "/", "/", "" },
        { "/a/b?c=d", "/a/b", "c=d" },
        { "/a?", "/a", "" },
        { "/a?b?c", "/a", "b?c" },
        { "https://h/dicom-web/studies", "/dicom-web/studies", "" },
        { "HTTP://h:8443/a?b", "/a", "b" },
        { "https://h", "/", "" },
        { "https://h?x", "/", "x" },
        { "*", "*", "" },
        { "/a?x=http://b/", "/a", "x=http://b/" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct error err = { 0 };
        struct bytes path = { 0 }, query = { 0 };
        EXPECT(uri_split(bytes_of_text(cases[i].target), &path, &query, &err), "%s", cases[i].target);
        EXPECT_TEXT(path, cases[i].path);
        EXPECT_TEXT(query, cases[i].query);
    }
}

TEST(targets_that_are_no_paths_are_refused)
{
    static const char *const cases[] = { "",          "a",        "?a",    "https://", "https:///a",
                                         "ftp://h/a", "/a b",     "/a\tb", "/a\x7f",   "/a#b",
                                         "**",        "host:443", "\n/" };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct error err = { 0 };
        struct bytes path = { 0 }, query = { 0 };
        EXPECT(!uri_split(bytes_of_text(cases[i]), &path, &query, &err), "accepted \"%s\"", cases[i]);
        EXPECT(err.fault == FAULT_MALFORMED, "\"%s\" gave fault %d", cases[i], err.fault);
    }
}

TEST(GEN_06_a_query_is_split_before_it_is_decoded)
{
    struct arena arena = { 0 };
    struct error err = { 0 };
    struct fields fields = { 0 };
    const char *query = "&PatientName=A%26B%3DC&&x=1=2&flag&%61=b+c%2B&empty=&=v";
    static const char *const want[][2] = { { "PatientName", "A&B=C" },
                                           { "x", "1=2" },
                                           { "flag", "" },
                                           { "a", "b c+" },
                                           { "empty", "" },
                                           { "", "v" } };

    EXPECT(uri_query(bytes_of_text(query), &arena, &fields, &err), "%s", err.detail);
    if (!EXPECT(fields.count == COUNT_OF(want), "%zu fields", fields.count))
        return;
    for (size_t i = 0; i < COUNT_OF(want); i++) {
        EXPECT_TEXT(fields.list[i].name, want[i][0]);
        EXPECT_TEXT(fields.list[i].value, want[i][1]);
    }
    arena_release(&arena);
}

TEST(the_query_of_a_viewer_comes_out_as_meant)
{
    struct arena arena = { 0 };
    struct error err = { 0 };
    struct fields fields = { 0 };

    EXPECT(uri_query(bytes_of_text("limit=101&offset=0&fuzzymatching=true&includefield=00081030%2C00080060&"
                                   "PatientName=*D%C3%B6e%5EJ%3F*"),
                     &arena, &fields, &err),
           "%s", err.detail);
    EXPECT_TEXT(fields_find(&fields, "includefield")->value, "00081030,00080060");
    EXPECT_TEXT(fields_find(&fields, "PatientName")->value, "*D\xC3\xB6"
                                                            "e^J?*");
    arena_release(&arena);
}

TEST(SEA_16_queries_that_are_not_UTF_8_or_hold_a_NUL_are_refused)
{
    static const char *const cases[] = { "PatientName=%FF", "%C3=a", "a=%ED%A0%80",
                                         "a=%00",           "a%00b", "a=\xE2\x82" };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct arena arena = { 0 };
        struct error err = { 0 };
        struct fields fields = { 0 };
        EXPECT(!uri_query(bytes_of_text(cases[i]), &arena, &fields, &err), "accepted %s", cases[i]);
        EXPECT(err.fault == FAULT_MALFORMED, "%s gave fault %d", cases[i], err.fault);
        EXPECT(fields.count == 0, "touched");
        arena_release(&arena);
    }
}

TEST(a_query_has_a_ceiling)
{
    struct arena arena = { 0 };
    struct error err = { 0 };
    struct fields fields = { 0 };
    char query[2 * (URI_QUERY_PARAMETERS + 1)];

    for (size_t i = 0; i < sizeof query; i += 2)
        memcpy(query + i, "a&", 2);
    EXPECT(uri_query(bytes_of(query, sizeof query - 2), &arena, &fields, &err), "%s", err.detail);
    EXPECT(fields.count == URI_QUERY_PARAMETERS, "%zu", fields.count);
    EXPECT(!uri_query(bytes_of(query, sizeof query), &arena, &fields, &err), "accepted one more");
    arena_release(&arena);
}

TEST(UTF_8_is_known_from_what_looks_like_it)
{
    static const char *const good[] = { "",
                                        "abc",
                                        "\xC2\x80",
                                        "\xDF\xBF",
                                        "\xE0\xA0\x80",
                                        "\xED\x9F\xBF",
                                        "\xEE\x80\x80",
                                        "\xF0\x90\x80\x80",
                                        "\xF4\x8F\xBF\xBF",
                                        "\xE6\x97\xA5x" };
    static const char *const bad[] = { "\x80",
                                       "\xC0\x80",
                                       "\xC1\xBF",
                                       "\xC2",
                                       "\xC2x",
                                       "\xE0\x9F\x80",
                                       "\xED\xA0\x80",
                                       "\xE2\x82",
                                       "\xE2\x82x",
                                       "\xF0\x8F\x80\x80",
                                       "\xF4\x90\x80\x80",
                                       "\xF5\x80\x80\x80",
                                       "\xFF",
                                       "\xF0\x90\x80",
                                       "a\xBF" };

    for (size_t i = 0; i < COUNT_OF(good); i++)
        EXPECT(uri_is_utf8(bytes_of_text(good[i])), "refused good %zu", i);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        EXPECT(!uri_is_utf8(bytes_of_text(bad[i])), "accepted bad %zu", i);
}

TEST(HTP_10_a_path_never_leaves_its_place)
{
    static const char *const bad[] = {
        "",         "a",         "//",           "/a//b",   "/a//",   "/.",    "/..",   "/a/../b", "/a/./b",
        "/%2e%2e/", "/a/%2E./b", "/studies/%2F", "/a%2fb",  "/a%5Cb", "/a\\b", "/a%00", "/a%0a",   "/a\nb",
        "/a%7f",    "*",         "/%2e",         "/a/.%2e",
    };
    static const char *const good[] = {
        "/", "/a", "/a/", "/studies/1.2.3/series", "/a.b/..c/...", "/frames/1%2C2", "/a%20b", "/%41"
    };

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct error err = { 0 };
        EXPECT(!uri_check_path(bytes_of_text(bad[i]), &err), "accepted \"%s\"", bad[i]);
        EXPECT(err.fault == FAULT_MALFORMED, "\"%s\" gave fault %d", bad[i], err.fault);
    }
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct error err = { 0 };
        EXPECT(uri_check_path(bytes_of_text(good[i]), &err), "refused \"%s\": %s", good[i], err.detail);
    }
}
