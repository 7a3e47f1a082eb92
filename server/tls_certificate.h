/* server/tls_certificate.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * One certificate of this server: its chain and its key, read and checked. Immutable once loaded; any thread.
 */
#ifndef GANTRY_SERVER_TLS_CERTIFICATE_H
#define GANTRY_SERVER_TLS_CERTIFICATE_H

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/attributes.h"
#include "base/error.h"

struct tls_files {
    const char *certificate; /* path of a PEM chain, leaf first */
    const char *key;         /* path of a PEM private key */
};

/* What is worth a line in the log though it works; `remedy` says what to do. */
typedef void tls_warning_fn(void *context, const char *what, const char *remedy);

struct tls_certificate {
    gnutls_x509_crt_t *chain; /* as in the file, leaf first */
    unsigned chain_size;
    unsigned sent_size; /* without a root at its end (TLS-12) */
    gnutls_x509_privkey_t key;
};

/* Everything that the server demands of a certificate and its key: they parse, belong together, are strong
 * enough, valid now, in order, the key readable by its owner alone. `warn` may be NULL. May wait for the
 * disk. MALFORMED, DISK. */
MUST_USE bool tls_certificate_load(const struct tls_files *files, tls_warning_fn *warn, void *context,
                                   struct tls_certificate **ret, struct error *err);
void tls_certificate_free(struct tls_certificate *certificate);
void tls_certificate_drop(struct tls_certificate **certificate); /* for SCOPED */

#endif
