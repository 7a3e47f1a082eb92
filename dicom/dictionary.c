/* dicom/dictionary.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Keywords and tags; see dictionary.h.
 */
#include "dicom/dictionary.h"

#include "base/number.h"
#include "bridge/dictionary_table.h"

bool dictionary_tag(struct bytes keyword_or_tag, uint32_t *ret)
{
    uint64_t tag;
    const struct dictionary_entry *entry = dictionary_table_of_keyword(keyword_or_tag);

    if (entry) {
        *ret = entry->tag;
        return true;
    }
    if (keyword_or_tag.size != 8 || !number_parse_hex(keyword_or_tag, UINT32_MAX, &tag))
        return false;
    *ret = (uint32_t)tag;
    return true;
}

bool dictionary_vr(uint32_t tag, char ret_vr[3])
{
    static const char general[][2][3] = {
        { "ox", "OW" }, { "px", "OW" }, { "lt", "OW" }, { "xs", "US" }, { "up", "UL" }
    };
    const struct dictionary_entry *entry = dictionary_table_of_tag(tag);

    if (!entry)
        return false;
    for (size_t i = 0; i < COUNT_OF(general); i++)
        if (strcmp(entry->vr, general[i][0]) == 0) {
            memcpy(ret_vr, general[i][1], 3);
            return true;
        }
    if (entry->vr[0] < 'A' || entry->vr[0] > 'Z') /* delimiters and other inner names */
        return false;
    memcpy(ret_vr, entry->vr, 3);
    return true;
}

const char *dictionary_keyword(uint32_t tag)
{
    const struct dictionary_entry *entry = dictionary_table_of_tag(tag);

    return entry ? entry->keyword : "";
}
