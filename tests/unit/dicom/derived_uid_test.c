/* tests/unit/dicom/derived_uid_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "dicom/derived_uid.h"

#include "tests/support/expect.h"

TEST(a_derived_uid_is_a_uuid_under_2_25_and_the_same_each_time)
{
    static const struct {
        uint8_t first, second, last;
        const char *uid;
    } cases[] = {
        /* 00000000-0000-8000-8000-000000000000 and ffffffff-ffff-8fff-bfff-ffffffffffff as decimal numbers */
        { 0, 0, 0, "2.25.604472133179351442128896" },
        { 0xFF, 0xFF, 0xFF, "2.25.340282366920937934553716840013076889599" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t digest[32];
        struct error err = { 0 };
        struct uid parsed;

        memset(digest, cases[i].first, sizeof digest);
        const struct uid uid = derived_uid(digest);
        EXPECT(strcmp(uid.text, cases[i].uid) == 0, "case %zu: %s", i, uid.text);
        EXPECT(uid_parse(uid_bytes(&uid), &parsed, &err), "case %zu: %s", i, err.detail);
        digest[20] ^= 1; /* what is behind the UUID does not count */
        const struct uid again = derived_uid(digest);
        EXPECT(uid_equal(&uid, &again), "case %zu", i);
        digest[3] ^= 1;
        const struct uid other = derived_uid(digest);
        EXPECT(!uid_equal(&uid, &other), "case %zu", i);
    }
}
