/* tests/unit/server/clients_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Connections counted by address, and whose turn it is.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>

#include "server/clients.h"
#include "server/worker_pool.h"
#include "tests/support/expect.h"

static struct seat *enter(struct clients *clients, const char *text)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return clients_enter(clients, (struct sockaddr *)&v4, sizeof v4);
    if (inet_pton(AF_INET6, text, &v6.sin6_addr) != 1)
        abort();
    return clients_enter(clients, (struct sockaddr *)&v6, sizeof v6);
}

static struct clients *open_clients(unsigned most)
{
    struct clients *clients = NULL;
    struct error err = { 0 };

    if (!clients_open(most, &clients, &err))
        abort();
    return clients;
}

TEST(HTP_15_an_address_is_one_client_whatever_its_form)
{
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        { "192.0.2.1", "192.0.2.1", true },
        { "192.0.2.1", "192.0.2.2", false },
        { "192.0.2.1", "::ffff:192.0.2.1", true },
        { "::ffff:192.0.2.1", "::ffff:192.0.2.2", false },
        { "2001:db8::1", "2001:db8::ffff:0:1", true }, /* one /64 */
        { "2001:db8::1", "2001:db8:0:1::1", false },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct clients *clients = open_clients(1);
        struct seat *a = enter(clients, cases[i].a), *b = enter(clients, cases[i].b);
        EXPECT(a && !b == cases[i].same, "%s and %s", cases[i].a, cases[i].b);
        clients_leave(a);
        clients_leave(b);
        clients_close(clients);
    }
}

TEST(a_seat_outlives_its_connection_while_someone_holds_it)
{
    struct clients *clients = open_clients(1);
    struct seat *seat = enter(clients, "192.0.2.1");

    seat_ref(seat);
    clients_leave(seat);
    struct seat *next = enter(clients, "192.0.2.1"); /* the place is free, the address is the same */
    EXPECT(next && next->address == seat->address, "another address");
    seat_unref(seat);
    clients_leave(next);
    clients_close(clients);
}

/* ── turns ── */

struct numbered {
    struct job job;
    int number;
};

static bool anyone(const struct fair_group *group, void *context)
{
    (void)group, (void)context;
    return true;
}

static bool all_but(const struct fair_group *group, void *context)
{
    return group != context;
}

TEST(addresses_take_turns_then_their_connections_then_their_jobs)
{
    struct fair_queue queue = { 0 };
    struct fair_group groups[2] = { { 0 } };
    struct fair_seat seats[3] = { { 0 } };
    struct numbered jobs[7] = { 0 };
    /* The first address: connection 0 with jobs 0, 1, 2 and connection 1 with 3, 4; the second: connection 2.
     */
    static const int of[] = { 0, 0, 0, 1, 1, 2, 2 }, want[] = { 0, 5, 3, 6, 1, 4, 2 };

    for (int i = 0; i < 7; i++) {
        jobs[i].number = i;
        fair_queue_push(&queue, &groups[of[i] == 2], &seats[of[i]], &jobs[i].job);
    }
    for (int i = 0; i < 7; i++) {
        const struct numbered *got = (struct numbered *)fair_queue_pop(&queue, anyone, NULL);
        EXPECT(got && got->number == want[i], "place %d: %d instead of %d", i, got ? got->number : -1,
               want[i]);
    }
    EXPECT(!fair_queue_pop(&queue, anyone, NULL), "one more");
}

TEST(who_may_not_go_keeps_its_place_and_is_gone_past)
{
    struct fair_queue queue = { 0 };
    struct fair_group groups[3] = { { 0 } };
    struct fair_seat seats[3] = { { 0 } };
    struct numbered jobs[4] = { { .number = 0 }, { .number = 1 }, { .number = 2 }, { .number = 3 } };

    for (int i = 0; i < 4; i++)
        fair_queue_push(&queue, &groups[i % 3], &seats[i % 3],
                        &jobs[i].job); /* 3 is the first one's second */
    EXPECT(fair_queue_pop(&queue, all_but, &groups[0]) == &jobs[1].job, "not the second");
    EXPECT(fair_queue_pop(&queue, all_but, &groups[0]) == &jobs[2].job, "not the third");
    EXPECT(!fair_queue_pop(&queue, all_but, &groups[0]), "one that may not go");
    EXPECT(fair_queue_pop(&queue, anyone, NULL) == &jobs[0].job, "not the first");
    fair_queue_push(&queue, &groups[2], &seats[2], &jobs[1].job);
    EXPECT(fair_queue_pop(&queue, anyone, NULL) == &jobs[3].job, "not the first one's second");
    EXPECT(fair_queue_pop(&queue, anyone, NULL) == &jobs[1].job, "not what came last");
    EXPECT(!fair_queue_pop(&queue, anyone, NULL), "one more");
}

/* ── workers ── */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t change = PTHREAD_COND_INITIALIZER;
static bool go;
static unsigned holding, done;

static void hold(struct job *job)
{
    (void)job;
    pthread_mutex_lock(&lock);
    holding++;
    pthread_cond_broadcast(&change);
    while (!go)
        pthread_cond_wait(&change, &lock);
    holding--;
    pthread_mutex_unlock(&lock);
}

static void finish(struct job *job)
{
    (void)job;
    pthread_mutex_lock(&lock);
    done++;
    pthread_cond_broadcast(&change);
    pthread_mutex_unlock(&lock);
}

TEST(HTP_15_one_address_cannot_have_all_workers_nor_all_of_the_queue)
{
    enum { WORKERS = 8, QUEUE = 16, MOST = WORKERS - 1 };
    struct clients *clients = open_clients(8);
    struct seat *greedy = enter(clients, "192.0.2.1"), *other = enter(clients, "192.0.2.2");
    struct job jobs[MOST + QUEUE], late = { .run = finish, .seat = other };
    struct worker_pool *pool = NULL;
    struct error err = { 0 };
    unsigned taken = 0;

    go = false;
    holding = done = 0;
    if (!worker_pool_start(WORKERS, QUEUE, &pool, &err))
        abort();
    for (unsigned i = 0; i < MOST; i++) {
        jobs[i] = (struct job){ .run = hold, .seat = greedy };
        EXPECT(worker_pool_submit(pool, URGENCY_INTERACTIVE, &jobs[i], &err), "%s", err.detail);
        pthread_mutex_lock(&lock);
        while (holding < i + 1)
            pthread_cond_wait(&change, &lock);
        pthread_mutex_unlock(&lock);
    }
    /* Now it has as many workers as it may; what more it wants waits, and that, too, has an end. */
    for (unsigned i = MOST; i < MOST + QUEUE; i++) {
        jobs[i] = (struct job){ .run = hold, .seat = greedy };
        taken += worker_pool_submit(pool, URGENCY_INTERACTIVE, &jobs[i], &err);
    }
    EXPECT(taken == QUEUE - QUEUE / 4 && err.fault == FAULT_BUSY, "%u were taken", taken);
    EXPECT(worker_pool_submit(pool, URGENCY_INTERACTIVE, &late, &err), "%s", err.detail);
    pthread_mutex_lock(&lock);
    while (!done)
        pthread_cond_wait(&change, &lock); /* it would wait for ever */
    EXPECT(holding == MOST, "%u workers of the greedy one", holding);
    go = true;
    pthread_cond_broadcast(&change);
    pthread_mutex_unlock(&lock);
    worker_pool_stop(pool);
    clients_leave(greedy);
    clients_leave(other);
    clients_close(clients); /* asserts that no seat is left */
}
