/* base/base64.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Base64 (RFC 4648 4): reading.
 */
#ifndef GANTRY_BASE_BASE64_H
#define GANTRY_BASE_BASE64_H

#include "base/attributes.h"
#include "base/buffer.h"

GANTRY_C_BEGIN

/* Appends what `text` stands for; white space between is fine, all else outside the alphabet is not. False:
 * it is no Base64, and `into` is as before. The buffer's ceiling is the caller's to check. */
MUST_USE bool base64_read(struct bytes text, struct buffer *into);

GANTRY_C_END

#endif
