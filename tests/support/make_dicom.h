/* tests/support/make_dicom.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Sample DICOM files made by code, byte by byte, without any DICOM library, so that tests do not believe the
 * reader they test.
 */
#ifndef GANTRY_TESTS_MAKE_DICOM_H
#define GANTRY_TESTS_MAKE_DICOM_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/bytes.h"

/* All zero or NULL fields get plain defaults. */
struct make_dicom {
    const char *study, *series, *instance;       /* "1.2.3.1", "1.2.3.1.1", "1.2.3.1.1.1" */
    const char *sop_class;                       /* CT Image Storage */
    const char *transfer_syntax;                 /* Explicit VR Little Endian; also implicit and big endian */
    const char *patient_name, *patient_id;       /* "Doe^Jane", "ID1" */
    const char *study_date, *modality;           /* "20240102", "CT" */
    const char *character_set;                   /* none */
    const char *series_number, *instance_number; /* "1", "1" */
    uint16_t rows, columns;                      /* 8 x 8; 1 and 1 for the smallest */
    uint16_t bits_allocated;                     /* 16; 1, 8, 32 */
    uint16_t samples_per_pixel;                  /* 1 */
    uint32_t frames;                             /* 1 */
    uint32_t seed;                               /* of the pixel noise */
    bool no_pixel_data, no_meta, no_preamble;
    /* Encapsulated (when fragment_count says so or transfer_syntax is such a one: then 1): each frame
     * `fragment_count` fragments of fragment_bytes made-up bytes (64; odd: one more), the first beginning as
     * a code stream of the syntax does; the Basic Offset Table filled or empty. */
    uint32_t fragment_count, fragment_bytes;
    bool offset_table;
    uint32_t nested; /* sequences inside one another, so many */
};

/* Appends a whole PS3.10 file. */
void make_dicom(struct buffer *into, const struct make_dicom *what);
/* The bytes that frame `frame` (from 1) of such a file has, as stored; when a frame is no whole number of
 * bytes, moved to start on one, unused bits 0. The pixels depend on seed, frame and shape alone, not on the
 * byte order. */
void make_dicom_frame(struct buffer *into, const struct make_dicom *what, uint32_t frame);

#endif
