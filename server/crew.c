/* server/crew.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * One lock; a piece's number is its turn to be finished.
 */
#include "server/crew.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

enum { LOOK_EVERY_MS = 200 };

struct running {
    const struct crew *crew;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t handed_out, finished;
    bool ended;
    unsigned at_work;
};

static void finish_in_turn(struct running *running, void *piece, uint64_t turn)
{
    while (running->finished != turn)
        pthread_cond_wait(&running->changed, &running->lock);
    pthread_mutex_unlock(&running->lock);
    running->crew->finish(running->crew->context, piece);
    pthread_mutex_lock(&running->lock);
    running->finished++;
    pthread_cond_broadcast(&running->changed);
}

static void *work_on(void *context)
{
    struct running *running = context;
    const struct crew *crew = running->crew;

    pthread_mutex_lock(&running->lock);
    while (!running->ended) {
        void *piece = crew->next(crew->context);
        if (!piece) {
            running->ended = true;
            break;
        }
        const uint64_t turn = running->handed_out++;
        pthread_mutex_unlock(&running->lock);
        crew->work(crew->context, piece);
        pthread_mutex_lock(&running->lock);
        finish_in_turn(running, piece, turn);
    }
    running->at_work--;
    pthread_cond_broadcast(&running->changed);
    pthread_mutex_unlock(&running->lock);
    return NULL;
}

static void wait_and_look(struct running *running)
{
    pthread_mutex_lock(&running->lock);
    while (running->at_work) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += LOOK_EVERY_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        while (running->at_work &&
               pthread_cond_timedwait(&running->changed, &running->lock, &until) != ETIMEDOUT)
            ;
        pthread_mutex_unlock(&running->lock);
        running->crew->look(running->crew->context);
        pthread_mutex_lock(&running->lock);
    }
    pthread_mutex_unlock(&running->lock);
}

bool crew_run(const struct crew *crew, unsigned threads, struct error *err)
{
    struct running running = { .crew = crew,
                               .lock = PTHREAD_MUTEX_INITIALIZER,
                               .changed = PTHREAD_COND_INITIALIZER };
    pthread_t *list = calloc(threads, sizeof *list);
    unsigned started = 0;

    if (!list)
        return error_set(err, FAULT_BUSY, "no memory for %u threads", threads);
    running.at_work = threads;
    while (started < threads && pthread_create(&list[started], NULL, work_on, &running) == 0)
        started++;
    pthread_mutex_lock(&running.lock);
    running.at_work -= threads - started; /* fewer will do */
    pthread_mutex_unlock(&running.lock);
    if (started)
        wait_and_look(&running);
    for (unsigned i = 0; i < started; i++)
        pthread_join(list[i], NULL);
    free(list);
    return started || error_set(err, FAULT_BUSY, "no thread could be started");
}
