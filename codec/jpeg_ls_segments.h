/* codec/jpeg_ls_segments.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Marker segments of JPEG-LS for its decoder and encoder. Not for others.
 */
#ifndef GANTRY_CODEC_JPEG_LS_SEGMENTS_H
#define GANTRY_CODEC_JPEG_LS_SEGMENTS_H

#include "codec/jpeg_ls_model.h"

/* What has been read up to a scan. Zeros at the beginning of a stream. */
struct ls_headers {
    struct ls_stream stream;
    struct ls_parameters parameters; /* of the scan */
    uint8_t names[LS_COMPONENTS];
    int32_t preset[5];      /* MAXVAL, T1, T2, T3, RESET; 0: the default */
    unsigned restart_lines; /* 0: no restart markers */
    size_t end;             /* where the scan's data begin; set to where they ended before the next call */
};

/* Reads on to the data of scan number `scan`, from 0. False: unusual or wrong. */
bool ls_headers_read(struct bytes coded, unsigned scan, struct ls_headers *headers);
/* Is there nothing more? */
bool ls_headers_ended(struct bytes coded, const struct ls_headers *headers);

enum { LS_HEADERS_MOST_BYTES = 64 };
/* Writes all up to the data; how many bytes that are. */
size_t ls_headers_write(const struct ls_stream *stream, const struct ls_parameters *p, uint8_t *into);

#endif
