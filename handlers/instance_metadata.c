/* handlers/instance_metadata.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See instance_metadata.h.
 */
#include "handlers/instance_metadata.h"

#include "dicom/json_scan.h"

bool instance_metadata_read(const struct service *service, const struct instance_key *key,
                            struct buffer *into, struct error *err)
{
    struct catalog_listing *listing = NULL;
    size_t next = 0;

    if (!catalog_list(service->catalog, key, &listing, err))
        return false;
    const bool read = catalog_metadata(service->catalog, listing, 0, 1, into, &next, err);
    catalog_listing_free(listing);
    return read && buffer_check(into, "metadata", err);
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
