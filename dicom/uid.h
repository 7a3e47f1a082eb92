/* dicom/uid.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Unique identifiers (PS3.5 section 9).
 */
#ifndef GANTRY_DICOM_UID_H
#define GANTRY_DICOM_UID_H

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/error.h"

/* Digits and dots, 64 at most, no empty component. That is also what makes a UID safe as a file name, and
 * uid_parse is the only way to come by one. Leading zeros in components exist in the field and are let
 * through. All zero: no UID. */
struct uid {
    char text[65];
};

/* MALFORMED when `text` is not a UID. No padding is removed. Any thread. */
MUST_USE bool uid_parse(struct bytes text, struct uid *ret, struct error *err);
/* The same for a value out of a data set: one trailing NUL and spaces at both ends are removed first. */
MUST_USE bool uid_parse_padded(struct bytes value, struct uid *ret, struct error *err);
static inline struct bytes uid_bytes(const struct uid *uid)
{
    return bytes_of_text(uid->text);
}
static inline bool uid_equal(const struct uid *a, const struct uid *b)
{
    return strcmp(a->text, b->text) == 0;
}

#endif
