/* tests/unit/bridge/start_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bridge/start.h"

#include "tests/support/expect.h"

TEST(starting_twice_is_one_start)
{
    struct error err = { 0 };

    EXPECT(bridge_start(&err) && bridge_start(&err), "%s", err.detail);
}
