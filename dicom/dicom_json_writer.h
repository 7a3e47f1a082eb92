/* dicom/dicom_json_writer.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * A whole data set as one object of the DICOM JSON model (PS3.18 Annex F, requirements JSN-01 to JSN-35).
 */
#ifndef GANTRY_DICOM_DICOM_JSON_WRITER_H
#define GANTRY_DICOM_DICOM_JSON_WRITER_H

#include "base/attributes.h"
#include "base/buffer.h"
#include "base/error.h"
#include "dicom/dataset.h"
#include "dicom/dicom_json.h"
#include "dicom/instance_key.h"

struct json_document {
    const struct dataset *elements;     /* those before the pixel data */
    const struct dataset *tail_or_null; /* those behind it */
    uint32_t pixel_tag;                 /* 0: none; always by reference */
    char pixel_vr[3];
    bool pixels_empty;
    const char *syntax_uid; /* told as Available Transfer Syntax UID (RET-22) */
    const struct json_limits *limits;
    const struct instance_key *key;
};

/* TOO_LARGE beyond the buffer's ceiling; DISK when a value cannot be read. May wait. */
MUST_USE bool dicom_json_write(const struct json_document *document, struct buffer *into, struct error *err);

#endif
