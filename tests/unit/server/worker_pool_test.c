/* tests/unit/server/worker_pool_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The worker pool: order, urgency, the bound of the queue, stopping. Run under the thread sanitizer as well.
 */
#include "tests/support/expect.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/number.h"
#include "server/worker_pool.h"

/* A gate that jobs wait at, and counts of who has been where. */
struct scene {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool open;
    unsigned inside, done;
};
struct gated_job {
    struct job job;
    struct scene *scene;
    unsigned done_as; /* 1 for the first that passed the gate */
};

static struct scene *scene_new(void)
{
    struct scene *scene = calloc(1, sizeof *scene);

    pthread_mutex_init(&scene->lock, NULL);
    pthread_cond_init(&scene->changed, NULL);
    return scene;
}

static void scene_free(struct scene *scene)
{
    pthread_cond_destroy(&scene->changed);
    pthread_mutex_destroy(&scene->lock);
    free(scene);
}

static void scene_open(struct scene *scene)
{
    pthread_mutex_lock(&scene->lock);
    scene->open = true;
    pthread_cond_broadcast(&scene->changed);
    pthread_mutex_unlock(&scene->lock);
}

static void wait_inside(struct scene *scene, unsigned count)
{
    pthread_mutex_lock(&scene->lock);
    while (scene->inside < count)
        pthread_cond_wait(&scene->changed, &scene->lock);
    pthread_mutex_unlock(&scene->lock);
}

static void pass_gate(struct job *job)
{
    struct gated_job *gated = (struct gated_job *)job;
    struct scene *scene = gated->scene;

    pthread_mutex_lock(&scene->lock);
    scene->inside++;
    pthread_cond_broadcast(&scene->changed);
    while (!scene->open)
        pthread_cond_wait(&scene->changed, &scene->lock);
    gated->done_as = ++scene->done;
    pthread_mutex_unlock(&scene->lock);
}

static void gate(struct gated_job *gated, struct scene *scene)
{
    gated->job = (struct job){ .run = pass_gate };
    gated->scene = scene;
    gated->done_as = 0;
}

TEST(everything_submitted_is_done_before_the_pool_has_stopped)
{
    enum { JOBS = 500 };
    static struct gated_job jobs[JOBS];
    struct scene *scene = scene_new();
    struct worker_pool *pool = NULL;
    struct error err = { 0 };

    scene->open = true;
    if (!EXPECT(worker_pool_start(4, JOBS, &pool, &err), "%s", err.detail))
        return;
    for (size_t i = 0; i < JOBS; i++) {
        gate(&jobs[i], scene);
        EXPECT(worker_pool_submit(pool, i % 3 ? URGENCY_INTERACTIVE : URGENCY_BULK, &jobs[i].job, &err), "%s",
               err.detail);
    }
    worker_pool_stop(pool);
    EXPECT(scene->done == JOBS, "%u of %u", scene->done, (unsigned)JOBS);
    scene_free(scene);
}

TEST(bulk_work_leaves_the_last_quarter_of_the_workers_alone)
{
    struct gated_job bulk[8], urgent;
    struct scene *gate_of_bulk = scene_new(), *passed = scene_new();
    struct worker_pool *pool = NULL;
    struct error err = { 0 };

    if (!EXPECT(worker_pool_start(4, 16, &pool, &err), "%s", err.detail))
        return;
    for (size_t i = 0; i < COUNT_OF(bulk); i++) {
        gate(&bulk[i], gate_of_bulk);
        EXPECT(worker_pool_submit(pool, URGENCY_BULK, &bulk[i].job, &err), "%s", err.detail);
    }
    wait_inside(gate_of_bulk, 3);
    /* All bulk workers are held; this one has to come through all the same. */
    gate(&urgent, passed);
    passed->open = true;
    EXPECT(worker_pool_submit(pool, URGENCY_INTERACTIVE, &urgent.job, &err), "%s", err.detail);
    wait_inside(passed, 1);
    pthread_mutex_lock(&gate_of_bulk->lock);
    EXPECT(gate_of_bulk->inside == 3, "%u bulk jobs run on 4 workers", gate_of_bulk->inside);
    pthread_mutex_unlock(&gate_of_bulk->lock);
    scene_open(gate_of_bulk);
    worker_pool_stop(pool);
    EXPECT(gate_of_bulk->done == COUNT_OF(bulk), "%u", gate_of_bulk->done);
    scene_free(gate_of_bulk);
    scene_free(passed);
}

TEST(interactive_work_overtakes_bulk_work_that_waits)
{
    struct gated_job first, bulk, urgent;
    struct scene *scene = scene_new();
    struct worker_pool *pool = NULL;
    struct error err = { 0 };

    if (!EXPECT(worker_pool_start(1, 16, &pool, &err), "%s", err.detail))
        return;
    gate(&first, scene);
    gate(&bulk, scene);
    gate(&urgent, scene);
    EXPECT(worker_pool_submit(pool, URGENCY_INTERACTIVE, &first.job, &err), "%s", err.detail);
    wait_inside(scene, 1);
    EXPECT(worker_pool_submit(pool, URGENCY_BULK, &bulk.job, &err), "%s", err.detail);
    EXPECT(worker_pool_submit(pool, URGENCY_INTERACTIVE, &urgent.job, &err), "%s", err.detail);
    scene_open(scene);
    worker_pool_stop(pool);
    EXPECT(urgent.done_as == 2 && bulk.done_as == 3, "urgent %u, bulk %u", urgent.done_as, bulk.done_as);
    scene_free(scene);
}

TEST(making_overtakes_bulk_work_and_leaves_the_last_quarter_alone_too)
{
    struct gated_job first, bulk, making, held[4], urgent;
    struct scene *scene = scene_new(), *gate_of_making = scene_new(), *passed = scene_new();
    struct worker_pool *pool = NULL;
    struct error err = { 0 };

    if (!EXPECT(worker_pool_start(1, 16, &pool, &err), "%s", err.detail))
        return;
    gate(&first, scene);
    gate(&bulk, scene);
    gate(&making, scene);
    EXPECT(worker_pool_submit(pool, URGENCY_INTERACTIVE, &first.job, &err), "%s", err.detail);
    wait_inside(scene, 1);
    EXPECT(worker_pool_submit(pool, URGENCY_BULK, &bulk.job, &err), "%s", err.detail);
    EXPECT(worker_pool_submit(pool, URGENCY_MAKING, &making.job, &err), "%s", err.detail);
    scene_open(scene);
    worker_pool_stop(pool);
    EXPECT(making.done_as == 2 && bulk.done_as == 3, "making %u, bulk %u", making.done_as, bulk.done_as);

    if (!EXPECT(worker_pool_start(4, 16, &pool, &err), "%s", err.detail))
        return;
    for (size_t i = 0; i < COUNT_OF(held); i++) {
        gate(&held[i], gate_of_making);
        EXPECT(worker_pool_submit(pool, i % 2 ? URGENCY_MAKING : URGENCY_BULK, &held[i].job, &err), "%s",
               err.detail);
    }
    wait_inside(gate_of_making, 3);
    gate(&urgent, passed);
    passed->open = true;
    EXPECT(worker_pool_submit(pool, URGENCY_INTERACTIVE, &urgent.job, &err), "%s", err.detail);
    wait_inside(passed, 1);
    scene_open(gate_of_making);
    worker_pool_stop(pool);
    scene_free(scene);
    scene_free(gate_of_making);
    scene_free(passed);
}

struct wandering_job {
    struct job job;
    struct worker_pool *pool;
    struct scene *scene;
    int niceness[3];
    unsigned step;
};

/* From one kind of work to another, and back. */
static void wander(struct job *job)
{
    static const enum urgency next[] = { URGENCY_MAKING, URGENCY_BULK };
    struct wandering_job *wandering = (struct wandering_job *)job;
    struct scene *scene = wandering->scene;
    const unsigned step = wandering->step++;

    wandering->niceness[step] = getpriority(PRIO_PROCESS, (id_t)gettid());
    if (step < COUNT_OF(next)) {
        worker_pool_again(wandering->pool, next[step], job);
        return;
    }
    pthread_mutex_lock(&scene->lock);
    scene->inside++;
    pthread_cond_broadcast(&scene->changed);
    pthread_mutex_unlock(&scene->lock);
}

TEST(what_goes_on_as_another_kind_of_work_is_done_by_those_who_do_it)
{
    struct scene *scene = scene_new();
    struct worker_pool *pool = NULL;
    struct error err = { 0 };

    if (!EXPECT(worker_pool_start(4, 16, &pool, &err) && worker_pool_add_makers(pool, 2, &err), "%s",
                err.detail))
        return;
    struct wandering_job wandering = { .job = { .run = wander }, .pool = pool, .scene = scene };
    EXPECT(worker_pool_submit(pool, URGENCY_INTERACTIVE, &wandering.job, &err), "%s", err.detail);
    wait_inside(scene, 1);
    worker_pool_stop(pool);
    const int own = getpriority(PRIO_PROCESS, 0), nice = own > 10 ? own : 10;
    EXPECT(wandering.niceness[0] == own && wandering.niceness[1] == nice && wandering.niceness[2] == own,
           "%d, %d, %d", wandering.niceness[0], wandering.niceness[1], wandering.niceness[2]);
    scene_free(scene);
}

/* As many as there are cores in the server: what is at work is finished before something else is begun. */
TEST(making_has_a_bound_of_its_own_beside_which_bulk_and_interactive_work_go_on)
{
    struct gated_job making[6], bulk, urgent;
    struct scene *gate_of_making = scene_new(), *passed = scene_new();
    struct worker_pool *pool = NULL;
    struct error err = { 0 };

    if (!EXPECT(worker_pool_start(8, 16, &pool, &err), "%s", err.detail))
        return;
    if (!EXPECT(worker_pool_add_makers(pool, 2, &err), "%s", err.detail))
        return;
    for (size_t i = 0; i < COUNT_OF(making); i++) {
        gate(&making[i], gate_of_making);
        EXPECT(worker_pool_submit(pool, URGENCY_MAKING, &making[i].job, &err), "%s", err.detail);
    }
    wait_inside(gate_of_making, 2);
    gate(&bulk, passed);
    gate(&urgent, passed);
    passed->open = true;
    EXPECT(worker_pool_submit(pool, URGENCY_BULK, &bulk.job, &err) &&
               worker_pool_submit(pool, URGENCY_INTERACTIVE, &urgent.job, &err),
           "%s", err.detail);
    wait_inside(passed, 2);
    pthread_mutex_lock(&gate_of_making->lock);
    EXPECT(gate_of_making->inside == 2, "%u jobs of making at once", gate_of_making->inside);
    pthread_mutex_unlock(&gate_of_making->lock);
    scene_open(gate_of_making);
    worker_pool_stop(pool);
    EXPECT(gate_of_making->done == COUNT_OF(making), "%u", gate_of_making->done);
    scene_free(gate_of_making);
    scene_free(passed);
}

TEST(HTP_15_a_full_queue_refuses_at_once_but_not_what_was_admitted)
{
    struct gated_job held, queued[2], refused, admitted;
    struct scene *scene = scene_new();
    struct worker_pool *pool = NULL;
    struct error err = { 0 };

    if (!EXPECT(worker_pool_start(1, COUNT_OF(queued), &pool, &err), "%s", err.detail))
        return;
    gate(&held, scene);
    EXPECT(worker_pool_submit(pool, URGENCY_INTERACTIVE, &held.job, &err), "%s", err.detail);
    wait_inside(scene, 1);
    for (size_t i = 0; i < COUNT_OF(queued); i++) {
        gate(&queued[i], scene);
        EXPECT(worker_pool_has_room(pool, &err), "%s", err.detail);
        EXPECT(worker_pool_submit(pool, URGENCY_INTERACTIVE, &queued[i].job, &err), "%s", err.detail);
    }
    gate(&refused, scene);
    EXPECT(!worker_pool_submit(pool, URGENCY_INTERACTIVE, &refused.job, &err) && err.fault == FAULT_BUSY,
           "fault %d", err.fault);
    gate(&admitted, scene);
    worker_pool_continue(pool, URGENCY_INTERACTIVE, &admitted.job);
    scene_open(scene);
    worker_pool_stop(pool);
    EXPECT(scene->done == 4 && refused.done_as == 0 && admitted.done_as == 4, "%u done", scene->done);
    scene_free(scene);
}

struct relay {
    struct job job;
    struct worker_pool *pool;
    atomic_uint left;
    bool again;
};

static void run_relay(struct job *job)
{
    struct relay *relay = (struct relay *)job;

    if (atomic_fetch_sub(&relay->left, 1))
        (relay->again ? worker_pool_again : worker_pool_continue)(relay->pool, URGENCY_BULK, &relay->job);
}

TEST(a_job_may_put_itself_in_the_queue_again_even_while_the_pool_stops)
{
    struct relay relay[3];
    struct worker_pool *pool = NULL;
    struct error err = { 0 };

    if (!EXPECT(worker_pool_start(2, 8, &pool, &err), "%s", err.detail))
        return;
    for (size_t i = 0; i < COUNT_OF(relay); i++) {
        relay[i] = (struct relay){ .job.run = run_relay, .pool = pool, .left = 1000, .again = i > 0 };
        EXPECT(worker_pool_submit(pool, URGENCY_BULK, &relay[i].job, &err), "%s", err.detail);
    }
    worker_pool_stop(pool);
    for (size_t i = 0; i < COUNT_OF(relay); i++)
        EXPECT(relay[i].left == UINT_MAX, "%u left", relay[i].left);
}

/* More workers than jobs, and jobs that follow themselves without waking anybody: none is left lying. */
TEST(jobs_that_go_on_by_themselves_come_to_their_end)
{
    enum { JOBS = 6, ROUNDS = 200 };
    struct worker_pool *pool = NULL;
    struct error err = { 0 };

    if (!EXPECT(worker_pool_start(8, 64, &pool, &err), "%s", err.detail))
        return;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct relay relay[JOBS];
        for (size_t i = 0; i < JOBS; i++) {
            relay[i] = (struct relay){ .job.run = run_relay, .pool = pool, .left = 50, .again = true };
            worker_pool_continue(pool, URGENCY_BULK, &relay[i].job);
        }
        for (size_t i = 0; i < JOBS; i++)
            while (atomic_load(&relay[i].left) != UINT_MAX)
                sched_yield();
    }
    worker_pool_stop(pool);
    EXPECT(true, "came back");
}

TEST(stopping_nothing_is_fine)
{
    worker_pool_stop(NULL);
    EXPECT(true, "came back");
}
