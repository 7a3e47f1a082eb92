/* dicom/dicom_json.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The DICOM JSON model (PS3.18 Annex F): writing.
 *
 * Stored JSON holds one byte that JSON text itself never holds, JSON_BASE_MARK, wherever the public base of
 * the service belongs ("\x01/studies/1.2/..."): whoever sends it puts the configured base in its place
 * (base/splice.h). So stored JSON survives a change of the public name.
 */
#ifndef GANTRY_DICOM_DICOM_JSON_H
#define GANTRY_DICOM_DICOM_JSON_H

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"
#include "dicom/instance_key.h"

enum { JSON_BASE_MARK = 0x01 };

/* Values of more bytes become a BulkDataURI (RET-23): of binary VRs, of text and numbers, and of what a
 * viewer needs before it can show the first image: overlays, lookup tables, palettes. */
struct json_limits {
    uint32_t inline_binary_bytes;  /* default 1024 */
    uint32_t inline_text_bytes;    /* default 65536 */
    uint32_t inline_display_bytes; /* default 131072; counts where it is more than the others */
};

/* One attribute "GGGGEEEE":{...} of a value as UTF-8 text, as query results need it: `value` is the data
 * set's text, values separated by backslash, padding removed; empty: only the vr. Numbers for IS, DS, US and
 * kin where the text is one (JSN-20, JSN-21), objects for PN. A comma before it is the caller's. */
void dicom_json_attribute(struct buffer *into, uint32_t tag, const char *vr, struct bytes value);
/* "GGGGEEEE":{"vr":"UR","Value":["<mark>/studies/..."]}; levels of `key` that are empty are left out. */
void dicom_json_retrieve_url(struct buffer *into, const struct instance_key *key);
/* <mark>/studies/{}/series/{}/instances/{} as plain text, without quotes. */
void dicom_json_instance_url(struct buffer *into, const struct instance_key *key);

#endif
