/* handlers/capabilities.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * OPTIONS (and GET of the base path): Retrieve Capabilities, PS3.18 8.9. What can be done here, read off
 * routes.def: as WADL, or in its JSON form (Annex G).
 */
#include <string.h>

#include "handlers/representation.h"
#include "handlers/routes.h"
#include "handlers/transactions.h"
#include "http/accept.h"
#include "http/conditional.h"

enum { DESCRIPTION_CEILING_BYTES = 65536 };

static const char WADL[] = "application/vnd.sun.wadl+xml";
static const char *const param_names[] = { "study", "series", "instance", "list" };

static bool is_offered(const struct service *service, const struct route *route)
{
    return !route->at_root && (route->method != METHOD_DELETE || service->limits->deletion);
}

/* The pattern with names for its {}: studies/{study}/series/{series}. */
static void write_template(struct buffer *into, const char *pattern)
{
    size_t param = 0;

    for (const char *at = pattern + 1; *at; at++) {
        if (*at != '{') {
            buffer_append_byte(into, (uint8_t)*at);
            continue;
        }
        const bool rest = strncmp(at, "{...}", 5) == 0;
        buffer_printf(into, "{%s}", rest ? "path" : param_names[param < 3 ? param : 3]);
        param++;
        at = strchr(at, '}');
    }
}

static bool is_first_of_pattern(const struct service *service, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is_offered(service, route_at(i)) && strcmp(route_at(i)->pattern, route_at(n)->pattern) == 0)
            return false;
    return is_offered(service, route_at(n));
}

/* One resource a pattern, one method a route; what stands between them is the form's. */
static void write_methods(struct buffer *into, const struct service *service, size_t first, bool json)
{
    bool begun = false;

    for (size_t i = first; route_at(i); i++) {
        if (!is_offered(service, route_at(i)) || strcmp(route_at(i)->pattern, route_at(first)->pattern) != 0)
            continue;
        if (json)
            buffer_printf(into, "%s{\"@name\":\"%s\"}", begun ? "," : "", method_text(route_at(i)->method));
        else
            buffer_printf(into, "<method name=\"%s\"/>", method_text(route_at(i)->method));
        begun = true;
    }
}

static void write_wadl(struct buffer *into, const struct service *service, const char *base)
{
    buffer_printf(into,
                  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                  "<application xmlns=\"http://wadl.dev.java.net/2009/02\">\n<resources base=\"%s\">\n",
                  base);
    for (size_t n = 0; route_at(n); n++) {
        if (!is_first_of_pattern(service, n))
            continue;
        buffer_append_text(into, "<resource path=\"");
        write_template(into, route_at(n)->pattern);
        buffer_append_text(into, "\">");
        write_methods(into, service, n, false);
        buffer_append_text(into, "</resource>\n");
    }
    buffer_append_text(into, "</resources>\n</application>\n");
}

static void write_json(struct buffer *into, const struct service *service, const char *base)
{
    bool begun = false;

    buffer_append_text(into, "{\"application\":{\"resources\":[{\"@base\":");
    buffer_append_json_string(into, bytes_of_text(base));
    buffer_append_text(into, ",\"resource\":[");
    for (size_t n = 0; route_at(n); n++) {
        if (!is_first_of_pattern(service, n))
            continue;
        buffer_printf(into, "%s{\"@path\":\"", begun ? "," : "");
        write_template(into, route_at(n)->pattern);
        buffer_append_text(into, "\",\"method\":[");
        write_methods(into, service, n, true);
        buffer_append_text(into, "]}");
        begun = true;
    }
    buffer_append_text(into, "]}]}}\n");
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

    buffer_init(&text, DESCRIPTION_CEILING_BYTES);
    (what.content_type == types[1] ? write_json : write_wadl)(&text, service, request->public_base);
    if (!buffer_check(&text, "the capabilities", err))
        return false;
    const struct bytes body = arena_copy(arena, buffer_bytes(&text));
    what.etag = etag_make(arena, body, what.content_type);
    return representation_is_held(request, &what, response) ||
           representation_send(request, &what, body_of_bytes(arena, body), response, err);
}
