/* dicom/inflated.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The data set of a deflated file (PS3.5 A.5), piece by piece: memory does not grow with it.
 */
#ifndef GANTRY_DICOM_INFLATED_H
#define GANTRY_DICOM_INFLATED_H

#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"

struct inflated;

/* `read` reads the file, whose deflated bytes lie from `from` to `file_size`; may wait. BUSY: no memory. */
MUST_USE bool
inflated_open(bool (*read)(void *reader, uint64_t offset, void *into, size_t size, struct error *err),
              void *reader, uint64_t from, uint64_t file_size, struct inflated **ret, struct error *err);
/* The next bytes; *ret_size 0: the stream's own end. NOT_DICOM where it breaks, or where the file ends before
 * it. */
MUST_USE bool inflated_read(struct inflated *inflated, void *into, size_t capacity, size_t *ret_size,
                            struct error *err);
void inflated_close(struct inflated *inflated); /* NULL is fine */

#endif
