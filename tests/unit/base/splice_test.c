/* tests/unit/base/splice_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/expect.h"

#include "base/buffer.h"
#include "base/splice.h"

TEST(GEN_02_every_mark_becomes_the_public_base)
{
    static const char *const cases[][2] = {
        { "", "" },
        { "abc", "abc" },
        { "\x01", "https://p/x" },
        { "\"\x01/studies/1\"", "\"https://p/x/studies/1\"" },
        { "\x01\x01"
          "a\x01",
          "https://p/xhttps://p/xahttps://p/x" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buffer into;
        buffer_init(&into, 1000);
        buffer_append_text(&into, ">");
        splice_text(&into, bytes_of_text(cases[i][0]), 1, bytes_of_text("https://p/x"));
        EXPECT_TEXT(bytes_from(buffer_bytes(&into), 1), cases[i][1]);
        buffer_done(&into);
    }
}
