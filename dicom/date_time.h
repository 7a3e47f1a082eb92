/* dicom/date_time.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * DA, TM and DT (PS3.5 6.2) in forms of one length, that compare as text. Any thread, never waits.
 */
#ifndef GANTRY_DICOM_DATE_TIME_H
#define GANTRY_DICOM_DATE_TIME_H

#include "base/attributes.h"
#include "base/bytes.h"

enum {
    DATE_CHARACTERS = 8,       /* YYYYMMDD */
    TIME_CHARACTERS = 13,      /* HHMMSS.FFFFFF */
    DATE_TIME_CHARACTERS = 21, /* YYYYMMDDHHMMSS.FFFFFF */
};

/* What stands for the parts that a time leaves out: zero, or the end of the unit that it does name. */
enum edge { EDGE_START, EDGE_END };

/* False when `text` is none; nothing is trimmed. `ret` gets so many characters as the constants say, and a
 * NUL. */
MUST_USE bool date_parse(struct bytes text, char ret[DATE_CHARACTERS + 1]); /* also YYYY.MM.DD (ACR-NEMA) */
MUST_USE bool time_parse(struct bytes text, enum edge edge,
                         char ret[TIME_CHARACTERS + 1]); /* also HH:MM:SS */
/* With an offset (&ZZXX) the value is turned into UTC; without one it is taken as it stands. */
MUST_USE bool date_time_parse(struct bytes text, enum edge edge, char ret[DATE_TIME_CHARACTERS + 1]);

#endif
