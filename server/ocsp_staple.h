/* server/ocsp_staple.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * An OCSP response for a certificate of ours (RFC 6960): checked before it is used (TLS-31), and the place
 * where the current one lies, from which handshakes take it and into which a newer one is put at any time.
 */
#ifndef GANTRY_SERVER_OCSP_STAPLE_H
#define GANTRY_SERVER_OCSP_STAPLE_H

#include <pthread.h>
#include <stdint.h>

#include <gnutls/x509.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/error.h"

enum { OCSP_CEILING_BYTES = 64 * 1024 };

/* What a response says; times in seconds since 1970. */
struct ocsp_answer {
    int64_t this_update, next_update; /* without a nextUpdate: a day behind thisUpdate */
    bool revoked;
};

/* Is `response` (DER) about this leaf, signed by its issuer or by a responder to whom the issuer gave that
 * right, and valid at `now`? An answer "revoked" is an answer: true, ret->revoked. MALFORMED otherwise.
 * Never waits; any thread. */
MUST_USE bool ocsp_answer_check(struct bytes response, gnutls_x509_crt_t leaf, gnutls_x509_crt_t issuer,
                                int64_t now, struct ocsp_answer *ret, struct error *err);

/* The current response of one certificate; zeroed and ocsp_staple_init'ed it has none. Any thread. */
struct ocsp_staple {
    pthread_mutex_t lock;
    gnutls_datum_t response;
    struct ocsp_answer answer;
};
void ocsp_staple_init(struct ocsp_staple *staple);
void ocsp_staple_done(struct ocsp_staple *staple);
/* A copy; an answer "revoked" takes the staple away, since stapling it helps nobody (TLS-36). */
void ocsp_staple_put(struct ocsp_staple *staple, struct bytes response, const struct ocsp_answer *answer);
/* False: there is none that is valid at `now`. */
MUST_USE bool ocsp_staple_look(struct ocsp_staple *staple, int64_t now, struct ocsp_answer *ret);
/* The same staple, in the certificate's next copy. */
void ocsp_staple_inherit(struct ocsp_staple *staple, struct ocsp_staple *from);
/* For gnutls_certificate_set_ocsp_status_request_function2; `staple` is a struct ocsp_staple. */
int ocsp_staple_give(gnutls_session_t session, void *staple, gnutls_datum_t *response);

#endif
