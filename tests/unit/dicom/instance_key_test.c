/* tests/unit/dicom/instance_key_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "dicom/instance_key.h"

#include "tests/support/expect.h"

TEST(segments_that_are_absent_leave_their_level_empty)
{
    const struct bytes study[3] = { bytes_of_text("1.2") };
    const struct bytes all[3] = { bytes_of_text("1.2"), bytes_of_text("1.3"), bytes_of_text("1.4") };
    struct instance_key key;
    struct error err = { 0 };

    EXPECT(instance_key_parse(study, &key, &err), "%s", err.detail);
    EXPECT_TEXT(uid_bytes(&key.study), "1.2");
    EXPECT(key.series.text[0] == 0 && key.instance.text[0] == 0, "not empty");
    EXPECT(instance_key_parse(all, &key, &err), "%s", err.detail);
    EXPECT_TEXT(uid_bytes(&key.instance), "1.4");
}

TEST(a_bad_segment_is_named_and_not_repeated)
{
    const struct bytes bad[3] = { bytes_of_text("1.2"), bytes_of_text("1.x<script>"), { NULL, 0 } };
    const struct bytes empty[3] = { bytes_of_text("") };
    struct instance_key key;
    struct error err = { 0 };

    EXPECT(!instance_key_parse(bad, &key, &err) && err.fault == FAULT_MALFORMED, "fault %d", err.fault);
    EXPECT(strstr(err.told, "Series") && !strstr(err.told, "script"), "told \"%s\"", err.told);
    EXPECT(!instance_key_parse(empty, &key, &err), "an empty segment was accepted");
}
