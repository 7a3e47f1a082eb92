/* server/tls_context.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Snapshots and sessions; see tls_context.h. A snapshot is held by the context while it is the current one
 * and by every session that was readied with it, and freed by the last of them.
 */
#include "server/tls_context.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "server/tls_profile.h"

enum { PROTOCOLS_MOST = 4, CHAIN_MOST = 16 };

struct tls_snapshot {
    atomic_uint holders;
    struct tls_certificate *certificate;
    gnutls_priority_t priorities;
    gnutls_certificate_credentials_t credentials;
};

struct tls_context {
    pthread_mutex_t lock; /* over `current` */
    struct tls_snapshot *current;
    gnutls_datum_t
        ticket_key; /* of this process, never on disk; GnuTLS derives keys from it that change with time */
};

struct tls_session {
    struct tls_snapshot *snapshot;
};

/* ── snapshots ── */

static void snapshot_free(struct tls_snapshot *snapshot)
{
    if (!snapshot)
        return;
    if (snapshot->credentials)
        gnutls_certificate_free_credentials(snapshot->credentials);
    if (snapshot->priorities)
        gnutls_priority_deinit(snapshot->priorities);
    tls_certificate_free(snapshot->certificate);
    free(snapshot);
}

static void snapshot_drop(struct tls_snapshot **snapshot)
{
    snapshot_free(*snapshot);
}

static bool fill_credentials(struct tls_snapshot *snapshot, struct error *err)
{
    const struct tls_certificate *certificate = snapshot->certificate;

    int outcome = gnutls_certificate_allocate_credentials(&snapshot->credentials);
    if (outcome >= 0)
        outcome = gnutls_certificate_set_x509_key(snapshot->credentials, certificate->chain,
                                                  (int)certificate->sent_size, certificate->key);
    if (outcome < 0)
        return error_set(err, FAULT_MALFORMED, "certificate: %s", gnutls_strerror(outcome));
    return true;
}

static bool snapshot_load(const struct tls_options *options, tls_warning_fn *warn, void *context,
                          struct tls_snapshot **ret, struct error *err)
{
    SCOPED(snapshot) struct tls_snapshot *snapshot = calloc(1, sizeof *snapshot);
    const struct tls_profile *profile = tls_profile_find(options->profile);

    if (!snapshot)
        return error_set(err, FAULT_BUSY, "no memory for the certificate");
    atomic_init(&snapshot->holders, 1);
    if (!profile)
        return error_set(err, FAULT_MALFORMED, "tls_profile: there is none named %s", options->profile);
    if (!tls_profile_priorities(profile, &snapshot->priorities, err) ||
        !tls_certificate_load(&options->files, warn, context, &snapshot->certificate, err) ||
        !fill_credentials(snapshot, err))
        return false;
    *ret = TAKE(snapshot);
    return true;
}

static void snapshot_release(struct tls_snapshot *snapshot)
{
    if (snapshot && atomic_fetch_sub_explicit(&snapshot->holders, 1, memory_order_acq_rel) == 1)
        snapshot_free(snapshot);
}

bool tls_check(const struct tls_options *options, tls_warning_fn *warn, void *context, struct error *err)
{
    struct tls_snapshot *snapshot = NULL;

    if (!snapshot_load(options, warn, context, &snapshot, err))
        return false;
    snapshot_free(snapshot);
    return true;
}

/* ── the context ── */

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
    snapshot_release(old);
    return true;
}

void tls_context_close(struct tls_context *context)
{
    if (!context)
        return;
    snapshot_release(context->current);
    if (context->ticket_key.data)
        gnutls_memset(context->ticket_key.data, 0, context->ticket_key.size);
    gnutls_free(context->ticket_key.data);
    pthread_mutex_destroy(&context->lock);
    free(context);
}

/* ── sessions ── */

static struct tls_snapshot *hold_current(struct tls_context *context)
{
    pthread_mutex_lock(&context->lock);
    struct tls_snapshot *snapshot = context->current;
    atomic_fetch_add_explicit(&snapshot->holders, 1, memory_order_relaxed);
    pthread_mutex_unlock(&context->lock);
    return snapshot;
}

struct tls_session *tls_session_ready(struct tls_context *context, gnutls_session_t session,
                                      const char *const *protocols, unsigned protocol_count)
{
    struct tls_session *ours = calloc(1, sizeof *ours);
    gnutls_datum_t names[PROTOCOLS_MOST];

    assert(protocol_count <= PROTOCOLS_MOST);
    if (!ours)
        return NULL;
    ours->snapshot = hold_current(context);
    for (unsigned i = 0; i < protocol_count; i++)
        names[i] = (gnutls_datum_t){ (unsigned char *)protocols[i], (unsigned)strlen(protocols[i]) };
    gnutls_priority_set(session, ours->snapshot->priorities);
    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, ours->snapshot->credentials);
    gnutls_alpn_set_protocols(session, names, protocol_count,
                              GNUTLS_ALPN_MANDATORY | GNUTLS_ALPN_SERVER_PRECEDENCE);
    gnutls_session_ticket_enable_server(session, &context->ticket_key);
    return ours;
}

const struct tls_peer *tls_session_peer(const struct tls_session *session)
{
    (void)session; /* no client certificate is asked for */
    return NULL;
}

void tls_session_done(struct tls_session *session)
{
    if (!session)
        return;
    snapshot_release(session->snapshot);
    free(session);
}
