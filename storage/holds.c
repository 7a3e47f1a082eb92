/* storage/holds.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See holds.h.
 */
#include "storage/holds.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/condition.h"
#include "base/log.h"
#include "storage/store_inside.h"

enum { STACK_BYTES = 256 * 1024 };

/* Files that go together. */
struct going {
    struct going *next;
    uint64_t number, until_ms;
    store_told_fn *gone;
    void *context;
    size_t count;
    uint64_t generations[];
};

struct holds {
    struct store *store;
    pthread_mutex_t lock;
    pthread_cond_t work;
    pthread_t thread;
    bool started, stopping;
    uint64_t goings;                    /* numbers given */
    struct store_hold *oldest, *newest; /* open, in the order of their beginning */
    struct going *first, **end;         /* that wait, in the order of their numbers */
};

struct holds *holds_new(struct store *store)
{
    struct holds *holds = calloc(1, sizeof *holds);

    if (!holds)
        return NULL;
    holds->store = store;
    holds->end = &holds->first;
    pthread_mutex_init(&holds->lock, NULL);
    pthread_cond_init(&holds->work, NULL);
    return holds;
}

/* ── who holds ── */

void store_hold_begin(struct store *store, struct store_hold *hold)
{
    struct holds *holds = store->holds;

    pthread_mutex_lock(&holds->lock);
    *hold = (struct store_hold){ .older = holds->newest, .goings_before = holds->goings };
    *(holds->newest ? &holds->newest->newer : &holds->oldest) = hold;
    holds->newest = hold;
    pthread_mutex_unlock(&holds->lock);
}

/* Lock held: is the first that waits kept by nobody? The oldest hold keeps the most. */
static bool may_go(const struct holds *holds)
{
    return holds->first && !(holds->oldest && holds->oldest->goings_before <= holds->first->number);
}

/* Lock held; without it on the way. Is it time for the first that waits although it is kept? */
static bool must_go(struct holds *holds)
{
    struct error full = { 0 };

    if (!holds->first)
        return false;
    if (holds->first->until_ms <= clock_monotonic_ms())
        return true;
    pthread_mutex_unlock(&holds->lock);
    const bool has_room = store_check_free_space(holds->store, &full);
    pthread_mutex_lock(&holds->lock);
    return !has_room && holds->first;
}

void store_hold_end(struct store *store, struct store_hold *hold)
{
    struct holds *holds = store->holds;

    pthread_mutex_lock(&holds->lock);
    *(hold->older ? &hold->older->newer : &holds->oldest) = hold->newer;
    *(hold->newer ? &hold->newer->older : &holds->newest) = hold->older;
    if (may_go(holds))
        pthread_cond_signal(&holds->work);
    pthread_mutex_unlock(&holds->lock);
}

/* ── what goes ── */

/* Lock held; without it on the way. */
static void remove_first(struct holds *holds)
{
    struct going *going = holds->first;

    holds->first = going->next;
    if (!holds->first)
        holds->end = &holds->first;
    pthread_mutex_unlock(&holds->lock);
    if (store_forget(holds->store, going->generations, going->count))
        going->gone(going->context, going->generations, going->count);
    free(going);
    pthread_mutex_lock(&holds->lock);
}

static void *run(void *of)
{
    struct holds *holds = of;

    pthread_setname_np(pthread_self(), "holds");
    pthread_mutex_lock(&holds->lock);
    while (!holds->stopping || holds->first) {
        if (holds->stopping || may_go(holds) || must_go(holds))
            remove_first(holds);
        else
            condition_wait(&holds->work, &holds->lock); /* a second at most, then it looks again */
    }
    pthread_mutex_unlock(&holds->lock);
    return NULL;
}

/* Lock held. */
static bool has_thread(struct holds *holds)
{
    pthread_attr_t attributes;

    if (holds->started)
        return true;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    holds->started = pthread_create(&holds->thread, &attributes, run, holds) == 0;
    pthread_attr_destroy(&attributes);
    return holds->started;
}

static struct going *going_of(const uint64_t *generations, size_t count)
{
    struct going *going = count < SIZE_MAX / 2 / sizeof *generations
                              ? malloc(sizeof *going + count * sizeof *generations)
                              : NULL;

    if (going) {
        *going = (struct going){ .count = count };
        memcpy(going->generations, generations, count * sizeof *generations);
    }
    return going;
}

bool holds_take_over(struct holds *holds, const uint64_t *generations, size_t count, store_told_fn *gone,
                     void *context)
{
    struct going *going = NULL;

    pthread_mutex_lock(&holds->lock);
    const uint64_t number = holds->goings++;
    const bool held = count > 0 && holds->oldest && holds->store->held_ms > 0;
    if (held && has_thread(holds))
        going = going_of(generations, count);
    if (going) {
        going->number = number;
        going->until_ms = clock_monotonic_ms() + holds->store->held_ms;
        going->gone = gone;
        going->context = context;
        *holds->end = going;
        holds->end = &going->next;
    }
    pthread_mutex_unlock(&holds->lock);
    if (held && !going)
        log_line(LOG_WARNING, "store: %zu files leave before the answers that need them", count);
    return going != NULL;
}

void holds_free(struct holds *holds)
{
    if (!holds)
        return;
    pthread_mutex_lock(&holds->lock);
    holds->stopping = true;
    pthread_cond_signal(&holds->work);
    pthread_mutex_unlock(&holds->lock);
    if (holds->started)
        pthread_join(holds->thread, NULL);
    pthread_cond_destroy(&holds->work);
    pthread_mutex_destroy(&holds->lock);
    free(holds);
}
