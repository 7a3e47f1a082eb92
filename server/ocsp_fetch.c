/* server/ocsp_fetch.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * An OCSP request by libcurl; see ocsp_fetch.h.
 */
#include "server/ocsp_fetch.h"

#include <string.h>

#include <curl/curl.h>
#include <gnutls/ocsp.h>

enum { REDIRECTS_MOST = 3 };

bool ocsp_fetch_prepare(struct error *err)
{
    const CURLcode outcome = curl_global_init(CURL_GLOBAL_DEFAULT);

    return outcome == CURLE_OK ||
           error_set(err, FAULT_INTERNAL, "libcurl does not start: %s", curl_easy_strerror(outcome));
}

static bool make_request(gnutls_x509_crt_t leaf, gnutls_x509_crt_t issuer, gnutls_datum_t *ret,
                         struct error *err)
{
    gnutls_ocsp_req_t request = NULL;

    /* SHA-1 only names the certificate here, and some responders know nothing else (RFC 5019 2.1.1). */
    int outcome = gnutls_ocsp_req_init(&request);
    if (outcome >= 0)
        outcome = gnutls_ocsp_req_add_cert(request, GNUTLS_DIG_SHA1, issuer, leaf);
    if (outcome >= 0)
        outcome = gnutls_ocsp_req_export(request, ret);
    if (request)
        gnutls_ocsp_req_deinit(request);
    return outcome >= 0 ||
           error_set(err, FAULT_MALFORMED, "OCSP: no request can be made: %s", gnutls_strerror(outcome));
}

static size_t take_bytes(char *data, size_t size, size_t count, void *context)
{
    struct buffer *into = context;

    buffer_append(into, bytes_of(data, size * count));
    return into->overflowed ? 0 : size * count;
}

static int look_at_stop(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const atomic_bool *stop = context;

    (void)a, (void)b, (void)c, (void)d;
    return atomic_load(stop);
}

static CURLcode perform(CURL *curl, const char *url, gnutls_datum_t request, unsigned timeout_ms,
                        const atomic_bool *stop, struct buffer *into)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/ocsp-request");

    headers = curl_slist_append(headers, "Accept: application/ocsp-response");
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)REDIRECTS_MOST);
    curl_easy_setopt(curl, CURLOPT_POSTREDIR, (long)CURL_REDIR_POST_ALL);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)request.size);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.data);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, into);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, look_at_stop);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, stop);
    const CURLcode outcome = curl_easy_perform(curl);
    curl_slist_free_all(headers);
    return outcome;
}

bool ocsp_fetch(const char *url, gnutls_x509_crt_t leaf, gnutls_x509_crt_t issuer, unsigned timeout_ms,
                const atomic_bool *stop, struct buffer *into, struct error *err)
{
    gnutls_datum_t request = { 0 };

    if (!make_request(leaf, issuer, &request, err))
        return false;
    CURL *curl = curl_easy_init();
    const CURLcode outcome = curl ? perform(curl, url, request, timeout_ms, stop, into) : CURLE_OUT_OF_MEMORY;
    if (curl)
        curl_easy_cleanup(curl);
    gnutls_free(request.data);
    if (!buffer_check(into, "the OCSP responder's answer", err))
        return false;
    return outcome == CURLE_OK ||
           error_set(err, FAULT_BUSY, "OCSP: %.120s: %s", url, curl_easy_strerror(outcome));
}
