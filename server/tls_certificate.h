/* server/tls_certificate.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * One certificate of this server: its chain and its key, read and checked. Immutable once loaded, but for its
 * OCSP staple; any thread.
 */
#ifndef GANTRY_SERVER_TLS_CERTIFICATE_H
#define GANTRY_SERVER_TLS_CERTIFICATE_H

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/attributes.h"
#include "base/error.h"
#include "server/ocsp_staple.h"

struct tls_files {
    const char *certificate; /* path of a PEM chain, leaf first */
    const char *key;         /* path of a PEM private key */
};

/* What is worth a line in the log though it works; `remedy` says what to do. */
typedef void tls_warning_fn(void *context, const char *what, const char *remedy);

enum { TLS_NAMES_MOST = 256 };

struct tls_certificate {
    char *path;               /* of the chain, for messages */
    gnutls_x509_crt_t *chain; /* as in the file, leaf first */
    unsigned chain_size;
    unsigned sent_size; /* without a root at its end (TLS-12) */
    gnutls_x509_privkey_t key;
    char *names[TLS_NAMES_MOST]; /* dNSNames in small letters, "*.example.org" too */
    unsigned name_count;
    char *ocsp_url;            /* of the responder that it names, or NULL */
    bool must_staple;          /* RFC 7633 */
    struct ocsp_staple staple; /* has a lock of its own */
};

/* Everything that the server demands of a certificate and its key: they parse, belong together, are strong
 * enough, valid now, in order, the key readable by its owner alone. `warn` (may be NULL) hears what is
 * doubtful. May wait for the disk. MALFORMED, DISK. */
MUST_USE bool tls_certificate_load(const struct tls_files *files, tls_warning_fn *warn, void *context,
                                   struct tls_certificate **ret, struct error *err);
/* Does one of its names, "*." included, cover `name` (in small letters)? RFC 6125 6.4.3. */
bool tls_certificate_covers(const struct tls_certificate *certificate, const char *name);
/* The issuer's certificate, of the chain; NULL: it is not there. */
gnutls_x509_crt_t tls_certificate_issuer(const struct tls_certificate *certificate);
/* CERTIFICATE.ocsp beside the file CERTIFICATE.pem: where a staple may lie. False: the path is too long. */
MUST_USE bool tls_certificate_staple_path(const char *certificate, char *into, size_t size);
void tls_certificate_free(struct tls_certificate *certificate);
void tls_certificate_drop(struct tls_certificate **certificate); /* for SCOPED */

#endif
