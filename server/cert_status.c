/* server/cert_status.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Telling of certificates; see cert_status.h. What a certificate is, is told even if it is no good.
 */
#include "server/cert_status.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <gnutls/x509.h>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/file.h"
#include "server/tls_settings.h"

enum { CERTIFICATE_CEILING_BYTES = 1 << 20, DAY_SECONDS = 86400 };

struct telling {
    FILE *to;
    int worst;
    const char *data; /* the data folder */
};

static void worsen(struct telling *telling, int status)
{
    if (status > telling->worst)
        telling->worst = status;
}

static void tell_doubt(void *context, const char *what, const char *remedy)
{
    struct telling *telling = context;

    worsen(telling, CERT_STATUS_DOUBTFUL);
    fprintf(telling->to, "  warning    %s\n             %s\n", what, remedy);
}

static void tell_date(FILE *to, time_t at)
{
    struct tm broken;
    char text[32];

    if (gmtime_r(&at, &broken) && strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &broken))
        fputs(text, to);
}

static void tell_subject(FILE *to, gnutls_x509_crt_t certificate, bool issuer)
{
    gnutls_datum_t text = { 0 };
    const int outcome = issuer ? gnutls_x509_crt_get_issuer_dn3(certificate, &text, 0)
                               : gnutls_x509_crt_get_dn3(certificate, &text, 0);

    /* A subject may hold anything: nothing that a terminal would take for a command. */
    for (unsigned i = 0; outcome >= 0 && i < text.size; i++)
        fputc(text.data[i] < 0x20 || text.data[i] == 0x7F ? '?' : text.data[i], to);
    gnutls_free(text.data);
}

static void tell_names(FILE *to, gnutls_x509_crt_t leaf)
{
    for (unsigned i = 0;; i++) {
        char name[256], text[INET6_ADDRSTRLEN];
        size_t size = sizeof name;
        const int type = gnutls_x509_crt_get_subject_alt_name(leaf, i, name, &size, NULL);
        if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
            return;
        if (type == GNUTLS_SAN_DNSNAME)
            fprintf(to, " %.*s", (int)strnlen(name, size), name);
        else if (type == GNUTLS_SAN_IPADDRESS && (size == 4 || size == 16) &&
                 inet_ntop(size == 4 ? AF_INET : AF_INET6, name, text, sizeof text))
            fprintf(to, " %s", text);
    }
}

static void tell_chain(struct telling *telling, gnutls_x509_crt_t *chain, unsigned size)
{
    FILE *to = telling->to;
    const time_t now = time(NULL);
    unsigned bits = 0;

    fputs("  names     ", to);
    tell_names(to, chain[0]);
    const int algorithm = gnutls_x509_crt_get_pk_algorithm(chain[0], &bits);
    fprintf(to, "\n  key        %s, %u bits\n",
            algorithm >= 0 ? gnutls_pk_algorithm_get_name((gnutls_pk_algorithm_t)algorithm) : "unknown",
            bits);
    for (unsigned i = 0; i < size; i++) {
        const time_t until = gnutls_x509_crt_get_expiration_time(chain[i]);
        fprintf(to, "  %s  ", i ? "issued by" : "subject  ");
        tell_subject(to, chain[i], false);
        fputs("\n             until ", to);
        tell_date(to, until);
        if (until > now)
            fprintf(to, ", %" PRId64 " days left\n", (int64_t)(until - now) / DAY_SECONDS);
        else
            fprintf(to, ", expired %" PRId64 " days ago\n", (int64_t)(now - until) / DAY_SECONDS);
    }
    if (!gnutls_x509_crt_check_issuer(chain[size - 1], chain[size - 1])) {
        fputs("  issued by  ", to);
        tell_subject(to, chain[size - 1], true);
        fputs(" (not in the file)\n", to);
    }
}

/* Without the checks that refuse a bad one. */
static void tell_file(struct telling *telling, const char *path)
{
    struct error err = { 0 };
    gnutls_x509_crt_t *chain = NULL;
    unsigned count = 0;
    char *text = NULL;
    size_t size = 0;

    if (!file_read_all(path, CERTIFICATE_CEILING_BYTES, &text, &size, &err))
        return; /* the check says so */
    const gnutls_datum_t datum = { (unsigned char *)text, (unsigned)size };
    if (gnutls_x509_crt_list_import2(&chain, &count, &datum, GNUTLS_X509_FMT_PEM, 0) >= 0) {
        if (count > 0)
            tell_chain(telling, chain, count);
        for (unsigned i = 0; i < count; i++)
            gnutls_x509_crt_deinit(chain[i]);
        gnutls_free(chain);
    }
    free(text);
}

/* Of a file beside the certificate, else what the running server has kept. */
static bool find_staple(const struct telling *telling, const struct tls_certificate *certificate,
                        char path[PATH_MAX], char **ret, size_t *ret_size)
{
    struct error err = { 0 };
    uint8_t digest[DIGEST_BYTES];
    char name[2 * DIGEST_BYTES + 1];
    size_t size = sizeof digest;

    if (tls_certificate_staple_path(certificate->path, path, PATH_MAX) &&
        file_read_all(path, OCSP_CEILING_BYTES, ret, ret_size, &err))
        return true;
    if (gnutls_x509_crt_get_fingerprint(certificate->chain[0], GNUTLS_DIG_SHA256, digest, &size) < 0)
        return false;
    digest_hex(digest, sizeof digest, name);
    return snprintf(path, PATH_MAX, "%s/tls/ocsp/%s.der", telling->data, name) < PATH_MAX &&
           file_read_all(path, OCSP_CEILING_BYTES, ret, ret_size, &err);
}

static void tell_staple(struct telling *telling, const struct tls_certificate *certificate)
{
    gnutls_x509_crt_t issuer = tls_certificate_issuer(certificate);
    struct ocsp_answer answer = { 0 };
    struct error err = { 0 };
    char path[PATH_MAX], *content = NULL;
    size_t size = 0;
    FILE *to = telling->to;
    bool good = false;

    fputs("  staple     ", to);
    if (!certificate->ocsp_url && !certificate->must_staple && !issuer) {
        fputs("none; no responder is named\n", to);
    } else if (!issuer) {
        fputs("cannot be checked: the issuer is not in the file\n", to);
    } else if (!find_staple(telling, certificate, path, &content, &size)) {
        fprintf(to, "none%s%s\n", certificate->ocsp_url ? "; the responder is " : "; no responder is named",
                certificate->ocsp_url ? certificate->ocsp_url : "");
    } else if (!ocsp_answer_check(bytes_of(content, size), certificate->chain[0], issuer, time(NULL), &answer,
                                  &err)) {
        fprintf(to, "no good: %s\n", err.detail);
        worsen(telling, CERT_STATUS_DOUBTFUL);
    } else if (answer.revoked) {
        fputs("REVOKED by the issuer: replace the certificate\n", to);
        worsen(telling, CERT_STATUS_BAD);
    } else {
        fputs("good until ", to);
        tell_date(to, answer.next_update);
        fprintf(to, " (%s)\n", path);
        good = true;
    }
    free(content);
    if (certificate->must_staple && !good) {
        fputs("  error      the certificate demands a staple (must-staple), and there is no valid one\n", to);
        worsen(telling, CERT_STATUS_BAD);
    }
}

int cert_status(const struct settings *settings, FILE *to)
{
    struct telling telling = { .to = to, .worst = CERT_STATUS_GOOD, .data = settings->data };
    struct tls_settings *tls = NULL;
    struct tls_trust *trust = NULL;
    struct error err = { 0 };

    if (!tls_settings_make(settings, &tls, &err)) {
        fprintf(to, "error: %s\n", err.detail);
        return CERT_STATUS_BAD;
    }
    for (unsigned i = 0; i < tls->options.file_count; i++) {
        struct tls_certificate *certificate = NULL;
        fprintf(to, "%s%s\n", tls->files[i].certificate, tls->throwaway ? "  (throwaway)" : "");
        if (tls->throwaway && access(tls->files[i].certificate, F_OK) != 0) {
            fputs("  is made at the first start\n", to);
            continue;
        }
        tell_file(&telling, tls->files[i].certificate);
        if (tls_certificate_load(&tls->files[i], tell_doubt, &telling, &certificate, &err)) {
            tell_staple(&telling, certificate);
        } else {
            fprintf(to, "  error      %s\n", err.detail);
            worsen(&telling, CERT_STATUS_BAD);
        }
        tls_certificate_free(certificate);
    }
    if (tls->options.client_certificates != CLIENT_CERTIFICATES_OFF) {
        fprintf(to, "%s  (CAs of clients)\n", settings->client_ca);
        if (!tls_trust_load(&tls->options.trust, tell_doubt, &telling, &trust, &err)) {
            fprintf(to, "  error      %s\n", err.detail);
            worsen(&telling, CERT_STATUS_BAD);
        }
        tls_trust_free(trust);
    }
    tls_settings_free(tls);
    fputs(telling.worst == CERT_STATUS_GOOD       ? "All is well.\n"
          : telling.worst == CERT_STATUS_DOUBTFUL ? "Something wants doing soon.\n"
                                                  : "Something is wrong.\n",
          to);
    return telling.worst;
}
