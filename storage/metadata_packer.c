/* storage/metadata_packer.c
 * SPDX-License-Identifier: Apache-2.0
 *
 *   note ─► waiting series ─► at rest? ─► rows of one snapshot ─► pack ─► one row, if the revision is still
 *                                                    │                    the snapshot's
 *                                                    └─► too large: noted, so that it is not read again
 *                                                        before it has become smaller
 *
 * Losing a pack costs time, never an answer: so nothing here is retried and failures are only logged.
 */
#include "storage/metadata_packer.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "storage/catalog_internal.h"
#include "storage/metadata_pack.h"
#include "storage/metadata_text.h"

enum { WAITING_MOST = 65536, NICENESS = 10 };

struct waiting_series {
    uint64_t series_id, due_ms;
};

struct metadata_packer {
    struct catalog *catalog;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool started, stopping, hurry, working;
    uint64_t at_work_on;         /* 0: none */
    struct waiting_series *list; /* in the order of their times */
    size_t count, room;
    char *base, *seen;
};

struct metadata_packer *metadata_packer_new(struct catalog *catalog)
{
    struct metadata_packer *packer = calloc(1, sizeof *packer);
    pthread_condattr_t monotonic;

    if (!packer) {
        fputs("gantry: out of memory\n", stderr);
        abort();
    }
    packer->catalog = catalog;
    pthread_mutex_init(&packer->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&packer->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return packer;
}

/* ── one series ── */

struct keep_request {
    struct commit_request commit;
    uint64_t series_id, revision;
    const char *base;
    const struct metadata_pack *pack;
    struct buffer directory;
};

static bool run_keep(struct commit_request *commit, struct connection *writer, struct error *err)
{
    struct keep_request *request = (struct keep_request *)commit;
    SCOPED(statement) sqlite3_stmt *keep = NULL;

    /* Only beside the series as it was read. */
    if (!connection_prepare(
            writer,
            "INSERT OR REPLACE INTO metadata_pack (series_id, revision, base, directory, body)"
            " SELECT ?1, ?2, ?3, ?4, ?5 FROM series WHERE id = ?1 AND revision = ?2",
            &keep, err))
        return false;
    statement_bind_number(keep, 1, request->series_id);
    statement_bind_number(keep, 2, request->revision);
    statement_bind_bytes(keep, 3, bytes_of_text(request->base));
    statement_bind_blob(keep, 4, buffer_bytes(&request->directory));
    statement_bind_blob(keep, 5, metadata_pack_body(request->pack));
    return statement_finish(writer, keep, err);
}

static bool keep_pack(struct catalog *catalog, uint64_t series_id, uint64_t revision, const char *base,
                      const struct metadata_pack *pack, struct error *err)
{
    struct keep_request request = {
        .commit.run = run_keep, .series_id = series_id, .revision = revision, .base = base, .pack = pack
    };

    buffer_init(&request.directory, METADATA_PACK_MOST);
    metadata_pack_write_directory(pack, &request.directory);
    const bool kept = buffer_check(&request.directory, "a pack's directory", err) &&
                      catalog_commit(catalog, &request.commit, err);
    buffer_done(&request.directory);
    return kept;
}

static bool is_stopping(struct metadata_packer *packer)
{
    pthread_mutex_lock(&packer->lock);
    const bool stopping = packer->stopping;
    pthread_mutex_unlock(&packer->lock);
    return stopping;
}

struct large_request {
    struct commit_request commit;
    uint64_t series_id, instances;
};

static bool run_note_large(struct commit_request *commit, struct connection *writer, struct error *err)
{
    const struct large_request *request = (const struct large_request *)commit;
    SCOPED(statement) sqlite3_stmt *note = NULL;

    if (!connection_prepare(
            writer,
            "INSERT OR REPLACE INTO metadata_pack (series_id, revision, base, directory, body)"
            " SELECT ?1, ?2, '', x'', x'' FROM series WHERE id = ?1",
            &note, err))
        return false;
    statement_bind_number(note, 1, request->series_id);
    statement_bind_number(note, 2, request->instances);
    return statement_finish(writer, note, err);
}

/* A series of so many instances is too large for a pack (catalog_schema.c). */
static bool note_large(struct catalog *catalog, uint64_t series_id, uint64_t instances, struct error *err)
{
    struct large_request request = { .commit.run = run_note_large,
                                     .series_id = series_id,
                                     .instances = instances };

    return catalog_commit(catalog, &request.commit, err);
}

struct wanted {
    uint64_t revision; /* 0: no pack is wanted */
    uint64_t instances;
};

static bool is_wanted(struct connection *reader, uint64_t series_id, const char *base, struct wanted *ret,
                      struct error *err)
{
    SCOPED(statement) sqlite3_stmt *find = NULL;
    bool row;

    *ret = (struct wanted){ 0 };
    if (!connection_prepare(
            reader,
            "SELECT e.revision, e.instance_count, CASE WHEN EXISTS (SELECT 1 FROM metadata_pack p"
            " WHERE p.series_id = e.id AND ((p.revision = e.revision AND p.base = ?2) OR"
            " (p.base = '' AND p.revision <= e.instance_count))) THEN 0"
            " ELSE (SELECT SUM(LENGTH(m.json)) FROM instance i CROSS JOIN metadata m"
            " ON m.id = i.id WHERE i.series_id = e.id) END"
            " FROM series e WHERE e.id = ?1",
            &find, err))
        return false;
    statement_bind_number(find, 1, series_id);
    statement_bind_bytes(find, 2, bytes_of_text(base));
    if (!statement_step(reader, find, &row, err))
        return false;
    if (row && statement_number(find, 2) >= METADATA_PACK_LEAST)
        *ret = (struct wanted){ statement_number(find, 0), statement_number(find, 1) };
    return true;
}

bool metadata_pack_rows(struct connection *reader, uint64_t series_id, const char *base,
                        struct metadata_packer *stop_or_null, const struct metadata_pack **ret,
                        struct error *err)
{
    SCOPED(statement) sqlite3_stmt *rows = NULL;
    SCOPED(buffer) struct buffer text = { 0 };
    struct metadata_packing *packing = NULL;
    bool row = true, ok;

    buffer_init(&text, METADATA_TEXT_MOST);
    if (!connection_prepare(reader,
                            "SELECT i.id, m.json FROM instance i CROSS JOIN metadata m ON m.id = i.id"
                            " WHERE i.series_id = ? ORDER BY i.m_InstanceNumber, i.k_SOPInstanceUID",
                            &rows, err) ||
        !metadata_packing_begin(base, &packing, err))
        return false;
    statement_bind_number(rows, 1, series_id);
    *ret = NULL;
    while ((ok = statement_step(reader, rows, &row, err)) && row) {
        buffer_cut(&text, 0);
        ok = metadata_text_expand(statement_blob(rows, 1), &text, err) &&
             metadata_packing_add(packing, statement_number(rows, 0), buffer_bytes(&text), err);
        if (!ok || metadata_packing_size(packing) > METADATA_PACK_MOST ||
            (stop_or_null && is_stopping(stop_or_null)))
            break;
    }
    if (ok && !row)
        ok = metadata_packing_end(packing, ret, err);
    metadata_packing_free(packing);
    return ok;
}

static bool pack_series(struct metadata_packer *packer, uint64_t series_id, const char *base,
                        struct error *err)
{
    const struct metadata_pack *pack = NULL;
    struct wanted wanted;
    bool ok = true;

    { /* the snapshot ends before anything is written */
        SCOPED(reader) struct reader reader = { 0 };
        if (!reader_take(packer->catalog, &reader, err) ||
            !is_wanted(reader.connection, series_id, base, &wanted, err) ||
            (wanted.revision && !metadata_pack_rows(reader.connection, series_id, base, packer, &pack, err)))
            return false;
    }
    if (pack && metadata_pack_body(pack).size <= METADATA_PACK_MOST)
        ok = keep_pack(packer->catalog, series_id, wanted.revision, base, pack, err);
    else if (wanted.revision && !is_stopping(packer))
        ok = note_large(packer->catalog, series_id, wanted.instances, err);
    metadata_pack_unref(pack);
    return ok;
}

/* ── the thread ── */

/* Lock held. True: *ret is due. */
static bool take_due(struct metadata_packer *packer, uint64_t *ret)
{
    if (packer->count == 0 || (!packer->hurry && packer->list[0].due_ms > clock_monotonic_ms()))
        return false;
    *ret = packer->list[0].series_id;
    packer->count--;
    memmove(packer->list, packer->list + 1, packer->count * sizeof *packer->list);
    return true;
}

static void wait_for_work(struct metadata_packer *packer)
{
    if (packer->count == 0) {
        pthread_cond_wait(&packer->changed, &packer->lock);
        return;
    }
    const uint64_t due_ms = packer->list[0].due_ms;
    const struct timespec until = { .tv_sec = (time_t)(due_ms / 1000),
                                    .tv_nsec = (long)(due_ms % 1000) * 1000000 };
    pthread_cond_timedwait(&packer->changed, &packer->lock, &until);
}

static void *run(void *of)
{
    struct metadata_packer *packer = of;
    uint64_t series_id;

    setpriority(PRIO_PROCESS, (id_t)gettid(), NICENESS); /* this thread alone, on Linux */
    pthread_mutex_lock(&packer->lock);
    while (!packer->stopping) {
        if (!take_due(packer, &series_id)) {
            packer->working = false;
            pthread_cond_broadcast(&packer->changed);
            wait_for_work(packer);
            continue;
        }
        packer->working = true;
        packer->at_work_on = series_id;
        const char *known = packer->base ? packer->base : packer->seen;
        char *base = known ? strdup(known) : NULL;
        pthread_mutex_unlock(&packer->lock);
        struct error err = { 0 };
        if (base && !pack_series(packer, series_id, base, &err))
            log_line(LOG_WARNING, "packing metadata: %s", err.detail);
        free(base);
        pthread_mutex_lock(&packer->lock);
        packer->at_work_on = 0;
    }
    packer->working = false;
    pthread_cond_broadcast(&packer->changed);
    pthread_mutex_unlock(&packer->lock);
    return NULL;
}

static bool make_room(struct metadata_packer *packer)
{
    if (packer->count < packer->room)
        return true;
    const size_t room = packer->room ? 2 * packer->room : 64;
    struct waiting_series *list = room > WAITING_MOST ? NULL : reallocarray(packer->list, room, sizeof *list);
    if (!list)
        return false;
    packer->list = list;
    packer->room = room;
    return true;
}

/* Lock held. Where it waits, or `count`; mostly it is the last one. */
static size_t find_waiting(const struct metadata_packer *packer, uint64_t series_id)
{
    for (size_t i = packer->count; i-- > 0;)
        if (packer->list[i].series_id == series_id)
            return i;
    return packer->count;
}

/* Lock held. Behind those that are due no later. */
static void insert_waiting(struct metadata_packer *packer, struct waiting_series waiting)
{
    size_t at = packer->count;

    if (packer->stopping || !make_room(packer))
        return;
    while (at > 0 && packer->list[at - 1].due_ms > waiting.due_ms)
        at--;
    memmove(packer->list + at + 1, packer->list + at, (packer->count - at) * sizeof *packer->list);
    packer->list[at] = waiting;
    packer->count++;
    if (!packer->started)
        packer->started = pthread_create(&packer->thread, NULL, run, packer) == 0;
    else if (at == 0)
        pthread_cond_broadcast(&packer->changed);
}

void metadata_packer_note(struct metadata_packer *packer, uint64_t series_id)
{
    const struct waiting_series waiting = { series_id, clock_monotonic_ms() + METADATA_REST_MS };

    pthread_mutex_lock(&packer->lock);
    const size_t at = find_waiting(packer, series_id);
    if (at < packer->count) {
        packer->count--;
        memmove(packer->list + at, packer->list + at + 1, (packer->count - at) * sizeof *packer->list);
    }
    insert_waiting(packer, waiting);
    pthread_mutex_unlock(&packer->lock);
}

void metadata_packer_want(struct metadata_packer *packer, uint64_t series_id)
{
    const struct waiting_series waiting = { series_id, clock_monotonic_ms() };

    pthread_mutex_lock(&packer->lock);
    if (find_waiting(packer, series_id) == packer->count && packer->at_work_on != series_id)
        insert_waiting(packer, waiting);
    pthread_mutex_unlock(&packer->lock);
}

static void replace(struct metadata_packer *packer, char **which, const char *text)
{
    char *copy = text ? strdup(text) : NULL;

    pthread_mutex_lock(&packer->lock);
    char *old = *which;
    *which = copy;
    packer->at_work_on = 0; /* under the old one: who asks now must be heard */
    pthread_mutex_unlock(&packer->lock);
    free(old);
}

void metadata_packer_base(struct metadata_packer *packer, const char *base_or_null)
{
    replace(packer, &packer->base, base_or_null);
}

void metadata_packer_base_seen(struct metadata_packer *packer, const char *base)
{
    pthread_mutex_lock(&packer->lock);
    if (!packer->base && !packer->seen)
        packer->seen = strdup(base);
    pthread_mutex_unlock(&packer->lock);
}

void metadata_packer_finish(struct metadata_packer *packer)
{
    pthread_mutex_lock(&packer->lock);
    packer->hurry = true;
    pthread_cond_broadcast(&packer->changed);
    while (packer->started && (packer->count > 0 || packer->working))
        pthread_cond_wait(&packer->changed, &packer->lock);
    packer->hurry = false;
    pthread_mutex_unlock(&packer->lock);
}

void metadata_packer_stop(struct metadata_packer *packer)
{
    if (!packer)
        return;
    pthread_mutex_lock(&packer->lock);
    packer->stopping = true;
    pthread_cond_broadcast(&packer->changed);
    const bool started = packer->started;
    packer->started = false;
    pthread_mutex_unlock(&packer->lock);
    if (started)
        pthread_join(packer->thread, NULL);
}

void metadata_packer_free(struct metadata_packer *packer)
{
    if (!packer)
        return;
    free(packer->list);
    free(packer->base);
    free(packer->seen);
    pthread_cond_destroy(&packer->changed);
    pthread_mutex_destroy(&packer->lock);
    free(packer);
}
