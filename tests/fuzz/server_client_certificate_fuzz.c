/* tests/fuzz/server_client_certificate_fuzz.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * A client certificate as it comes off the wire: bytes that GnuTLS takes for a certificate give a peer whose
 * names are printable text, or none at all.
 */
#include <stdlib.h>
#include <string.h>

#include <gnutls/x509.h>

#include "server/tls_peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const gnutls_datum_t der = { (unsigned char *)(uintptr_t)data, (unsigned)size };
    gnutls_x509_crt_t certificate;
    struct tls_peer *peer = NULL;
    struct error err = { 0 };

    if (gnutls_x509_crt_init(&certificate) < 0)
        abort();
    if (gnutls_x509_crt_import(certificate, &der, GNUTLS_X509_FMT_DER) >= 0 &&
        tls_peer_new(certificate, "ca", certificate, 0, &peer, &err)) {
        check_text(peer->principal);
        check_text(peer->subject);
        for (unsigned i = 0; i < peer->name_count; i++)
            check_text(peer->names[i].text);
        if (strlen(peer->fingerprint) != 64)
            abort();
    } else if (peer) {
        abort();
    }
    tls_peer_free(peer);
    gnutls_x509_crt_deinit(certificate);
    return 0;
}
