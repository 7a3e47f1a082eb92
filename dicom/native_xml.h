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

/* The same piece by piece, for a document that is longer than anyone wants to hold: begin, then attributes
 * and sequences in the order of their tags, then end. The faults are the same. */
void native_xml_begin(struct buffer *into);
MUST_USE bool native_xml_attributes(struct bytes object, struct buffer *into, struct error *err);
void native_xml_sequence_begin(uint32_t tag, struct buffer *into);
/* `number` from 1. */
MUST_USE bool native_xml_item(uint64_t number, struct bytes object, struct buffer *into, struct error *err);
void native_xml_sequence_end(struct buffer *into);
void native_xml_end(struct buffer *into);

#endif
