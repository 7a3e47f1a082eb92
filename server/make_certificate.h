/* server/make_certificate.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Keys, certificates and requests made here: the throwaway pair of a first start, the laboratory CA of
 * `gantry cert init`, the request of `gantry cert csr`. Any thread; making an RSA key takes a second.
 */
#ifndef GANTRY_SERVER_MAKE_CERTIFICATE_H
#define GANTRY_SERVER_MAKE_CERTIFICATE_H

#include <gnutls/x509.h>

#include "base/attributes.h"
#include "base/error.h"

enum make_kind { MAKE_CA, MAKE_SERVER, MAKE_CLIENT };

struct make_order {
    enum make_kind kind;
    const char *common_name;
    const char *const *names; /* SubjectAltName: host names, or addresses in figures */
    unsigned name_count;
    unsigned days; /* of validity */
};

/* A key and the certificate for it. Zeroed it holds nothing. */
struct made_certificate {
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t certificate;
};
void made_certificate_drop(struct made_certificate *made);

/* A key, P-256 or RSA of 3072 bits. */
MUST_USE bool make_key(bool rsa, gnutls_x509_privkey_t *ret, struct error *err);
/* A fresh P-256 key and its certificate, signed by `issuer` or, when NULL, by itself. */
MUST_USE bool make_certificate(const struct make_order *order, const struct made_certificate *issuer,
                               struct made_certificate *ret, struct error *err);
/* A PKCS #10 request for a server's certificate, PEM (gnutls_free). */
MUST_USE bool make_request(gnutls_x509_privkey_t key, const struct make_order *order, gnutls_datum_t *ret,
                           struct error *err);

MUST_USE bool made_certificate_write(gnutls_x509_crt_t certificate, const char *path, struct error *err);
/* For the owner alone. */
MUST_USE bool made_key_write(gnutls_x509_privkey_t key, const char *path, struct error *err);
/* False: not there, or no good. */
MUST_USE bool made_certificate_read(const char *path, gnutls_x509_crt_t *ret);
MUST_USE bool made_key_read(const char *path, gnutls_x509_privkey_t *ret);

#endif
