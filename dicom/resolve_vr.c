/* dicom/resolve_vr.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See resolve_vr.h.
 */
#include "dicom/resolve_vr.h"

#include <string.h>

#include "bridge/dictionary_table.h"
#include "dicom/tag.h"

static void look_for_sign(struct resolve_level *level)
{
    struct dataset_element found;
    struct error ignored = { 0 };
    uint8_t value[2];

    level->sign = SIGN_NOT_SAID;
    if (dataset_find(level->item, TAG_PIXEL_REPRESENTATION, &found) && found.size == sizeof value &&
        dataset_value(&found, value, &ignored))
        level->sign = value[0] == 1 ? SIGN_TWO_COMPLEMENT : SIGN_NONE;
}

static bool pixels_are_signed(struct resolve_level *level)
{
    for (; level; level = level->parent) {
        if (level->sign == SIGN_NOT_LOOKED_FOR)
            look_for_sign(level);
        if (level->sign != SIGN_NOT_SAID)
            return level->sign == SIGN_TWO_COMPLEMENT;
    }
    return false;
}

/* Always LO, whoever passed it on as UN (PS3.5 7.8.1, JSN-06). */
static bool is_private_creator(uint32_t tag)
{
    return (tag >> 16 & 1) && (tag & 0xFFFF) >= 0x10 && (tag & 0xFFFF) <= 0xFF;
}

void resolve_vr(struct resolve_level *level, const struct dataset_element *element, char ret[3])
{
    const char *vr = element->vr;

    /* A public attribute sent as UN by one that did not know it: we may know it (PS3.5 6.2.2, JSN-27). What
     * was a sequence stays UN: its bytes have not been parsed. */
    if (strcmp(vr, "UN") == 0 && (element->tag >> 16 & 1) == 0) {
        const struct dictionary_entry *known = dictionary_table_of_tag(element->tag);
        if (known && strcmp(known->vr, "SQ") != 0 && strcmp(known->vr, "up") != 0)
            vr = known->vr;
    }
    if (strcmp(vr, "UN") == 0 && is_private_creator(element->tag))
        vr = "LO";
    if (strcmp(vr, "xs") == 0)
        vr = pixels_are_signed(level) ? "SS" : "US";
    else if (strcmp(vr, "lt") == 0)
        vr = element->size == 2 ? "US" : "OW";
    else if (strcmp(vr, "ox") == 0)
        vr = "OW";
    memcpy(ret, vr, 3);
}
