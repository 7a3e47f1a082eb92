/* dicom/json_scan.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Walks the metadata JSON that the catalog keeps, without making a tree of it: its form is known (our own
 * writer's, no white space, tags ascending), so an attribute is found by stepping over those before it. On
 * anything else a walk just ends. Never waits; any thread.
 */
#ifndef GANTRY_DICOM_JSON_SCAN_H
#define GANTRY_DICOM_JSON_SCAN_H

#include <stdint.h>

#include "base/arena.h"
#include "base/attributes.h"
#include "base/bytes.h"

struct json_member {
    struct bytes name;  /* without its quotes, not unescaped */
    struct bytes value; /* the JSON text of it */
    struct bytes whole; /* "name":value */
};

/* `*at` starts at 0. False behind the last one. */
MUST_USE bool json_object_next(struct bytes object, size_t *at, struct json_member *ret);
MUST_USE bool json_array_next(struct bytes array, size_t *at, struct bytes *ret_value);

MUST_USE bool json_object_find(struct bytes object, const char *name, struct json_member *ret);
/* The attribute of `tag` in a DICOM JSON object. */
MUST_USE bool json_attribute_find(struct bytes object, uint32_t tag, struct json_member *ret);
/* The number that an attribute's name is; false: none. */
MUST_USE bool json_attribute_tag(struct bytes name, uint32_t *ret);
/* A string's characters (in the arena when something was escaped), or a number's text; false for all else. */
MUST_USE bool json_text(struct bytes value, struct arena *arena, struct bytes *ret);

#endif
