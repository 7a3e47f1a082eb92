/* server/tls_certificate.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Reading and checking a certificate; see tls_certificate.h.
 */
#include "server/tls_certificate.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
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
    RSA_ADVISED_BITS = 3072,
    CURVE_LEAST_BITS = 256,
    EXPIRY_WARNING_DAYS = 30,
    DAY_SECONDS = 86400,
    NAME_CEILING_BYTES = 255,
    TLS_FEATURE_STATUS_REQUEST = 5,
};

/* A certificate under examination. */
struct audit {
    struct tls_certificate *it;
    const struct tls_files *files;
    tls_warning_fn *warn;
    void *context;
};

static void doubt(const struct audit *audit, const char *remedy, const char *format, ...) PRINTF_LIKE(3, 4);

static void doubt(const struct audit *audit, const char *remedy, const char *format, ...)
{
    char what[200], sentence[448];
    va_list args;

    if (!audit->warn)
        return;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    snprintf(sentence, sizeof sentence, "certificate %.190s: %s", audit->files->certificate, what);
    audit->warn(audit->context, sentence, remedy);
}

static bool read_certificates(struct tls_certificate *it, const char *path, struct error *err)
{
    char *text = NULL;
    size_t size = 0;

    if (!file_read_all(path, CERTIFICATE_CEILING_BYTES, &text, &size, err))
        return false;
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
                "the chain is out of order; the server's own comes first, then each one's issuer");
        return error_set(err, FAULT_MALFORMED, "%s", gnutls_strerror(outcome));
    }
    if (it->chain_size < 1 || it->chain_size > CHAIN_MOST)
        return error_set(err, FAULT_MALFORMED, "holds %u certificates; 1 to %d are fine", it->chain_size,
                         CHAIN_MOST);
    return true;
}

/* A key that others can read is no key any more (TLS-18). Its group may: so do orchestrators mount secrets.
 */
static bool check_key_mode(const struct audit *audit, struct error *err)
{
    const char *path = audit->files->key;
    struct stat about;

    if (stat(path, &about) != 0)
        return error_errno(err, errno, "key %s", path);
    if (about.st_mode & (S_IRWXO | S_IWGRP))
        return error_set(err, FAULT_MALFORMED,
                         "key %s: others can read or change it (mode %04o); chmod 600 it", path,
                         (unsigned)about.st_mode & 07777);
    if (about.st_mode & S_IRGRP)
        doubt(audit, "chmod 600 the key, if its group is not this server's own",
              "its key can be read by the group");
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

static bool check_strength(int algorithm, unsigned bits, const char *whose, struct error *err)
{
    switch (algorithm) {
    case GNUTLS_PK_RSA:
    case GNUTLS_PK_RSA_PSS:
        if (bits >= RSA_LEAST_BITS)
            return true;
        return error_set(err, FAULT_MALFORMED, "%s: RSA with %u bits; at least %d are needed", whose, bits,
                         RSA_LEAST_BITS);
    case GNUTLS_PK_ECDSA:
        if (bits >= CURVE_LEAST_BITS)
            return true;
        return error_set(err, FAULT_MALFORMED, "%s: a curve of %u bits; at least %d are needed", whose, bits,
                         CURVE_LEAST_BITS);
    case GNUTLS_PK_EDDSA_ED25519:
    case GNUTLS_PK_EDDSA_ED448:
        return true;
    default:
        return error_set(err, FAULT_MALFORMED, "%s: neither RSA nor of an elliptic curve", whose);
    }
}

static bool check_keys(const struct audit *audit, struct error *err)
{
    const struct tls_certificate *it = audit->it;
    unsigned bits = 0;
    int algorithm = gnutls_x509_privkey_get_pk_algorithm2(it->key, &bits);

    if (!check_strength(algorithm, bits, "key", err))
        return false;
    if ((algorithm == GNUTLS_PK_RSA || algorithm == GNUTLS_PK_RSA_PSS) && bits < RSA_ADVISED_BITS)
        doubt(audit, "have the next one made with RSA of 3072 bits, or with ECDSA on P-256",
              "its key is RSA with %u bits; 3072 are advised", bits);
    for (unsigned i = 1; i < it->chain_size; i++) {
        algorithm = gnutls_x509_crt_get_pk_algorithm(it->chain[i], &bits);
        if (!check_strength(algorithm, bits, "the issuer's key", err))
            return false;
    }
    return true;
}

static bool check_match(const struct tls_certificate *it, struct error *err)
{
    unsigned char of_key[64], of_certificate[64];
    size_t key_size = sizeof of_key, certificate_size = sizeof of_certificate;

    if (gnutls_x509_privkey_get_key_id(it->key, GNUTLS_KEYID_USE_SHA256, of_key, &key_size) < 0 ||
        gnutls_x509_crt_get_key_id(it->chain[0], GNUTLS_KEYID_USE_SHA256, of_certificate, &certificate_size) <
            0)
        return error_set(err, FAULT_MALFORMED, "its key cannot be read");
    if (!bytes_equal(bytes_of(of_key, key_size), bytes_of(of_certificate, certificate_size)))
        return error_set(err, FAULT_MALFORMED, "the key does not belong to the certificate");
    return true;
}

static bool is_self_issued(gnutls_x509_crt_t certificate)
{
    return gnutls_x509_crt_check_issuer(certificate, certificate) != 0;
}

static bool check_time_and_signature(const struct audit *audit, struct error *err)
{
    const struct tls_certificate *it = audit->it;
    const time_t now = time(NULL);
    time_t first = 0;

    for (unsigned i = 0; i < it->chain_size; i++) {
        gnutls_x509_crt_t certificate = it->chain[i];
        const time_t until = gnutls_x509_crt_get_expiration_time(certificate);
        if (i > 0 && is_self_issued(certificate))
            continue; /* a root: not sent */
        if (now < gnutls_x509_crt_get_activation_time(certificate))
            return error_set(err, FAULT_MALFORMED, "number %u of the chain is not valid yet", i + 1);
        if (now >= until)
            return error_set(err, FAULT_MALFORMED, "number %u of the chain has expired", i + 1);
        if (!first || until < first)
            first = until;
        const int signature = gnutls_x509_crt_get_signature_algorithm(certificate);
        if (signature < 0 ||
            !gnutls_sign_is_secure2((gnutls_sign_algorithm_t)signature, GNUTLS_SIGN_FLAG_SECURE_FOR_CERTS))
            return error_set(err, FAULT_MALFORMED, "number %u of the chain is signed with a broken digest",
                             i + 1);
    }
    const long days = (long)((first - now) / DAY_SECONDS);
    if (days < EXPIRY_WARNING_DAYS)
        doubt(audit, "renew it; the new files are taken at once", "expires in %ld days", days);
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
            return error_set(err, FAULT_MALFORMED, "names no host (no SubjectAltName)");
        if (type < 0 && type != GNUTLS_E_SHORT_MEMORY_BUFFER)
            return error_set(err, FAULT_MALFORMED, "SubjectAltName: %s", gnutls_strerror(type));
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
        return error_set(err, FAULT_MALFORMED, "is not meant for servers (extended key usage)");
    return true;
}

/* ── what it says ── */

static bool read_names(struct tls_certificate *it, struct error *err)
{
    for (unsigned i = 0;; i++) {
        char name[NAME_CEILING_BYTES + 1];
        size_t size = sizeof name;
        const int type = gnutls_x509_crt_get_subject_alt_name(it->chain[0], i, name, &size, NULL);
        if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
            return true;
        if (type != GNUTLS_SAN_DNSNAME || memchr(name, '\0', size))
            continue;
        if (it->name_count == TLS_NAMES_MOST)
            return error_set(err, FAULT_MALFORMED, "has more than %d names", TLS_NAMES_MOST);
        for (size_t k = 0; k < size; k++)
            if (name[k] >= 'A' && name[k] <= 'Z')
                name[k] = (char)(name[k] + 32);
        it->names[it->name_count] = strndup(name, size);
        if (!it->names[it->name_count])
            return error_set(err, FAULT_BUSY, "no memory for its names");
        it->name_count++;
    }
}

/* The n-th URL of the kind in AuthorityInfoAccess; the caller gnutls_frees it. */
static bool read_authority_url(gnutls_x509_crt_t leaf, int what, gnutls_datum_t *ret)
{
    for (unsigned i = 0; i < 16; i++) {
        gnutls_datum_t url = { 0 };
        const int outcome = gnutls_x509_crt_get_authority_info_access(leaf, i, what, &url, NULL);
        if (outcome == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
            return false;
        if (outcome >= 0 && url.size > strlen("http://") &&
            memcmp(url.data, "http://", strlen("http://")) == 0 && !memchr(url.data, '\0', url.size)) {
            *ret = url;
            return true;
        }
        gnutls_free(url.data);
    }
    return false;
}

static void read_stapling(struct tls_certificate *it)
{
    gnutls_x509_tlsfeatures_t features = NULL;
    gnutls_datum_t url = { 0 };
    unsigned feature;

    if (read_authority_url(it->chain[0], GNUTLS_IA_OCSP_URI, &url)) {
        it->ocsp_url = strndup((const char *)url.data, url.size);
        gnutls_free(url.data);
    }
    if (gnutls_x509_tlsfeatures_init(&features) < 0)
        return;
    if (gnutls_x509_crt_get_tlsfeatures(it->chain[0], features, 0, NULL) >= 0)
        for (unsigned i = 0; gnutls_x509_tlsfeatures_get(features, i, &feature) >= 0; i++)
            it->must_staple = it->must_staple || feature == TLS_FEATURE_STATUS_REQUEST;
    gnutls_x509_tlsfeatures_deinit(features);
}

/* A chain that ends below a root which clients do not have lacks something. Which roots they have nobody
 * knows; those of this machine are a good guess, and a private CA's certificates seldom say where their
 * issuer's can be fetched. */
static void check_end_of_chain(const struct audit *audit)
{
    gnutls_x509_crt_t last = audit->it->chain[audit->it->chain_size - 1];
    gnutls_x509_trust_list_t list = NULL;
    gnutls_x509_crt_t issuer = NULL;
    gnutls_datum_t url = { 0 };

    if (!audit->warn || is_self_issued(last) || !read_authority_url(last, GNUTLS_IA_CAISSUERS_URI, &url))
        return;
    if (gnutls_x509_trust_list_init(&list, 0) >= 0) {
        gnutls_x509_trust_list_add_system_trust(list, 0, 0);
        if (gnutls_x509_trust_list_get_issuer(list, last, &issuer, 0) < 0)
            doubt(audit, "put the intermediate certificates behind the server's own (fullchain.pem)",
                  "an intermediate seems to be missing; the issuer of the last one is at %.*s",
                  url.size > 100 ? 100 : (int)url.size, (const char *)url.data);
        gnutls_x509_trust_list_deinit(list, 1);
    }
    gnutls_free(url.data);
}

bool tls_certificate_load(const struct tls_files *files, tls_warning_fn *warn, void *context,
                          struct tls_certificate **ret, struct error *err)
{
    SCOPED(tls_certificate) struct tls_certificate *it = calloc(1, sizeof *it);

    if (!it)
        return error_set(err, FAULT_BUSY, "no memory for the certificate");
    const struct audit audit = { it, files, warn, context };
    ocsp_staple_init(&it->staple);
    it->path = strdup(files->certificate);
    if (!it->path || !read_certificates(it, files->certificate, err) || !check_key_mode(&audit, err) ||
        !read_key(it, files->key, err) || !check_keys(&audit, err) || !check_match(it, err) ||
        !check_time_and_signature(&audit, err) || !check_purpose(it->chain[0], err) || !read_names(it, err))
        return error_while(err, "certificate %s", files->certificate);
    read_stapling(it);
    check_end_of_chain(&audit);
    it->sent_size = it->chain_size;
    if (it->chain_size > 1 && is_self_issued(it->chain[it->chain_size - 1]))
        it->sent_size--;
    *ret = TAKE(it);
    return true;
}

bool tls_certificate_covers(const struct tls_certificate *it, const char *name)
{
    const char *dot = strchr(name, '.');

    for (unsigned i = 0; i < it->name_count; i++) {
        const char *own = it->names[i];
        if (strcmp(own, name) == 0 || (own[0] == '*' && own[1] == '.' && dot && dot != name &&
                                       name[0] != '*' && strcmp(own + 1, dot) == 0))
            return true;
    }
    return false;
}

gnutls_x509_crt_t tls_certificate_issuer(const struct tls_certificate *it)
{
    return it->chain_size > 1 ? it->chain[1] : is_self_issued(it->chain[0]) ? it->chain[0] : NULL;
}

bool tls_certificate_staple_path(const char *certificate, char *into, size_t size)
{
    const char *slash = strrchr(certificate, '/'), *dot = strrchr(certificate, '.');
    const int length =
        dot && dot > (slash ? slash : certificate) ? (int)(dot - certificate) : (int)strlen(certificate);
    const int written = snprintf(into, size, "%.*s.ocsp", length, certificate);

    return written > 0 && (size_t)written < size;
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
    for (unsigned i = 0; i < it->name_count; i++)
        free(it->names[i]);
    free(it->ocsp_url);
    free(it->path);
    ocsp_staple_done(&it->staple);
    free(it);
}

void tls_certificate_drop(struct tls_certificate **it)
{
    tls_certificate_free(*it);
}
