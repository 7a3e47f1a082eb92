/* storage/catalog_row.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Small values as the catalog's rows hold them.
 */
#ifndef GANTRY_STORAGE_CATALOG_ROW_H
#define GANTRY_STORAGE_CATALOG_ROW_H

#include "base/attributes.h"
#include "base/bytes.h"
#include "dicom/pixel_shape.h"

enum { SHAPE_BYTES = 16 };

/* The shape of the pixels, and beside it whether the file needs another head (dicom/description.h). */
void catalog_row_put_shape(const struct pixel_shape *shape, bool needs_head, uint8_t into[SHAPE_BYTES]);
MUST_USE bool catalog_row_get_shape(struct bytes stored, struct pixel_shape *ret, bool *ret_needs_head);

/* Is `value` one of the values of `list`, which backslashes separate? */
bool catalog_row_list_has(struct bytes list, struct bytes value);

#endif
