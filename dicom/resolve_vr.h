/* dicom/resolve_vr.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The one value representation of an element whose dictionary entry leaves two: PS3.5 Annex A.1, PS3.3
 * C.7.6.3.
 */
#ifndef GANTRY_DICOM_RESOLVE_VR_H
#define GANTRY_DICOM_RESOLVE_VR_H

#include "dicom/dataset.h"

/* An item and what it stands in; the data set itself has no parent. */
struct resolve_level {
    const struct dataset_item *item;
    struct resolve_level *parent;
    enum {
        SIGN_NOT_LOOKED_FOR,
        SIGN_NOT_SAID,
        SIGN_NONE,
        SIGN_TWO_COMPLEMENT
    } sign; /* found once, when asked */
};

/* US or SS: by Pixel Representation, the item's own or the nearest around it. US or OW of a LUT: US for one
 * value. OB or OW: OW, as implicit VR has it. UN of a public
 * attribute: the dictionary's; of a private creator: LO. All others as stored. */
void resolve_vr(struct resolve_level *level, const struct dataset_element *element, char ret[3]);

#endif
