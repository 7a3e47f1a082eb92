/* tests/unit/storage/instance_record_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/instance_record.h"

#include "tests/support/expect.h"

TEST(a_record_lives_as_long_as_its_last_holder)
{
    struct instance_record fields = { .generation = 7, .file_size = 100 };
    const struct instance_record *record = instance_record_new(&fields);

    fields.generation = 8;
    EXPECT(record->generation == 7 && record->file_size == 100, "not a copy");
    EXPECT(instance_record_ref(record) == record, "another record");
    instance_record_unref(record);
    EXPECT(record->generation == 7, "gone too early");
    instance_record_unref(record); /* LeakSanitizer and AddressSanitizer see to the rest */
    instance_record_unref(NULL);
}
