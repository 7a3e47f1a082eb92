/* server/ocsp_staple.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Checking and keeping a staple; see ocsp_staple.h.
 */
#include "server/ocsp_staple.h"

#include <string.h>
#include <time.h>

#include <gnutls/ocsp.h>

enum { DAY_SECONDS = 86400, CLOCKS_DIFFER_S = 300 };

static void response_drop(gnutls_ocsp_resp_t *response)
{
    if (*response)
        gnutls_ocsp_resp_deinit(*response);
}

static void list_drop(gnutls_x509_trust_list_t *list)
{
    if (*list)
        gnutls_x509_trust_list_deinit(*list, 0);
}

/* Signed by the issuer, or by whom the issuer named as its responder (RFC 6960 4.2.2.2). */
static bool check_signature(gnutls_ocsp_resp_t response, gnutls_x509_crt_t issuer, struct error *err)
{
    SCOPED(list) gnutls_x509_trust_list_t list = NULL;
    unsigned status = 0;

    if (gnutls_x509_trust_list_init(&list, 0) < 0 || gnutls_x509_trust_list_add_cas(list, &issuer, 1, 0) < 1)
        return error_set(err, FAULT_INTERNAL, "OCSP: no trust list");
    const int outcome = gnutls_ocsp_resp_verify(response, list, &status, 0);
    if (outcome < 0)
        return error_set(err, FAULT_MALFORMED, "OCSP: the signature cannot be checked: %s",
                         gnutls_strerror(outcome));
    if (status != 0)
        return error_set(err, FAULT_MALFORMED,
                         "OCSP: not signed by the certificate's issuer nor its responder (status %#x)",
                         status);
    return true;
}

static bool find_single(gnutls_ocsp_resp_t response, gnutls_x509_crt_t leaf, unsigned *ret_index)
{
    for (unsigned i = 0; i < 16; i++)
        if (gnutls_ocsp_resp_check_crt(response, i, leaf) == 0) {
            *ret_index = i;
            return true;
        }
    return false;
}

bool ocsp_answer_check(struct bytes der, gnutls_x509_crt_t leaf, gnutls_x509_crt_t issuer, int64_t now,
                       struct ocsp_answer *ret, struct error *err)
{
    const gnutls_datum_t datum = { (unsigned char *)(uintptr_t)der.data, (unsigned)der.size };
    SCOPED(response) gnutls_ocsp_resp_t response = NULL;
    unsigned index = 0, status = 0;
    time_t this_update = 0, next_update = 0;

    if (der.size > OCSP_CEILING_BYTES)
        return error_set(err, FAULT_TOO_LARGE, "OCSP: a response of %zu bytes", der.size);
    if (gnutls_ocsp_resp_init(&response) < 0)
        return error_set(err, FAULT_BUSY, "OCSP: no memory");
    if (gnutls_ocsp_resp_import(response, &datum) < 0)
        return error_set(err, FAULT_MALFORMED, "OCSP: the response is none");
    const int outcome = gnutls_ocsp_resp_get_status(response);
    if (outcome != GNUTLS_OCSP_RESP_SUCCESSFUL)
        return error_set(err, FAULT_MALFORMED, "OCSP: the responder refuses to say (status %d)", outcome);
    /* With the signature checked below, serial and issuer's name are enough: only that issuer's key, or a
     * responder that it named, can have signed. */
    if (!find_single(response, leaf, &index))
        return error_set(err, FAULT_MALFORMED, "OCSP: the response is about another certificate");
    if (!check_signature(response, issuer, err))
        return false;
    if (gnutls_ocsp_resp_get_single(response, index, NULL, NULL, NULL, NULL, &status, &this_update,
                                    &next_update, NULL, NULL) < 0)
        return error_set(err, FAULT_MALFORMED, "OCSP: the response cannot be read");
    const struct ocsp_answer answer = {
        .this_update = this_update,
        .next_update = next_update == (time_t)-1 ? this_update + DAY_SECONDS : next_update,
        .revoked = status == GNUTLS_OCSP_CERT_REVOKED,
    };
    if (answer.this_update > now + CLOCKS_DIFFER_S)
        return error_set(err, FAULT_MALFORMED, "OCSP: the response is not valid yet");
    if (answer.next_update <= now)
        return error_set(err, FAULT_MALFORMED, "OCSP: the response has expired");
    if (status != GNUTLS_OCSP_CERT_GOOD && !answer.revoked)
        return error_set(err, FAULT_MALFORMED, "OCSP: the responder does not know the certificate");
    *ret = answer;
    return true;
}

/* ── the place where it lies ── */

void ocsp_staple_init(struct ocsp_staple *staple)
{
    memset(staple, 0, sizeof *staple);
    pthread_mutex_init(&staple->lock, NULL);
}

void ocsp_staple_done(struct ocsp_staple *staple)
{
    gnutls_free(staple->response.data);
    pthread_mutex_destroy(&staple->lock);
}

void ocsp_staple_put(struct ocsp_staple *staple, struct bytes response, const struct ocsp_answer *answer)
{
    gnutls_datum_t copy = { 0 };

    if (!answer->revoked && (copy.data = gnutls_malloc(response.size))) {
        memcpy(copy.data, response.data, response.size);
        copy.size = (unsigned)response.size;
    }
    pthread_mutex_lock(&staple->lock);
    const gnutls_datum_t old = staple->response;
    staple->response = copy;
    staple->answer = *answer;
    pthread_mutex_unlock(&staple->lock);
    gnutls_free(old.data);
}

bool ocsp_staple_look(struct ocsp_staple *staple, int64_t now, struct ocsp_answer *ret)
{
    pthread_mutex_lock(&staple->lock);
    const bool there = staple->response.data && now < staple->answer.next_update;
    *ret = staple->answer;
    pthread_mutex_unlock(&staple->lock);
    return there;
}

void ocsp_staple_inherit(struct ocsp_staple *staple, struct ocsp_staple *from)
{
    pthread_mutex_lock(&from->lock);
    if (from->response.data)
        ocsp_staple_put(staple, bytes_of(from->response.data, from->response.size), &from->answer);
    else
        staple->answer = from->answer;
    pthread_mutex_unlock(&from->lock);
}

int ocsp_staple_give(gnutls_session_t session, void *context, gnutls_datum_t *response)
{
    struct ocsp_staple *staple = context;
    int outcome = GNUTLS_E_NO_CERTIFICATE_STATUS;

    (void)session;
    pthread_mutex_lock(&staple->lock);
    if (staple->response.data && time(NULL) < staple->answer.next_update &&
        (response->data = gnutls_malloc(staple->response.size))) {
        memcpy(response->data, staple->response.data, staple->response.size);
        response->size = staple->response.size;
        outcome = 0;
    }
    pthread_mutex_unlock(&staple->lock);
    return outcome;
}
