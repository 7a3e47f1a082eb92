/* storage/settling.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See settling.h.
 */
#include "storage/settling.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/condition.h"
#include "base/log.h"
#include "base/number.h"
#include "storage/store_inside.h"

/* More than a few seconds' worth of the fastest delivery: who comes then settles its own. */
enum { WAITING_MOST = 65536, AGAIN_MS = 1000, STACK_BYTES = 256 * 1024, BROKEN_MOST = 64 };

struct generations {
    uint64_t *list;
    size_t count, room;
};

struct settling {
    struct store *store;
    pthread_mutex_t lock;
    pthread_cond_t work, idle;
    pthread_t thread;
    bool started, stopping, hurry, at_work;
    struct names_wait *asking;
    struct generations waiting, staying;
    uint64_t due_ms; /* of the first that waits */
    uint64_t rounds; /* ended */
    uint64_t names_failed;
    uint64_t broken[BROKEN_MOST]; /* folders whose sync has failed; with the last place taken, all */
    size_t broken_count;
};

struct settling *settling_new(struct store *store)
{
    struct settling *settling = calloc(1, sizeof *settling);

    if (!settling)
        return NULL;
    settling->store = store;
    pthread_mutex_init(&settling->lock, NULL);
    pthread_cond_init(&settling->work, NULL);
    pthread_cond_init(&settling->idle, NULL);
    return settling;
}

static bool sync_names(struct store *store, struct error *err)
{
    return fsync(store->drafts_fd) == 0 || error_errno(err, errno, "fsync of drafts");
}

static int by_number(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* Lock held. False: no room; then the draft stays, and nobody knows of it before the next start. */
static bool note(struct generations *generations, uint64_t generation)
{
    if (generations->count == generations->room) {
        const size_t room = generations->room ? 2 * generations->room : 64;
        uint64_t *list = room > WAITING_MOST ? NULL : reallocarray(generations->list, room, sizeof *list);
        if (!list)
            return false;
        generations->list = list;
        generations->room = room;
    }
    generations->list[generations->count++] = generation;
    return true;
}

static bool is_broken(struct settling *settling, uint64_t folder)
{
    pthread_mutex_lock(&settling->lock);
    bool broken = settling->broken_count == BROKEN_MOST;
    for (size_t i = 0; i < settling->broken_count; i++)
        broken |= settling->broken[i] == folder;
    pthread_mutex_unlock(&settling->lock);
    return broken;
}

static void note_broken(struct settling *settling, uint64_t folder)
{
    pthread_mutex_lock(&settling->lock);
    if (settling->broken_count < BROKEN_MOST)
        settling->broken[settling->broken_count++] = folder;
    pthread_mutex_unlock(&settling->lock);
}

/* Those whose drafts stay; what was removed meanwhile has none any more. */
static void keep(struct settling *settling, const uint64_t *list, size_t count)
{
    pthread_mutex_lock(&settling->lock);
    for (size_t i = 0; i < count; i++)
        if (store_has_draft(settling->store, list[i]))
            (void)note(&settling->staying, list[i]);
    pthread_mutex_unlock(&settling->lock);
}

/* One folder's. First the names, then the drafts; the other way round a power cut would leave rows without
 * files. False: to be tried again, as it could not even begin. */
static bool settle_folder(struct settling *settling, uint64_t folder, const uint64_t *list, size_t count)
{
    struct error err = { 0 };

    if (!is_broken(settling, folder)) {
        if (store_sync_folder(settling->store, folder, &err)) {
            for (size_t i = 0; i < count; i++)
                store_remove_draft(settling->store, list[i]);
            return true;
        }
        if (err.fault == FAULT_BUSY)
            return false;
        log_line(LOG_ERROR, "store: %s: what is placed there keeps its drafts until the next start",
                 err.detail);
        note_broken(settling, folder);
    }
    keep(settling, list, count);
    return true;
}

/* Returns how many have to be tried again: they are then the first of the list. */
static size_t settle(struct settling *settling, uint64_t *list, size_t count)
{
    size_t end, again = 0;

    qsort(list, count, sizeof *list, by_number);
    for (size_t first = 0; first < count; first = end) {
        const uint64_t folder = list[first] / GENERATIONS_PER_FOLDER;
        for (end = first; end < count && list[end] / GENERATIONS_PER_FOLDER == folder;)
            end++;
        if (!settle_folder(settling, folder, list + first, end - first)) {
            memmove(list + again, list + first, (end - first) * sizeof *list);
            again += end - first;
        }
    }
    return again;
}

/* ── the thread ── */

/* Lock held; without it on the way. */
static void answer_names(struct settling *settling)
{
    struct names_wait *asking = TAKE(settling->asking);
    struct error err = { 0 };

    pthread_mutex_unlock(&settling->lock);
    const bool done = sync_names(settling->store, &err);
    pthread_mutex_lock(&settling->lock);
    settling->names_failed += !done;
    for (struct names_wait *next; asking; asking = next) {
        next = asking->next; /* it is its caller's again once it is posted */
        asking->error = err;
        sem_post(&asking->done);
    }
}

static void settle_waiting(struct settling *settling)
{
    struct generations taken = settling->waiting;

    settling->waiting = (struct generations){ 0 };
    settling->at_work = true;
    pthread_mutex_unlock(&settling->lock);
    const size_t again = settle(settling, taken.list, taken.count);
    pthread_mutex_lock(&settling->lock);
    if (again > 0)
        settling->due_ms = clock_monotonic_ms() + AGAIN_MS;
    for (size_t i = 0; i < again; i++)
        (void)note(&settling->waiting, taken.list[i]);
    free(taken.list);
    settling->at_work = false;
    settling->rounds++;
    pthread_cond_broadcast(&settling->idle);
}

static void wait_for_work(struct settling *settling)
{
    if (settling->waiting.count == 0) {
        condition_wait(&settling->work, &settling->lock);
        return;
    }
    const struct timespec until = { .tv_sec = (time_t)(settling->due_ms / 1000),
                                    .tv_nsec = (long)(settling->due_ms % 1000) * 1000000 };
    pthread_cond_clockwait(&settling->work, &settling->lock, CLOCK_MONOTONIC, &until);
}

static void *run(void *of)
{
    struct settling *settling = of;

    pthread_setname_np(pthread_self(), "settling");
    pthread_mutex_lock(&settling->lock);
    uint64_t last_round = UINT64_MAX; /* once it stops: one more */
    while (!settling->stopping || settling->asking ||
           (settling->waiting.count > 0 && settling->rounds < last_round)) {
        if (settling->stopping && last_round == UINT64_MAX)
            last_round = settling->rounds + 1;
        if (settling->asking)
            answer_names(settling);
        else if (settling->waiting.count > 0 &&
                 (settling->stopping || settling->hurry || settling->due_ms <= clock_monotonic_ms()))
            settle_waiting(settling);
        else
            wait_for_work(settling);
    }
    pthread_mutex_unlock(&settling->lock);
    return NULL;
}

/* Lock held. */
static bool has_thread(struct settling *settling)
{
    pthread_attr_t attributes;

    if (settling->started)
        return true;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    settling->started = pthread_create(&settling->thread, &attributes, run, settling) == 0;
    pthread_attr_destroy(&attributes);
    return settling->started;
}

/* ── who comes ── */

void settling_ask_names(struct settling *settling, struct names_wait *wait)
{
    *wait = (struct names_wait){ 0 };
    pthread_mutex_lock(&settling->lock);
    wait->is_asked = has_thread(settling);
    if (wait->is_asked) {
        sem_init(&wait->done, 0, 0);
        wait->next = settling->asking;
        settling->asking = wait;
        if (!wait->next)
            pthread_cond_signal(&settling->work);
    }
    pthread_mutex_unlock(&settling->lock);
}

uint64_t settling_names_failed(struct settling *settling)
{
    pthread_mutex_lock(&settling->lock);
    const uint64_t failed = settling->names_failed;
    pthread_mutex_unlock(&settling->lock);
    return failed;
}

bool settling_wait_names(struct settling *settling, struct names_wait *wait, struct error *err)
{
    if (!wait->is_asked) {
        const bool done = sync_names(settling->store, err);
        pthread_mutex_lock(&settling->lock);
        settling->names_failed += !done;
        pthread_mutex_unlock(&settling->lock);
        return done;
    }
    while (sem_wait(&wait->done) != 0)
        ; /* a signal came */
    sem_destroy(&wait->done);
    if (wait->error.fault != FAULT_NONE)
        *err = wait->error;
    return wait->error.fault == FAULT_NONE;
}

void settling_add(struct settling *settling, uint64_t generation)
{
    pthread_mutex_lock(&settling->lock);
    const bool first = settling->waiting.count == 0;
    const bool taken = has_thread(settling) && note(&settling->waiting, generation);
    if (taken && first) {
        settling->due_ms = clock_monotonic_ms() + SETTLING_DELAY_MS;
        pthread_cond_signal(&settling->work);
    }
    pthread_mutex_unlock(&settling->lock);
    if (!taken)
        (void)settle(settling, &generation, 1);
}

void settling_forget(struct settling *settling, uint64_t generation)
{
    struct generations *staying = &settling->staying;

    pthread_mutex_lock(&settling->lock);
    for (size_t i = 0; i < staying->count; i++)
        if (staying->list[i] == generation)
            staying->list[i--] = staying->list[--staying->count];
    pthread_mutex_unlock(&settling->lock);
}

size_t settling_finish(struct settling *settling)
{
    pthread_mutex_lock(&settling->lock);
    settling->hurry = true;
    pthread_cond_signal(&settling->work);
    const uint64_t round = settling->rounds + 1 + settling->at_work;
    while ((settling->waiting.count > 0 || settling->at_work) && settling->rounds < round)
        condition_wait(&settling->idle, &settling->lock);
    settling->hurry = false;
    const size_t staying = settling->staying.count;
    pthread_mutex_unlock(&settling->lock);
    return staying;
}

void settling_free(struct settling *settling)
{
    if (!settling)
        return;
    pthread_mutex_lock(&settling->lock);
    settling->stopping = true;
    pthread_cond_signal(&settling->work);
    pthread_mutex_unlock(&settling->lock);
    if (settling->started)
        pthread_join(settling->thread, NULL);
    free(settling->waiting.list);
    free(settling->staying.list);
    pthread_cond_destroy(&settling->idle);
    pthread_cond_destroy(&settling->work);
    pthread_mutex_destroy(&settling->lock);
    free(settling);
}
