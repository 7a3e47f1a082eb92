/* storage/catalog_commit.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Group commit: a durable transaction costs a sync (some 444 a second were measured with one row each), so
 * all who wait share one. Whoever finds nobody committing leads: takes all that wait, runs them in one
 * transaction, commits, wakes them; meanwhile the next group gathers, and the first of it leads it. Each is
 * woken once, by a semaphore of its own and with no lock held: a condition would wake the next group with
 * this one, to find the lock taken and sleep again.
 *
 *   BEGIN ─► SAVEPOINT ─► a's changes ─► RELEASE ─► SAVEPOINT ─► b's fail ─► ROLLBACK TO ─► ... ─► COMMIT ─►
 * wake
 */
#include "storage/catalog_internal.h"

#include <assert.h>
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"

enum { GROUP_MOST = 64 }; /* requests in one transaction: bounds how long the first one waits */

struct left_request {
    struct commit_request commit;
    struct catalog_left *left;
    size_t count;
};

static bool run_one(struct connection *writer, struct commit_request *request)
{
    struct error ignored = { 0 };

    request->ok = false;
    request->read_only = false;
    request->error = (struct error){ 0 };
    if (!connection_run(writer, "SAVEPOINT one", &request->error))
        return false;
    request->ok = request->run(request, writer, &request->error);
    if (!request->ok && !sqlite3_get_autocommit(writer->db) &&
        !connection_run(writer, "ROLLBACK TO one", &ignored))
        log_line(LOG_ERROR, "%s", ignored.detail);
    /* A full disk may have ended the whole transaction: then there is nothing to release, nor to commit. */
    return !sqlite3_get_autocommit(writer->db) && connection_run(writer, "RELEASE one", &ignored);
}

static void fail_all(struct commit_request *group, const struct error *err)
{
    for (struct commit_request *request = group; request; request = request->next)
        if (request->ok) {
            request->ok = false;
            request->error = *err;
        }
}

static bool any_ok(const struct commit_request *group, bool *ret_read_only)
{
    bool ok = false;

    *ret_read_only = true;
    for (; group; group = group->next) {
        ok |= group->ok;
        *ret_read_only &= !group->ok || group->read_only;
    }
    return ok;
}

/* False: the transaction is gone, and with it what the group did. */
static bool run_group(struct catalog *catalog, struct commit_request *group)
{
    struct error err = { 0 }, ignored = { 0 };
    bool whole = true, read_only;

    for (struct commit_request *request = group; request; request = request->next)
        request->ok = true; /* until it is known better: fail_all looks */
    if (!connection_run(catalog->writer, "BEGIN IMMEDIATE", &err)) {
        fail_all(group, &err);
        return true;
    }
    for (struct commit_request *request = group; request && whole; request = request->next)
        whole = run_one(catalog->writer, request);
    if (whole && !any_ok(group, &read_only)) {
        whole = connection_run(catalog->writer, "ROLLBACK", &ignored);
        return true;
    }
    if (whole && connection_run(catalog->writer, "COMMIT", &err)) {
        if (!read_only)
            atomic_store(&catalog->committed_at_ms, clock_monotonic_ms());
        return true;
    }
    if (!sqlite3_get_autocommit(catalog->writer->db) &&
        !connection_run(catalog->writer, "ROLLBACK", &ignored))
        log_line(LOG_ERROR, "%s", ignored.detail);
    if (whole) {
        fail_all(group, &err); /* nobody's in particular: the disk's */
        return true;
    }
    return false;
}

static void commit_group(struct catalog *catalog, struct commit_request *group)
{
    if (run_group(catalog, group))
        return;
    /* One of them broke the transaction for all (a full disk ends it as a whole): each again, alone. */
    for (struct commit_request *request = group, *next; request; request = next) {
        next = request->next;
        request->next = NULL;
        if (!run_group(catalog, request) && (request->ok || request->error.fault == FAULT_NONE)) {
            request->ok = false;
            error_set(&request->error, FAULT_DISK, "catalog: the transaction was ended");
        }
        request->next = next;
    }
}

static bool run_left(struct commit_request *commit, struct connection *writer, struct error *err)
{
    struct left_request *request = (struct left_request *)commit;

    return catalog_left_forget(request->left, writer, &request->count, err);
}

/* Whoever commits forgets the files that have gone since. */
static void commit_with_left(struct catalog *catalog, struct commit_request *group)
{
    struct left_request request = { .commit = { .run = run_left, .next = group }, .left = &catalog->left };

    pthread_mutex_lock(&catalog->left.lock);
    const bool has_left = catalog->left.count > 0;
    pthread_mutex_unlock(&catalog->left.lock);
    commit_group(catalog, has_left ? &request.commit : group);
    if (has_left && request.commit.ok)
        catalog_left_drop(&catalog->left, request.count);
}

/* Takes the first GROUP_MOST of those who wait. */
static struct commit_request *take_group(struct catalog *catalog)
{
    struct commit_request *group = catalog->waiting;
    struct commit_request **end = &catalog->waiting;

    for (unsigned count = 0; *end && count < GROUP_MOST; count++)
        end = &(*end)->next;
    catalog->waiting = *end;
    *end = NULL;
    if (!catalog->waiting)
        catalog->waiting_end = &catalog->waiting;
    return group;
}

/* The leader's own is the first of the group. */
static void lead(struct catalog *catalog, struct commit_request *own)
{
    pthread_mutex_lock(&catalog->commit_lock);
    struct commit_request *group = take_group(catalog);
    pthread_mutex_unlock(&catalog->commit_lock);
    assert(group == own);
    commit_with_left(catalog, group);

    pthread_mutex_lock(&catalog->commit_lock);
    struct commit_request *leader = catalog->waiting;
    catalog->has_leader = leader;
    if (leader)
        leader->leads = true;
    pthread_mutex_unlock(&catalog->commit_lock);
    if (leader)
        sem_post(&leader->woken);
    for (struct commit_request *next, *one = own->next; one; one = next) {
        next = one->next; /* it is its caller's again once it is woken */
        sem_post(&one->woken);
    }
}

bool catalog_commit(struct catalog *catalog, struct commit_request *request, struct error *err)
{
    request->leads = false;
    request->next = NULL;
    sem_init(&request->woken, 0, 0);
    pthread_mutex_lock(&catalog->commit_lock);
    *catalog->waiting_end = request;
    catalog->waiting_end = &request->next;
    bool leads = !catalog->has_leader;
    catalog->has_leader = true;
    pthread_mutex_unlock(&catalog->commit_lock);
    if (!leads) {
        while (sem_wait(&request->woken) != 0)
            ; /* a signal came */
        leads = request->leads;
    }
    if (leads)
        lead(catalog, request);
    sem_destroy(&request->woken);
    if (!request->ok)
        *err = request->error;
    return request->ok;
}
