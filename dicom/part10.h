/* dicom/part10.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * DICOM files (PS3.10 chapter 7): preamble, file meta information, and where the data set begins.
 */
#ifndef GANTRY_DICOM_PART10_H
#define GANTRY_DICOM_PART10_H

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/error.h"
#include "dicom/transfer_syntax.h"
#include "dicom/uid.h"

enum { PART10_HEAD_BYTES = 65536 };

struct part10 {
    bool preamble;                              /* 128 bytes and DICM are there */
    bool meta;                                  /* group 0002 is there */
    uint64_t data_set;                          /* offset of the first byte behind group 0002 */
    struct uid sop_class, sop_instance, syntax; /* empty where absent or bad */
    /* SYNTAX_UNKNOWN for private ones; guessed without meta (STO-25), and where the data set is in another
     * encoding than its label says: then `syntax` is empty. */
    enum transfer_syntax transfer_syntax;
    bool wrong_label;
};

/* Reads the head of a file: `head` is its first PART10_HEAD_BYTES bytes, or all of it. NOT_DICOM otherwise.
 * Never waits; any thread; safe on any bytes. */
MUST_USE bool part10_read(struct bytes head, struct part10 *ret, struct error *err);

#endif
