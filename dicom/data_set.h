/* dicom/data_set.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * A DICOM file opened and parsed up to its pixel data, for those who want to know more of it than where
 * frames lie.
 */
#ifndef GANTRY_DICOM_DATA_SET_H
#define GANTRY_DICOM_DATA_SET_H

#include "base/attributes.h"
#include "base/buffer.h"
#include "base/error.h"
#include "dicom/dataset.h"
#include "dicom/element_scan.h"
#include "dicom/part10.h"

struct data_set {
    int fd;
    uint64_t file_size;
    uint8_t *head; /* the file's first bytes */
    struct part10 part10;
    bool deflated; /* offsets below count in the inflated data set, which `inflated` holds */
    struct buffer inflated;
    bool
        inflated_whole; /* up to the stream's own end; else to a break in it, or to where it grew too large */
    struct element_source source;
    enum dataset_encoding encoding;
    struct element_skeleton skeleton;
    struct dataset *elements; /* those before the pixel data */
    struct dataset *tail;     /* those behind it; NULL until data_set_read_tail finds some */
};

/* NOT_DICOM when it cannot be understood; *ret is to be closed even then, and holds what was understood. May
 * wait. */
MUST_USE bool data_set_open(const char *path, struct data_set *ret, struct error *err);
/* Parses what stands behind the pixel data, if that is sound. `pixels_end`: see element_scan_tail. May wait.
 */
void data_set_read_tail(struct data_set *data_set, uint64_t pixels_end);
void data_set_close(struct data_set *data_set);
void data_set_drop(
    struct data_set **data_set); /* closes it: SCOPED(data_set) struct data_set *of = &local; */

#endif
