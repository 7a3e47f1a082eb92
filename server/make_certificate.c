/* server/make_certificate.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Making certificates with GnuTLS; see make_certificate.h.
 */
#include "server/make_certificate.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>

#include "base/bytes.h"
#include "base/file.h"

enum {
    DAY_SECONDS = 86400,
    CLOCKS_DIFFER_S = 3600,
    SERIAL_BYTES = 16,
    PEM_CEILING_BYTES = 65536,
    RSA_BITS = 3072,
};

static bool check(int outcome, const char *doing, struct error *err)
{
    return outcome >= 0 || error_set(err, FAULT_INTERNAL, "%s: %s", doing, gnutls_strerror(outcome));
}

void made_certificate_drop(struct made_certificate *made)
{
    if (made->certificate)
        gnutls_x509_crt_deinit(made->certificate);
    if (made->key)
        gnutls_x509_privkey_deinit(made->key);
    *made = (struct made_certificate){ 0 };
}

bool make_key(bool rsa, gnutls_x509_privkey_t *ret, struct error *err)
{
    return check(gnutls_x509_privkey_init(ret), "key", err) &&
           check(gnutls_x509_privkey_generate(
                     *ret, rsa ? GNUTLS_PK_RSA : GNUTLS_PK_ECDSA,
                     rsa ? RSA_BITS : GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
                 "making a key", err);
}

/* What all certificates have in common: a fresh key, a random serial number, their dates and name. */
static bool begin(const struct make_order *order, struct made_certificate *made, struct error *err)
{
    const time_t from = time(NULL) - CLOCKS_DIFFER_S;
    unsigned char serial[SERIAL_BYTES], key_id[20];
    size_t key_id_size = sizeof key_id;

    if (!check(gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof serial), "random serial", err) ||
        !make_key(false, &made->key, err) ||
        !check(gnutls_x509_crt_init(&made->certificate), "certificate", err))
        return false;
    serial[0] = (unsigned char)((serial[0] & 0x7F) | 0x40); /* positive, and always of this length */

    gnutls_x509_crt_t crt = made->certificate;
    return check(gnutls_x509_crt_set_version(crt, 3), "version", err) &&
           check(gnutls_x509_crt_set_key(crt, made->key), "public key", err) &&
           check(gnutls_x509_crt_set_serial(crt, serial, sizeof serial), "serial", err) &&
           check(gnutls_x509_crt_set_activation_time(crt, from), "dates", err) &&
           check(gnutls_x509_crt_set_expiration_time(crt, from + (time_t)order->days * DAY_SECONDS), "dates",
                 err) &&
           check(gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, order->common_name,
                                               (unsigned)strlen(order->common_name)),
                 "name", err) &&
           check(gnutls_x509_crt_get_key_id(crt, 0, key_id, &key_id_size), "key id", err) &&
           check(gnutls_x509_crt_set_subject_key_id(crt, key_id, key_id_size), "key id", err);
}

/* A name as SubjectAltName has it; *ret_size bytes of `room` or of `name` itself. */
static gnutls_x509_subject_alt_name_t read_name(const char *name, unsigned char room[16], const void **ret,
                                                unsigned *ret_size)
{
    *ret = room;
    if (inet_pton(AF_INET, name, room) == 1) {
        *ret_size = 4;
        return GNUTLS_SAN_IPADDRESS;
    }
    if (inet_pton(AF_INET6, name, room) == 1) {
        *ret_size = 16;
        return GNUTLS_SAN_IPADDRESS;
    }
    *ret = name;
    *ret_size = (unsigned)strlen(name);
    return GNUTLS_SAN_DNSNAME;
}

static bool add_purpose(const struct make_order *order, gnutls_x509_crt_t crt, struct error *err)
{
    if (order->kind == MAKE_CA)
        return check(gnutls_x509_crt_set_basic_constraints(crt, 1, 0), "CA", err) &&
               check(gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN),
                     "key usage", err);
    return check(gnutls_x509_crt_set_basic_constraints(crt, 0, -1), "basic constraints", err) &&
           check(gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE), "key usage", err) &&
           check(
               gnutls_x509_crt_set_key_purpose_oid(
                   crt, order->kind == MAKE_SERVER ? GNUTLS_KP_TLS_WWW_SERVER : GNUTLS_KP_TLS_WWW_CLIENT, 0),
               "purpose", err);
}

static bool sign(const struct made_certificate *made, const struct made_certificate *by, struct error *err)
{
    unsigned char key_id[20];
    size_t size = sizeof key_id;

    return check(gnutls_x509_crt_get_subject_key_id(by->certificate, key_id, &size, NULL), "key id", err) &&
           check(gnutls_x509_crt_set_authority_key_id(made->certificate, key_id, size), "key id", err) &&
           check(gnutls_x509_crt_sign2(made->certificate, by->certificate, by->key, GNUTLS_DIG_SHA256, 0),
                 "signing", err);
}

bool make_certificate(const struct make_order *order, const struct made_certificate *issuer,
                      struct made_certificate *ret, struct error *err)
{
    __attribute__((cleanup(made_certificate_drop))) struct made_certificate made = { 0 };

    if (!begin(order, &made, err) || !add_purpose(order, made.certificate, err))
        return false;
    for (unsigned i = 0; i < order->name_count; i++) {
        unsigned char room[16];
        const void *name;
        unsigned size;
        const gnutls_x509_subject_alt_name_t type = read_name(order->names[i], room, &name, &size);
        if (!check(
                gnutls_x509_crt_set_subject_alt_name(made.certificate, type, name, size, GNUTLS_FSAN_APPEND),
                "name", err))
            return false;
    }
    if (!sign(&made, issuer ? issuer : &made, err))
        return false;
    *ret = made;
    made = (struct made_certificate){ 0 };
    return true;
}

static bool fill_request(gnutls_x509_crq_t request, gnutls_x509_privkey_t key, const struct make_order *order,
                         struct error *err)
{
    if (!check(gnutls_x509_crq_set_version(request, 1), "version", err) ||
        !check(gnutls_x509_crq_set_key(request, key), "public key", err) ||
        !check(gnutls_x509_crq_set_dn_by_oid(request, GNUTLS_OID_X520_COMMON_NAME, 0, order->common_name,
                                             (unsigned)strlen(order->common_name)),
               "name", err))
        return false;
    for (unsigned i = 0; i < order->name_count; i++) {
        unsigned char room[16];
        const void *name;
        unsigned size;
        const gnutls_x509_subject_alt_name_t type = read_name(order->names[i], room, &name, &size);
        if (!check(gnutls_x509_crq_set_subject_alt_name(request, type, name, size,
                                                        i ? GNUTLS_FSAN_APPEND : GNUTLS_FSAN_SET),
                   "name", err))
            return false;
    }
    return check(gnutls_x509_crq_set_key_usage(request, GNUTLS_KEY_DIGITAL_SIGNATURE), "key usage", err) &&
           check(gnutls_x509_crq_set_key_purpose_oid(request, GNUTLS_KP_TLS_WWW_SERVER, 0), "purpose", err) &&
           check(gnutls_x509_crq_sign2(request, key, GNUTLS_DIG_SHA256, 0), "signing", err);
}

bool make_request(gnutls_x509_privkey_t key, const struct make_order *order, gnutls_datum_t *ret,
                  struct error *err)
{
    gnutls_x509_crq_t request = NULL;

    if (!check(gnutls_x509_crq_init(&request), "request", err))
        return false;
    const bool fine = fill_request(request, key, order, err) &&
                      check(gnutls_x509_crq_export2(request, GNUTLS_X509_FMT_PEM, ret), "request", err);
    gnutls_x509_crq_deinit(request);
    return fine;
}

/* ── files ── */

bool made_certificate_write(gnutls_x509_crt_t certificate, const char *path, struct error *err)
{
    gnutls_datum_t pem = { 0 };

    if (!check(gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &pem), "writing a certificate", err))
        return false;
    const bool written = file_replace(path, bytes_of(pem.data, pem.size), 0644, err);
    gnutls_free(pem.data);
    return written;
}

bool made_key_write(gnutls_x509_privkey_t key, const char *path, struct error *err)
{
    gnutls_datum_t pem = { 0 };

    if (!check(gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &pem),
               "writing a key", err))
        return false;
    const bool written = file_replace(path, bytes_of(pem.data, pem.size), 0600, err);
    gnutls_memset(pem.data, 0, pem.size);
    gnutls_free(pem.data);
    return written;
}

static bool read_pem(const char *path, gnutls_datum_t *ret)
{
    struct error ignored = { 0 }; /* what cannot be read is made anew */
    char *text = NULL;
    size_t size = 0;

    if (!file_read_all(path, PEM_CEILING_BYTES, &text, &size, &ignored))
        return false;
    *ret = (gnutls_datum_t){ (unsigned char *)text, (unsigned)size };
    return true;
}

bool made_certificate_read(const char *path, gnutls_x509_crt_t *ret)
{
    gnutls_datum_t pem = { 0 };

    if (!read_pem(path, &pem))
        return false;
    const bool good =
        gnutls_x509_crt_init(ret) >= 0 && gnutls_x509_crt_import(*ret, &pem, GNUTLS_X509_FMT_PEM) >= 0;
    free(pem.data);
    return good;
}

bool made_key_read(const char *path, gnutls_x509_privkey_t *ret)
{
    gnutls_datum_t pem = { 0 };

    if (!read_pem(path, &pem))
        return false;
    const bool good = gnutls_x509_privkey_init(ret) >= 0 &&
                      gnutls_x509_privkey_import2(*ret, &pem, GNUTLS_X509_FMT_PEM, NULL, 0) >= 0;
    gnutls_memset(pem.data, 0, pem.size);
    free(pem.data);
    return good;
}
