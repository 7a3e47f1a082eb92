/* tests/unit/http/accept_property_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Accept by property: lists are made up, written down in every way that RFC 9110 allows and viewers use,
 * read, and weighed; what comes out must be what was made up, and what a second, slower weighing says that
 * goes from the most specific kind of range down. The seed is fixed, so that a failure comes again.
 */
#include "tests/support/expect.h"

#include <stdlib.h>

#include "base/buffer.h"
#include "http/accept.h"

enum { ROUNDS = 20000, RANGES_MOST = 6 };

static uint64_t seed = 88172645463325252ULL;

static unsigned dice(unsigned sides)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed % sides);
}

static const char *const types[] = { "application", "image", "text", "*" };
static const char *const subtypes[] = { "octet-stream", "dicom+json", "jls", "jpeg", "*" };
static const char *const syntaxes[] = { NULL, "*", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.80" };

struct made {
    bool multipart;
    const char *type, *subtype, *syntax; /* syntax NULL: not named */
    unsigned q;
};

static struct made make_range(void)
{
    struct made made = { .multipart = dice(2),
                         .type = types[dice(4)],
                         .subtype = subtypes[dice(5)],
                         .syntax = syntaxes[dice(4)],
                         .q = dice(3) ? 1000 : dice(1001) };

    if (strcmp(made.type, "*") == 0)
        made.subtype = "*";
    return made;
}

/* ── writing it down ── */

static void space(struct buffer *text)
{
    static const char *const spaces[] = { "", "", " ", "\t", "  " };

    buffer_append_text(text, spaces[dice(5)]);
}

static void in_any_case(struct buffer *text, const char *word)
{
    const bool loud = dice(4) == 0;

    for (; *word; word++)
        buffer_append_byte(text,
                           loud && *word >= 'a' && *word <= 'z' ? (uint8_t)(*word - 32) : (uint8_t)*word);
}

static void parameter(struct buffer *text, const char *name, const char *value, bool quoted)
{
    space(text);
    buffer_append_byte(text, ';');
    space(text);
    in_any_case(text, name);
    buffer_append_text(text, quoted ? "=\"" : "=");
    buffer_append_text(text, value);
    if (quoted)
        buffer_append_byte(text, '"');
}

static void write_q(struct buffer *text, unsigned q)
{
    char value[32];

    if (q == 1000 && dice(2))
        return;
    if (q % 1000 == 0 && dice(2))
        snprintf(value, sizeof value, "%u", q / 1000);
    else if (q % 100 == 0 && dice(2))
        snprintf(value, sizeof value, "%u.%u", q / 1000, q % 1000 / 100);
    else
        snprintf(value, sizeof value, "%u.%03u", q / 1000, q % 1000);
    parameter(text, "q", value, false);
}

static void write_range(struct buffer *text, const struct made *made)
{
    char type[64];

    snprintf(type, sizeof type, "%s/%s", made->type, made->subtype);
    if (!made->multipart) {
        in_any_case(text, type);
    } else if (strcmp(made->type, "*") == 0 && dice(2)) {
        in_any_case(text, dice(2) ? "multipart/related" : "multipart/*");
    } else {
        in_any_case(text, "multipart/related");
        parameter(text, "type", type, dice(2));
    }
    /* q may stand anywhere, so that its place tells nothing. */
    const bool early = dice(2);
    if (early)
        write_q(text, made->q);
    if (made->syntax)
        parameter(text, "transfer-syntax", made->syntax, dice(2));
    if (dice(5) == 0)
        parameter(text, "boundary", "a,b;c=\\\"d", true);
    if (!early)
        write_q(text, made->q);
}

static void write_list(struct buffer *text, const struct made *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i > 0 || dice(8) == 0) {
            space(text);
            buffer_append_byte(text, ',');
        }
        space(text);
        if (dice(8) == 0)
            buffer_append_text(text, ", nonsense,");
        write_range(text, &list[i]);
    }
    if (dice(8) == 0)
        buffer_append_text(text, " , ");
}

/* ── weighing it ── */

static bool is_star(const char *text)
{
    return strcmp(text, "*") == 0;
}

enum type_kind { EXACT, OF_MAIN_TYPE, OF_PARTS, OF_ANYTHING, TYPE_KINDS };
enum syntax_kind { NAMED, NOT_NAMED, ANY, SYNTAX_KINDS };

static bool meets_type(const struct made *range, enum type_kind kind, bool multipart, const char *type,
                       const char *subtype)
{
    switch (kind) {
    case EXACT:
        return range->multipart == multipart && strcmp(range->type, type) == 0 &&
               strcmp(range->subtype, subtype) == 0;
    case OF_MAIN_TYPE:
        return range->multipart == multipart && strcmp(range->type, type) == 0 && is_star(range->subtype);
    case OF_PARTS:
        return multipart && range->multipart && is_star(range->type);
    case OF_ANYTHING:
        return !range->multipart && is_star(range->type);
    case TYPE_KINDS:
        break;
    }
    return false;
}

static bool meets_syntax(const struct made *range, enum syntax_kind kind, const char *syntax_or_null,
                         bool is_default)
{
    switch (kind) {
    case NAMED:
        return range->syntax && syntax_or_null && strcmp(range->syntax, syntax_or_null) == 0;
    case NOT_NAMED:
        return !range->syntax && (!syntax_or_null || is_default);
    case ANY:
        return range->syntax && (is_star(range->syntax) || !syntax_or_null);
    case SYNTAX_KINDS:
        break;
    }
    return false;
}

static unsigned weigh(const struct made *list, size_t count, bool multipart, const char *type,
                      const char *subtype, const char *syntax_or_null, bool is_default)
{
    for (unsigned by_type = 0; by_type < TYPE_KINDS; by_type++)
        for (unsigned by_syntax = 0; by_syntax < SYNTAX_KINDS; by_syntax++) {
            bool met = false;
            unsigned best = 0;
            for (size_t i = 0; i < count; i++)
                if (meets_type(&list[i], by_type, multipart, type, subtype) &&
                    meets_syntax(&list[i], by_syntax, syntax_or_null, is_default)) {
                    met = true;
                    best = list[i].q > best ? list[i].q : best;
                }
            if (met)
                return best;
        }
    return 0;
}

static bool read_back(const struct made *list, size_t count, const struct accept *accept)
{
    if (accept->count != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct accept_range *range = &accept->list[i];
        if (range->multipart != list[i].multipart || !bytes_equal_text(range->type, list[i].type) ||
            !bytes_equal_text(range->subtype, list[i].subtype) || range->q != list[i].q ||
            range->place != i || !bytes_equal_text(range->transfer_syntax, list[i].syntax))
            return false;
    }
    return true;
}

TEST(NEG_06_what_is_written_in_any_lawful_way_is_read_and_weighed_alike)
{
    static const char *const offered[] = { NULL, "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.80" };
    unsigned wrong = 0;

    for (unsigned round = 0; round < ROUNDS && wrong < 5; round++) {
        struct made list[RANGES_MOST];
        struct arena arena = { 0 };
        struct accept accept = { 0 };
        struct buffer text;
        const size_t count = 1 + dice(RANGES_MOST);

        for (size_t i = 0; i < count; i++)
            list[i] = make_range();
        buffer_init(&text, 1 << 16);
        write_list(&text, list, count);
        accept_parse(buffer_bytes(&text), &arena, &accept);
        wrong += !EXPECT(read_back(list, count, &accept), "round %u: \"%.*s\" read as %zu of %zu", round,
                         BYTES_ARG(buffer_bytes(&text)), accept.count, count);
        for (unsigned i = 0; i < 10; i++) {
            const char *type = types[dice(3)], *subtype = subtypes[dice(4)], *syntax = offered[dice(3)];
            const bool multipart = dice(2), is_default = dice(2);
            const char *both = arena_printf(&arena, "%s/%s", type, subtype);
            const unsigned got = accept_quality(&accept, multipart, both, syntax, is_default, NULL);
            const unsigned want = weigh(list, count, multipart, type, subtype, syntax, is_default);
            wrong += !EXPECT(got == want, "round %u: \"%.*s\" takes %s %s%s with %u, want %u", round,
                             BYTES_ARG(buffer_bytes(&text)), both, syntax ? syntax : "",
                             is_default ? " (default)" : "", got, want);
        }
        buffer_done(&text);
        arena_release(&arena);
    }
}

/* ── what viewers were seen to send ── */

struct vector {
    const char *query, *header; /* the query text, or "" */
    size_t count;
    struct made first, last;
};

TEST(each_header_of_the_field_is_read_as_it_was_meant)
{
    static const struct vector vectors[] = {
        /* OHIF, Cornerstone3D, the legacy loader: frames */
        { "",
          "multipart/related; type=application/octet-stream; transfer-syntax=*",
          1,
          { true, "application", "octet-stream", "*", 1000 },
          { true, "application", "octet-stream", "*", 1000 } },
        /* OHIF with quotes and a chosen syntax: the syntax is quoted, too */
        { "",
          "multipart/related; type=\"image/jls\"; transfer-syntax=\"1.2.840.10008.1.2.4.80\"",
          1,
          { true, "image", "jls", "1.2.840.10008.1.2.4.80", 1000 },
          { true, "image", "jls", "1.2.840.10008.1.2.4.80", 1000 } },
        /* OHIF, single parts */
        { "",
          "application/octet-stream; transfer-syntax=*",
          1,
          { false, "application", "octet-stream", "*", 1000 },
          { false, "application", "octet-stream", "*", 1000 } },
        /* the Python client */
        { "",
          "multipart/related; type=\"*/*\"",
          1,
          { true, "*", "*", NULL, 1000 },
          { true, "*", "*", NULL, 1000 } },
        { "",
          "application/dicom+json, application/json",
          2,
          { false, "application", "dicom+json", NULL, 1000 },
          { false, "application", "json", NULL, 1000 } },
        /* instances */
        { "",
          "multipart/related; type=\"application/dicom\"",
          1,
          { true, "application", "dicom", NULL, 1000 },
          { true, "application", "dicom", NULL, 1000 } },
        { "",
          "multipart/related; type=application/dicom; transfer-syntax=*",
          1,
          { true, "application", "dicom", "*", 1000 },
          { true, "application", "dicom", "*", 1000 } },
        /* OHIF: PDF */
        { "",
          "multipart/related; type=\"application/pdf\", multipart/related; type=\"application/octet-stream\"",
          2,
          { true, "application", "pdf", NULL, 1000 },
          { true, "application", "octet-stream", NULL, 1000 } },
        /* OHIF: thumbnails, where the parameter contradicts the header and comes first */
        { "accept=image%2Fjpeg",
          "multipart/related; type=\"application/octet-stream\"",
          2,
          { false, "image", "jpeg", NULL, 1000 },
          { true, "application", "octet-stream", NULL, 1000 } },
        /* an <img> of thumbnailDirect, in Chromium */
        { "accept=image/jpeg",
          "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
          7,
          { false, "image", "jpeg", NULL, 1000 },
          { false, "*", "*", NULL, 800 } },
        /* Cornerstone3D when the URL has accept=: the browser's own */
        { "accept=application%2Foctet-stream",
          "*/*",
          2,
          { false, "application", "octet-stream", NULL, 1000 },
          { false, "*", "*", NULL, 1000 } },
        { "accept=multipart%2Frelated%3B%20type%3D%22application%2Fdicom%22&x=y",
          "*/*",
          2,
          { true, "application", "dicom", NULL, 1000 },
          { false, "*", "*", NULL, 1000 } },
        { "accept=application/dicom+json",
          "",
          1,
          { false, "application", "dicom+json", NULL, 1000 },
          { false, "application", "dicom+json", NULL, 1000 } },
        /* a browser's page */
        { "",
          "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
          6,
          { false, "text", "html", NULL, 1000 },
          { false, "*", "*", NULL, 800 } },
        { "", "*/*", 1, { false, "*", "*", NULL, 1000 }, { false, "*", "*", NULL, 1000 } },
        /* old Cornerstone and dicomweb-client */
        { "",
          "multipart/related; type=\"image/x-jls\"; transfer-syntax=1.2.840.10008.1.2.4.80",
          1,
          { true, "image", "x-jls", "1.2.840.10008.1.2.4.80", 1000 },
          { true, "image", "x-jls", "1.2.840.10008.1.2.4.80", 1000 } },
    };

    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        struct arena arena = { 0 };
        struct request request = { .arena = &arena, .query_text = bytes_of_text(vectors[i].query) };
        struct accept accept = { 0 };
        struct error err = { 0 };

        if (vectors[i].header[0])
            fields_add(&request.headers, &arena, bytes_of_text("accept"), bytes_of_text(vectors[i].header));
        if (EXPECT(accept_read(&request, &arena, &accept, &err), "%zu: %s", i, err.detail) &&
            EXPECT(accept.count == vectors[i].count, "%zu: %zu ranges of \"%s\"", i, accept.count,
                   vectors[i].header)) {
            struct accept ends[2] = { { accept.list, 1, false },
                                      { &accept.list[accept.count - 1], 1, false } };
            ends[1].list[0].place = 0;
            EXPECT(read_back(&vectors[i].first, 1, &ends[0]), "%zu: the first of \"%s\"", i,
                   vectors[i].header);
            EXPECT(read_back(&vectors[i].last, 1, &ends[1]), "%zu: the last of \"%s\"", i, vectors[i].header);
        }
        arena_release(&arena);
    }
}
