/* dicom/derived_uid.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "dicom/derived_uid.h"

#include <stdio.h>

struct uid derived_uid(const uint8_t digest[32])
{
    enum { UUID_BYTES = 16, DIGITS = 40 };
    unsigned __int128 number = 0;
    char digits[DIGITS], *at = digits + DIGITS - 1;
    struct uid uid = { 0 };

    for (unsigned i = 0; i < UUID_BYTES; i++) {
        const unsigned byte = i == 6   ? (digest[i] & 0x0Fu) | 0x80u /* version */
                              : i == 8 ? (digest[i] & 0x3Fu) | 0x80u /* variant */
                                       : digest[i];
        number = number << 8 | byte;
    }
    *at = '\0';
    for (; number; number /= 10)
        *--at = (char)('0' + (int)(number % 10));
    snprintf(uid.text, sizeof uid.text, "2.25.%s", at[0] ? at : "0");
    return uid;
}
