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

struct bulk_value {
    struct block *block; /* the value's bytes, little endian; the caller's */
    char vr[3];
    bool is_encapsulated; /* the code stream of a compressed icon, without its items */
};

/* `path` is what stands behind /bulkdata/ in the URI: "7FE00010" or "54000100/1/54001010". NOT_FOUND: no such
 * element, or a sequence; MALFORMED: not such a path. Not for top-level Pixel Data (the frame table has
 * that). May wait. */
MUST_USE bool bulk_value_read(const char *file, struct bytes path, struct bulk_value *ret, struct error *err);

#endif
