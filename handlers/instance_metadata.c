/* handlers/instance_metadata.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See instance_metadata.h.
 */
#include "handlers/instance_metadata.h"

#include "dicom/json_scan.h"
#include "handlers/listed.h"

static bool read_file(const struct service *service, const struct instance_record *record,
                      struct buffer *into, struct error *err)
{
    struct description found = { 0 };
    struct arena arena = { 0 };

    const bool done = listed_describe(service, record->generation, &arena, &found, err);
    if (done)
        buffer_append(into, block_bytes(found.json));
    description_done(&found);
    arena_release(&arena);
    return done && buffer_check(into, "metadata", err);
}

bool instance_metadata_read(const struct service *service, const struct instance_record *record,
                            struct buffer *into, struct error *err)
{
    struct listed_instance one = { .instance_id = record->generation };
    const struct catalog_listing listing = { &one, 1 };
    const size_t before = into->size;
    size_t next = 0;

    if (!catalog_metadata(service->catalog, &listing, 0, 1, into, &next, err))
        return false;
    return into->size > before || read_file(service, record, into, err);
}

static bool first_value(struct bytes object, uint32_t tag, struct bytes *ret)
{
    struct json_member attribute, values;
    size_t at = 0;

    return json_attribute_find(object, tag, &attribute) &&
           json_object_find(attribute.value, "Value", &values) && json_array_next(values.value, &at, ret);
}

struct bytes instance_metadata_text(struct bytes object, uint32_t tag, struct arena *arena)
{
    struct json_member name;
    struct bytes first, text;

    if (!first_value(object, tag, &first))
        return bytes_of(NULL, 0);
    if (json_object_find(first, "Alphabetic", &name) || json_object_find(first, "Ideographic", &name))
        first = name.value;
    return json_text(first, arena, &text) ? text : bytes_of(NULL, 0);
}

struct bytes instance_metadata_name(struct bytes object, uint32_t tag, const char *group, struct arena *arena)
{
    struct json_member name;
    struct bytes first, text;

    return first_value(object, tag, &first) && json_object_find(first, group, &name) &&
                   json_text(name.value, arena, &text)
               ? text
               : bytes_of(NULL, 0);
}
