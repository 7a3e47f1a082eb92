/* dicom/jxl_stream.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What a JPEG XL code stream says of itself (ISO/IEC 18181-1 annex D, 18181-2), for code_stream.h. Never
 * waits; any thread; safe on any bytes.
 */
#ifndef GANTRY_DICOM_JXL_STREAM_H
#define GANTRY_DICOM_JXL_STREAM_H

#include "dicom/code_stream.h"

/* `head`: its first bytes, bare or in boxes, which stay around it. False: no JPEG XL, or one that is no image
 * of DICOM's: animations, previews, floats, extra channels. */
MUST_USE bool jxl_stream_read(struct bytes head, struct code_stream *ret);

#endif
