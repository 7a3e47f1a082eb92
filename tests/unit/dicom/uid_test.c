/* tests/unit/dicom/uid_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "dicom/uid.h"

#include "tests/support/expect.h"

TEST(a_uid_can_never_be_a_path)
{
    static const char *const hostile[] = { "",     "..", "1.2/3", "/etc", "1.2\n3", "1.2 3",
                                           "1..2", ".1", "1.",    "1,2",  "1.2a",   "-1" };

    for (size_t i = 0; i < COUNT_OF(hostile); i++) {
        struct uid uid;
        struct error err = { 0 };
        EXPECT(!uid_parse(bytes_of_text(hostile[i]), &uid, &err), "accepted \"%s\"", hostile[i]);
        EXPECT(err.fault == FAULT_MALFORMED, "\"%s\" gave fault %d", hostile[i], err.fault);
    }
}

TEST(a_uid_has_64_characters_at_most)
{
    char digits[66];
    struct uid uid;
    struct error err = { 0 };

    memset(digits, '1', sizeof digits);
    EXPECT(uid_parse(bytes_of(digits, 64), &uid, &err), "64: %s", err.detail);
    EXPECT(strlen(uid.text) == 64, "%zu", strlen(uid.text));
    EXPECT(!uid_parse(bytes_of(digits, 65), &uid, &err), "65 accepted");
}

TEST(leading_zeros_of_the_field_are_let_through)
{
    struct uid uid;
    struct error err = { 0 };

    EXPECT(uid_parse(bytes_of_text("1.02.003"), &uid, &err), "%s", err.detail);
    EXPECT_TEXT(uid_bytes(&uid), "1.02.003");
}

TEST(SEA_42_padding_of_a_value_is_removed_but_not_of_a_url)
{
    struct uid uid;
    struct error err = { 0 };

    EXPECT(uid_parse_padded(bytes_of("1.2.3\0", 6), &uid, &err), "%s", err.detail);
    EXPECT_TEXT(uid_bytes(&uid), "1.2.3");
    EXPECT(uid_parse_padded(bytes_of_text(" 1.2.3  "), &uid, &err), "%s", err.detail);
    EXPECT_TEXT(uid_bytes(&uid), "1.2.3");
    EXPECT(!uid_parse_padded(bytes_of("1.2\0.3\0", 7), &uid, &err), "a NUL within was accepted");
    EXPECT(!uid_parse(bytes_of("1.2.3\0", 6), &uid, &err), "padding was accepted");
}
