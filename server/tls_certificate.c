/* server/tls_certificate.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Reading and checking a certificate; see tls_certificate.h.
 */
#include "server/tls_certificate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/bytes.h"
#include "base/file.h"

enum {
    CERTIFICATE_CEILING_BYTES = 1 << 20,
    KEY_CEILING_BYTES = 1 << 17,
    CHAIN_MOST = 16,
    RSA_LEAST_BITS = 2048,
    CURVE_LEAST_BITS = 256,
    EXPIRY_WARNING_DAYS = 30,
    DAY_SECONDS = 86400,
};

static bool read_certificates(struct tls_certificate *it, const char *path, struct error *err)
{
    char *text = NULL;
    size_t size = 0;

    if (!file_read_all(path, CERTIFICATE_CEILING_BYTES, &text, &size, err))
        return error_while(err, "certificate");
    const gnutls_datum_t datum = { (unsigned char *)text, (unsigned)size };
    const int outcome = gnutls_x509_crt_list_import2(&it->chain, &it->chain_size, &datum, GNUTLS_X509_FMT_PEM,
                                                     GNUTLS_X509_CRT_LIST_FAIL_IF_UNSORTED);
    free(text);
    if (outcome < 0) {
        it->chain = NULL;
        it->chain_size = 0;
        if (outcome == GNUTLS_E_CERTIFICATE_LIST_UNSORTED)
            return error_set(
                err, FAULT_MALFORMED,
                "certificate %s: the chain is out of order; the server's own comes first, then each "
                "one's issuer",
                path);
        return error_set(err, FAULT_MALFORMED, "certificate %s: %s", path, gnutls_strerror(outcome));
    }
    if (it->chain_size < 1 || it->chain_size > CHAIN_MOST)
        return error_set(err, FAULT_MALFORMED, "certificate %s: holds %u certificates; 1 to %d are fine",
                         path, it->chain_size, CHAIN_MOST);
    return true;
}

/* A key that others can read is no key any more (TLS-18). Its group may: so do orchestrators mount secrets.
 */
static bool check_key_mode(const char *path, tls_warning_fn *warn, void *context, struct error *err)
{
    struct stat about;

    if (stat(path, &about) != 0)
        return error_errno(err, errno, "key %s", path);
    if (about.st_mode & (S_IRWXO | S_IWGRP))
        return error_set(err, FAULT_MALFORMED,
                         "key %s: others can read or change it (mode %04o); chmod 600 it", path,
                         (unsigned)about.st_mode & 07777);
    if ((about.st_mode & S_IRGRP) && warn)
        warn(context, "the TLS key can be read by its group",
             "chmod 600 it, if its group is not this server's own");
    return true;
}

static bool read_key(struct tls_certificate *it, const char *path, struct error *err)
{
    char *text = NULL;
    size_t size = 0;

    if (!file_read_all(path, KEY_CEILING_BYTES, &text, &size, err))
        return error_while(err, "key");
    const gnutls_datum_t datum = { (unsigned char *)text, (unsigned)size };
    int outcome = gnutls_x509_privkey_init(&it->key);
    if (outcome >= 0)
        outcome = gnutls_x509_privkey_import2(it->key, &datum, GNUTLS_X509_FMT_PEM, NULL, 0);
    gnutls_memset(text, 0, size);
    free(text);
    if (outcome == GNUTLS_E_DECRYPTION_FAILED)
        return error_set(err, FAULT_MALFORMED,
                         "key %s: is encrypted; decrypt it (openssl pkey) and chmod 600 it", path);
    if (outcome < 0)
        return error_set(err, FAULT_MALFORMED, "key %s: %s", path, gnutls_strerror(outcome));
    return true;
}

static bool check_key_strength(gnutls_x509_privkey_t key, struct error *err)
{
    unsigned bits = 0;
    const int algorithm = gnutls_x509_privkey_get_pk_algorithm2(key, &bits);

    switch (algorithm) {
    case GNUTLS_PK_RSA:
    case GNUTLS_PK_RSA_PSS:
        if (bits >= RSA_LEAST_BITS)
            return true;
        return error_set(err, FAULT_MALFORMED, "key: RSA with %u bits; at least %d are needed", bits,
                         RSA_LEAST_BITS);
    case GNUTLS_PK_ECDSA:
        if (bits >= CURVE_LEAST_BITS)
            return true;
        return error_set(err, FAULT_MALFORMED, "key: a curve of %u bits; at least %d are needed", bits,
                         CURVE_LEAST_BITS);
    case GNUTLS_PK_EDDSA_ED25519:
    case GNUTLS_PK_EDDSA_ED448:
        return true;
    default:
        return error_set(err, FAULT_MALFORMED, "key: neither RSA nor of an elliptic curve");
    }
}

static bool check_match(const struct tls_certificate *it, struct error *err)
{
    unsigned char of_key[64], of_certificate[64];
    size_t key_size = sizeof of_key, certificate_size = sizeof of_certificate;

    if (gnutls_x509_privkey_get_key_id(it->key, GNUTLS_KEYID_USE_SHA256, of_key, &key_size) < 0 ||
        gnutls_x509_crt_get_key_id(it->chain[0], GNUTLS_KEYID_USE_SHA256, of_certificate, &certificate_size) <
            0)
        return error_set(err, FAULT_MALFORMED, "certificate: its key cannot be read");
    if (!bytes_equal(bytes_of(of_key, key_size), bytes_of(of_certificate, certificate_size)))
        return error_set(err, FAULT_MALFORMED, "the key does not belong to the certificate");
    return true;
}

static bool is_self_issued(gnutls_x509_crt_t certificate)
{
    return gnutls_x509_crt_check_issuer(certificate, certificate) != 0;
}

static bool check_time_and_signature(const struct tls_certificate *it, tls_warning_fn *warn, void *context,
                                     struct error *err)
{
    const time_t now = time(NULL);
    bool warned = false;

    for (unsigned i = 0; i < it->chain_size; i++) {
        gnutls_x509_crt_t certificate = it->chain[i];
        const time_t until = gnutls_x509_crt_get_expiration_time(certificate);
        if (i > 0 && is_self_issued(certificate))
            continue; /* a root: not sent */
        if (now < gnutls_x509_crt_get_activation_time(certificate))
            return error_set(err, FAULT_MALFORMED, "certificate %u of the chain is not valid yet", i + 1);
        if (now >= until)
            return error_set(err, FAULT_MALFORMED, "certificate %u of the chain has expired", i + 1);
        if (until - now < (time_t)EXPIRY_WARNING_DAYS * DAY_SECONDS && warn && !warned) {
            warn(context, "the TLS certificate expires within 30 days", "renew it, then send SIGHUP");
            warned = true;
        }
        const int signature = gnutls_x509_crt_get_signature_algorithm(certificate);
        if (signature < 0 ||
            !gnutls_sign_is_secure2((gnutls_sign_algorithm_t)signature, GNUTLS_SIGN_FLAG_SECURE_FOR_CERTS))
            return error_set(err, FAULT_MALFORMED,
                             "certificate %u of the chain is signed with a broken digest", i + 1);
    }
    return true;
}

/* Clients look at the names in SubjectAltName alone, and refuse a certificate made for something else
 * (TLS-40). */
static bool check_purpose(gnutls_x509_crt_t leaf, struct error *err)
{
    bool named = false, for_servers = false;
    unsigned purposes = 0;

    for (unsigned i = 0; !named; i++) {
        unsigned char name[1024];
        size_t size = sizeof name;
        const int type = gnutls_x509_crt_get_subject_alt_name(leaf, i, name, &size, NULL);
        if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
            return error_set(err, FAULT_MALFORMED, "certificate: names no host (no SubjectAltName)");
        if (type < 0 && type != GNUTLS_E_SHORT_MEMORY_BUFFER)
            return error_set(err, FAULT_MALFORMED, "certificate: SubjectAltName: %s", gnutls_strerror(type));
        named = type == GNUTLS_SAN_DNSNAME || type == GNUTLS_SAN_IPADDRESS;
    }
    for (;; purposes++) {
        char purpose[128];
        size_t size = sizeof purpose;
        if (gnutls_x509_crt_get_key_purpose_oid(leaf, purposes, purpose, &size, NULL) < 0)
            break;
        for_servers = for_servers || strcmp(purpose, GNUTLS_KP_TLS_WWW_SERVER) == 0 ||
                      strcmp(purpose, GNUTLS_KP_ANY) == 0;
    }
    if (purposes > 0 && !for_servers)
        return error_set(err, FAULT_MALFORMED, "certificate: is not meant for servers (extended key usage)");
    return true;
}

bool tls_certificate_load(const struct tls_files *files, tls_warning_fn *warn, void *context,
                          struct tls_certificate **ret, struct error *err)
{
    SCOPED(tls_certificate) struct tls_certificate *it = calloc(1, sizeof *it);

    if (!it)
        return error_set(err, FAULT_BUSY, "no memory for the certificate");
    if (!read_certificates(it, files->certificate, err) || !check_key_mode(files->key, warn, context, err) ||
        !read_key(it, files->key, err) || !check_key_strength(it->key, err) || !check_match(it, err) ||
        !check_time_and_signature(it, warn, context, err) || !check_purpose(it->chain[0], err))
        return false;
    it->sent_size = it->chain_size;
    if (it->chain_size > 1 && is_self_issued(it->chain[it->chain_size - 1]))
        it->sent_size--;
    *ret = TAKE(it);
    return true;
}

void tls_certificate_free(struct tls_certificate *it)
{
    if (!it)
        return;
    if (it->key)
        gnutls_x509_privkey_deinit(it->key);
    for (unsigned i = 0; i < it->chain_size; i++)
        gnutls_x509_crt_deinit(it->chain[i]);
    gnutls_free(it->chain);
    free(it);
}

void tls_certificate_drop(struct tls_certificate **it)
{
    tls_certificate_free(*it);
}
