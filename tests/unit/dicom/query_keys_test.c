/* tests/unit/dicom/query_keys_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "dicom/query_keys.h"

#include "tests/support/expect.h"

TEST(every_column_is_found_by_its_tag)
{
    for (unsigned i = 0; i < QUERY_KEY_COUNT; i++) {
        const struct query_key_info *info = query_key_info((enum query_key)i);
        EXPECT(query_key_of_tag(info->tag) == i, "%s", info->keyword);
        EXPECT(strlen(info->vr) == 2, "%s", info->keyword);
    }
    EXPECT(query_key_of_tag(0x7FE00010) == QUERY_KEY_COUNT, "pixel data is a column");
}
