/* dicom/description.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What the house wants to know of an instance, found out once, when it arrives.
 */
#ifndef GANTRY_DICOM_DESCRIPTION_H
#define GANTRY_DICOM_DESCRIPTION_H

#include "base/arena.h"
#include "base/block.h"
#include "base/error.h"
#include "dicom/dicom_json.h"
#include "dicom/frame_table.h"
#include "dicom/instance_key.h"
#include "dicom/pixel_shape.h"
#include "dicom/query_keys.h"
#include "dicom/transfer_syntax.h"

struct description {
    struct instance_key key;
    struct uid sop_class;
    /* (0002,0010) as stored, also when the table does not know it; where it says that pixels are compressed
     * and they are not, or the other way round, the one that they are in. */
    struct uid syntax_uid;
    enum transfer_syntax syntax;
    struct pixel_shape shape;
    struct frame_table *frames; /* owned; NULL: no pixel data */
    uint64_t file_size;         /* bytes */
    uint64_t data_set_offset;   /* where the data set begins behind the file meta information; 0: no meta */
    /* No preamble, or no meta information that says class, instance and syntax, these and no others (PS3.10
     * 7.1): then it leaves with a head that does. */
    bool needs_head;
    /* Values of the catalog's columns: UTF-8 (NFC), padding removed, several values separated by backslash;
     * empty: absent or empty. They live in the arena given. */
    struct bytes values[QUERY_KEY_COUNT];
    /* One JSON object {...} with all attributes but group 0002 and group lengths, ascending; bulk data by
     * reference (<mark>{instance}/bulkdata/{tag}, nested {sq}/{item}/{tag}); pixel data always by reference.
     */
    struct block *json;
    const char *
        foreign_meta; /* keyword of the UID that the file meta information has another value of; NULL: none */
    uint16_t
        warning_reason; /* (0008,1196): 0, or B007 where a rule of the class is broken but it is stored */
};

/* Reads a whole PS3.10 file: the elements up to the pixel data behind limits, a scan of the frames, any
 * public transfer syntax's structure (also big endian, deflated, implicit, and files without preamble).
 * `path` is a file that does not change meanwhile. NOT_DICOM (C000) when it cannot be understood, MISMATCH
 * (A900) when a UID it needs is missing or bad; NOT_STORABLE (0122)
 * for a DICOMDIR. As far as UIDs were understood before a failure they are in ret->key and ret->sop_class
 * even then (STO-55). May wait; any thread after bridge_start(). */
MUST_USE bool description_read(const char *path, const struct json_limits *limits, struct arena *arena,
                               struct description *ret, struct error *err);
void description_done(struct description *description); /* frames and json; NULL is fine */

#endif
