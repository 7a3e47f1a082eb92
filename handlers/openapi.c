/* handlers/openapi.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * OpenAPI, read off routes.def and route_notes.def.
 */
#include "handlers/openapi.h"

#include <ctype.h>
#include <string.h>

#include "handlers/route_notes.h"

static void member(struct buffer *into, const char *name, const char *text)
{
    buffer_printf(into, "\"%s\":", name);
    buffer_append_json_string(into, bytes_of_text(text));
}

/* getStudiesByStudySeries: unique since a pattern and a method are. */
static void write_operation_id(struct buffer *into, const struct route *route, const char *template)
{
    bool capital = true;

    buffer_append_text(into, "\"operationId\":\"");
    for (const char *at = method_text(route->method); *at; at++)
        buffer_append_byte(into, (uint8_t)tolower((unsigned char)*at));
    buffer_append_text(into, route->at_root ? "Root" : "");
    for (const char *at = template; *at; at++) {
        if (*at == '{')
            buffer_append_text(into, "By");
        if (isalnum((unsigned char)*at)) {
            buffer_append_byte(into, (uint8_t)(capital ? toupper((unsigned char)*at) : *at));
            capital = false;
        } else {
            capital = true;
        }
    }
    buffer_append_text(into, "\"");
}

static void write_parameter(struct buffer *into, bool *begun, struct bytes name, const char *in,
                            bool required)
{
    buffer_append_text(into, *begun ? ",{\"name\":" : "{\"name\":");
    buffer_append_json_string(into, name);
    buffer_printf(into, ",\"in\":\"%s\",\"required\":%s,\"schema\":{\"type\":\"string\"}}", in,
                  required ? "true" : "false");
    *begun = true;
}

static void write_parameters(struct buffer *into, const char *template, const char *query)
{
    struct bytes names = bytes_of_text(query);
    bool begun = false;

    buffer_append_text(into, ",\"parameters\":[");
    for (const char *at = strchr(template, '{'); at; at = strchr(at, '{')) {
        const char *end = strchr(at, '}');
        write_parameter(into, &begun, bytes_of(at + 1, (size_t)(end - at - 1)), "path", true);
        at = end;
    }
    while (names.size > 0)
        write_parameter(into, &begun, bytes_cut(&names, ' '), "query", false);
    buffer_append_text(into, "]");
}

static void write_content(struct buffer *into, const char *types)
{
    struct bytes rest = bytes_of_text(types);
    bool begun = false;

    buffer_append_text(into, "\"content\":{");
    while (rest.size > 0) {
        buffer_append_text(into, begun ? "," : "");
        buffer_append_json_string(into, bytes_cut(&rest, '|'));
        buffer_append_text(into, ":{\"schema\":{\"type\":\"string\",\"format\":\"binary\"}}");
        begun = true;
    }
    buffer_append_text(into, "}");
}

static void write_operation(struct buffer *into, const struct route *route, const char *template)
{
    const struct route_note *note = route_note_of(route);

    for (const char *at = method_text(route->method); *at; at++)
        buffer_printf(into, "%s%c", at == method_text(route->method) ? "\"" : "",
                      tolower((unsigned char)*at));
    buffer_append_text(into, "\":{");
    write_operation_id(into, route, template);
    if (note->summary[0]) {
        buffer_append_text(into, ",");
        member(into, "summary", note->summary);
    }
    write_parameters(into, template, note->query);
    if (note->takes[0]) {
        buffer_append_text(into, ",\"requestBody\":{\"required\":true,");
        write_content(into, note->takes);
        buffer_append_text(into, "}");
    }
    buffer_printf(into, ",\"responses\":{\"%s\":{\"description\":\"Success.\"",
                  route->method == METHOD_DELETE ? "204" : "200");
    if (note->gives[0]) {
        buffer_append_text(into, ",");
        write_content(into, note->gives);
    }
    buffer_append_text(into, "},\"default\":{\"description\":\"A refusal, which says why.\",");
    write_content(into, "application/problem+json|text/plain");
    buffer_append_text(into, "}}}");
}

static bool same_resource(const struct route *a, const struct route *b)
{
    return a->at_root == b->at_root && strcmp(a->pattern, b->pattern) == 0;
}

static bool is_first(size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (same_resource(route_at(i), route_at(n)))
            return false;
    return true;
}

/* Those at the root come behind; where one of them has the path of one below the base, it keeps the name by a
 * fragment, which tools drop. */
static void write_path(struct buffer *into, size_t first, struct arena *arena)
{
    const struct route *route = route_at(first);
    const char *template = route_template(arena, route->pattern);
    bool begun = false, taken = false;

    for (size_t i = 0; route_at(i); i++)
        taken = taken || (route->at_root && !route_at(i)->at_root &&
                          strcmp(route_at(i)->pattern, route->pattern) == 0);
    buffer_append_json_string(into,
                              bytes_of_text(taken ? arena_printf(arena, "%s#root", template) : template));
    buffer_append_text(into, ":{");
    if (route->at_root)
        buffer_append_text(into, "\"servers\":[{\"url\":\"/\"}],");
    for (size_t i = first; route_at(i); i++) {
        if (!same_resource(route_at(i), route))
            continue;
        buffer_append_text(into, begun ? "," : "");
        write_operation(into, route_at(i), template);
        begun = true;
    }
    buffer_append_text(into, "}");
}

void openapi_write(struct buffer *into, const char *base)
{
    struct arena arena = { 0 };
    bool begun = false;

    buffer_append_text(into, "{\"openapi\":\"3.0.3\",\"info\":{\"title\":\"Gantry, a DICOMweb server\",");
    member(into, "version", GANTRY_VERSION);
    buffer_append_text(into, "},\"servers\":[{");
    member(into, "url", base);
    buffer_append_text(into, "}],\"paths\":{");
    for (size_t n = 0; route_at(n); n++) {
        if (!is_first(n))
            continue;
        buffer_append_text(into, begun ? "," : "");
        write_path(into, n, &arena);
        begun = true;
    }
    buffer_append_text(into, "}}\n");
    arena_release(&arena);
}
