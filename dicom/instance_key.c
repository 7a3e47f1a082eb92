/* dicom/instance_key.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * A key from the UIDs in a URL.
 */
#include "dicom/instance_key.h"

bool instance_key_parse(const struct bytes segments[3], struct instance_key *ret, struct error *err)
{
    static const char *const names[3] = { "Study", "Series", "SOP" };
    struct instance_key key = { 0 };
    struct uid *const levels[3] = { &key.study, &key.series, &key.instance };

    for (size_t i = 0; i < 3; i++) {
        struct error why = { 0 };
        if (segments[i].data && !uid_parse(segments[i], levels[i], &why))
            return error_tell(err, FAULT_MALFORMED, "The %s Instance UID is not a UID.", names[i]);
    }
    *ret = key;
    return true;
}
