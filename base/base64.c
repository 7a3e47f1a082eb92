/* base/base64.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Base64, by GnuTLS.
 */
#include "base/base64.h"

#include <gnutls/gnutls.h>

bool base64_read(struct bytes text, struct buffer *into)
{
    gnutls_datum_t read = { NULL, 0 };

    if (text.size == 0)
        return true;
    if (text.size > UINT32_MAX)
        return false;
    const gnutls_datum_t from = { (unsigned char *)(uintptr_t)text.data, (unsigned)text.size };
    if (gnutls_base64_decode2(&from, &read) != GNUTLS_E_SUCCESS)
        return false;
    buffer_append(into, bytes_of(read.data, read.size));
    gnutls_free(read.data);
    return true;
}
