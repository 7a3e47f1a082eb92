/* base/clock.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Time; see clock.h.
 */
#include "base/clock.h"

#include <time.h>

static uint64_t microseconds(clockid_t which)
{
    struct timespec now;

    clock_gettime(which, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t clock_unix_ms(void)
{
    return microseconds(CLOCK_REALTIME) / 1000;
}

uint64_t clock_monotonic_ms(void)
{
    return microseconds(CLOCK_MONOTONIC) / 1000;
}

uint64_t clock_monotonic_us(void)
{
    return microseconds(CLOCK_MONOTONIC);
}
