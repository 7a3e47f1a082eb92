/* server/tls_context.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Certificates and TLS sessions; see tls_context.h. A snapshot is held by the context while it is the current
 * one and by every session that was readied with it, and freed by the last of them.
 */
#include "server/tls_context.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <gnutls/x509.h>

#include "base/bytes.h"
#include "base/file.h"

/* AES-GCM before ChaCha20: GnuTLS does the former at some 2 GB/s a core, the latter at a seventh of OpenSSL's
 * rate, and every client that matters has AES instructions. The order is ours (%SERVER_PRECEDENCE; TLS-04).
 */
const char tls_priorities[] = "NONE:+VERS-TLS1.3:+VERS-TLS1.2:+ECDHE-ECDSA:+ECDHE-RSA:+AES-256-GCM:+AES-128-"
                              "GCM:+CHACHA20-POLY1305:+AEAD:"
                              "+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:+SIGN-ALL:-SIGN-RSA-SHA1:-"
                              "SIGN-ECDSA-SHA1:-SIGN-RSA-SHA224:"
                              "-SIGN-ECDSA-SHA224:+COMP-NULL:+CTYPE-X509:%SERVER_PRECEDENCE";

enum {
    CERTIFICATE_CEILING_BYTES = 1 << 20,
    KEY_CEILING_BYTES = 1 << 17,
    CHAIN_MOST = 16,
    PROTOCOLS_MOST = 4,
    RSA_LEAST_BITS = 2048,
    CURVE_LEAST_BITS = 256,
    EXPIRY_WARNING_DAYS = 30,
    DAY_SECONDS = 86400,
};

struct tls_snapshot {
    atomic_uint holders;
    gnutls_x509_crt_t *certificates; /* as in the file, leaf first */
    unsigned certificate_count;
    gnutls_x509_privkey_t x509_key;
    gnutls_pcert_st sent[CHAIN_MOST]; /* what is sent: without a root */
    unsigned sent_count;
    gnutls_privkey_t key;
};

struct tls_context {
    pthread_mutex_t lock; /* over `current` */
    struct tls_snapshot *current;
    gnutls_datum_t
        ticket_key; /* of this process, never on disk; GnuTLS derives keys from it that change with time */
};

static void snapshot_free(struct tls_snapshot *snapshot)
{
    if (!snapshot)
        return;
    for (unsigned i = 0; i < snapshot->sent_count; i++)
        gnutls_pcert_deinit(&snapshot->sent[i]);
    if (snapshot->key)
        gnutls_privkey_deinit(snapshot->key);
    if (snapshot->x509_key)
        gnutls_x509_privkey_deinit(snapshot->x509_key);
    for (unsigned i = 0; i < snapshot->certificate_count; i++)
        gnutls_x509_crt_deinit(snapshot->certificates[i]);
    gnutls_free(snapshot->certificates);
    free(snapshot);
}

static void snapshot_drop(struct tls_snapshot **snapshot)
{
    snapshot_free(*snapshot);
}

static bool read_certificates(struct tls_snapshot *snapshot, const char *path, struct error *err)
{
    char *text = NULL;
    size_t size = 0;

    if (!file_read_all(path, CERTIFICATE_CEILING_BYTES, &text, &size, err))
        return error_while(err, "certificate");
    const gnutls_datum_t datum = { (unsigned char *)text, (unsigned)size };
    const int outcome =
        gnutls_x509_crt_list_import2(&snapshot->certificates, &snapshot->certificate_count, &datum,
                                     GNUTLS_X509_FMT_PEM, GNUTLS_X509_CRT_LIST_FAIL_IF_UNSORTED);
    free(text);
    if (outcome < 0) {
        snapshot->certificates = NULL;
        snapshot->certificate_count = 0;
        if (outcome == GNUTLS_E_CERTIFICATE_LIST_UNSORTED)
            return error_set(
                err, FAULT_MALFORMED,
                "certificate %s: the chain is out of order; the server's own comes first, then each "
                "one's issuer",
                path);
        return error_set(err, FAULT_MALFORMED, "certificate %s: %s", path, gnutls_strerror(outcome));
    }
    if (snapshot->certificate_count < 1 || snapshot->certificate_count > CHAIN_MOST)
        return error_set(err, FAULT_MALFORMED, "certificate %s: holds %u certificates; 1 to %d are fine",
                         path, snapshot->certificate_count, CHAIN_MOST);
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

static bool read_key(struct tls_snapshot *snapshot, const char *path, struct error *err)
{
    char *text = NULL;
    size_t size = 0;

    if (!file_read_all(path, KEY_CEILING_BYTES, &text, &size, err))
        return error_while(err, "key");
    const gnutls_datum_t datum = { (unsigned char *)text, (unsigned)size };
    int outcome = gnutls_x509_privkey_init(&snapshot->x509_key);
    if (outcome >= 0)
        outcome = gnutls_x509_privkey_import2(snapshot->x509_key, &datum, GNUTLS_X509_FMT_PEM, NULL, 0);
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

static bool check_match(const struct tls_snapshot *snapshot, struct error *err)
{
    unsigned char of_key[64], of_certificate[64];
    size_t key_size = sizeof of_key, certificate_size = sizeof of_certificate;

    if (gnutls_x509_privkey_get_key_id(snapshot->x509_key, GNUTLS_KEYID_USE_SHA256, of_key, &key_size) < 0 ||
        gnutls_x509_crt_get_key_id(snapshot->certificates[0], GNUTLS_KEYID_USE_SHA256, of_certificate,
                                   &certificate_size) < 0)
        return error_set(err, FAULT_MALFORMED, "certificate: its key cannot be read");
    if (!bytes_equal(bytes_of(of_key, key_size), bytes_of(of_certificate, certificate_size)))
        return error_set(err, FAULT_MALFORMED, "the key does not belong to the certificate");
    return true;
}

static bool is_self_issued(gnutls_x509_crt_t certificate)
{
    return gnutls_x509_crt_check_issuer(certificate, certificate) != 0;
}

static bool check_time_and_signature(const struct tls_snapshot *snapshot, tls_warning_fn *warn, void *context,
                                     struct error *err)
{
    const time_t now = time(NULL);
    bool warned = false;

    for (unsigned i = 0; i < snapshot->certificate_count; i++) {
        gnutls_x509_crt_t certificate = snapshot->certificates[i];
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

static bool prepare_for_sessions(struct tls_snapshot *snapshot, struct error *err)
{
    unsigned count = snapshot->certificate_count;
    int outcome;

    if (count > 1 && is_self_issued(snapshot->certificates[count - 1]))
        count--;
    for (unsigned i = 0; i < count; i++) {
        outcome = gnutls_pcert_import_x509(&snapshot->sent[i], snapshot->certificates[i], 0);
        if (outcome < 0)
            return error_set(err, FAULT_MALFORMED, "certificate: %s", gnutls_strerror(outcome));
        snapshot->sent_count = i + 1;
    }
    outcome = gnutls_privkey_init(&snapshot->key);
    if (outcome >= 0)
        outcome = gnutls_privkey_import_x509(snapshot->key, snapshot->x509_key, 0);
    if (outcome < 0)
        return error_set(err, FAULT_MALFORMED, "key: %s", gnutls_strerror(outcome));
    return true;
}

static bool snapshot_load(const struct tls_options *options, tls_warning_fn *warn, void *context,
                          struct tls_snapshot **ret, struct error *err)
{
    __attribute__((cleanup(snapshot_drop))) struct tls_snapshot *snapshot = calloc(1, sizeof *snapshot);

    if (!snapshot)
        return error_set(err, FAULT_BUSY, "no memory for the certificate");
    atomic_init(&snapshot->holders, 1);
    if (!read_certificates(snapshot, options->certificate, err) ||
        !check_key_mode(options->key, warn, context, err) || !read_key(snapshot, options->key, err) ||
        !check_key_strength(snapshot->x509_key, err) || !check_match(snapshot, err) ||
        !check_time_and_signature(snapshot, warn, context, err) ||
        !check_purpose(snapshot->certificates[0], err) || !prepare_for_sessions(snapshot, err))
        return false;
    *ret = TAKE(snapshot);
    return true;
}

bool tls_check(const struct tls_options *options, tls_warning_fn *warn, void *context, struct error *err)
{
    struct tls_snapshot *snapshot = NULL;

    if (!snapshot_load(options, warn, context, &snapshot, err))
        return false;
    snapshot_free(snapshot);
    return true;
}

bool tls_context_open(const struct tls_options *options, struct tls_context **ret, struct error *err)
{
    struct tls_context *context = calloc(1, sizeof *context);

    if (!context)
        return error_set(err, FAULT_BUSY, "no memory for TLS");
    pthread_mutex_init(&context->lock, NULL);
    if (!snapshot_load(options, NULL, NULL, &context->current, err)) {
        tls_context_close(context);
        return false;
    }
    if (gnutls_session_ticket_key_generate(&context->ticket_key) < 0) {
        tls_context_close(context);
        return error_set(err, FAULT_INTERNAL, "no key for session tickets");
    }
    *ret = context;
    return true;
}

bool tls_context_reload(struct tls_context *context, const struct tls_options *options, struct error *err)
{
    struct tls_snapshot *next = NULL;

    if (!snapshot_load(options, NULL, NULL, &next, err))
        return error_while(err, "the certificate in use stays");
    pthread_mutex_lock(&context->lock);
    struct tls_snapshot *old = context->current;
    context->current = next;
    pthread_mutex_unlock(&context->lock);
    tls_context_release(old);
    return true;
}

const struct tls_snapshot *tls_context_hold(struct tls_context *context)
{
    pthread_mutex_lock(&context->lock);
    struct tls_snapshot *snapshot = context->current;
    atomic_fetch_add_explicit(&snapshot->holders, 1, memory_order_relaxed);
    pthread_mutex_unlock(&context->lock);
    return snapshot;
}

void tls_context_release(const struct tls_snapshot *snapshot)
{
    struct tls_snapshot *mine = (struct tls_snapshot *)snapshot;

    if (mine && atomic_fetch_sub_explicit(&mine->holders, 1, memory_order_acq_rel) == 1)
        snapshot_free(mine);
}

void tls_context_close(struct tls_context *context)
{
    if (!context)
        return;
    tls_context_release(context->current);
    if (context->ticket_key.data)
        gnutls_memset(context->ticket_key.data, 0, context->ticket_key.size);
    gnutls_free(context->ticket_key.data);
    pthread_mutex_destroy(&context->lock);
    free(context);
}

const struct tls_snapshot *tls_context_ready_session(struct tls_context *context, gnutls_session_t session,
                                                     const char *const *protocols, unsigned protocol_count)
{
    const struct tls_snapshot *snapshot = tls_context_hold(context);
    gnutls_datum_t names[PROTOCOLS_MOST];

    assert(protocol_count <= PROTOCOLS_MOST);
    for (unsigned i = 0; i < protocol_count; i++)
        names[i] = (gnutls_datum_t){ (unsigned char *)protocols[i], (unsigned)strlen(protocols[i]) };
    gnutls_alpn_set_protocols(session, names, protocol_count,
                              GNUTLS_ALPN_MANDATORY | GNUTLS_ALPN_SERVER_PRECEDENCE);
    gnutls_session_ticket_enable_server(session, &context->ticket_key);
    /* The session cache of GnuTLS is not used, so its pointer is free; the others are libmicrohttpd's. */
    gnutls_db_set_ptr(session, (void *)snapshot);
    return snapshot;
}

int tls_context_retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
                         gnutls_pcert_st **certs, unsigned int *certs_length, gnutls_ocsp_data_st **ocsp,
                         unsigned int *ocsp_length, gnutls_privkey_t *privkey, unsigned int *flags)
{
    struct tls_snapshot *snapshot = gnutls_db_get_ptr(session);

    (void)info;
    if (!snapshot)
        return GNUTLS_E_NO_CERTIFICATE_FOUND;
    *certs = snapshot->sent;
    *certs_length = snapshot->sent_count;
    *ocsp = NULL;
    *ocsp_length = 0;
    *privkey = snapshot->key;
    *flags = 0; /* the snapshot frees them, not GnuTLS */
    return 0;
}
