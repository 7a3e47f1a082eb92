/* dicom/implementation.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Who wrote a file, as its meta information says it (PS3.10 7.1, PS3.7 D.3.3.2): one name for all that this
 * software writes.
 */
#ifndef GANTRY_DICOM_IMPLEMENTATION_H
#define GANTRY_DICOM_IMPLEMENTATION_H

/* Made of a UUID (PS3.5 B.2); it stays the same from version to version. */
#define IMPLEMENTATION_CLASS_UID "2.25.186741922308375312764519083627544190337"
#define IMPLEMENTATION_VERSION_NAME "GANTRY_" GANTRY_VERSION

#endif
