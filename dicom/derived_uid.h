/* dicom/derived_uid.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * UIDs that follow from something: the same each time, and nobody else's (PS3.5 B.2: 2.25 and a UUID).
 */
#ifndef GANTRY_DICOM_DERIVED_UID_H
#define GANTRY_DICOM_DERIVED_UID_H

#include "dicom/uid.h"

/* Of a SHA-256 of what it follows from: a UUID of version 8 (RFC 9562). Any thread, never waits. */
struct uid derived_uid(const uint8_t digest[32]);

#endif
