/* dicom/vr.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Value representations (PS3.5 6.2) as far as reading and writing values needs them. Any thread, never waits.
 */
#ifndef GANTRY_DICOM_VR_H
#define GANTRY_DICOM_VR_H

#include "base/attributes.h"
#include "base/bytes.h"

enum vr_class {
    VR_VALUES,  /* text, several values separated by backslash */
    VR_TEXT,    /* text, one value whatever it holds */
    VR_NAMES,   /* PN */
    VR_DECIMAL, /* DS, IS: numbers as text */
    VR_NUMBER,  /* binary numbers */
    VR_TAG,     /* AT */
    VR_OPAQUE,  /* OB, OW, ..., UN */
    VR_SEQUENCE
};

struct vr_info {
    char name[3];
    enum vr_class class;
    uint8_t width;      /* bytes of one binary number; 1 elsewhere */
    bool trims_leading; /* leading spaces mean nothing */
    bool may_be_bulk;   /* PS3.18 F.2.2, JSN-24 */
};

/* UN's for a VR that is none. */
const struct vr_info *vr_info(const char *vr);
/* One value without its padding: spaces and NULs. */
struct bytes vr_trim(const struct vr_info *vr, struct bytes value);

#endif
