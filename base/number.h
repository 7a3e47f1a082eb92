/* base/number.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Numbers from foreign text, with a least and a most. The only way a number comes in.
 */
#ifndef GANTRY_BASE_NUMBER_H
#define GANTRY_BASE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"

/* All of `text` is decimal digits and the value lies in least..most; no sign, no space. */
MUST_USE bool number_parse(struct bytes text, uint64_t least, uint64_t most, uint64_t *ret);
/* The same with one optional sign. */
MUST_USE bool number_parse_signed(struct bytes text, int64_t least, int64_t most, int64_t *ret);
enum { NUMBER_REAL_MOST = 64 };
/* All of `text` is a decimal real number (PS3.5 DS: sign, digits, point, exponent), finite; shorter than
 * NUMBER_REAL_MOST. */
MUST_USE bool number_parse_real(struct bytes text, double *ret);
/* Exactly 1 to 16 hexadecimal digits. */
MUST_USE bool number_parse_hex(struct bytes text, uint64_t most, uint64_t *ret);

#endif
