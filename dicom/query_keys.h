/* dicom/query_keys.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The attributes of query_keys.def, by number.
 */
#ifndef GANTRY_DICOM_QUERY_KEYS_H
#define GANTRY_DICOM_QUERY_KEYS_H

#include <stdint.h>

#include "base/bytes.h"

enum query_level { LEVEL_STUDY, LEVEL_SERIES, LEVEL_INSTANCE };
enum query_return { RETURN_ALWAYS, RETURN_KNOWN, RETURN_ASKED };

enum query_key {
#define QUERY_KEY(level, keyword, tag, vr, returned) KEY_##keyword,
#include "dicom/query_keys.def"
#undef QUERY_KEY
    QUERY_KEY_COUNT
};

struct query_key_info {
    const char *keyword;
    uint32_t tag;
    char vr[3];
    enum query_level level;
    enum query_return returned;
};

const struct query_key_info *query_key_info(enum query_key key);
/* QUERY_KEY_COUNT when the tag is no column. */
enum query_key query_key_of_tag(uint32_t tag);

#endif
