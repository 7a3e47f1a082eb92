/* http/request.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Looking things up in a request; see request.h.
 */
#include "http/request.h"

#include <assert.h>

static const char *const methods[] = {
    [METHOD_GET] = "GET",         [METHOD_HEAD] = "HEAD",     [METHOD_POST] = "POST",
    [METHOD_PUT] = "PUT",         [METHOD_DELETE] = "DELETE", [METHOD_OPTIONS] = "OPTIONS",
    [METHOD_UNKNOWN] = "UNKNOWN",
};

enum method method_parse(struct bytes text)
{
    for (enum method method = METHOD_GET; method < METHOD_UNKNOWN; method++)
        if (bytes_equal_text(text, methods[method]))
            return method;
    return METHOD_UNKNOWN;
}

const char *method_text(enum method method)
{
    assert((unsigned)method < COUNT_OF(methods));
    return methods[method];
}

void fields_add(struct fields *fields, struct arena *arena, struct bytes name, struct bytes value)
{
    if (fields->count == fields->capacity) {
        const size_t capacity = fields->capacity ? fields->capacity * 2 : 8;
        struct field *grown = arena_array(arena, capacity, sizeof *grown);

        if (fields->count)
            memcpy(grown, fields->list, fields->count * sizeof *grown);
        fields->list = grown;
        fields->capacity = capacity;
    }
    fields->list[fields->count++] = (struct field){ name, value };
}

const struct field *fields_find(const struct fields *fields, const char *name)
{
    const struct bytes wanted = bytes_of_text(name);

    for (size_t i = 0; i < fields->count; i++)
        if (bytes_equal(fields->list[i].name, wanted))
            return &fields->list[i];
    return NULL;
}

/* Present but empty is not absent. */
static struct bytes present(struct bytes value)
{
    return value.data ? value : bytes_of("", 0);
}

struct bytes request_header(const struct request *request, const char *lower_case_name)
{
    const struct fields *headers = &request->headers;
    const struct bytes name = bytes_of_text(lower_case_name);
    const struct field *first = fields_find(headers, lower_case_name);
    size_t found = 0, size = 0;

    if (!first)
        return bytes_of(NULL, 0);
    for (size_t i = 0; i < headers->count; i++)
        if (bytes_equal(headers->list[i].name, name)) {
            found++;
            size += headers->list[i].value.size + 2;
        }
    if (found == 1)
        return present(first->value);

    uint8_t *joined = arena_alloc(request->arena, size);
    size_t at = 0;
    for (size_t i = 0; i < headers->count; i++) {
        const struct bytes value = headers->list[i].value;
        if (!bytes_equal(headers->list[i].name, name))
            continue;
        if (at) {
            joined[at++] = ',';
            joined[at++] = ' ';
        }
        if (value.size)
            memcpy(joined + at, value.data, value.size);
        at += value.size;
    }
    return bytes_of(joined, at);
}

bool request_query_is_repeated(const struct request *request, const char *name)
{
    unsigned found = 0;

    for (size_t i = 0; i < request->query.count; i++)
        found += bytes_equal_text(request->query.list[i].name, name);
    return found > 1;
}

struct bytes request_query(const struct request *request, const char *name)
{
    const struct field *found = fields_find(&request->query, name);

    return found ? present(found->value) : bytes_of(NULL, 0);
}
