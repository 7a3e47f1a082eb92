/* dicom/dictionary.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Keywords, tags and value representations of PS3.6 (from DCMTK's dictionary, by the bridge). Any thread
 * after bridge_start().
 */
#ifndef GANTRY_DICOM_DICTIONARY_H
#define GANTRY_DICOM_DICTIONARY_H

#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"

/* A keyword (case-sensitive) or eight hexadecimal digits of any case. False: neither. */
MUST_USE bool dictionary_tag(struct bytes keyword_or_tag, uint32_t *ret);
/* The VR of a public tag; false when unknown. Two-way entries give the more general one: OW, US. */
MUST_USE bool dictionary_vr(uint32_t tag, char ret_vr[3]);
/* "" when unknown. The text lives as long as the process. */
const char *dictionary_keyword(uint32_t tag);

#endif
