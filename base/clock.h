/* base/clock.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Time, in milliseconds. Any thread.
 */
#ifndef GANTRY_BASE_CLOCK_H
#define GANTRY_BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_unix_ms(void);      /* since 1970, may jump */
uint64_t clock_monotonic_ms(void); /* never goes back; for deadlines */
uint64_t clock_monotonic_us(void);

#endif
