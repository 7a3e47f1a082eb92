/* dicom/native_xml.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The Native DICOM Model (PS3.19 A.1) out of the DICOM JSON model (PS3.18 Annex F), so that no DICOM is read
 * for it and both always say the same (XML-14). Never waits; any thread after bridge_start().
 */
#ifndef GANTRY_DICOM_NATIVE_XML_H
#define GANTRY_DICOM_NATIVE_XML_H

#include "base/attributes.h"
#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"

/* One document for one object of dicom_json_write, appended to `into`; marks (dicom/dicom_json.h) are kept.
 * INTERNAL: nested deeper than dicom_json_write does; TOO_LARGE: beyond the buffer's ceiling. */
MUST_USE bool native_xml_write(struct bytes object, struct buffer *into, struct error *err);

#endif
