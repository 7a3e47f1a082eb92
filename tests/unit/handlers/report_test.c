/* tests/unit/handlers/report_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Reports as text: what stands in a file never becomes markup, however deep or broken the tree is.
 */
#include "handlers/report.h"

#include "tests/support/expect.h"

#define TEXT_ITEM(name, text) \
    "{\"0040A010\":{\"vr\":\"CS\",\"Value\":[\"CONTAINS\"]},\"0040A040\":{\"vr\":\"CS\",\"Value\":[" \
    "\"TEXT\"]}," \
    "\"0040A043\":{\"vr\":\"SQ\",\"Value\":[{\"00080104\":{\"vr\":\"LO\",\"Value\":[\"" name "\"]}}]}," \
    "\"0040A160\":{\"vr\":\"UT\",\"Value\":[\"" text "\"]}}"

static struct buffer written(const char *json, enum report_form form)
{
    struct buffer into;

    buffer_init(&into, 1 << 24);
    report_write(bytes_of_text(json), form, &into);
    return into;
}

static bool holds(const struct buffer *text, const char *part)
{
    return memmem(text->data, text->size, part, strlen(part)) != NULL;
}

TEST(REN_09_nothing_of_the_file_becomes_markup)
{
    static const char json[] = "{\"0040A730\":{\"vr\":\"SQ\",\"Value\":[" TEXT_ITEM(
        "<img src=x onerror=alert(1)>", "<script>alert('x')</script> & \\\"quoted\\\" \\u0001") "]}}";
    SCOPED(buffer) struct buffer html = written(json, REPORT_HTML);
    SCOPED(buffer) struct buffer xml = written(json, REPORT_XML);

    EXPECT(!holds(&html, "<script") && !holds(&html, "<img"), "%.*s", (int)html.size, (char *)html.data);
    EXPECT(holds(&html, "&lt;script&gt;") && holds(&html, "&amp; &quot;quoted&quot;"), "%.*s", (int)html.size,
           (char *)html.data);
    EXPECT(!holds(&xml, "<script") && !holds(&xml, "\x01"), "%.*s", (int)xml.size, (char *)xml.data);
}

TEST(REN_09_a_tree_deeper_than_a_stack_ends)
{
    struct buffer json;

    buffer_init(&json, 1 << 24);
    for (unsigned i = 0; i < 20000; i++)
        buffer_append_text(&json, "{\"0040A730\":{\"vr\":\"SQ\",\"Value\":[");
    buffer_append_text(&json, "{}");
    for (unsigned i = 0; i < 20000; i++)
        buffer_append_text(&json, "]}}");
    buffer_append_byte(&json, '\0');
    SCOPED(buffer) struct buffer html = written((const char *)json.data, REPORT_HTML);
    EXPECT(holds(&html, "</html>") && html.size < 100000, "%zu bytes", html.size);
    buffer_done(&json);
}

TEST(what_is_no_report_gives_an_empty_one)
{
    static const char *const cases[] = {
        "",
        "{}",
        "[",
        "{\"0040A730\":{\"vr\":\"SQ\"}}",
        "{\"0040A730\":5}",
        "{\"0040A730\":{\"vr\":\"SQ\",\"Value\":[{\"0040A160\":{\"vr\":\"UT\",\"Value\":["
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (int form = REPORT_HTML; form <= REPORT_XML; form++) {
            SCOPED(buffer) struct buffer text = written(cases[i], (enum report_form)form);
            EXPECT(text.size > 0 && text.size < 2000, "case %zu, form %d: %zu bytes", i, form, text.size);
        }
}
