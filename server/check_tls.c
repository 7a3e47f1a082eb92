/* server/check_tls.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * One function for each thing that is looked at; see check_tls.h.
 */
#include "server/check_tls.h"

#include <limits.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/file.h"
#include "server/authorize.h"
#include "server/listener.h"
#include "server/tls_settings.h"

struct check {
    const struct settings *settings;
    check_report_fn *report;
    void *context;
    bool gateway; /* auth = none: somebody else may speak TLS to the clients */
};

static void tell(const struct check *check, enum check_weight weight, const char *remedy, const char *format,
                 ...) PRINTF_LIKE(4, 5);

static void tell(const struct check *check, enum check_weight weight, const char *remedy, const char *format,
                 ...)
{
    char what[500];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    check->report(check->context, weight, what, remedy);
}

static bool is(const char *setting, const char *word)
{
    return strcmp(setting, word) == 0;
}

/* ── who can reach it, and who is asked ── */

static bool is_loopback(const struct listener_address *address)
{
    if (address->address.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->address;
        return ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->address;
    return !address->any && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

static bool is_open(const struct settings *settings)
{
    struct listener_address addresses[LISTENER_ADDRESSES_MOST];
    struct error err = { 0 };
    unsigned count = 0, open = 0;

    if (!listener_parse(settings->listen, addresses, &count, &err))
        return false; /* told already */
    for (unsigned i = 0; i < count; i++)
        open += !is_loopback(&addresses[i]);
    return open > 0;
}

static void check_exposure(const struct check *check)
{
    const struct settings *settings = check->settings;

    if (!is_open(settings))
        return;
    if (check->gateway)
        tell(check, CHECK_WARNING,
             "see to it that only the gateway reaches this port, or set auth = auto with client_certificates",
             "auth = none: whoever reaches %s may search, read, store and delete", settings->listen);
    else if (is(settings->client_certificates, "off"))
        tell(check, CHECK_ERROR,
             "set client_certificates, client_ca and access_rules; or auth = none, if a gateway in front "
             "authenticates; or listen on 127.0.0.1 alone",
             "listen: %s can be reached from other machines, and no authentication is configured",
             settings->listen);
}

static void warn_of_trust(void *context, const char *what, const char *remedy)
{
    tell(context, CHECK_WARNING, remedy, "%s", what);
}

static void check_clients(const struct check *check)
{
    const struct settings *settings = check->settings;
    const bool off = is(settings->client_certificates, "off");
    struct tls_settings *tls = NULL;
    struct tls_trust *trust = NULL;
    struct access *access = NULL;
    struct error err = { 0 };

    if (off) {
        if (settings->client_ca[0] || settings->client_crl[0] || settings->access_rules[0])
            tell(check, CHECK_WARNING, "set client_certificates to required or optional",
                 "client_ca, client_crl and access_rules are not used while client_certificates are off");
        return;
    }
    if (!settings->client_ca[0]) {
        tell(check, CHECK_ERROR, "set client_ca to the CA, or to a folder of CAs, that made them",
             "client_certificates: there is no client_ca, so that every client would be refused");
        return;
    }
    if (tls_settings_make(settings, &tls, &err) &&
        !tls_trust_load(&tls->options.trust, warn_of_trust, (void *)(uintptr_t)check, &trust, &err))
        tell(check, CHECK_ERROR, "put CAs and the revocation lists that they have signed in place", "%s",
             err.detail);
    if (!check->gateway && !settings->access_rules[0])
        tell(check, CHECK_ERROR, "write a file of rules (docs/client-certificates.md), or set auth = none",
             "client_certificates: there are no access_rules, so that nobody could do anything");
    else if (!access_load(settings, &access, &err))
        tell(check, CHECK_ERROR, "write rules as in: search,read ca=hospital-a", "%s", err.detail);
    if (!settings->client_crl[0])
        tell(check, CHECK_WARNING, "set client_crl to the revocation lists of the CAs",
             "client_certificates: a revoked one is not told from others");
    access_free(access);
    tls_trust_free(trust);
    tls_settings_free(tls);
}

/* ── what is shown to clients ── */

/* The host of https://host[:port][/path]; false: there is none to compare with. */
static bool find_public_host(const struct settings *settings, char *into, size_t size)
{
    struct bytes rest = bytes_of_text(settings->public_url);

    if (!bytes_starts_with(rest, bytes_of_text("https://")))
        return false;
    rest = bytes_from(rest, strlen("https://"));
    size_t length = 0;
    if (rest.size > 0 && rest.data[0] == '[') {
        rest = bytes_from(rest, 1);
        while (length < rest.size && rest.data[length] != ']')
            length++;
    } else {
        while (length < rest.size && rest.data[length] != ':' && rest.data[length] != '/')
            length++;
    }
    if (length == 0 || length >= size)
        return false;
    memcpy(into, rest.data, length);
    into[length] = '\0';
    return true;
}

static bool has_valid_staple_file(const struct tls_certificate *certificate)
{
    gnutls_x509_crt_t issuer = tls_certificate_issuer(certificate);
    struct ocsp_answer answer;
    struct error err = { 0 };
    char path[PATH_MAX], *content = NULL;
    size_t size = 0;

    if (!issuer || !tls_certificate_staple_path(certificate->path, path, sizeof path) ||
        !file_read_all(path, OCSP_CEILING_BYTES, &content, &size, &err))
        return false;
    const bool valid = ocsp_answer_check(bytes_of(content, size), certificate->chain[0], issuer, time(NULL),
                                         &answer, &err) &&
                       !answer.revoked;
    free(content);
    return valid;
}

static void check_stapling(const struct check *check, const struct tls_certificate *certificate)
{
    const char *mode = check->settings->ocsp_stapling, *path = certificate->path;

    if (!certificate->must_staple)
        return;
    if (is(mode, "off"))
        tell(check, CHECK_ERROR, "set ocsp_stapling to fetch or file, or get one without must-staple",
             "certificate %.200s: demands a staple (must-staple), and ocsp_stapling is off", path);
    else if (!tls_certificate_issuer(certificate))
        tell(check, CHECK_ERROR, "put the issuer's certificate behind it in the file",
             "certificate %.200s: demands a staple (must-staple), which cannot be checked without its issuer",
             path);
    else if (!has_valid_staple_file(certificate) && (is(mode, "file") || !certificate->ocsp_url))
        tell(check, CHECK_ERROR, "put a current OCSP response (DER) beside it, with the suffix .ocsp",
             "certificate %.200s: demands a staple (must-staple), and there is no valid one", path);
}

static void check_certificates(const struct check *check)
{
    struct tls_settings *tls = NULL;
    struct error err = { 0 };
    char host[256];
    unsigned loaded = 0, named = 0;

    if (!tls_settings_make(check->settings, &tls, &err)) {
        tell(check, CHECK_ERROR, "name one key for each certificate, in the same order", "%s", err.detail);
        return;
    }
    const bool compare = find_public_host(check->settings, host, sizeof host);
    for (unsigned i = 0; !tls->throwaway && i < tls->options.file_count; i++) {
        struct tls_certificate *certificate = NULL;
        if (!tls_certificate_load(&tls->files[i], warn_of_trust, (void *)(uintptr_t)check, &certificate,
                                  &err)) {
            tell(check, CHECK_ERROR, "put a matching, valid pair in place, readable by this user alone", "%s",
                 err.detail);
            continue;
        }
        loaded++;
        named += compare && gnutls_x509_crt_check_hostname(certificate->chain[0], host) != 0;
        check_stapling(check, certificate);
        tls_certificate_free(certificate);
    }
    if (compare && loaded > 0 && named == 0)
        tell(check, check->gateway ? CHECK_WARNING : CHECK_ERROR,
             "get a certificate for the name in public_url, or correct public_url",
             "public_url: no certificate is for %.200s, so that clients would refuse it", host);
    tls_settings_free(tls);
}

/* Clients elsewhere would look for bulk data on their own machine. */
static void check_links(const struct check *check)
{
    const struct settings *settings = check->settings;
    const bool unset = !settings->public_url[0] && !settings->trusted_proxies[0];
    char host[256] = "";

    if (!is_open(settings))
        return;
    if (unset || (find_public_host(settings, host, sizeof host) &&
                  (is(host, "localhost") || is(host, "::1") || strncmp(host, "127.", 4) == 0)))
        tell(check, CHECK_WARNING, "set public_url to the URL that clients use, or to from-host",
             "public_url: links would lead clients on other machines to %s", unset ? "localhost" : host);
}

void check_tls(const struct settings *settings, check_report_fn *report, void *context)
{
    const struct check check = { settings, report, context, is(settings->auth, "none") };

    check_exposure(&check);
    check_links(&check);
    check_certificates(&check);
    check_clients(&check);
}
