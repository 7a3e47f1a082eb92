/* dicom/dicom_json_value.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The values of one attribute in the DICOM JSON model (PS3.18 F.2.3), shared by query results and stored
 * metadata. Any thread, never waits.
 */
#ifndef GANTRY_DICOM_DICOM_JSON_VALUE_H
#define GANTRY_DICOM_DICOM_JSON_VALUE_H

#include "base/buffer.h"
#include "base/bytes.h"
#include "dicom/vr.h"

/* `"GGGGEEEE":{"vr":"XX"`, to be closed by the caller. */
void json_value_begin(struct buffer *into, uint32_t tag, const char *vr);
/* `,"Value":[...]` of UTF-8 text; nothing when the text is empty. For VR_VALUES, VR_TEXT, VR_NAMES,
 * VR_DECIMAL; binary numbers and tags too, as decimal and hexadecimal text. */
void json_value_text(struct buffer *into, const struct vr_info *vr, struct bytes utf8);
/* The same of little endian binary values, VR_NUMBER and VR_TAG; what is not a whole value is left out. */
void json_value_binary(struct buffer *into, const struct vr_info *vr, struct bytes values);
/* True when FL or FD values have a NaN or an infinity, which JSON cannot hold (JSN-22). */
bool json_value_is_unspeakable(const struct vr_info *vr, struct bytes values);
/* `,"InlineBinary":"..."`. */
void json_value_inline_binary(struct buffer *into, struct bytes value);

#endif
