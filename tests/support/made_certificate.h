/* tests/support/made_certificate.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Self-signed certificates, good and bad, written into a test's folder.
 */
#ifndef GANTRY_TESTS_MADE_CERTIFICATE_H
#define GANTRY_TESTS_MADE_CERTIFICATE_H

#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include <gnutls/x509.h>

#include "base/file.h"
#include "tests/support/expect.h"
#include "tests/support/temp_folder.h"

struct made {
    const char *name;       /* SAN, NULL: none */
    const char *purpose;    /* extended key usage, NULL: none */
    int algorithm;          /* 0: ECDSA */
    unsigned bits;          /* 0: P-256 */
    int digest;             /* 0: SHA-256 */
    int from_days, to_days; /* from now; 0, 0: yesterday to in a year */
};

struct pair {
    char certificate[600], key[600];
};

static struct temp_folder folder;
static unsigned serial;

static void write_file(const char *path, gnutls_datum_t pem, mode_t mode)
{
    struct error err = { 0 };

    if (!file_replace(path, bytes_of(pem.data, pem.size), mode, &err))
        abort();
    chmod(path, mode);
    gnutls_free(pem.data);
}

static gnutls_x509_privkey_t make_key(const struct made *made)
{
    gnutls_x509_privkey_t key;

    if (gnutls_x509_privkey_init(&key) < 0 ||
        gnutls_x509_privkey_generate(
            key, made->algorithm ? (gnutls_pk_algorithm_t)made->algorithm : GNUTLS_PK_ECDSA,
            made->bits ? made->bits : GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) < 0)
        abort();
    return key;
}

static gnutls_x509_crt_t make_certificate(const struct made *made, gnutls_x509_privkey_t key)
{
    const time_t now = time(NULL);
    const unsigned char number[2] = { 1, (unsigned char)++serial };
    const int from = made->from_days || made->to_days ? made->from_days : -1;
    const int to = made->from_days || made->to_days ? made->to_days : 365;
    char name[32];
    gnutls_x509_crt_t crt;

    const int size = snprintf(name, sizeof name, "test %u", serial);
    if (gnutls_x509_crt_init(&crt) < 0)
        abort();
    gnutls_x509_crt_set_version(crt, 3);
    gnutls_x509_crt_set_key(crt, key);
    gnutls_x509_crt_set_serial(crt, number, sizeof number);
    gnutls_x509_crt_set_activation_time(crt, now + from * 86400);
    gnutls_x509_crt_set_expiration_time(crt, now + to * 86400);
    gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned)size);
    if (made->name)
        gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, made->name,
                                             (unsigned)strlen(made->name), GNUTLS_FSAN_SET);
    if (made->purpose)
        gnutls_x509_crt_set_key_purpose_oid(crt, made->purpose, 0);
    if (gnutls_x509_crt_sign2(
            crt, crt, key, made->digest ? (gnutls_digest_algorithm_t)made->digest : GNUTLS_DIG_SHA256, 0) < 0)
        abort();
    return crt;
}

/* Writes a self-signed pair under a name of the test's folder. */
static struct pair make_pair(const char *name, const struct made *made)
{
    gnutls_datum_t pem = { 0 };
    struct pair pair;

    snprintf(pair.certificate, sizeof pair.certificate, "%s/%s.pem", folder.path, name);
    snprintf(pair.key, sizeof pair.key, "%s/%s.key", folder.path, name);
    gnutls_x509_privkey_t key = make_key(made);
    gnutls_x509_crt_t certificate = make_certificate(made, key);
    gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &pem);
    write_file(pair.certificate, pem, 0644);
    gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem);
    write_file(pair.key, pem, 0600);
    gnutls_x509_crt_deinit(certificate);
    gnutls_x509_privkey_deinit(key);
    return pair;
}

static const struct made good = { .name = "localhost", .purpose = GNUTLS_KP_TLS_WWW_SERVER };

#endif
