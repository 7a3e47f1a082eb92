/* tests/unit/server/crew_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pieces are handed out in order, worked on side by side, finished in order. Run under the thread sanitizer
 * as well.
 */
#include "server/crew.h"

#include <stdatomic.h>
#include <unistd.h>

#include "tests/support/expect.h"

enum { PIECES = 200, THREADS = 4 };

static int pieces[PIECES];
static int handed_out, finished, out_of_order; /* of next and finish, which are called one at a time */
static atomic_int at_work, most_at_work, worked, looks;

static void *next(void *context)
{
    (void)context;
    return handed_out < PIECES ? &pieces[handed_out++] : NULL;
}

static void work(void *context, void *piece)
{
    const int now = atomic_fetch_add(&at_work, 1) + 1;
    int most = atomic_load(&most_at_work);

    (void)context;
    while (now > most && !atomic_compare_exchange_weak(&most_at_work, &most, now))
        ;
    /* However late the others begin: until another is at work, too, and somebody has looked; 20 s at most. */
    for (unsigned i = 0; i < 20000 && (atomic_load(&most_at_work) < 2 || !atomic_load(&looks)); i++)
        usleep(1000);
    usleep((useconds_t)(((int *)piece - pieces) % 7) * 300);
    *(int *)piece = 1;
    atomic_fetch_add(&worked, 1);
    atomic_fetch_sub(&at_work, 1);
}

static void finish(void *context, void *piece)
{
    (void)context;
    out_of_order += piece != &pieces[finished] || *(int *)piece != 1;
    finished++;
}

static void look(void *context)
{
    (void)context;
    atomic_fetch_add(&looks, 1);
}

TEST(pieces_are_worked_on_side_by_side_and_finished_in_order)
{
    const struct crew crew = { NULL, next, work, finish, look };
    struct error err = { 0 };

    EXPECT(crew_run(&crew, THREADS, &err), "%s", err.detail);
    EXPECT(atomic_load(&worked) == PIECES && finished == PIECES, "%d worked on, %d finished",
           atomic_load(&worked), finished);
    EXPECT(out_of_order == 0, "%d out of order", out_of_order);
    EXPECT(atomic_load(&most_at_work) > 1 && atomic_load(&most_at_work) <= THREADS, "%d at once",
           atomic_load(&most_at_work));
    EXPECT(atomic_load(&looks) > 0, "nobody looked");
}

TEST(without_pieces_it_ends)
{
    const struct crew crew = { NULL, next, work, finish, look };
    struct error err = { 0 };

    handed_out = PIECES;
    EXPECT(crew_run(&crew, THREADS, &err), "%s", err.detail);
}
