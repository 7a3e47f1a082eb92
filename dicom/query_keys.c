/* dicom/query_keys.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The table of query_keys.def, both ways.
 */
#include "dicom/query_keys.h"

#include <assert.h>

static const struct query_key_info keys[QUERY_KEY_COUNT] = {
#define QUERY_KEY(level, keyword, tag, vr, returned) \
    [KEY_##keyword] = { #keyword, tag, #vr, LEVEL_##level, RETURN_##returned },
#include "dicom/query_keys.def"
#undef QUERY_KEY
};

const struct query_key_info *query_key_info(enum query_key key)
{
    assert((unsigned)key < QUERY_KEY_COUNT);
    return &keys[key];
}

enum query_key query_key_of_tag(uint32_t tag)
{
    switch (tag) {
#define QUERY_KEY(level, keyword, tag, vr, returned) \
    case tag: \
        return KEY_##keyword;
#include "dicom/query_keys.def"
#undef QUERY_KEY
    default:
        return QUERY_KEY_COUNT;
    }
}
