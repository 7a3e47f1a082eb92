/* dicom/frame_syntax.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * In which transfer syntax encapsulated frames are stored, whatever the file's label says: some writers
 * compress the pixels and leave Explicit VR Little Endian in the file meta information.
 */
#ifndef GANTRY_DICOM_FRAME_SYNTAX_H
#define GANTRY_DICOM_FRAME_SYNTAX_H

#include "base/attributes.h"
#include "base/error.h"
#include "dicom/frame_table.h"
#include "dicom/pixel_shape.h"
#include "dicom/transfer_syntax.h"

/* By the first frame: a code stream that is known (code_stream.h), RLE, or samples as they are, one native
 * frame long. *ret is SYNTAX_UNKNOWN when it is none of these. May wait (reads the file). */
MUST_USE bool frame_syntax_find(int fd, const struct frame_table *table, const struct pixel_shape *shape,
                                enum transfer_syntax *ret, struct error *err);

#endif
