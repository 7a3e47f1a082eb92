/* server/tls_trust.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Loading CAs and revocation lists, and verifying what clients show; see tls_trust.h.
 *
 * GnuTLS builds and verifies the chain, with purpose, strength and revocation. What is added here: which of
 * the CAs it was that vouches, by signature and not by name, because rules are bound to it and two CAs may
 * bear one name; and whether the lists are fresh, which GnuTLS only asks when a list is added.
 */
#include "server/tls_trust.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/bytes.h"
#include "base/file.h"

enum {
    FILE_CEILING_BYTES = 64 << 20, /* large CAs have large lists */
    AUTHORITIES_MOST = 1024,
    LISTS_MOST = 1024,
    FILES_MOST = 1024,
    CHAIN_MOST = 8,
    CERTIFICATE_CEILING_BYTES = 64 * 1024,
    DAY_SECONDS = 86400,
    EXPIRY_WARNING_DAYS = 30,
};

struct authority {
    char *file; /* without folder and suffix */
};

/* A list and the key of its issuer's name. */
struct revocations {
    gnutls_datum_t issuer; /* DER */
    int64_t next_update;   /* INT64_MAX: it does not say */
};

struct tls_trust {
    gnutls_x509_trust_list_t list; /* owns the revocation lists, and the CAs once `list_owns` */
    bool list_owns;
    gnutls_x509_crt_t certificates[AUTHORITIES_MOST];
    struct authority authorities[AUTHORITIES_MOST];
    unsigned authority_count;
    struct revocations revocations[LISTS_MOST];
    unsigned list_count;
    bool checks_revocation, crl_is_advised;
};

struct loading {
    struct tls_trust *trust;
    tls_warning_fn *warn;
    void *context;
};

static void doubt(const struct loading *loading, const char *remedy, const char *format, ...)
    PRINTF_LIKE(3, 4);

static void doubt(const struct loading *loading, const char *remedy, const char *format, ...)
{
    char what[400];
    va_list args;

    if (!loading->warn)
        return;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    loading->warn(loading->context, what, remedy);
}

void tls_trust_free(struct tls_trust *trust)
{
    if (!trust)
        return;
    if (trust->list)
        gnutls_x509_trust_list_deinit(trust->list, 1);
    for (unsigned i = 0; i < trust->authority_count; i++) {
        if (!trust->list_owns)
            gnutls_x509_crt_deinit(trust->certificates[i]);
        free(trust->authorities[i].file);
    }
    for (unsigned i = 0; i < trust->list_count; i++)
        gnutls_free(trust->revocations[i].issuer.data);
    free(trust);
}

static void trust_drop(struct tls_trust **trust)
{
    tls_trust_free(*trust);
}

/* ── files ── */

static bool is_pem(struct bytes text)
{
    return text.size > 11 && memmem(text.data, text.size, "-----BEGIN ", 11) != NULL;
}

/* "hospital-a" of "/etc/gantry/client-ca/hospital-a.pem". */
static char *stem_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');

    return strndup(name, dot && dot != name ? (size_t)(dot - name) : strlen(name));
}

static bool has_suffix(const char *name)
{
    static const char *const suffixes[] = { ".pem", ".crt", ".cer", ".der", ".crl" };
    const size_t size = strlen(name);

    for (size_t i = 0; i < COUNT_OF(suffixes); i++)
        if (size > 4 && strcmp(name + size - 4, suffixes[i]) == 0 && name[0] != '.')
            return true;
    return false;
}

typedef bool take_file_fn(struct loading *loading, const char *path, struct bytes content, struct error *err);

static bool read_file(struct loading *loading, const char *path, take_file_fn *take, struct error *err)
{
    char *content = NULL;
    size_t size = 0;

    if (!file_read_all(path, FILE_CEILING_BYTES, &content, &size, err))
        return false;
    const bool taken = take(loading, path, bytes_of(content, size), err);
    free(content);
    return taken || error_while(err, "%s", path);
}

/* The files of a folder in the order of their names, so that a duplicate is always the same one. */
static bool read_folder(struct loading *loading, const char *folder, take_file_fn *take, struct error *err)
{
    struct dirent **entries = NULL;
    const int count = scandir(folder, &entries, NULL, alphasort);
    bool fine = true;

    if (count < 0)
        return error_errno(err, errno, "reading %s", folder);
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];
        struct stat about;
        if (fine && has_suffix(entries[i]->d_name) &&
            snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name) < (int)sizeof path &&
            stat(path, &about) == 0 && S_ISREG(about.st_mode))
            fine = i >= FILES_MOST
                       ? error_set(err, FAULT_TOO_LARGE, "%s: more than %d files", folder, FILES_MOST)
                       : read_file(loading, path, take, err);
        free(entries[i]);
    }
    free(entries);
    return fine;
}

static bool read_files(struct loading *loading, const char *path, take_file_fn *take, struct error *err)
{
    struct stat about;

    if (stat(path, &about) != 0)
        return error_errno(err, errno, "%s", path);
    return S_ISDIR(about.st_mode) ? read_folder(loading, path, take, err)
                                  : read_file(loading, path, take, err);
}

/* ── authorities ── */

static bool is_known(const struct tls_trust *trust, gnutls_x509_crt_t certificate)
{
    for (unsigned i = 0; i < trust->authority_count; i++)
        if (gnutls_x509_crt_equals(trust->certificates[i], certificate))
            return true;
    return false;
}

static bool add_authority(struct loading *loading, const char *path, gnutls_x509_crt_t certificate,
                          struct error *err)
{
    struct tls_trust *trust = loading->trust;
    const time_t until = gnutls_x509_crt_get_expiration_time(certificate), now = time(NULL);

    if (gnutls_x509_crt_get_ca_status(certificate, NULL) <= 0)
        return error_set(err, FAULT_MALFORMED, "holds a certificate that is no CA's");
    if (trust->authority_count == AUTHORITIES_MOST)
        return error_set(err, FAULT_TOO_LARGE, "client_ca: more than %d CAs", AUTHORITIES_MOST);
    if (until <= now)
        doubt(loading, "take it out, or put the CA's new certificate in its place",
              "client_ca: a CA of %.200s has expired; its clients are refused", path);
    else if (until - now < (time_t)EXPIRY_WARNING_DAYS * DAY_SECONDS)
        doubt(loading, "add the CA's new certificate beside it",
              "client_ca: a CA of %.200s expires in %ld days", path, (long)((until - now) / DAY_SECONDS));
    char *stem = stem_of(path);
    if (!stem)
        return error_set(err, FAULT_BUSY, "no memory for a CA");
    trust->certificates[trust->authority_count] = certificate;
    trust->authorities[trust->authority_count].file = stem;
    trust->authority_count++;
    return true;
}

static bool take_authorities(struct loading *loading, const char *path, struct bytes content,
                             struct error *err)
{
    const gnutls_datum_t datum = { (unsigned char *)(uintptr_t)content.data, (unsigned)content.size };
    gnutls_x509_crt_t *certificates = NULL;
    unsigned count = 0;
    bool fine = true;

    const int outcome = gnutls_x509_crt_list_import2(
        &certificates, &count, &datum, is_pem(content) ? GNUTLS_X509_FMT_PEM : GNUTLS_X509_FMT_DER, 0);
    if (outcome < 0)
        return error_set(err, FAULT_MALFORMED, "holds no certificates: %s", gnutls_strerror(outcome));
    for (unsigned i = 0; i < count; i++)
        if (!fine || is_known(loading->trust, certificates[i]) ||
            !(fine = add_authority(loading, path, certificates[i], err)))
            gnutls_x509_crt_deinit(certificates[i]);
    gnutls_free(certificates);
    return fine;
}

/* ── revocation lists ── */

/* By one of the authorities; that the list has expired is another matter. */
static bool check_list_signature(const struct tls_trust *trust, gnutls_x509_crl_t list, struct error *err)
{
    for (unsigned i = 0; i < trust->authority_count; i++) {
        unsigned status = 0;
        if (!gnutls_x509_crl_check_issuer(list, trust->certificates[i]))
            continue;
        if (gnutls_x509_crl_verify(list, &trust->certificates[i], 1, GNUTLS_VERIFY_DISABLE_TIME_CHECKS,
                                   &status) >= 0 &&
            !(status & (GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNER_NOT_CA |
                        GNUTLS_CERT_SIGNATURE_FAILURE | GNUTLS_CERT_INSECURE_ALGORITHM)))
            return true;
    }
    return error_set(err, FAULT_MALFORMED, "a revocation list that no CA of client_ca has signed");
}

static bool check_list(struct loading *loading, const char *path, gnutls_x509_crl_t list, struct error *err)
{
    struct tls_trust *trust = loading->trust;
    const time_t until = gnutls_x509_crl_get_next_update(list), now = time(NULL);
    struct revocations *mine = &trust->revocations[trust->list_count];

    if (!check_list_signature(trust, list, err))
        return false;
    if (trust->list_count == LISTS_MOST)
        return error_set(err, FAULT_TOO_LARGE, "client_crl: more than %d lists", LISTS_MOST);
    if (gnutls_x509_crl_get_raw_issuer_dn(list, &mine->issuer) < 0)
        return error_set(err, FAULT_MALFORMED, "a revocation list without an issuer");
    mine->next_update = until == (time_t)-1 ? INT64_MAX : until;
    trust->list_count++;
    if (until != (time_t)-1 && until <= now)
        doubt(loading, "fetch the CA's new list into its place",
              "client_crl: a list of %.200s has expired; the CA's clients are %s", path,
              trust->crl_is_advised ? "taken without it" : "refused");
    return true;
}

static bool take_lists(struct loading *loading, const char *path, struct bytes content, struct error *err)
{
    const gnutls_datum_t datum = { (unsigned char *)(uintptr_t)content.data, (unsigned)content.size };
    gnutls_x509_crl_t *lists = NULL;
    unsigned count = 0;
    bool fine = true;

    const int outcome = gnutls_x509_crl_list_import2(
        &lists, &count, &datum, is_pem(content) ? GNUTLS_X509_FMT_PEM : GNUTLS_X509_FMT_DER, 0);
    if (outcome < 0)
        return error_set(err, FAULT_MALFORMED, "holds no revocation lists: %s", gnutls_strerror(outcome));
    for (unsigned i = 0; i < count; i++) {
        if (!fine || !(fine = check_list(loading, path, lists[i], err)))
            gnutls_x509_crl_deinit(lists[i]);
        else /* takes it over in any case; of one issuer's, the newest is kept */
            fine = gnutls_x509_trust_list_add_crls(loading->trust->list, &lists[i], 1,
                                                   GNUTLS_TL_NO_DUPLICATES, 0) >= 0 ||
                   error_set(err, FAULT_MALFORMED, "a revocation list that cannot be used");
    }
    gnutls_free(lists);
    return fine;
}

bool tls_trust_load(const struct tls_trust_options *options, tls_warning_fn *warn, void *context,
                    struct tls_trust **ret, struct error *err)
{
    SCOPED(trust) struct tls_trust *trust = calloc(1, sizeof *trust);
    struct loading loading = { trust, warn, context };

    if (!trust)
        return error_set(err, FAULT_BUSY, "no memory for the CAs of clients");
    trust->checks_revocation = options->crl[0] != '\0';
    trust->crl_is_advised = options->crl_is_advised;
    if (gnutls_x509_trust_list_init(&trust->list, 0) < 0)
        return error_set(err, FAULT_BUSY, "no memory for the CAs of clients");
    if (!read_files(&loading, options->ca, take_authorities, err))
        return error_while(err, "client_ca");
    if (trust->authority_count == 0)
        return error_set(err, FAULT_MALFORMED, "client_ca: there is no CA in %s", options->ca);
    if (gnutls_x509_trust_list_add_cas(trust->list, trust->certificates, trust->authority_count, 0) !=
        (int)trust->authority_count)
        return error_set(err, FAULT_MALFORMED, "client_ca: the CAs cannot be used");
    trust->list_owns = true;
    if (trust->checks_revocation && !read_files(&loading, options->crl, take_lists, err))
        return error_while(err, "client_crl");
    *ret = TAKE(trust);
    return true;
}

const gnutls_x509_crt_t *tls_trust_authorities(const struct tls_trust *trust, unsigned *ret_count)
{
    *ret_count = trust->authority_count;
    return trust->certificates;
}

/* ── verifying ── */

/* What a client showed, as objects. */
struct shown {
    gnutls_x509_crt_t chain[CHAIN_MOST];
    unsigned size;
};

static void shown_drop(struct shown *shown)
{
    for (unsigned i = 0; i < shown->size; i++)
        gnutls_x509_crt_deinit(shown->chain[i]);
}

static bool import_chain(const gnutls_datum_t *chain, unsigned size, struct shown *ret, struct error *err)
{
    if (size > CHAIN_MOST)
        return error_set(err, FAULT_FORBIDDEN, "a chain of more than %d certificates", CHAIN_MOST);
    for (unsigned i = 0; i < size; i++) {
        if (chain[i].size > CERTIFICATE_CEILING_BYTES)
            return error_set(err, FAULT_FORBIDDEN, "a certificate of %u bytes", chain[i].size);
        if (gnutls_x509_crt_init(&ret->chain[i]) < 0)
            return error_set(err, FAULT_FORBIDDEN, "no memory for a certificate");
        ret->size = i + 1;
        if (gnutls_x509_crt_import(ret->chain[i], &chain[i], GNUTLS_X509_FMT_DER) < 0)
            return error_set(err, FAULT_FORBIDDEN, "a certificate that is none");
    }
    return true;
}

/* The gravest thing first. */
static const struct verdict {
    unsigned status;
    gnutls_alert_description_t alert;
    const char *why;
} verdicts[] = {
    { GNUTLS_CERT_REVOKED, GNUTLS_A_CERTIFICATE_REVOKED, "it has been revoked" },
    { GNUTLS_CERT_SIGNER_NOT_FOUND, GNUTLS_A_UNKNOWN_CA, "no CA of client_ca vouches for it" },
    { GNUTLS_CERT_SIGNER_NOT_CA, GNUTLS_A_UNKNOWN_CA, "its issuer is no CA" },
    { GNUTLS_CERT_SIGNATURE_FAILURE, GNUTLS_A_BAD_CERTIFICATE, "a signature is wrong" },
    { GNUTLS_CERT_EXPIRED, GNUTLS_A_CERTIFICATE_EXPIRED, "it or a CA above it has expired" },
    { GNUTLS_CERT_NOT_ACTIVATED, GNUTLS_A_CERTIFICATE_EXPIRED, "it or a CA above it is not valid yet" },
    { GNUTLS_CERT_INSECURE_ALGORITHM, GNUTLS_A_BAD_CERTIFICATE,
      "a key or a signature of the chain is too weak" },
    { GNUTLS_CERT_PURPOSE_MISMATCH, GNUTLS_A_UNSUPPORTED_CERTIFICATE,
      "it is not meant for clients (extended key usage)" },
    { GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE, GNUTLS_A_BAD_CERTIFICATE,
      "a CA above it may not vouch for such a name" },
};

static bool tell_verdict(unsigned status, gnutls_alert_description_t *ret_alert, struct error *err)
{
    for (size_t i = 0; i < COUNT_OF(verdicts); i++)
        if (status & verdicts[i].status) {
            *ret_alert = verdicts[i].alert;
            return error_set(err, FAULT_FORBIDDEN, "%s", verdicts[i].why);
        }
    return error_set(err, FAULT_FORBIDDEN, "its chain does not hold (status %#x)", status);
}

static bool has_issued(gnutls_x509_crt_t issuer, gnutls_x509_crt_t certificate)
{
    unsigned status = 0;

    return gnutls_x509_crt_check_issuer(certificate, issuer) &&
           gnutls_x509_crt_verify(certificate, &issuer, 1, GNUTLS_VERIFY_DISABLE_TIME_CHECKS, &status) >= 0 &&
           status == 0;
}

/* The way from the client's certificate up to the CA that is trusted: indices into shown->chain. */
struct path {
    unsigned steps[CHAIN_MOST];
    unsigned size;
    unsigned authority;
};

static bool find_path(const struct tls_trust *trust, const struct shown *shown, struct path *ret)
{
    unsigned at = 0;

    ret->size = 0;
    while (ret->size < CHAIN_MOST) {
        ret->steps[ret->size++] = at;
        for (unsigned i = 0; i < trust->authority_count; i++)
            if (has_issued(trust->certificates[i], shown->chain[at])) {
                ret->authority = i;
                return true;
            }
        unsigned next = at + 1;
        while (next < shown->size && !has_issued(shown->chain[next], shown->chain[at]))
            next++;
        if (next >= shown->size)
            return false;
        at = next;
    }
    return false;
}

/* Is there, for each certificate of the path, a list of its issuer that is still valid? */
static bool lists_are_fresh(const struct tls_trust *trust, const struct shown *shown, const struct path *path,
                            int64_t now)
{
    for (unsigned i = 0; i < path->size; i++) {
        gnutls_datum_t issuer = { 0 };
        bool fresh = false;
        if (gnutls_x509_crt_get_raw_issuer_dn(shown->chain[path->steps[i]], &issuer) < 0)
            return false;
        for (unsigned k = 0; !fresh && k < trust->list_count; k++)
            fresh =
                now < trust->revocations[k].next_update &&
                bytes_equal(bytes_of(issuer.data, issuer.size),
                            bytes_of(trust->revocations[k].issuer.data, trust->revocations[k].issuer.size));
        gnutls_free(issuer.data);
        if (!fresh)
            return false;
    }
    return true;
}

/* A certificate that says for what its key is good must say: for signing handshakes. */
static bool may_sign(gnutls_x509_crt_t leaf)
{
    unsigned usage = 0;

    const int outcome = gnutls_x509_crt_get_key_usage(leaf, &usage, NULL);
    return outcome == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE ||
           (outcome >= 0 && (usage & GNUTLS_KEY_DIGITAL_SIGNATURE));
}

bool tls_trust_verify(const struct tls_trust *trust, const gnutls_datum_t *chain, unsigned chain_size,
                      int64_t now, struct tls_peer **ret, gnutls_alert_description_t *ret_alert,
                      struct error *err)
{
    __attribute__((cleanup(shown_drop))) struct shown shown = { 0 };
    gnutls_typed_vdata_st purpose = { .type = GNUTLS_DT_KEY_PURPOSE_OID,
                                      .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT };
    const unsigned flags = GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_MEDIUM); /* RSA from 2048 bits on */
    unsigned status = 0;
    struct path path;

    *ret_alert = GNUTLS_A_BAD_CERTIFICATE;
    if (!import_chain(chain, chain_size, &shown, err))
        return false;
    const int outcome = gnutls_x509_trust_list_verify_crt2(trust->list, shown.chain, shown.size, &purpose, 1,
                                                           flags, &status, NULL);
    if (outcome < 0)
        return error_set(err, FAULT_FORBIDDEN, "its chain cannot be verified: %s", gnutls_strerror(outcome));
    if (status != 0)
        return tell_verdict(status, ret_alert, err);
    if (!may_sign(shown.chain[0])) {
        *ret_alert = GNUTLS_A_UNSUPPORTED_CERTIFICATE;
        return error_set(err, FAULT_FORBIDDEN, "its key is not meant for signatures (key usage)");
    }
    if (!find_path(trust, &shown, &path)) {
        *ret_alert = GNUTLS_A_UNKNOWN_CA;
        return error_set(err, FAULT_FORBIDDEN, "no CA of client_ca vouches for it");
    }
    if (trust->checks_revocation && !trust->crl_is_advised && !lists_are_fresh(trust, &shown, &path, now))
        return error_set(err, FAULT_FORBIDDEN,
                         "there is no valid revocation list of its issuer (client_crl, client_crl_policy)");
    int64_t expires = INT64_MAX;
    for (unsigned i = 0; i < path.size; i++) {
        const int64_t until = gnutls_x509_crt_get_expiration_time(shown.chain[path.steps[i]]);
        expires = until < expires ? until : expires;
    }
    return tls_peer_new(shown.chain[0], trust->authorities[path.authority].file,
                        trust->certificates[path.authority], expires, ret, err);
}
