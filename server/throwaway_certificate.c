/* server/throwaway_certificate.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Making and checking the throwaway certificate; see throwaway_certificate.h. A crash between the writing of
 * the three files leaves a set that does not fit together, which the next start finds and makes anew.
 */
#include "server/throwaway_certificate.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>

#include "base/bytes.h"
#include "base/file.h"

enum {
    DAY_SECONDS = 86400,
    VALID_DAYS = 824, /* browsers and Apple's systems refuse server certificates of more than 825 days */
    LEAST_DAYS_LEFT = 30,
    SERIAL_BYTES = 16,
    PEM_CEILING_BYTES = 65536,
};

/* A key and the certificate for it. */
struct identity {
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t certificate;
};

static void identity_drop(struct identity *identity)
{
    if (identity->certificate)
        gnutls_x509_crt_deinit(identity->certificate);
    if (identity->key)
        gnutls_x509_privkey_deinit(identity->key);
}

static bool check(int outcome, const char *doing, struct error *err)
{
    return outcome >= 0 || error_set(err, FAULT_INTERNAL, "%s: %s", doing, gnutls_strerror(outcome));
}

/* What both certificates have in common: a fresh P-256 key, a random serial number, the same dates. */
static bool begin_identity(struct identity *identity, const char *common_name, struct error *err)
{
    const time_t from = time(NULL) - 3600; /* clocks differ */
    unsigned char serial[SERIAL_BYTES], key_id[20];
    size_t key_id_size = sizeof key_id;

    if (!check(gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof serial), "random serial", err) ||
        !check(gnutls_x509_privkey_init(&identity->key), "key", err) ||
        !check(gnutls_x509_privkey_generate(identity->key, GNUTLS_PK_ECDSA,
                                            GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
               "making a key", err) ||
        !check(gnutls_x509_crt_init(&identity->certificate), "certificate", err))
        return false;
    serial[0] = (unsigned char)((serial[0] & 0x7F) | 0x40); /* positive, and always of this length */

    gnutls_x509_crt_t crt = identity->certificate;
    return check(gnutls_x509_crt_set_version(crt, 3), "version", err) &&
           check(gnutls_x509_crt_set_key(crt, identity->key), "public key", err) &&
           check(gnutls_x509_crt_set_serial(crt, serial, sizeof serial), "serial", err) &&
           check(gnutls_x509_crt_set_activation_time(crt, from), "dates", err) &&
           check(gnutls_x509_crt_set_expiration_time(crt, from + (time_t)VALID_DAYS * DAY_SECONDS), "dates",
                 err) &&
           check(gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, common_name,
                                               (unsigned)strlen(common_name)),
                 "name", err) &&
           check(gnutls_x509_crt_get_key_id(crt, 0, key_id, &key_id_size), "key id", err) &&
           check(gnutls_x509_crt_set_subject_key_id(crt, key_id, key_id_size), "key id", err);
}

static bool sign(const struct identity *identity, const struct identity *by, struct error *err)
{
    unsigned char key_id[20];
    size_t size = sizeof key_id;

    return check(gnutls_x509_crt_get_subject_key_id(by->certificate, key_id, &size, NULL), "key id", err) &&
           check(gnutls_x509_crt_set_authority_key_id(identity->certificate, key_id, size), "key id", err) &&
           check(gnutls_x509_crt_sign2(identity->certificate, by->certificate, by->key, GNUTLS_DIG_SHA256, 0),
                 "signing", err);
}

static bool make_ca(struct identity *ca, struct error *err)
{
    return begin_identity(ca, "Gantry throwaway CA", err) &&
           check(gnutls_x509_crt_set_basic_constraints(ca->certificate, 1, 0), "CA", err) &&
           check(gnutls_x509_crt_set_key_usage(ca->certificate, GNUTLS_KEY_KEY_CERT_SIGN), "key usage",
                 err) &&
           sign(ca, ca, err);
}

static bool make_server(struct identity *server, const struct identity *ca, struct error *err)
{
    static const unsigned char v4[4] = { 127, 0, 0, 1 };
    static const unsigned char v6[16] = { [15] = 1 };

    if (!begin_identity(server, "localhost", err))
        return false;
    gnutls_x509_crt_t crt = server->certificate;
    return check(gnutls_x509_crt_set_basic_constraints(crt, 0, -1), "basic constraints", err) &&
           check(gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE), "key usage", err) &&
           check(gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER, 0), "purpose", err) &&
           check(
               gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, "localhost", 9, GNUTLS_FSAN_SET),
               "name", err) &&
           check(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, v4, sizeof v4,
                                                      GNUTLS_FSAN_APPEND),
                 "address", err) &&
           check(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, v6, sizeof v6,
                                                      GNUTLS_FSAN_APPEND),
                 "address", err) &&
           sign(server, ca, err);
}

static void path_of(const char *folder, const char *name, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/%s", folder, name);
}

static bool write_certificate(const char *folder, const char *name, gnutls_x509_crt_t certificate,
                              struct error *err)
{
    gnutls_datum_t pem = { 0 };
    char path[PATH_MAX];

    path_of(folder, name, path);
    if (!check(gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &pem), "writing a certificate", err))
        return false;
    const bool written = file_replace(path, bytes_of(pem.data, pem.size), 0644, err);
    gnutls_free(pem.data);
    return written;
}

static bool write_key(const char *folder, gnutls_x509_privkey_t key, struct error *err)
{
    gnutls_datum_t pem = { 0 };
    char path[PATH_MAX];

    path_of(folder, "server.key", path);
    if (!check(gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &pem),
               "writing a key", err))
        return false;
    const bool written = file_replace(path, bytes_of(pem.data, pem.size), 0600, err);
    gnutls_memset(pem.data, 0, pem.size);
    gnutls_free(pem.data);
    return written;
}

static bool read_pem(const char *folder, const char *name, gnutls_datum_t *ret)
{
    char path[PATH_MAX], *text = NULL;
    struct error ignored = { 0 }; /* what cannot be read is made anew */
    size_t size = 0;

    path_of(folder, name, path);
    if (!file_read_all(path, PEM_CEILING_BYTES, &text, &size, &ignored))
        return false;
    *ret = (gnutls_datum_t){ (unsigned char *)text, (unsigned)size };
    return true;
}

static bool read_certificate(const char *folder, const char *name, gnutls_x509_crt_t *ret)
{
    gnutls_datum_t pem = { 0 };

    if (!read_pem(folder, name, &pem))
        return false;
    const bool good =
        gnutls_x509_crt_init(ret) >= 0 && gnutls_x509_crt_import(*ret, &pem, GNUTLS_X509_FMT_PEM) >= 0;
    free(pem.data);
    return good;
}

static bool read_key(const char *folder, gnutls_x509_privkey_t *ret)
{
    gnutls_datum_t pem = { 0 };

    if (!read_pem(folder, "server.key", &pem))
        return false;
    const bool good = gnutls_x509_privkey_init(ret) >= 0 &&
                      gnutls_x509_privkey_import2(*ret, &pem, GNUTLS_X509_FMT_PEM, NULL, 0) >= 0;
    gnutls_memset(pem.data, 0, pem.size);
    free(pem.data);
    return good;
}

static bool is_still_good(const char *folder)
{
    __attribute__((cleanup(identity_drop))) struct identity ca = { 0 };
    __attribute__((cleanup(identity_drop))) struct identity server = { 0 };
    unsigned char of_key[64], of_certificate[64];
    size_t key_size = sizeof of_key, certificate_size = sizeof of_certificate;
    unsigned status = 0;

    if (!read_certificate(folder, "ca.pem", &ca.certificate) ||
        !read_certificate(folder, "server.pem", &server.certificate) || !read_key(folder, &server.key))
        return false;
    if (gnutls_x509_privkey_get_key_id(server.key, GNUTLS_KEYID_USE_SHA256, of_key, &key_size) < 0 ||
        gnutls_x509_crt_get_key_id(server.certificate, GNUTLS_KEYID_USE_SHA256, of_certificate,
                                   &certificate_size) < 0 ||
        !bytes_equal(bytes_of(of_key, key_size), bytes_of(of_certificate, certificate_size)))
        return false;
    if (gnutls_x509_crt_get_expiration_time(server.certificate) - time(NULL) <
        (time_t)LEAST_DAYS_LEFT * DAY_SECONDS)
        return false;
    return gnutls_x509_crt_list_verify(&server.certificate, 1, &ca.certificate, 1, NULL, 0, 0, &status) >=
               0 &&
           status == 0;
}

bool throwaway_certificate_make(const char *folder, bool *ret_made, struct error *err)
{
    __attribute__((cleanup(identity_drop))) struct identity ca = { 0 };
    __attribute__((cleanup(identity_drop))) struct identity server = { 0 };

    *ret_made = false;
    if (is_still_good(folder))
        return true;
    /* The CA's key never leaves this function's memory. */
    if (!file_make_folders(folder, 0700, err) || !make_ca(&ca, err) || !make_server(&server, &ca, err) ||
        !write_key(folder, server.key, err) ||
        !write_certificate(folder, "server.pem", server.certificate, err) ||
        !write_certificate(folder, "ca.pem", ca.certificate, err))
        return error_while(err, "making a throwaway certificate");
    *ret_made = true;
    return true;
}
