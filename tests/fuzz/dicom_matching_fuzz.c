/* tests/fuzz/dicom_matching_fuzz.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Any key against any stored value: VR (1 byte chooses), any_of (1), length of the key (1), key, value.
 */
#include "dicom/matching.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const vrs[] = { "PN", "LO", "CS", "UI", "DA", "TM", "DT", "IS", "DS", "US", "AS",
                                       "AT", "ST", "UT", "UR", "UC", "AE", "SH", "SQ", "OB", "FD", "" };
    struct arena arena = { 0 };
    struct match match;
    struct error err = { 0 };

    if (size < 3 || size - 3 < data[2])
        return 0;
    const char *vr = vrs[data[0] % COUNT_OF(vrs)];
    const struct bytes key = bytes_of(data + 3, data[2]),
                       stored = bytes_of(data + 3 + data[2], size - 3 - data[2]);
    if (matching_parse("Key", vr, key, data[1] & 1, &arena, &match, &err)) {
        const bool strict = matching_test(&match, stored, false);
        if (strict && !matching_test(&match, stored, true))
            abort();
        if (match.kind == MATCH_UNIVERSAL && !strict)
            abort();
    } else if (err.fault != FAULT_MALFORMED || err.told[0] == '\0') {
        abort();
    }
    matching_canonical(vr, stored, &arena);
    const struct bytes once = matching_fold(stored, &arena), twice = matching_fold(once, &arena);
    if (!bytes_equal(once, twice))
        abort();
    arena_release(&arena);
    return 0;
}
