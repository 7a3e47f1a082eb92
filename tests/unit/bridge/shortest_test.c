/* tests/unit/bridge/shortest_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/expect.h"

#include <stdlib.h>

#include "bridge/shortest.h"

TEST(numbers_are_as_short_as_they_can_be)
{
    char text[SHORTEST_ROOM];

    EXPECT_TEXT(bytes_of(text, shortest_double(0.1, text)), "0.1");
    EXPECT_TEXT(bytes_of(text, shortest_float(0.1F, text)), "0.1");
    EXPECT_TEXT(bytes_of(text, shortest_double((double)0.1F, text)), "0.10000000149011612");
    EXPECT_TEXT(bytes_of(text, shortest_double(-0.0, text)), "-0");
    EXPECT_TEXT(bytes_of(text, shortest_double(1e300, text)), "1e+300");
}

TEST(numbers_read_back_to_themselves)
{
    char text[SHORTEST_ROOM];

    for (uint64_t i = 1; i < 100000; i++) {
        const uint64_t raw = i * UINT64_C(0x9E3779B97F4A7C15) & UINT64_C(0xBFFFFFFFFFFFFFFF);
        double value;
        memcpy(&value, &raw, sizeof value);
        shortest_double(value, text);
        const double back = strtod(text, NULL);
        if (!EXPECT(memcmp(&back, &value, sizeof back) == 0, "%s", text))
            break;
    }
}
