/* http/response.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Building a response; see response.h.
 */
#include "http/response.h"

#include <stdarg.h>

#include "http/token.h"

enum patience response_patience(struct response *response, const struct request *request,
                                enum response_work work)
{
    const bool among_such = response->work >= work || !request->waiter;

    if (response->work < work)
        response->work = work;
    return among_such ? request->patience : MUST_NOT_WAIT;
}

void response_header(struct response *response, struct arena *arena, const char *name, const char *format,
                     ...)
{
    va_list args;

    va_start(args, format);
    /* Most are words as they are; printing is the dearest part of a small answer. */
    char *value = strcmp(format, "%s") == 0     ? arena_text(arena, bytes_of_text(va_arg(args, const char *)))
                  : strchr(format, '%') == NULL ? arena_text(arena, bytes_of_text(format))
                                                : arena_vprintf(arena, format, args);
    va_end(args);
    /* Nothing that comes from a client may end a header line. */
    for (char *at = value; *at; at++)
        if (!token_is_field_byte((uint8_t)*at))
            *at = ' ';
    fields_add(&response->headers, arena, bytes_of_text(name), bytes_of_text(value));
}

struct bytes response_find(const struct response *response, const char *name)
{
    const struct bytes wanted = bytes_of_text(name);

    for (size_t i = 0; i < response->headers.count; i++)
        if (bytes_equal_nocase(response->headers.list[i].name, wanted))
            return response->headers.list[i].value;
    return bytes_of(NULL, 0);
}

void response_remove(struct response *response, const char *name)
{
    const struct bytes unwanted = bytes_of_text(name);
    size_t kept = 0;

    for (size_t i = 0; i < response->headers.count; i++)
        if (!bytes_equal_nocase(response->headers.list[i].name, unwanted))
            response->headers.list[kept++] = response->headers.list[i];
    response->headers.count = kept;
}

void response_vary(struct response *response, struct arena *arena, const char *name)
{
    for (size_t i = 0; i < response->headers.count; i++) {
        struct field *field = &response->headers.list[i];
        if (!bytes_equal_nocase(field->name, bytes_of_text("vary")))
            continue;
        for (struct bytes rest = field->value; rest.size > 0;)
            if (bytes_equal_nocase(bytes_trim(bytes_cut(&rest, ',')), bytes_of_text(name)))
                return;
        field->value = bytes_of_text(arena_printf(arena, "%.*s, %s", BYTES_ARG(field->value), name));
        return;
    }
    fields_add(&response->headers, arena, bytes_of_text("Vary"), bytes_of_text(name));
}

void response_text(struct response *response, struct arena *arena, int status, const char *content_type,
                   struct bytes body)
{
    response->status = status;
    response_header(response, arena, "Content-Type", "%s", content_type);
    response->body = body_of_bytes(arena, body);
}
