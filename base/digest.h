/* base/digest.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * SHA-256 (GnuTLS), taken in passing. One thread at a time per digest.
 */
#ifndef GANTRY_BASE_DIGEST_H
#define GANTRY_BASE_DIGEST_H

#include "base/attributes.h"
#include "base/bytes.h"

enum { DIGEST_BYTES = 32 };

struct digest;

struct digest *digest_new(void); /* aborts when the library has no SHA-256 */
void digest_add(struct digest *digest, struct bytes data);
void digest_get(struct digest *digest, uint8_t ret[DIGEST_BYTES]); /* of all so far; starts anew */
void digest_free(struct digest *digest);                           /* NULL is fine */
void digest_of(struct bytes data, uint8_t ret[DIGEST_BYTES]);
/* `size` bytes as lower-case hex and a NUL: 2 * size + 1 characters. */
void digest_hex(const uint8_t *data, size_t size, char *into);

#endif
