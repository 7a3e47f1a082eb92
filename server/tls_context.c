/* server/tls_context.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Snapshots and sessions; see tls_context.h. A snapshot is held by the context while it is the current one
 * and by every session that was readied with it, and freed by the last of them.
 *
 * Which certificate a client gets: its server name chooses a *group*, the certificates that have this name;
 * within the group GnuTLS chooses by what the client can (RSA or ECDSA).
 *
 *   "pacs.example.org" ─► names[] (sorted) ─► group {RSA, ECDSA}     "*.example.org" ─► group {RSA}
 *   no name, or one that nobody has ─► group of the first certificate
 *
 * Client certificates are verified when the client's Finished has come, by one function for full and resumed
 * handshakes alike: so a ticket does not outlive a revocation, and the client hears the alert that says why,
 * whatever the transport does after a failed handshake (libmicrohttpd just closes).
 */
#include "server/tls_context.h"

#include <assert.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "server/tls_profile.h"

enum {
    PROTOCOLS_MOST = 4,
    SERVER_NAME_CEILING_BYTES = 255,
    /* Names of CAs in the request for a client certificate; with more, none is named (any may be sent). */
    AUTHORITY_NAMES_CEILING_BYTES = 12 * 1024,
};

struct group {
    uint64_t members; /* bit i: certificates[i] */
    gnutls_certificate_credentials_t credentials;
};

struct name_entry {
    const char *name; /* of the certificate */
    unsigned group;
};

struct tls_snapshot {
    atomic_uint holders;
    gnutls_priority_t priorities;
    struct tls_certificate *certificates[TLS_CERTIFICATES_MOST];
    unsigned certificate_count;
    struct group *groups; /* the first: of the first certificate */
    unsigned group_count;
    struct name_entry *names; /* sorted */
    unsigned name_count;
    struct tls_trust *trust; /* NULL: no client certificates */
    enum client_certificates client_certificates;
    bool names_authorities, refuse_unknown_names;
    unsigned ticket_lifetime_s, ticket_rotation_s;
};

struct tls_context {
    pthread_mutex_t lock; /* over all of it */
    struct tls_snapshot *current;
    gnutls_datum_t ticket_key; /* of this process, never on disk */
    uint64_t ticket_key_since_ms;
};

struct tls_session {
    struct tls_snapshot *snapshot;
    struct tls_peer *peer;
    bool greeted, finished; /* a ClientHello has come; the handshake is done */
    bool told;              /* a fatal alert has been sent */
};

/* ── snapshots ── */

static void snapshot_free(struct tls_snapshot *snapshot)
{
    if (!snapshot)
        return;
    for (unsigned i = 0; i < snapshot->group_count; i++)
        if (snapshot->groups[i].credentials)
            gnutls_certificate_free_credentials(snapshot->groups[i].credentials);
    free(snapshot->groups);
    free(snapshot->names);
    if (snapshot->priorities)
        gnutls_priority_deinit(snapshot->priorities);
    for (unsigned i = 0; i < snapshot->certificate_count; i++)
        tls_certificate_free(snapshot->certificates[i]);
    tls_trust_free(snapshot->trust);
    free(snapshot);
}

static void snapshot_drop(struct tls_snapshot **snapshot)
{
    snapshot_free(*snapshot);
}

static bool add_certificate(struct group *group, struct tls_certificate *certificate, struct error *err)
{
    const int index = gnutls_certificate_set_x509_key(group->credentials, certificate->chain,
                                                      (int)certificate->sent_size, certificate->key);

    if (index < 0)
        return error_set(err, FAULT_MALFORMED, "certificate %s: %s", certificate->path,
                         gnutls_strerror(index));
    const int outcome = gnutls_certificate_set_ocsp_status_request_function2(
        group->credentials, (unsigned)index, ocsp_staple_give, &certificate->staple);
    if (outcome < 0)
        return error_set(err, FAULT_INTERNAL, "certificate %s: stapling: %s", certificate->path,
                         gnutls_strerror(outcome));
    return true;
}

/* The trust of the credentials only names the CAs in the request; tls_trust_verify does the verifying. */
static bool fill_group(const struct tls_snapshot *snapshot, struct group *group, struct error *err)
{
    if (gnutls_certificate_allocate_credentials(&group->credentials) < 0)
        return error_set(err, FAULT_BUSY, "no memory for the certificates");
    gnutls_certificate_set_flags(group->credentials, GNUTLS_CERTIFICATE_API_V2);
    gnutls_certificate_set_known_dh_params(group->credentials, GNUTLS_SEC_PARAM_HIGH); /* 3072 bits */
    for (unsigned i = 0; i < snapshot->certificate_count; i++)
        if (group->members >> i & 1 && !add_certificate(group, snapshot->certificates[i], err))
            return false;
    if (snapshot->names_authorities) {
        unsigned count = 0;
        const gnutls_x509_crt_t *authorities = tls_trust_authorities(snapshot->trust, &count);
        if (gnutls_certificate_set_x509_trust(group->credentials, (gnutls_x509_crt_t *)(uintptr_t)authorities,
                                              (int)count) < 0)
            return error_set(err, FAULT_BUSY, "no memory for the names of CAs");
    }
    return true;
}

static bool find_group(struct tls_snapshot *snapshot, uint64_t members, unsigned *ret, struct error *err)
{
    for (unsigned i = 0; i < snapshot->group_count; i++)
        if (snapshot->groups[i].members == members) {
            *ret = i;
            return true;
        }
    struct group *more = reallocarray(snapshot->groups, snapshot->group_count + 1, sizeof *snapshot->groups);
    if (!more)
        return error_set(err, FAULT_BUSY, "no memory for the certificates");
    snapshot->groups = more;
    more[snapshot->group_count] = (struct group){ .members = members };
    *ret = snapshot->group_count++;
    return fill_group(snapshot, &more[*ret], err);
}

static uint64_t members_of_name(const struct tls_snapshot *snapshot, const char *name)
{
    uint64_t members = 0;

    for (unsigned i = 0; i < snapshot->certificate_count; i++)
        if (tls_certificate_covers(snapshot->certificates[i], name))
            members |= (uint64_t)1 << i;
    return members;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct name_entry *)a)->name, ((const struct name_entry *)b)->name);
}

static bool index_names(struct tls_snapshot *snapshot, struct error *err)
{
    const struct tls_certificate *first = snapshot->certificates[0];
    unsigned count = 0, group;

    for (unsigned i = 0; i < snapshot->certificate_count; i++)
        count += snapshot->certificates[i]->name_count;
    snapshot->names = calloc(count ? count : 1, sizeof *snapshot->names);
    if (!snapshot->names)
        return error_set(err, FAULT_BUSY, "no memory for the names of certificates");
    if (!find_group(snapshot, first->name_count ? members_of_name(snapshot, first->names[0]) : 1, &group,
                    err))
        return false;
    for (unsigned i = 0; i < snapshot->certificate_count; i++)
        for (unsigned k = 0; k < snapshot->certificates[i]->name_count; k++) {
            const char *name = snapshot->certificates[i]->names[k];
            if (!find_group(snapshot, members_of_name(snapshot, name), &group, err))
                return false;
            snapshot->names[snapshot->name_count++] = (struct name_entry){ name, group };
        }
    qsort(snapshot->names, snapshot->name_count, sizeof *snapshot->names, compare_names);
    return true;
}

static bool names_fit(const struct tls_trust *trust)
{
    unsigned count = 0;
    const gnutls_x509_crt_t *authorities = tls_trust_authorities(trust, &count);
    size_t total = 0;

    for (unsigned i = 0; i < count; i++) {
        gnutls_datum_t name = { 0 };
        if (gnutls_x509_crt_get_raw_dn(authorities[i], &name) < 0)
            return false;
        total += name.size + 2;
        gnutls_free(name.data);
    }
    return total <= AUTHORITY_NAMES_CEILING_BYTES;
}

static bool load_trust(struct tls_snapshot *snapshot, const struct tls_options *options, tls_warning_fn *warn,
                       void *context, struct error *err)
{
    snapshot->client_certificates = options->client_certificates;
    if (options->client_certificates == CLIENT_CERTIFICATES_OFF)
        return true;
    if (!tls_trust_load(&options->trust, warn, context, &snapshot->trust, err))
        return false;
    snapshot->names_authorities = names_fit(snapshot->trust);
    return true;
}

static bool load_certificates(struct tls_snapshot *snapshot, const struct tls_options *options,
                              tls_warning_fn *warn, void *context, struct error *err)
{
    if (options->file_count < 1 || options->file_count > TLS_CERTIFICATES_MOST)
        return error_set(err, FAULT_MALFORMED, "%u certificates; 1 to %d are fine", options->file_count,
                         TLS_CERTIFICATES_MOST);
    for (unsigned i = 0; i < options->file_count; i++) {
        if (!tls_certificate_load(&options->files[i], warn, context, &snapshot->certificates[i], err))
            return false;
        snapshot->certificate_count++;
    }
    return true;
}

static bool snapshot_load(const struct tls_options *options, tls_warning_fn *warn, void *context,
                          struct tls_snapshot **ret, struct error *err)
{
    SCOPED(snapshot) struct tls_snapshot *snapshot = calloc(1, sizeof *snapshot);
    const struct tls_profile *profile = tls_profile_find(options->profile);

    if (!snapshot)
        return error_set(err, FAULT_BUSY, "no memory for the certificates");
    if (!profile)
        return error_set(err, FAULT_MALFORMED, "tls_profile: there is none named %s", options->profile);
    atomic_init(&snapshot->holders, 1);
    snapshot->refuse_unknown_names = options->refuse_unknown_names;
    snapshot->ticket_lifetime_s = options->ticket_lifetime_s;
    snapshot->ticket_rotation_s = options->ticket_rotation_s;
    if (!tls_profile_priorities(profile, &snapshot->priorities, err) ||
        !load_certificates(snapshot, options, warn, context, err) ||
        !load_trust(snapshot, options, warn, context, err) || !index_names(snapshot, err))
        return false;
    *ret = TAKE(snapshot);
    return true;
}

static void snapshot_release(struct tls_snapshot *snapshot)
{
    if (snapshot && atomic_fetch_sub_explicit(&snapshot->holders, 1, memory_order_acq_rel) == 1)
        snapshot_free(snapshot);
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
    *ret = context;
    return true;
}

/* A certificate that stays keeps its staple. */
static void inherit_staples(const struct tls_snapshot *old, const struct tls_snapshot *next)
{
    for (unsigned i = 0; i < next->certificate_count; i++)
        for (unsigned k = 0; k < old->certificate_count; k++)
            if (gnutls_x509_crt_equals(next->certificates[i]->chain[0], old->certificates[k]->chain[0]))
                ocsp_staple_inherit(&next->certificates[i]->staple, &old->certificates[k]->staple);
}

static struct tls_snapshot *hold_current(struct tls_context *context)
{
    pthread_mutex_lock(&context->lock);
    struct tls_snapshot *snapshot = context->current;
    atomic_fetch_add_explicit(&snapshot->holders, 1, memory_order_relaxed);
    pthread_mutex_unlock(&context->lock);
    return snapshot;
}

bool tls_context_reload(struct tls_context *context, const struct tls_options *options, struct error *err)
{
    struct tls_snapshot *next = NULL;

    if (!snapshot_load(options, NULL, NULL, &next, err))
        return error_while(err, "the certificates in use stay");
    pthread_mutex_lock(&context->lock);
    struct tls_snapshot *old = context->current;
    inherit_staples(old, next);
    context->current = next;
    pthread_mutex_unlock(&context->lock);
    snapshot_release(old);
    return true;
}

void tls_context_each(struct tls_context *context,
                      void (*each)(void *with, struct tls_certificate *certificate), void *with)
{
    struct tls_snapshot *snapshot = hold_current(context);

    for (unsigned i = 0; i < snapshot->certificate_count; i++)
        each(with, snapshot->certificates[i]);
    snapshot_release(snapshot);
}

static void forget_ticket_key(struct tls_context *context)
{
    if (context->ticket_key.data)
        gnutls_memset(context->ticket_key.data, 0, context->ticket_key.size);
    gnutls_free(context->ticket_key.data);
    context->ticket_key = (gnutls_datum_t){ 0 };
}

void tls_context_close(struct tls_context *context)
{
    if (!context)
        return;
    snapshot_release(context->current);
    forget_ticket_key(context);
    pthread_mutex_destroy(&context->lock);
    free(context);
}

/* ── sessions ── */

/* GnuTLS derives the keys that it uses from this one, and derives new ones as time goes by; but whoever
 * learns this one learns them all. So it goes, too (TLS-09). */
static void enable_tickets(struct tls_context *context, const struct tls_snapshot *snapshot,
                           gnutls_session_t session)
{
    const uint64_t now = clock_monotonic_ms();

    if (snapshot->ticket_lifetime_s == 0)
        return;
    gnutls_db_set_cache_expiration(session, (int)snapshot->ticket_lifetime_s);
    pthread_mutex_lock(&context->lock);
    if (!context->ticket_key.data ||
        now - context->ticket_key_since_ms >= (uint64_t)snapshot->ticket_rotation_s * 1000) {
        forget_ticket_key(context);
        if (gnutls_session_ticket_key_generate(&context->ticket_key) < 0)
            context->ticket_key = (gnutls_datum_t){ 0 };
        context->ticket_key_since_ms = now;
    }
    if (context->ticket_key.data)
        gnutls_session_ticket_enable_server(session, &context->ticket_key); /* copies */
    pthread_mutex_unlock(&context->lock);
}

static struct tls_session *ours_of(gnutls_session_t session)
{
    return gnutls_db_get_ptr(session);
}

static void tell(gnutls_session_t session, gnutls_alert_description_t alert)
{
    gnutls_alert_send(session, GNUTLS_AL_FATAL, alert);
    ours_of(session)->told = true;
}

typedef int handshake_fn(gnutls_session_t session);
static handshake_fn *real_handshake;

static void find_real_handshake(void)
{
    real_handshake = (handshake_fn *)(uintptr_t)dlsym(RTLD_NEXT, "gnutls_handshake");
    if (!real_handshake)
        abort(); /* GnuTLS is linked */
}

/* In the place of GnuTLS' function of this name, for libmicrohttpd: after a failure it closes without the
 * alert that says why, and its connections are shut before anyone else hears of it. */
int gnutls_handshake(gnutls_session_t session)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, find_real_handshake);
    const int outcome = real_handshake(session);
    struct tls_session *ours = ours_of(session);
    if (ours && !ours->told && outcome < 0 && gnutls_error_is_fatal(outcome)) {
        gnutls_alert_send_appropriate(session, outcome);
        ours->told = true;
    }
    return outcome;
}

static const struct name_entry *find_name(const struct tls_snapshot *snapshot, const char *name)
{
    const struct name_entry wanted = { name, 0 };

    return bsearch(&wanted, snapshot->names, snapshot->name_count, sizeof *snapshot->names, compare_names);
}

/* NULL: no certificate has that name. */
static const struct group *group_of_name(const struct tls_snapshot *snapshot, char *name)
{
    const struct name_entry *entry = find_name(snapshot, name);
    char *dot = strchr(name, '.');

    if (!entry && dot && dot != name) {
        dot[-1] = '*';
        entry = find_name(snapshot, dot - 1);
    }
    return entry ? &snapshot->groups[entry->group] : NULL;
}

/* The client's hello is read, nothing of the answer is decided. */
static int choose_credentials(gnutls_session_t session)
{
    struct tls_session *ours = ours_of(session);
    const struct tls_snapshot *snapshot = ours->snapshot;
    char name[SERVER_NAME_CEILING_BYTES + 1];
    size_t size = sizeof name;
    unsigned type = 0;

    ours->greeted = true;
    if (gnutls_server_name_get(session, name, &size, &type, 0) < 0 || type != GNUTLS_NAME_DNS || size == 0)
        return 0;
    name[size < sizeof name ? size : sizeof name - 1] = '\0';
    for (char *c = name; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c + 32);
    const struct group *group = group_of_name(snapshot, name);
    if (!group && snapshot->refuse_unknown_names) {
        tell(session, GNUTLS_A_UNRECOGNIZED_NAME);
        return GNUTLS_E_UNRECOGNIZED_NAME;
    }
    if (group)
        gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, group->credentials);
    return 0;
}

/* By its fingerprint: whoever looks for it has the certificate; names of people stay out of the log. */
static int refuse_client(gnutls_session_t session, gnutls_alert_description_t alert, gnutls_datum_t leaf,
                         const char *why)
{
    uint8_t digest[DIGEST_BYTES];
    char fingerprint[2 * DIGEST_BYTES + 1];

    digest_of(bytes_of(leaf.data, leaf.size), digest);
    digest_hex(digest, sizeof digest, fingerprint);
    log_line(LOG_WARNING, "a client certificate is refused: %s; its SHA-256 is %s", why, fingerprint);
    tell(session, alert);
    return GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR;
}

static int refuse_nobody(gnutls_session_t session)
{
    const bool modern = gnutls_protocol_get_version(session) == GNUTLS_TLS1_3;

    log_line(LOG_INFO, "a client without a certificate is refused");
    tell(session, modern ? GNUTLS_A_CERTIFICATE_REQUIRED : GNUTLS_A_HANDSHAKE_FAILURE);
    return GNUTLS_E_CERTIFICATE_REQUIRED;
}

/* The client's Finished is here: all that it has to show has been shown. */
static int verify_client(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
                         const gnutls_datum_t *message)
{
    struct tls_session *ours = ours_of(session);
    const struct tls_snapshot *snapshot = ours->snapshot;
    gnutls_alert_description_t alert;
    struct error err = { 0 };
    unsigned count = 0;

    (void)type, (void)when, (void)message;
    if (!incoming)
        return 0;
    if (snapshot->trust) {
        const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);
        if (!chain || count == 0) {
            if (snapshot->client_certificates == CLIENT_CERTIFICATES_REQUIRED)
                return refuse_nobody(session);
        } else if (!tls_trust_verify(snapshot->trust, chain, count, time(NULL), &ours->peer, &alert, &err)) {
            return refuse_client(session, alert, chain[0], err.detail);
        }
    }
    ours->finished = true;
    return 0;
}

struct tls_session *tls_session_ready(struct tls_context *context, gnutls_session_t session,
                                      const char *const *protocols, unsigned protocol_count)
{
    struct tls_session *ours = calloc(1, sizeof *ours);
    gnutls_datum_t names[PROTOCOLS_MOST];

    assert(protocol_count <= PROTOCOLS_MOST);
    if (!ours)
        return NULL;
    struct tls_snapshot *snapshot = ours->snapshot = hold_current(context);
    for (unsigned i = 0; i < protocol_count; i++)
        names[i] =
            (gnutls_datum_t){ (unsigned char *)(uintptr_t)protocols[i], (unsigned)strlen(protocols[i]) };
    gnutls_priority_set(session, snapshot->priorities);
    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, snapshot->groups[0].credentials);
    gnutls_alpn_set_protocols(session, names, protocol_count,
                              GNUTLS_ALPN_MANDATORY | GNUTLS_ALPN_SERVER_PRECEDENCE);
    enable_tickets(context, snapshot, session);
    /* The session cache of GnuTLS is not used, so its pointer is free; the others are libmicrohttpd's. */
    gnutls_db_set_ptr(session, ours);
    gnutls_handshake_set_post_client_hello_function(session, choose_credentials);
    gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_FINISHED, GNUTLS_HOOK_POST, verify_client);
    if (snapshot->trust) {
        gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
        gnutls_certificate_send_x509_rdn_sequence(session, snapshot->names_authorities ? 0 : 1);
    }
    return ours;
}

const struct tls_peer *tls_session_peer(const struct tls_session *session)
{
    return session->peer;
}

void tls_session_done(struct tls_session *session)
{
    if (!session)
        return;
    if (session->greeted && !session->finished)
        log_line(LOG_INFO, "a TLS handshake was not completed");
    tls_peer_free(session->peer);
    snapshot_release(session->snapshot);
    free(session);
}
