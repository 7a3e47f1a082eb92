/* tests/unit/http/accept_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The headers here are those that viewers and browsers were seen to send.
 */
#include "tests/support/expect.h"

#include "http/accept.h"

#define EXPLICIT "1.2.840.10008.1.2.1"
#define JPEG "1.2.840.10008.1.2.4.50"
#define JPEG_LOSSLESS "1.2.840.10008.1.2.4.70"
#define JPEG_LS "1.2.840.10008.1.2.4.80"
#define JPEG_LS_NEAR "1.2.840.10008.1.2.4.81"
#define OCTETS "application/octet-stream"

static const char cornerstone[] = "multipart/related; type=application/octet-stream; transfer-syntax=*";
static const char microscopy[] =
    "multipart/related; type=\"image/jls\"; transfer-syntax=1.2.840.10008.1.2.4.80, "
    "multipart/related; type=\"image/jls\"; transfer-syntax=1.2.840.10008.1.2.4.81, "
    "multipart/related; type=\"image/jp2\"; transfer-syntax=1.2.840.10008.1.2.4.90, "
    "multipart/related; type=\"image/jp2\"; transfer-syntax=1.2.840.10008.1.2.4.91, "
    "multipart/related; type=\"image/jpx\"; transfer-syntax=1.2.840.10008.1.2.4.92, "
    "multipart/related; type=\"image/jpx\"; transfer-syntax=1.2.840.10008.1.2.4.93, "
    "multipart/related; type=\"application/octet-stream\"; transfer-syntax=*, "
    "multipart/related; type=\"image/jpeg\"; transfer-syntax=1.2.840.10008.1.2.4.50";
static const char browser[] =
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";
static const char browser_image[] = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8";

enum { SINGLE, PARTS };

/* What quality an offer has with a header. */
struct weighing {
    const char *header;
    int parts;
    const char *type, *syntax;
    bool is_default;
    unsigned want;
};

static void expect_qualities(const struct weighing *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct arena arena = { 0 };
        struct accept accept = { 0 };
        accept_parse(bytes_of_text(cases[i].header), &arena, &accept);
        const unsigned got = accept_quality(&accept, cases[i].parts == PARTS, cases[i].type, cases[i].syntax,
                                            cases[i].is_default, NULL);
        EXPECT(got == cases[i].want, "case %zu: \"%s\" takes %s %s with %u, want %u", i, cases[i].header,
               cases[i].type, cases[i].syntax ? cases[i].syntax : "", got, cases[i].want);
        arena_release(&arena);
    }
}

TEST(NEG_01_lists_with_odd_elements_keep_the_good_ones)
{
    static const struct weighing cases[] = {
        { "bogus,,application/dicom+json;q=0.5 , */*;q=0", SINGLE, "application/dicom+json", NULL, true,
          500 },
        { "bogus,,application/dicom+json;q=0.5 , */*;q=0", SINGLE, "text/html", NULL, true, 0 },
        { "APPLICATION/Dicom+JSON; Q=0.25", SINGLE, "application/dicom+json", NULL, true, 250 },
        { "a/b;x=\"c,d;q=0\";q=0.125", SINGLE, "a/b", NULL, true, 125 },
        { "a/b;x=\"unclosed, c/d", SINGLE, "c/d", NULL, true, 0 },
        { "a/b;q=2, c/d;q=x, e/f;q=0.1234, g/h;q=, i/j;q=1.001, k/l;q=-1", SINGLE, "a/b", NULL, true, 0 },
        { "a/b;q=2, c/d;q=x, e/f;q=0.1234, g/h;q=, i/j;q=1.001", SINGLE, "e/f", NULL, true, 0 },
        { "a/b;q=2, c/d;q=x, e/f;q=0.1234, g/h;q=, i/j;q=1.001", SINGLE, "i/j", NULL, true, 0 },
        { "a/b;q=1.000, c/d;q=0., e/f;q=1", SINGLE, "a/b", NULL, true, 1000 },
        { "a/b;q=1.000, c/d;q=0., e/f;q=1.", SINGLE, "e/f", NULL, true, 1000 },
        { "*/json", SINGLE, "application/json", NULL, true, 0 },
        { "a/b;boundary=**;unknown", SINGLE, "a/b", NULL, true, 0 },
        { "a/b;boundary=**;unknown=1", SINGLE, "a/b", NULL, true, 1000 },
    };

    expect_qualities(cases, COUNT_OF(cases));
}

TEST(NEG_02_the_type_of_parts_comes_quoted_and_bare)
{
    static const struct weighing cases[] = {
        { cornerstone, PARTS, OCTETS, JPEG_LS, false, 1000 },
        { cornerstone, PARTS, OCTETS, EXPLICIT, true, 1000 },
        { cornerstone, SINGLE, OCTETS, JPEG_LS, false, 0 },
        { cornerstone, PARTS, "image/jls", JPEG_LS, true, 0 },
        { "multipart/related; type=\"application/octet-stream\"; transfer-syntax=*", PARTS, OCTETS, JPEG,
          false, 1000 },
        { "multipart/related; transfer-syntax=*;boundary=\"**\" ; Type = \"application/octet-stream\"", PARTS,
          OCTETS, JPEG, false, 1000 },
        { "multipart/related; type=\"image/jls\"; transfer-syntax=\"1.2.840.10008.1.2.4.80\"", PARTS,
          "image/jls", JPEG_LS, true, 1000 },
        { "multipart/related; type=\"application/dicom\"", PARTS, "application/dicom", EXPLICIT, true, 1000 },
        { "multipart/related; type=application/dicom; transfer-syntax=*", PARTS, "application/dicom", JPEG,
          false, 1000 },
        { "application/octet-stream; transfer-syntax=*", SINGLE, OCTETS, JPEG, false, 1000 },
        { "application/octet-stream; transfer-syntax=*", PARTS, OCTETS, JPEG, false, 0 },
        { "multipart/form-data; type=\"application/dicom\"", PARTS, "application/dicom", EXPLICIT, true, 0 },
        { "multipart/related; type=nonsense", PARTS, "application/dicom", EXPLICIT, true, 0 },
    };

    expect_qualities(cases, COUNT_OF(cases));
}

TEST(NEG_03_the_syntax_may_stand_inside_the_quoted_type)
{
    static const struct weighing cases[] = {
        { "multipart/related; type=\"image/jls; transfer-syntax=1.2.840.10008.1.2.4.81\"", PARTS, "image/jls",
          JPEG_LS_NEAR, false, 1000 },
        { "multipart/related; type=\"image/jls; transfer-syntax=1.2.840.10008.1.2.4.81\"", PARTS, "image/jls",
          JPEG_LS, true, 0 },
        { "multipart/related; type=\"application/octet-stream; transfer-syntax=*\"", PARTS, OCTETS, JPEG,
          false, 1000 },
    };

    expect_qualities(cases, COUNT_OF(cases));
}

TEST(NEG_04_wildcards_stand_anywhere)
{
    static const struct weighing cases[] = {
        { "*/*", PARTS, OCTETS, EXPLICIT, true, 1000 },
        { "*/*", SINGLE, "application/dicom+json", NULL, false, 1000 },
        { "*/*", PARTS, OCTETS, JPEG, false, 0 },
        { "*/*; transfer-syntax=*", PARTS, OCTETS, JPEG, false, 1000 },
        { "image/*", SINGLE, "image/png", NULL, true, 1000 },
        { "image/*", PARTS, "image/jls", JPEG_LS, true, 0 },
        { "multipart/related; type=\"image/*\"; boundary=**", PARTS, "image/jls", JPEG_LS, true, 1000 },
        { "multipart/related; type=\"image/*\"; boundary=**", PARTS, OCTETS, EXPLICIT, true, 0 },
        { "multipart/related; type=\"*/*\"", PARTS, OCTETS, EXPLICIT, true, 1000 },
        { "multipart/related; type=\"*/*\"", PARTS, OCTETS, JPEG, false, 0 },
        { "multipart/related; type=\"*/*\"; transfer-syntax=*", PARTS, OCTETS, JPEG, false, 1000 },
        { "multipart/*", PARTS, "application/dicom", EXPLICIT, true, 1000 },
        { "multipart/*", SINGLE, "application/dicom", EXPLICIT, true, 0 },
        { "multipart/related", PARTS, "application/dicom", EXPLICIT, true, 1000 },
    };

    expect_qualities(cases, COUNT_OF(cases));
}

TEST(NEG_06_the_most_specific_range_decides)
{
    static const struct weighing cases[] = {
        { "text/*;q=0.3, text/html;q=0.7, text/*;q=0.4, */*;q=0.5", SINGLE, "text/html", NULL, true, 700 },
        { "text/*;q=0.3, text/html;q=0.7, */*;q=0.5", SINGLE, "text/plain", NULL, true, 300 },
        { "text/*;q=0.3, text/html;q=0.7, */*;q=0.5", SINGLE, "image/jpeg", NULL, true, 500 },
        { "text/*, text/html;q=0", SINGLE, "text/html", NULL, true, 0 },
        { browser, SINGLE, "application/dicom+json", NULL, true, 800 },
        { browser_image, SINGLE, "image/jpeg", NULL, true, 1000 },
        { "multipart/related; type=\"image/jls\"; transfer-syntax=1.2.840.10008.1.2.4.81;q=0.2, "
          "multipart/related; type=\"image/jls\"; transfer-syntax=*",
          PARTS, "image/jls", JPEG_LS_NEAR, false, 200 },
        { "application/dicom; transfer-syntax=*;q=0.4, application/dicom;q=0.6", SINGLE, "application/dicom",
          EXPLICIT, true, 600 },
        { "application/dicom; transfer-syntax=*;q=0.4, application/dicom;q=0.6", SINGLE, "application/dicom",
          JPEG, false, 400 },
        { "*/*;q=0.1, multipart/*;q=0.2, multipart/related; type=\"image/*\";q=0.3", PARTS, OCTETS, EXPLICIT,
          true, 200 },
        { "a/b;q=0.2, a/b;q=0.9, a/b;q=0.4", SINGLE, "a/b", NULL, true, 900 },
    };

    expect_qualities(cases, COUNT_OF(cases));
}

TEST(NEG_30_a_list_of_syntaxes_in_one_range_makes_it_void)
{
    static const struct weighing cases[] = {
        { "application/dicom; transfer-syntax=1.2.840.10008.1.2.1,1.2.840.10008.1.2.4.50", SINGLE,
          "application/dicom", EXPLICIT, true, 0 },
        { "application/dicom; transfer-syntax=1.2.840.10008.1.2.1, 1.2.840.10008.1.2.4.50,1.2.3, a/b", SINGLE,
          "a/b", NULL, true, 1000 },
        { "a/b, application/dicom; transfer-syntax=1.2.840.10008.1.2.1, 1.2.840.10008.1.2.4.50,1.2.3", SINGLE,
          "a/b", NULL, true, 1000 },
        { "application/dicom; transfer-syntax=\"1.2.840.10008.1.2.1,1.2.840.10008.1.2.4.50\"", SINGLE,
          "application/dicom", EXPLICIT, true, 0 },
        { "application/dicom; transfer-syntax=1.2.840.10008.1.2.1 1.2.840.10008.1.2.4.50", SINGLE,
          "application/dicom", EXPLICIT, true, 0 },
    };

    expect_qualities(cases, COUNT_OF(cases));
}

TEST(NEG_31_a_named_syntax_means_only_that_and_no_name_the_default)
{
    static const struct weighing cases[] = {
        { "application/dicom", SINGLE, "application/dicom", EXPLICIT, true, 1000 },
        { "application/dicom", SINGLE, "application/dicom", JPEG, false, 0 },
        { "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.50", SINGLE, "application/dicom", JPEG,
          false, 1000 },
        { "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.50", SINGLE, "application/dicom", EXPLICIT,
          true, 0 },
        { "image/jpeg", SINGLE, "image/jpeg", JPEG_LOSSLESS, true, 1000 },
        { "image/jpeg", SINGLE, "image/jpeg", JPEG, false, 0 },
        { "image/jpeg; transfer-syntax=*", SINGLE, "image/jpeg", NULL, false, 1000 },
        { "image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50", SINGLE, "image/jpeg", NULL, false, 1000 },
    };

    expect_qualities(cases, COUNT_OF(cases));
}

TEST(the_place_tells_which_of_eight_alternatives_of_a_microscope_was_meant)
{
    struct arena arena = { 0 };
    struct accept accept = { 0 };
    uint32_t place = 99;

    accept_parse(bytes_of_text(microscopy), &arena, &accept);
    EXPECT(accept.count == 8, "%zu ranges", accept.count);
    EXPECT(accept_quality(&accept, true, "image/jpeg", JPEG, false, &place) == 1000 && place == 7, "place %u",
           place);
    EXPECT(accept_quality(&accept, true, OCTETS, JPEG, false, &place) == 1000 && place == 6, "place %u",
           place);
    EXPECT(accept_quality(&accept, true, "image/jls", JPEG_LS_NEAR, false, &place) == 1000 && place == 1,
           "place %u", place);
    EXPECT(accept_quality(&accept, true, "image/jpeg", JPEG_LOSSLESS, true, NULL) == 0, "not asked for");
    arena_release(&arena);
}

TEST(a_list_for_a_PDF_takes_octets_as_its_second)
{
    struct arena arena = { 0 };
    struct accept accept = { 0 };
    uint32_t place = 99;

    accept_parse(bytes_of_text("multipart/related; type=\"application/pdf\", "
                               "multipart/related; type=\"application/octet-stream\""),
                 &arena, &accept);
    EXPECT(accept_quality(&accept, true, OCTETS, EXPLICIT, true, &place) == 1000 && place == 1, "place %u",
           place);
    EXPECT(accept_quality(&accept, true, "application/pdf", NULL, true, &place) == 1000 && place == 0,
           "place %u", place);
    arena_release(&arena);
}

static struct request *make_request(struct arena *arena, const char *header, const char *query_text)
{
    struct request *request = arena_alloc(arena, sizeof *request);

    request->arena = arena;
    request->query_text = bytes_of_text(query_text);
    if (header)
        fields_add(&request->headers, arena, bytes_of_text("accept"), bytes_of_text(header));
    return request;
}

TEST(NEG_15_no_Accept_takes_defaults)
{
    static const char *const headers[] = { NULL, "", "  " };

    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        struct arena arena = { 0 };
        struct accept accept = { 0 };
        struct error err = { 0 };
        EXPECT(accept_read(make_request(&arena, headers[i], ""), &arena, &accept, &err), "%s", err.detail);
        EXPECT(accept.absent, "not absent");
        EXPECT(accept_quality(&accept, true, OCTETS, EXPLICIT, true, NULL) == 1000, "default");
        EXPECT(accept_quality(&accept, false, "application/dicom+json", NULL, false, NULL) == 1000,
               "no syntax");
        EXPECT(accept_quality(&accept, true, OCTETS, JPEG, false, NULL) == 0, "not default");
        arena_release(&arena);
    }
}

TEST(an_unreadable_Accept_takes_nothing)
{
    struct arena arena = { 0 };
    struct accept accept = { 0 };
    struct error err = { 0 };

    EXPECT(accept_read(make_request(&arena, "bogus", ""), &arena, &accept, &err), "%s", err.detail);
    EXPECT(!accept.absent && accept_quality(&accept, false, "text/plain", NULL, true, NULL) == 0, "takes");
    arena_release(&arena);
}

TEST(NEG_05_the_parameter_wins_over_a_header_that_contradicts_it)
{
    static const char *const queries[] = { "accept=image%2Fjpeg", "accept=image/jpeg",
                                           "viewport=1,2&accept=image%2fjpeg",
                                           "accept=image/jpeg&accept=image/png" };
    static const char header[] = "multipart/related; type=\"application/octet-stream\"";

    for (size_t i = 0; i < COUNT_OF(queries); i++) {
        struct arena arena = { 0 };
        struct accept accept = { 0 };
        struct error err = { 0 };
        EXPECT(accept_read(make_request(&arena, header, queries[i]), &arena, &accept, &err), "%s",
               err.detail);
        const unsigned jpeg = accept_quality(&accept, false, "image/jpeg", NULL, true, NULL);
        const unsigned octets = accept_quality(&accept, true, OCTETS, EXPLICIT, true, NULL);
        EXPECT(jpeg == 1000 && octets == 500, "%s: image/jpeg %u, octets %u", queries[i], jpeg, octets);
        EXPECT(accept_quality(&accept, false, "image/png", NULL, true, NULL) == 0, "%s", queries[i]);
        arena_release(&arena);
    }
}

TEST(NEG_05_the_header_counts_where_the_parameter_takes_nothing)
{
    struct arena arena = { 0 };
    struct accept accept = { 0 };
    struct error err = { 0 };
    uint32_t place = 0;

    EXPECT(
        accept_read(make_request(&arena, "image/webp, image/*;q=0, */*;q=0.002", "accept=image/jp2;q=0.001"),
                    &arena, &accept, &err),
        "%s", err.detail);
    const unsigned least = accept_quality(&accept, false, "image/jp2", NULL, true, NULL);
    const unsigned most = accept_quality(&accept, false, "image/webp", NULL, true, &place);
    EXPECT(least > most && most > 0 && place == 1, "%u, %u at %u", least, most, place);
    EXPECT(accept_quality(&accept, false, "image/png", NULL, true, NULL) == 0, "excluded by the header");
    EXPECT(accept_quality(&accept, false, "text/plain", NULL, true, NULL) == 1, "the least");
    arena_release(&arena);
}

TEST(NEG_09_a_plus_in_the_parameter_survives_raw_and_encoded)
{
    static const char *const queries[] = { "accept=application/dicom+json", "accept=application/dicom%2Bjson",
                                           "accept=application%2Fdicom%2bjson" };

    for (size_t i = 0; i < COUNT_OF(queries); i++) {
        struct arena arena = { 0 };
        struct accept accept = { 0 };
        struct error err = { 0 };
        EXPECT(accept_read(make_request(&arena, "*/*", queries[i]), &arena, &accept, &err), "%s", err.detail);
        EXPECT(accept_quality(&accept, false, "application/dicom+json", NULL, true, NULL) == 1000, "%s",
               queries[i]);
        arena_release(&arena);
    }
}

TEST(NEG_09_a_multipart_parameter_is_read_when_encoded_in_full)
{
    struct arena arena = { 0 };
    struct accept accept = { 0 };
    struct error err = { 0 };

    EXPECT(accept_read(make_request(&arena, NULL,
                                    "accept=multipart%2Frelated%3Btype%3D%22application%2Foctet-stream%22%3B"
                                    "transfer-syntax%3D*"),
                       &arena, &accept, &err),
           "%s", err.detail);
    EXPECT(accept_quality(&accept, true, OCTETS, JPEG, false, NULL) == 1000, "not taken");
    arena_release(&arena);
}

TEST(NEG_09_NEG_11_wildcards_and_mixtures_in_the_parameter_are_refused)
{
    static const char *const queries[] = { "accept=*/*",
                                           "accept=image/*",
                                           "accept=multipart/*",
                                           "accept=multipart/related;type=%22image/*%22",
                                           "accept=image/jpeg,*/*",
                                           "accept=application/dicom,text/html",
                                           "accept=image/png,application/dicom%2Bjson",
                                           "accept=%zz" };

    for (size_t i = 0; i < COUNT_OF(queries); i++) {
        struct arena arena = { 0 };
        struct accept accept = { 0 };
        struct error err = { 0 };
        EXPECT(!accept_read(make_request(&arena, "*/*", queries[i]), &arena, &accept, &err), "accepted %s",
               queries[i]);
        EXPECT(err.fault == FAULT_MALFORMED && err.told[0], "%s gave fault %d", queries[i], err.fault);
        arena_release(&arena);
    }
}

TEST(a_parameter_without_sense_leaves_the_header_alone)
{
    static const char *const queries[] = { "accept=", "accept", "accept=bogus", "Accept=image/jpeg",
                                           "xaccept=a/b" };

    for (size_t i = 0; i < COUNT_OF(queries); i++) {
        struct arena arena = { 0 };
        struct accept accept = { 0 };
        struct error err = { 0 };
        EXPECT(accept_read(make_request(&arena, "text/plain", queries[i]), &arena, &accept, &err), "%s",
               err.detail);
        EXPECT(accept.count == 1 && accept_quality(&accept, false, "text/plain", NULL, true, NULL) == 1000,
               "%s", queries[i]);
        arena_release(&arena);
    }
}

TEST(a_list_has_a_ceiling)
{
    struct arena arena = { 0 };
    struct accept accept = { 0 };
    struct error err = { 0 };
    char header[4 * 2000 + 1] = "";

    for (size_t i = 0; i < 2000; i++)
        memcpy(header + 4 * i, "a/b,", 4);
    EXPECT(accept_read(make_request(&arena, header, "accept=c/d"), &arena, &accept, &err), "%s", err.detail);
    EXPECT(accept.count == 256, "%zu ranges", accept.count);
    accept_parse(bytes_of_text(header), &arena, &accept);
    EXPECT(accept.count == 256, "%zu ranges", accept.count);
    arena_release(&arena);
}
