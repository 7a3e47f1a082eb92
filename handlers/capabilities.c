/* handlers/capabilities.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * OPTIONS (and GET of the base path): Retrieve Capabilities, PS3.18 8.9 and Annex H. What can be done here,
 * read off routes.def and route_notes.def: as WADL, or in its JSON form (Annex G). OPTIONS of a resource
 * describes that resource and what lies below it (CAP-03).
 *
 *   application ─ resources ─ resource "studies" ─ method GET, POST ─ request, response
 *                                                └ resource "{study}" ─ ...
 */
#include <string.h>

#include "handlers/document_node.h"
#include "handlers/representation.h"
#include "handlers/route_notes.h"
#include "handlers/transactions.h"
#include "http/accept.h"
#include "http/conditional.h"

enum { DESCRIPTION_CEILING_BYTES = 1024 * 1024 };

static const char WADL[] = "application/vnd.sun.wadl+xml";

struct describing {
    const struct service *service;
    struct arena *arena;
};

static bool is_offered(const struct service *service, const struct route *route)
{
    return !route->at_root && (route->method != METHOD_DELETE || service->limits->deletion);
}

static void add_param(const struct describing *what, struct document_node *of, const char *name,
                      const char *style, const char *fixed_or_null)
{
    struct document_node *param = document_node_child(what->arena, of, "param", true);

    document_node_attribute(what->arena, param, "name", name);
    document_node_attribute(what->arena, param, "style", style);
    if (fixed_or_null) {
        struct document_node *option = document_node_child(what->arena, param, "option", true);
        document_node_attribute(what->arena, option, "value", fixed_or_null);
    }
}

static void add_representations(const struct describing *what, struct document_node *of, const char *types)
{
    struct bytes rest = bytes_of_text(types);

    while (rest.size > 0)
        document_node_attribute(what->arena, document_node_child(what->arena, of, "representation", true),
                                "mediaType", arena_text(what->arena, bytes_cut(&rest, '|')));
}

static void add_method(const struct describing *what, struct document_node *of, const struct route *route)
{
    const struct route_note *note = route_note_of(route);
    struct document_node *method = document_node_child(what->arena, of, "method", true);
    struct document_node *part;
    struct bytes query = bytes_of_text(note->query);

    document_node_attribute(what->arena, method, "name", method_text(route->method));
    if (note->summary[0]) {
        part = document_node_child(what->arena, method, "doc", true);
        document_node_text(part, note->summary);
    }
    part = document_node_child(what->arena, method, "request", false);
    if (note->gives[0])
        add_param(what, part, "Accept", "header", NULL);
    if (note->takes[0])
        add_param(what, part, "Content-Type", "header", NULL);
    while (query.size > 0) {
        const char *name = arena_text(what->arena, bytes_cut(&query, ' '));
        add_param(what, part, name, "query", strcmp(name, "charset") == 0 ? "UTF-8" : NULL);
    }
    add_representations(what, part, note->takes);
    part = document_node_child(what->arena, method, "response", true);
    document_node_attribute(what->arena, part, "status", route->method == METHOD_DELETE ? "204" : "200");
    add_representations(what, part, note->gives);
}

/* Does the route lie at `pattern`, or below it? */
static bool is_at(const struct route *route, struct bytes pattern)
{
    return bytes_equal_text(pattern, route->pattern);
}

static bool is_below(const struct route *route, struct bytes pattern)
{
    const struct bytes path = bytes_of_text(route->pattern);

    return path.size > pattern.size + 1 && bytes_starts_with(path, pattern) && path.data[pattern.size] == '/';
}

static bool was_told(const struct service *service, size_t before, struct bytes pattern)
{
    for (size_t i = 0; i < before; i++)
        if (is_offered(service, route_at(i)) &&
            (is_at(route_at(i), pattern) || is_below(route_at(i), pattern)))
            return true;
    return false;
}

static void add_methods(const struct describing *what, struct document_node *of, struct bytes pattern)
{
    for (size_t i = 0; route_at(i); i++)
        if (is_offered(what->service, route_at(i)) && is_at(route_at(i), pattern))
            add_method(what, of, route_at(i));
}

/* The resources one segment below `pattern`, and all below them. */
static void add_resources(const struct describing *what, struct document_node *of, struct bytes pattern)
{
    for (size_t i = 0; route_at(i); i++) {
        if (!is_offered(what->service, route_at(i)) || !is_below(route_at(i), pattern))
            continue;
        struct bytes rest = bytes_from(bytes_of_text(route_at(i)->pattern), pattern.size + 1);
        const struct bytes segment = bytes_cut(&rest, '/');
        const struct bytes child = bytes_of(route_at(i)->pattern, pattern.size + 1 + segment.size);

        if (was_told(what->service, i, child))
            continue;
        const char *named = route_template(what->arena, arena_text(what->arena, child));
        struct document_node *resource = document_node_child(what->arena, of, "resource", true);
        document_node_attribute(what->arena, resource, "path", strrchr(named, '/') + 1);
        add_methods(what, resource, child);
        add_resources(what, resource, child);
    }
}

/* `pattern`: of the resource that was asked; "" for all there is. */
static struct document_node *describe(const struct describing *what, const char *base, const char *pattern)
{
    struct document_node *root = document_node_new(what->arena, "application");
    struct document_node *resources;

    document_node_attribute(what->arena, root, "xmlns", "http://wadl.dev.java.net/2009/02");
    resources = document_node_child(what->arena, root, "resources", false);
    document_node_attribute(what->arena, resources, "base", base);
    if (pattern[0]) {
        const struct bytes asked = bytes_of_text(pattern);
        struct document_node *resource = document_node_child(what->arena, resources, "resource", true);
        document_node_attribute(what->arena, resource, "path", route_template(what->arena, pattern) + 1);
        add_methods(what, resource, asked);
        add_resources(what, resource, asked);
        return root;
    }
    struct document_node *top = document_node_child(what->arena, resources, "resource", true);
    document_node_attribute(what->arena, top, "path", "/");
    add_methods(what, top, bytes_of_text("/"));
    add_resources(what, resources, bytes_of_text(""));
    return root;
}

bool capabilities(const struct service *service, const struct request *request, struct response *response,
                  struct error *err)
{
    static const char *const types[] = { WADL, "application/json", "application/xml", "text/xml" };
    struct arena *arena = request->arena;
    SCOPED(buffer) struct buffer text = { 0 };
    struct accept accept;
    struct representation what = { .freshness = FRESH_IF_ASKED };
    unsigned best = 0;

    if (!accept_read(request, arena, &accept, err))
        return false;
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        const unsigned quality = accept_quality(&accept, false, types[i], NULL, true, NULL);

        if (quality > best) {
            best = quality;
            what.content_type = types[i];
        }
    }
    if (best == 0)
        return error_tell(err, FAULT_NOT_ACCEPTABLE, "Available: %s, application/json.", WADL);

    const char *pattern = route_pattern_of(request->path, arena);
    const struct document_node *described =
        describe(&(struct describing){ service, arena }, request->public_base,
                 !pattern || strcmp(pattern, "/") == 0 ? "" : pattern);
    buffer_init(&text, DESCRIPTION_CEILING_BYTES);
    (what.content_type == types[1] ? document_node_write_json : document_node_write_xml)(described, &text);
    if (!buffer_check(&text, "the capabilities", err))
        return false;
    const struct bytes body = arena_copy(arena, buffer_bytes(&text));
    what.etag = etag_make(arena, body, what.content_type);
    return representation_is_held(request, &what, response) ||
           representation_send(request, &what, body_of_bytes(arena, body), response, err);
}
