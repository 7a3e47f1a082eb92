/* tests/unit/base/base64_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/base64.h"

#include "tests/support/expect.h"

TEST(the_examples_of_RFC_4648_are_read)
{
    static const struct {
        const char *text, *data;
    } cases[] = { { "", "" },
                  { "Zg==", "f" },
                  { "Zm8=", "fo" },
                  { "Zm9v", "foo" },
                  { "Zm9vYg==", "foob" },
                  { "Zm9vYmE=", "fooba" },
                  { "Zm9v\r\n YmFy", "foobar" } };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        SCOPED(buffer) struct buffer into;
        buffer_init(&into, 100);
        EXPECT(base64_read(bytes_of_text(cases[i].text), &into) &&
                   bytes_equal_text(buffer_bytes(&into), cases[i].data),
               "%s", cases[i].text);
    }
}

TEST(what_is_no_base64_is_refused_and_adds_nothing)
{
    static const char *const bad[] = { "!!", "Zg==Zg", "Z", "Zm9v*", "Zm9vY" };

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        SCOPED(buffer) struct buffer into;
        buffer_init(&into, 100);
        EXPECT(!base64_read(bytes_of_text(bad[i]), &into) && into.size == 0, "%s was taken", bad[i]);
    }
}
