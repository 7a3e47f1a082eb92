/* server/worker_pool.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Three queues under one lock. A worker takes interactive work first, then making, then bulk; the last two
 * only while fewer than three quarters of all workers are at them: however many uploads there are, someone is
 * left who answers viewers. Makers, where there are any, do all the making and nothing else. They are no more
 * than the machine has cores: more would share them by slices of time, so that all are late, and clients'
 * turns mean nothing to the kernel. And they are nice: a frame that only has to be read is not to wait for a
 * slice of a codec's time. A job that an address may not have run yet stays where it is, and others go past
 * it.
 *
 * Who has nothing to do lies on a stack, each with a condition of its own: the one who fell asleep last is
 * woken, its memory still warm, and only once the lock is free, or it would wake to wait for that. Nobody is
 * woken for work that only those who are awake may do: they look when they have done theirs.
 */
#include "server/worker_pool.h"

#include <assert.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/condition.h"
#include "server/clients.h"

/* DCMTK recurses for nested sequences; sanitizers make each frame several times larger. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { STACK_BYTES = 4 * 1024 * 1024 };
#else
enum { STACK_BYTES = 1024 * 1024 };
#endif
enum { MAKERS_NICENESS = 10 };

struct worker {
    struct worker_pool *pool;
    pthread_t thread;
    pthread_cond_t wake;
    bool makes;
    struct worker *next_idle; /* lock, and below */
    bool idle;                /* on the stack of its kind */
};

struct worker_pool {
    pthread_mutex_t lock;
    struct fair_queue queues[SEAT_QUEUES]; /* lock, and all below; by urgency */
    struct address nobody;                 /* for jobs without a seat; they are not counted */
    struct seat no_seat;
    unsigned queued, longest_queue;
    struct worker *idle, *idle_makers;
    unsigned at_bulk, most_at_bulk, most_of_one; /* at_bulk: at making too, where there are no makers */
    bool stopping;
    struct worker *makers; /* NULL: workers make */
    unsigned makers_started, started;
    struct worker workers[];
};

static _Thread_local const struct worker *this_worker; /* NULL: not one of a pool's threads */

/* One address leaves some workers to the others, however much it asks for. */
static bool may_go(const struct address *address, const struct worker_pool *pool)
{
    return address == &pool->nobody || address->at_work < pool->most_of_one;
}

static bool may_go_interactive(const struct fair_group *group, void *pool)
{
    return may_go((const struct address *)((const char *)(group - URGENCY_INTERACTIVE) -
                                           offsetof(struct address, groups)),
                  pool);
}

static bool may_go_making(const struct fair_group *group, void *pool)
{
    return may_go(
        (const struct address *)((const char *)(group - URGENCY_MAKING) - offsetof(struct address, groups)),
        pool);
}

static bool may_go_bulk(const struct fair_group *group, void *pool)
{
    return may_go(
        (const struct address *)((const char *)(group - URGENCY_BULK) - offsetof(struct address, groups)),
        pool);
}

static bool is_for_makers(const struct worker_pool *pool, enum urgency urgency)
{
    return pool->makers && urgency == URGENCY_MAKING;
}

/* May one more do work of that urgency? A maker is there for nothing else. Lock held. */
static bool has_place(const struct worker_pool *pool, enum urgency urgency)
{
    return urgency == URGENCY_INTERACTIVE || is_for_makers(pool, urgency) ||
           pool->at_bulk < pool->most_at_bulk;
}

/* The next job that the worker may do now, or NULL; lock held. */
static struct job *next_job(struct worker_pool *pool, const struct worker *worker, enum urgency *ret_urgency)
{
    static bool (*const may[SEAT_QUEUES])(const struct fair_group *, void *) = {
        [URGENCY_INTERACTIVE] = may_go_interactive,
        [URGENCY_MAKING] = may_go_making,
        [URGENCY_BULK] = may_go_bulk,
    };

    for (enum urgency urgency = URGENCY_INTERACTIVE; urgency <= URGENCY_BULK; urgency++) {
        const bool may_do = is_for_makers(pool, urgency) == worker->makes && has_place(pool, urgency);
        struct job *job = may_do ? fair_queue_pop(&pool->queues[urgency], may[urgency], pool) : NULL;
        if (job) {
            *ret_urgency = urgency;
            return job;
        }
    }
    return NULL;
}

/* `by` is 1 or -1; lock held. */
static void count_at_work(struct worker_pool *pool, enum urgency urgency, int by)
{
    if (urgency != URGENCY_INTERACTIVE && !is_for_makers(pool, urgency))
        pool->at_bulk += (unsigned)by;
}

/* Lock held. */
static struct worker **idle_of(struct worker_pool *pool, bool makes)
{
    return makes ? &pool->idle_makers : &pool->idle;
}

/* Until woken, or for a second at most; lock held, but not meanwhile. */
static void sleep_until_woken(struct worker *worker)
{
    struct worker_pool *pool = worker->pool;
    struct worker **at = idle_of(pool, worker->makes);

    worker->idle = true;
    worker->next_idle = *at;
    *at = worker;
    condition_wait(&worker->wake, &pool->lock);
    if (!worker->idle)
        return;
    while (*at != worker)
        at = &(*at)->next_idle;
    *at = worker->next_idle;
    worker->idle = false;
}

static void wake_all(struct worker_pool *pool)
{
    for (unsigned i = 0; i < pool->started; i++)
        pthread_cond_signal(&pool->workers[i].wake);
    for (unsigned i = 0; i < pool->makers_started; i++)
        pthread_cond_signal(&pool->makers[i].wake);
}

static void *work(void *of)
{
    struct worker *worker = of;
    struct worker_pool *pool = worker->pool;

    this_worker = worker;
    if (worker->makes)
        setpriority(PRIO_PROCESS, (id_t)gettid(), MAKERS_NICENESS); /* this thread alone, on Linux */
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        enum urgency urgency;
        struct job *job = next_job(pool, worker, &urgency);
        if (!job) {
            /* Work may be left of which too many are at it already: they will take it as they finish. */
            if (pool->stopping && !pool->queued)
                break;
            sleep_until_woken(worker);
            continue;
        }
        struct seat *seat = job->seat;
        pool->queued--;
        count_at_work(pool, urgency, 1);
        if (seat) {
            seat->address->at_work++;
            seat->address->waiting--;
        }
        pthread_mutex_unlock(&pool->lock);
        job->run(job);
        pthread_mutex_lock(&pool->lock);
        count_at_work(pool, urgency, -1);
        if (seat) {
            seat->address->at_work--;
            seat_unref(seat); /* held since it was queued */
        }
        if (pool->stopping && !pool->queued)
            wake_all(pool);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static bool start_thread(struct worker_pool *pool, struct worker *worker, bool makes, struct error *err)
{
    pthread_attr_t attributes;

    worker->pool = pool;
    worker->makes = makes;
    pthread_cond_init(&worker->wake, NULL);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    const int failed = pthread_create(&worker->thread, &attributes, work, worker);
    pthread_attr_destroy(&attributes);
    if (failed)
        pthread_cond_destroy(&worker->wake);
    return !failed || error_errno(err, failed, "starting a worker");
}

bool worker_pool_start(unsigned workers, unsigned longest_queue, struct worker_pool **ret, struct error *err)
{
    assert(workers > 0);
    struct worker_pool *pool = calloc(1, sizeof *pool + workers * sizeof pool->workers[0]);
    if (!pool)
        return error_set(err, FAULT_BUSY, "no memory for %u workers", workers);
    pthread_mutex_init(&pool->lock, NULL);
    pool->no_seat.address = &pool->nobody;
    pool->longest_queue = longest_queue;
    /* The last quarter, at least one; a single worker has to do everything. */
    pool->most_at_bulk = workers - (workers + 3) / 4;
    if (pool->most_at_bulk == 0)
        pool->most_at_bulk = 1;
    pool->most_of_one = workers - (workers + 7) / 8;
    if (pool->most_of_one == 0)
        pool->most_of_one = 1;

    for (; pool->started < workers; pool->started++)
        if (!start_thread(pool, &pool->workers[pool->started], false, err)) {
            const unsigned number = pool->started + 1;
            worker_pool_stop(pool);
            return error_while(err, "worker %u of %u", number, workers);
        }
    *ret = pool;
    return true;
}

bool worker_pool_add_makers(struct worker_pool *pool, unsigned makers, struct error *err)
{
    assert(makers > 0 && !pool->makers);
    struct worker *list = calloc(makers, sizeof *list);
    bool done = list || error_set(err, FAULT_BUSY, "no memory for %u makers", makers);

    pthread_mutex_lock(&pool->lock);
    pool->makers = list;
    while (done && pool->makers_started < makers) {
        done = start_thread(pool, &list[pool->makers_started], true, err);
        pool->makers_started += done;
    }
    pthread_mutex_unlock(&pool->lock);
    return done || error_while(err, "making");
}

/* Lock held. */
static void enqueue(struct worker_pool *pool, enum urgency urgency, struct job *job)
{
    struct seat *seat = job->seat ? job->seat : &pool->no_seat;

    if (job->seat) {
        seat_ref(job->seat);
        job->seat->address->waiting++;
    }
    fair_queue_push(&pool->queues[urgency], &seat->address->groups[urgency], &seat->places[urgency], job);
    pool->queued++;
}

/* Ends the caller's hold of the lock, with one of the sleepers awake who may do work of that urgency. */
static void unlock_and_wake(struct worker_pool *pool, enum urgency urgency)
{
    struct worker **idle = idle_of(pool, is_for_makers(pool, urgency));
    struct worker *worker = has_place(pool, urgency) ? *idle : NULL;

    if (worker) {
        *idle = worker->next_idle;
        worker->idle = false;
    }
    pthread_mutex_unlock(&pool->lock);
    if (worker)
        pthread_cond_signal(&worker->wake);
}

/* Lock held. */
static bool has_room(const struct worker_pool *pool, struct error *err)
{
    if (!pool->stopping && pool->queued < pool->longest_queue)
        return true;
    return error_set(err, FAULT_BUSY, pool->stopping ? "workers: stopping" : "worker_queue: full");
}

/* Lock held. */
static bool has_share(const struct worker_pool *pool, const struct job *job, struct error *err)
{
    if (job->seat && job->seat->address->waiting >= pool->longest_queue - pool->longest_queue / 4)
        return error_set(err, FAULT_BUSY, "worker_queue: one address has three quarters of it");
    return true;
}

bool worker_pool_submit(struct worker_pool *pool, enum urgency urgency, struct job *job, struct error *err)
{
    pthread_mutex_lock(&pool->lock);
    const bool taken = has_room(pool, err) && has_share(pool, job, err);
    if (taken) {
        enqueue(pool, urgency, job);
        unlock_and_wake(pool, urgency);
    } else {
        pthread_mutex_unlock(&pool->lock);
    }
    return taken;
}

bool worker_pool_has_room(struct worker_pool *pool, struct error *err)
{
    pthread_mutex_lock(&pool->lock);
    const bool room = has_room(pool, err);
    pthread_mutex_unlock(&pool->lock);
    return room;
}

void worker_pool_continue(struct worker_pool *pool, enum urgency urgency, struct job *job)
{
    pthread_mutex_lock(&pool->lock);
    enqueue(pool, urgency, job);
    unlock_and_wake(pool, urgency);
}

void worker_pool_again(struct worker_pool *pool, enum urgency urgency, struct job *job)
{
    pthread_mutex_lock(&pool->lock);
    enqueue(pool, urgency, job);
    /* Unless what was begun by the one kind is for the other to go on with. */
    if (this_worker && this_worker->makes == is_for_makers(pool, urgency))
        pthread_mutex_unlock(&pool->lock);
    else
        unlock_and_wake(pool, urgency);
}

void worker_pool_stop(struct worker_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    wake_all(pool);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->started; i++)
        pthread_join(pool->workers[i].thread, NULL);
    for (unsigned i = 0; i < pool->makers_started; i++)
        pthread_join(pool->makers[i].thread, NULL);
    for (unsigned i = 0; i < pool->started; i++)
        pthread_cond_destroy(&pool->workers[i].wake);
    for (unsigned i = 0; i < pool->makers_started; i++)
        pthread_cond_destroy(&pool->makers[i].wake);
    free(pool->makers);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}
