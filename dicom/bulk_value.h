/* dicom/bulk_value.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * One value field of a stored file, found again by the path that its BulkDataURI names.
 */
#ifndef GANTRY_DICOM_BULK_VALUE_H
#define GANTRY_DICOM_BULK_VALUE_H

#include "base/attributes.h"
#include "base/block.h"
#include "base/bytes.h"
#include "base/error.h"

/* `path` is what stands behind /bulkdata/ in the URI: "7FE00010" or "54000100/1/54001010". The value's bytes
 * little endian, in a block the caller owns; *ret_vr the VR. NOT_FOUND: no such element, or a sequence;
 * MALFORMED: not such a path. Not for top-level Pixel Data (the frame table has that). May wait. */
MUST_USE bool bulk_value_read(const char *file, struct bytes path, struct block **ret, char ret_vr[3],
                              struct error *err);

#endif
