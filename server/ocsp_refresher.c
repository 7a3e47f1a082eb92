/* server/ocsp_refresher.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The thread behind the staples; see ocsp_refresher.h. What it remembers of a certificate (when to ask again)
 * is found by the certificate's digest, since certificate objects come and go with each reload.
 */
#include "server/ocsp_refresher.h"

#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/log.h"
#include "server/ocsp_fetch.h"

enum {
    DAY_SECONDS = 86400,
    EXPIRY_WARNING_DAYS = 30,
    LEAST_PAUSE_S = 60,  /* between two questions */
    MOST_PAUSE_S = 3600, /* after failures, and in any case to look at files and expiry */
    MEMORIES_MOST = 2 * TLS_CERTIFICATES_MOST,
};

/* What is known of one certificate. */
struct memory {
    uint8_t digest[DIGEST_BYTES];
    bool used, kept_was_read;
    int64_t ask_at;
    unsigned failures;
    int64_t told_of_expiry; /* when */
};

struct ocsp_refresher {
    struct tls_context *context;
    char folder[PATH_MAX - 128];
    pthread_t thread;
    bool running;
    atomic_bool stop, lacks;
    bool refuse;
    pthread_mutex_t lock; /* over the next three */
    pthread_cond_t poked;
    struct ocsp_choices choices;
    bool poke;
    struct memory memories[MEMORIES_MOST]; /* the thread's own, before it runs the starter's */
    unsigned next_memory;
};

/* One round over all certificates. */
struct round {
    struct ocsp_refresher *refresher;
    struct ocsp_choices choices;
    int64_t now, wake_at;
    bool lacks_demanded; /* a must-staple certificate without a valid staple */
    char lacking[200];
};

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static bool digest_of_certificate(const struct tls_certificate *certificate, uint8_t ret[DIGEST_BYTES])
{
    size_t size = DIGEST_BYTES;

    return gnutls_x509_crt_get_fingerprint(certificate->chain[0], GNUTLS_DIG_SHA256, ret, &size) >= 0;
}

static struct memory *memory_of(struct ocsp_refresher *refresher, const uint8_t digest[DIGEST_BYTES])
{
    for (unsigned i = 0; i < MEMORIES_MOST; i++)
        if (refresher->memories[i].used && memcmp(refresher->memories[i].digest, digest, DIGEST_BYTES) == 0)
            return &refresher->memories[i];
    struct memory *memory =
        &refresher->memories[refresher->next_memory++ % MEMORIES_MOST]; /* the oldest goes */
    *memory = (struct memory){ .used = true };
    memcpy(memory->digest, digest, DIGEST_BYTES);
    return memory;
}

/* ── responses ── */

/* Puts it in place if it is good and not older than what is there. */
static bool take_response(const struct round *round, struct tls_certificate *certificate,
                          struct bytes response, struct ocsp_answer *ret, struct error *err)
{
    struct ocsp_answer current;

    if (!ocsp_answer_check(response, certificate->chain[0], tls_certificate_issuer(certificate), round->now,
                           ret, err))
        return false;
    if (ocsp_staple_look(&certificate->staple, round->now, &current) && !ret->revoked &&
        current.this_update > ret->this_update)
        return true;
    if (ret->revoked)
        log_line(LOG_ERROR, "certificate %s has been REVOKED by its issuer; replace it now",
                 certificate->path);
    ocsp_staple_put(&certificate->staple, response, ret);
    return true;
}

/* False: there is no such file, or it is no good (which is told). */
static bool take_file(const struct round *round, struct tls_certificate *certificate, const char *path,
                      bool tell)
{
    struct ocsp_answer answer;
    struct error err = { 0 };
    char *content = NULL;
    size_t size = 0;

    if (!file_read_all(path, OCSP_CEILING_BYTES, &content, &size, &err))
        return false;
    const bool taken = take_response(round, certificate, bytes_of(content, size), &answer, &err);
    free(content);
    if (!taken && tell)
        log_line(LOG_WARNING, "%s is not stapled: %s", path, err.detail);
    return taken;
}

static bool path_of_kept(const struct ocsp_refresher *refresher, const struct memory *memory, char *into,
                         size_t size)
{
    char name[2 * DIGEST_BYTES + 1];

    digest_hex(memory->digest, DIGEST_BYTES, name);
    return snprintf(into, size, "%s/ocsp/%s.der", refresher->folder, name) < (int)size;
}

/* So that a restart has it at once; a failure costs only that. */
static void keep(const struct ocsp_refresher *refresher, const struct memory *memory, struct bytes response)
{
    char path[PATH_MAX], folder[PATH_MAX];
    struct error err = { 0 };

    if (snprintf(folder, sizeof folder, "%s/ocsp", refresher->folder) >= (int)sizeof folder ||
        !path_of_kept(refresher, memory, path, sizeof path))
        return;
    if (!file_make_folders(folder, 0700, &err) || !file_replace(path, response, 0600, &err))
        log_line(LOG_WARNING, "the OCSP response cannot be kept: %s", err.detail);
}

/* At half of its life, a little earlier or later for each certificate, so that not all servers come at once.
 */
static int64_t next_question(const struct memory *memory, const struct ocsp_answer *answer, int64_t now)
{
    const int64_t life = answer->next_update - answer->this_update;
    const int64_t at = answer->this_update + life / 2 - life / 16 * memory->digest[0] / 256;

    return at > now + LEAST_PAUSE_S ? at : now + LEAST_PAUSE_S;
}

static void ask(const struct round *round, struct tls_certificate *certificate, struct memory *memory)
{
    struct ocsp_refresher *refresher = round->refresher;
    SCOPED(buffer) struct buffer response;
    struct ocsp_answer answer;
    struct error err = { 0 };

    buffer_init(&response, OCSP_CEILING_BYTES);
    if (ocsp_fetch(certificate->ocsp_url, certificate->chain[0], tls_certificate_issuer(certificate),
                   round->choices.timeout_ms, &refresher->stop, &response, &err) &&
        take_response(round, certificate, buffer_bytes(&response), &answer, &err)) {
        memory->failures = 0;
        memory->ask_at = next_question(memory, &answer, round->now);
        if (!answer.revoked)
            keep(refresher, memory, buffer_bytes(&response));
        log_line(LOG_INFO, "fetched a staple for %s, valid for %" PRId64 " minutes", certificate->path,
                 (answer.next_update - round->now) / 60);
        return;
    }
    const unsigned doublings = memory->failures < 6 ? memory->failures : 6;
    const int64_t pause = earlier((int64_t)LEAST_PAUSE_S << doublings, MOST_PAUSE_S);
    memory->failures++;
    memory->ask_at = round->now + pause;
    if (!atomic_load(&refresher->stop))
        log_line(LOG_WARNING, "no staple for %s, the next try is in %" PRId64 " s: %s", certificate->path,
                 pause, err.detail);
}

/* ── a round ── */

static void refresh(struct round *round, struct tls_certificate *certificate, struct memory *memory)
{
    char path[PATH_MAX];
    bool from_file = false;

    if (round->choices.mode == OCSP_OFF || !tls_certificate_issuer(certificate))
        return;
    if (tls_certificate_staple_path(certificate->path, path, sizeof path))
        from_file = take_file(round, certificate, path, true);
    if (from_file || round->choices.mode != OCSP_FETCH || !certificate->ocsp_url)
        return;
    if (!memory->kept_was_read) {
        struct ocsp_answer answer;
        memory->kept_was_read = true;
        if (path_of_kept(round->refresher, memory, path, sizeof path) &&
            take_file(round, certificate, path, false) &&
            ocsp_staple_look(&certificate->staple, round->now, &answer))
            memory->ask_at = next_question(memory, &answer, round->now);
    }
    if (round->now >= memory->ask_at)
        ask(round, certificate, memory);
    round->wake_at = earlier(round->wake_at, memory->ask_at);
}

static void tell_expiry(const struct round *round, const struct tls_certificate *certificate,
                        struct memory *memory)
{
    int64_t until = INT64_MAX;

    for (unsigned i = 0; i < certificate->sent_size; i++)
        until = earlier(until, gnutls_x509_crt_get_expiration_time(certificate->chain[i]));
    const int64_t left = until - round->now;
    if (left >= (int64_t)EXPIRY_WARNING_DAYS * DAY_SECONDS ||
        round->now - memory->told_of_expiry < DAY_SECONDS)
        return;
    memory->told_of_expiry = round->now;
    if (left <= 0)
        log_line(LOG_ERROR, "certificate %s has expired; clients refuse it", certificate->path);
    else
        log_line(LOG_WARNING, "certificate %s expires in %" PRId64 " days; renew it", certificate->path,
                 left / DAY_SECONDS);
}

static void tend(void *context, struct tls_certificate *certificate)
{
    struct round *round = context;
    uint8_t digest[DIGEST_BYTES];
    struct ocsp_answer answer;

    if (atomic_load(&round->refresher->stop) || !digest_of_certificate(certificate, digest))
        return;
    struct memory *memory = memory_of(round->refresher, digest);
    refresh(round, certificate, memory);
    tell_expiry(round, certificate, memory);
    if (certificate->must_staple && !ocsp_staple_look(&certificate->staple, round->now, &answer)) {
        log_line(
            LOG_ERROR,
            "certificate %s demands a staple (must-staple) and there is no valid one: clients that honour "
            "this refuse it",
            certificate->path);
        round->lacks_demanded = true;
        snprintf(round->lacking, sizeof round->lacking, "%.190s", certificate->path);
    }
}

static struct round run_round(struct ocsp_refresher *refresher)
{
    struct round round = { .refresher = refresher, .now = time(NULL) };

    pthread_mutex_lock(&refresher->lock);
    round.choices = refresher->choices;
    refresher->poke = false;
    pthread_mutex_unlock(&refresher->lock);
    round.wake_at = round.now + MOST_PAUSE_S;
    tls_context_each(refresher->context, tend, &round);
    atomic_store(&refresher->lacks, round.lacks_demanded);
    return round;
}

static void *refresh_for_ever(void *context)
{
    struct ocsp_refresher *refresher = context;

    while (!atomic_load(&refresher->stop)) {
        const struct round round = run_round(refresher);
        const struct timespec until = { .tv_sec = round.wake_at };
        pthread_mutex_lock(&refresher->lock);
        while (!refresher->poke && !atomic_load(&refresher->stop))
            if (pthread_cond_timedwait(&refresher->poked, &refresher->lock, &until) != 0)
                break;
        pthread_mutex_unlock(&refresher->lock);
    }
    return NULL;
}

/* ── starting and stopping ── */

static void note_demand(void *context, struct tls_certificate *certificate)
{
    *(bool *)context |= certificate->must_staple;
}

static bool first_round(struct ocsp_refresher *refresher, struct error *err)
{
    bool demanded = false;

    tls_context_each(refresher->context, note_demand, &demanded);
    if (!demanded)
        return true;
    const struct round round = run_round(refresher);
    if (!refresher->refuse || !round.lacks_demanded)
        return true;
    return error_set(
        err, FAULT_MISMATCH,
        "certificate %s demands a staple (must-staple), and there is no valid one (must_staple = "
        "refuse)",
        round.lacking);
}

bool ocsp_refresher_start(struct tls_context *context, const char *folder, const struct ocsp_choices *choices,
                          bool refuse, struct ocsp_refresher **ret, struct error *err)
{
    struct ocsp_refresher *refresher = calloc(1, sizeof *refresher);

    if (!refresher)
        return error_set(err, FAULT_BUSY, "no memory for staples");
    refresher->context = context;
    refresher->choices = *choices;
    refresher->refuse = refuse;
    pthread_mutex_init(&refresher->lock, NULL);
    pthread_cond_init(&refresher->poked, NULL);
    bool fine =
        snprintf(refresher->folder, sizeof refresher->folder, "%s", folder) < (int)sizeof refresher->folder ||
        error_set(err, FAULT_MALFORMED, "data: the path is too long");
    fine = fine && ocsp_fetch_prepare(err) && first_round(refresher, err);
    if (fine) {
        const int why = pthread_create(&refresher->thread, NULL, refresh_for_ever, refresher);
        fine = why == 0 || error_errno(err, why, "starting the thread for staples");
        refresher->running = fine;
    }
    if (!fine) {
        ocsp_refresher_stop(refresher);
        return false;
    }
    pthread_setname_np(refresher->thread, "staples");
    *ret = refresher;
    return true;
}

void ocsp_refresher_poke(struct ocsp_refresher *refresher, const struct ocsp_choices *choices)
{
    pthread_mutex_lock(&refresher->lock);
    refresher->choices = *choices;
    refresher->poke = true;
    pthread_cond_signal(&refresher->poked);
    pthread_mutex_unlock(&refresher->lock);
}

bool ocsp_refresher_lacks(const struct ocsp_refresher *refresher)
{
    return refresher->refuse && atomic_load(&refresher->lacks);
}

void ocsp_refresher_stop(struct ocsp_refresher *refresher)
{
    if (!refresher)
        return;
    atomic_store(&refresher->stop, true);
    if (refresher->running) {
        pthread_mutex_lock(&refresher->lock);
        pthread_cond_signal(&refresher->poked);
        pthread_mutex_unlock(&refresher->lock);
        pthread_join(refresher->thread, NULL);
    }
    pthread_cond_destroy(&refresher->poked);
    pthread_mutex_destroy(&refresher->lock);
    free(refresher);
}
