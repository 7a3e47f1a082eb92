/* base/digest.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * SHA-256; see digest.h.
 */
#include "base/digest.h"

#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>

struct digest {
    gnutls_hash_hd_t hash;
};

static void must(int outcome)
{
    if (outcome < 0) {
        fprintf(stderr, "gantry: SHA-256: %s\n", gnutls_strerror(outcome));
        abort();
    }
}

struct digest *digest_new(void)
{
    struct digest *digest = malloc(sizeof *digest);

    if (!digest)
        abort();
    must(gnutls_hash_init(&digest->hash, GNUTLS_DIG_SHA256));
    return digest;
}

void digest_add(struct digest *digest, struct bytes data)
{
    if (data.size)
        must(gnutls_hash(digest->hash, data.data, data.size));
}

void digest_get(struct digest *digest, uint8_t ret[DIGEST_BYTES])
{
    gnutls_hash_output(digest->hash, ret);
}

void digest_free(struct digest *digest)
{
    uint8_t unused[DIGEST_BYTES];

    if (!digest)
        return;
    gnutls_hash_deinit(digest->hash, unused);
    free(digest);
}

void digest_of(struct bytes data, uint8_t ret[DIGEST_BYTES])
{
    must(gnutls_hash_fast(GNUTLS_DIG_SHA256, data.data, data.size, ret));
}

void digest_hex(const uint8_t *data, size_t size, char *into)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < size; i++) {
        *into++ = digits[data[i] >> 4];
        *into++ = digits[data[i] & 15];
    }
    *into = '\0';
}
