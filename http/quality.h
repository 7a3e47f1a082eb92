/* http/quality.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Quality values (RFC 9110 12.4.2): how much a client likes a thing.
 */
#ifndef GANTRY_HTTP_QUALITY_H
#define GANTRY_HTTP_QUALITY_H

#include "base/attributes.h"
#include "base/bytes.h"

/* "0", "0.5", "1.000": in thousandths, 0..1000. False for anything else. */
MUST_USE bool quality_read(struct bytes text, unsigned *ret_thousandths);

#endif
