/* bridge/dictionary_table.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * DCMTK's data dictionary as two sorted tables: its own search by keyword is linear. Any thread, never waits.
 */
#ifndef GANTRY_BRIDGE_DICTIONARY_TABLE_H
#define GANTRY_BRIDGE_DICTIONARY_TABLE_H

#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/error.h"

GANTRY_C_BEGIN

struct dictionary_entry {
    uint32_t tag;
    char vr[3]; /* as DCMTK names it: also "ox" (OB or OW), "xs" (US or SS), "lt" (US, SS or OW), "up" */
    char *keyword;
};

/* Called by bridge_start. */
MUST_USE bool dictionary_table_load(struct error *err);
/* NULL: unknown. Private tags are never known; of repeating groups (50xx, 60xx) `tag` is the first one. */
const struct dictionary_entry *dictionary_table_of_tag(uint32_t tag);
const struct dictionary_entry *dictionary_table_of_keyword(struct bytes keyword);
/* The VR of a private element, as DCMTK names it, by its creator (without padding, at most 64 bytes) and its
 * tag as it stands in the data set; false: unknown. */
bool dictionary_vr_of_private(const char *creator, uint32_t tag, char ret_vr[3]);

GANTRY_C_END

#endif
