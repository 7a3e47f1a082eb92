/* tests/unit/storage/uid_map_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/uid_map.h"

#include <inttypes.h>
#include <stdio.h>

#include "tests/support/expect.h"

static struct bytes uid_of(uint64_t n, char into[64])
{
    return bytes_of(into, (size_t)snprintf(into, 64, "1.2.826.0.1.3680043.10.1081.%" PRIu64, n * n * 7919));
}

static bool may_be(const struct uid_map *map, struct bytes uid, uint64_t row)
{
    uint64_t cursor = 0, candidate;

    while ((candidate = uid_map_next(map, uid, &cursor)) != 0)
        if (candidate == row)
            return true;
    return false;
}

TEST(every_row_is_found_by_its_uid_and_strangers_hardly_ever)
{
    enum { MANY = 300000, STRANGERS = 100000 };
    struct uid_map *map = uid_map_new();
    uint64_t missed = 0, mistaken = 0, cursor;
    char text[64];

    for (uint64_t n = 1; n <= MANY; n++)
        EXPECT(uid_map_put(map, uid_of(n, text), n), "%" PRIu64 " is not taken", n);
    for (uint64_t n = 1; n <= MANY; n++)
        missed += !may_be(map, uid_of(n, text), n);
    for (uint64_t n = MANY + 1; n <= MANY + STRANGERS; n++) {
        cursor = 0;
        mistaken += uid_map_next(map, uid_of(n, text), &cursor) != 0;
    }
    EXPECT(missed == 0, "%" PRIu64 " are not found", missed);
    /* Some 7 by chance: 300,000 x 100,000 / 2^32. */
    EXPECT(mistaken < 40, "%" PRIu64 " of %d that were never put", mistaken, STRANGERS);
    uid_map_free(map);
}

TEST(a_uid_may_be_of_several_rows)
{
    struct uid_map *map = uid_map_new();
    const struct bytes uid = bytes_of_text("1.2.3");

    for (uint64_t row = 1; row <= 5; row++)
        EXPECT(uid_map_put(map, uid, row * 1000), "row %" PRIu64, row);
    for (uint64_t row = 1; row <= 5; row++)
        EXPECT(may_be(map, uid, row * 1000), "row %" PRIu64, row);
    uid_map_free(map);
}

TEST(rows_beyond_32_bits_are_refused)
{
    struct uid_map *map = uid_map_new();

    EXPECT(uid_map_put(map, bytes_of_text("1.2"), UINT32_MAX), "the last that fits");
    EXPECT(!uid_map_put(map, bytes_of_text("1.3"), (uint64_t)UINT32_MAX + 1), "one more");
    uid_map_free(map);
}
