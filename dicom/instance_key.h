/* dicom/instance_key.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What names an instance in every URL: its study, its series and itself. `series` and `instance` are empty
 * (text[0] == 0) where a key stands for a whole study or series.
 */
#ifndef GANTRY_DICOM_INSTANCE_KEY_H
#define GANTRY_DICOM_INSTANCE_KEY_H

#include "dicom/uid.h"

struct instance_key {
    struct uid study, series, instance;
};

/* From up to three URL segments; NULL data leaves a level empty. MALFORMED names the segment. */
MUST_USE bool instance_key_parse(const struct bytes segments[3], struct instance_key *ret, struct error *err);

#endif
