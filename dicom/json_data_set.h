/* dicom/json_data_set.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The other way round than dicom_json_writer.h: a DICOM file out of an object of the DICOM JSON model (PS3.18
 * Annex F), as a store of metadata and bulk data sends it (PS3.18 10.5.1.4). Written in Explicit VR Little
 * Endian order, ascending, in pieces, so that values by reference are never in memory.
 *
 * Taken leniently (STO-41): numbers as numbers or as text, lower-case tags, absent `vr` of attributes that
 * the dictionary knows, null values, any order. Refused: a tag twice, a VR that is none, a value that its VR
 * cannot hold, sequences deeper than JSON_DATA_SET_DEPTH. One thread at a time; never waits but in the
 * callbacks.
 */
#ifndef GANTRY_DICOM_JSON_DATA_SET_H
#define GANTRY_DICOM_JSON_DATA_SET_H

#include <jansson.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/error.h"
#include "dicom/uid.h"

enum { JSON_DATA_SET_DEPTH = 64 };

struct json_data_set_output {
    void *context;
    bool (*put)(void *context, struct bytes data, struct error *err);
    /* The value behind a BulkDataURI: its size in bytes; NOT_DICOM when there is none. */
    bool (*bulk_size)(void *context, struct bytes uri, uint64_t *ret, struct error *err);
    bool (*bulk_put)(void *context, struct bytes uri, struct error *err); /* all of it, through `put` */
    /* Pixel Data (7FE0,0010) of the data set itself by reference: writes the whole element, header and all,
     * if it has a form of its own (encapsulated). *ret_done false: nothing was written, it is a value like
     * others. */
    bool (*pixel_data)(void *context, struct bytes uri, bool *ret_done, struct error *err);
};

/* The text of one value of an attribute: a string, or a number's text; data NULL: absent, or something else.
 * Borrowed from `object`, or from `room`. */
enum { JSON_VALUE_ROOM = 40 };
struct bytes json_data_set_text(const json_t *object, uint32_t tag, char room[JSON_VALUE_ROOM]);
/* Sets an attribute of one value. */
void json_data_set_set_text(json_t *object, uint32_t tag, const char *vr, const char *value);
void json_data_set_set_number(json_t *object, uint32_t tag, const char *vr, uint32_t value);

/* Preamble, file meta information (PS3.10 7.1) and the data set. `object` is changed: attributes of group
 * 0002 and group lengths go (*ret_dropped tells that one of group 0002 did), Specific Character Set becomes
 * ISO_IR 192 when any text is not ASCII (STO-40). NOT_DICOM or MISMATCH, telling the attribute. */
MUST_USE bool json_data_set_write(json_t *object, const char *transfer_syntax_uid,
                                  const struct json_data_set_output *output, bool *ret_dropped,
                                  struct error *err);

#endif
