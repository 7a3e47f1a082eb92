/* dicom/utf8.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Characters of UTF-8 text, one by one.
 */
#ifndef GANTRY_DICOM_UTF8_H
#define GANTRY_DICOM_UTF8_H

#include "base/bytes.h"

enum { UTF8_MOST = 4 };
#define UTF8_BROKEN UINT32_MAX

/* The character at the front of `text` (not empty) and how many bytes it takes. What is not UTF-8, or a
 * surrogate: UTF8_BROKEN and one byte. */
size_t utf8_read(struct bytes text, uint32_t *ret);
/* Writes the 1 to 4 bytes of a character; how many. */
size_t utf8_put(uint32_t character, uint8_t into[UTF8_MOST]);

#endif
