/* tests/unit/storage/holds_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Files that are let go while answers hold them, and while others do not.
 */
#include "storage/store_inside.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/expect.h"
#include "tests/support/temp_folder.h"

static uint64_t held_ms = 3600000;

static struct store *open_store(struct temp_folder *folder)
{
    const struct store_options options = { .root = folder->path, .open_files = 8, .held_ms = held_ms };
    struct store *store = NULL;
    struct error err = { 0 };

    EXPECT(store_open(&options, 1, &store, &err), "%s", err.detail);
    return store;
}

static uint64_t stored(struct store *store)
{
    struct store_draft *draft = NULL;
    struct error err = { 0 };

    EXPECT(store_draft_open(store, &draft, &err) && store_draft_append(draft, bytes_of_text("x"), &err) &&
               store_place(store, &draft, 1, &err),
           "%s", err.detail);
    const uint64_t generation = store_draft_generation(draft);
    store_draft_close(draft);
    return generation;
}

static bool is_there(struct store *store, uint64_t generation)
{
    char path[PATH_MAX];

    store_path(store, generation, path, sizeof path);
    return access(path, F_OK) == 0;
}

static atomic_uint told;

static void count(void *context, const uint64_t *generations, size_t count_of_them)
{
    struct store *store = context;

    for (size_t i = 0; i < count_of_them; i++)
        EXPECT(!is_there(store, generations[i]), "told of %llu, which is there",
               (unsigned long long)generations[i]);
    atomic_fetch_add(&told, (unsigned)count_of_them);
}

/* Ten seconds at most. */
static void wait_until_told(unsigned of)
{
    for (unsigned i = 0; i < 10000 && atomic_load(&told) < of; i++)
        nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
    EXPECT(atomic_load(&told) == of, "told of %u, not %u", atomic_load(&told), of);
}

TEST(what_is_held_goes_when_the_last_hold_that_was_begun_before_ends)
{
    struct temp_folder folder = temp_folder_new();
    struct store *store = open_store(&folder);
    const uint64_t file[4] = { stored(store), stored(store), stored(store), stored(store) };
    struct store_hold a, b;

    atomic_store(&told, 0);
    store_let_go(store, &file[0], 1, count, store);
    EXPECT(atomic_load(&told) == 1, "nobody held it");

    store_hold_begin(store, &a);
    store_let_go(store, &file[1], 1, count, store);
    store_hold_begin(store, &b);
    store_let_go(store, &file[2], 1, count, store);
    EXPECT(is_there(store, file[1]) && is_there(store, file[2]), "they are held");
    store_hold_end(store, &a);
    wait_until_told(2);
    EXPECT(!is_there(store, file[1]) && is_there(store, file[2]), "b holds the later one alone");
    store_hold_end(store, &b);
    wait_until_told(3);

    store_let_go(store, &file[3], 1, count, store);
    EXPECT(atomic_load(&told) == 4, "nobody holds any more");
    store_close(store);
    temp_folder_remove(&folder);
}

TEST(the_order_in_which_holds_end_does_not_matter)
{
    struct temp_folder folder = temp_folder_new();
    struct store *store = open_store(&folder);
    static const unsigned orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
                                           { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };

    for (size_t i = 0; i < COUNT_OF(orders); i++) {
        struct store_hold holds[3];
        uint64_t file[3];
        bool ended[3] = { false };

        atomic_store(&told, 0);
        for (unsigned n = 0; n < 3; n++) {
            store_hold_begin(store, &holds[n]);
            file[n] = stored(store);
            store_let_go(store, &file[n], 1, count, store);
        }
        for (unsigned n = 0; n < 3; n++) {
            unsigned gone = 0;
            store_hold_end(store, &holds[orders[i][n]]);
            ended[orders[i][n]] = true;
            while (gone < 3 && ended[gone])
                gone++; /* file n is kept by holds 0 to n */
            wait_until_told(gone);
            for (unsigned m = 0; m < 3; m++)
                EXPECT(is_there(store, file[m]) == (m >= gone), "order %zu, step %u, file %u", i, n, m);
        }
    }
    store_close(store);
    temp_folder_remove(&folder);
}

TEST(closing_the_store_removes_what_waits)
{
    struct temp_folder folder = temp_folder_new();
    struct store *store = open_store(&folder);
    const uint64_t file[2] = { stored(store), stored(store) };
    struct store_hold hold;

    atomic_store(&told, 0);
    store_hold_begin(store, &hold);
    store_let_go(store, file, 2, count, store);
    EXPECT(atomic_load(&told) == 0 && is_there(store, file[0]), "held");
    store_hold_end(store, &hold);
    store_close(store);
    EXPECT(atomic_load(&told) == 2 && temp_folder_files(folder.path, ".dcm") == 0, "left: %zu",
           temp_folder_files(folder.path, ".dcm"));
    temp_folder_remove(&folder);
}

enum until { UNTIL_ITS_TIME, UNTIL_THE_VOLUME_IS_FULL, NOT_AT_ALL };

TEST(a_hold_that_does_not_end_keeps_files_for_their_time_and_while_there_is_room)
{
    for (enum until until = UNTIL_ITS_TIME; until <= NOT_AT_ALL; until++) {
        struct temp_folder folder = temp_folder_new();
        struct store_hold hold;

        atomic_store(&told, 0);
        held_ms = until == UNTIL_ITS_TIME ? 300 : until == UNTIL_THE_VOLUME_IS_FULL ? 3600000 : 0;
        struct store *store = open_store(&folder);
        const uint64_t file[2] = { stored(store), stored(store) };
        if (until == UNTIL_THE_VOLUME_IS_FULL)
            store->free_space_floor = UINT64_MAX;
        store_hold_begin(store, &hold);
        store_let_go(store, &file[0], 1, count, store);
        store_let_go(store, &file[1], 1, count, store);
        EXPECT(until != NOT_AT_ALL || atomic_load(&told) == 2, "held though nothing is to be");
        wait_until_told(2);
        store_hold_end(store, &hold);
        store_close(store);
        temp_folder_remove(&folder);
    }
    held_ms = 3600000;
}

/* As root, too: a folder in its place cannot be unlinked. */
TEST(of_what_the_disk_does_not_let_go_nobody_is_told_that_it_went)
{
    struct temp_folder folder = temp_folder_new();
    struct store *store = open_store(&folder);
    const uint64_t file[2] = { stored(store), stored(store) };
    struct store_hold hold;
    char path[PATH_MAX];

    atomic_store(&told, 0);
    for (unsigned n = 0; n < 2; n++) {
        store_path(store, file[n], path, sizeof path);
        EXPECT(unlink(path) == 0 && mkdir(path, 0700) == 0, "no folder");
    }
    store_let_go(store, &file[0], 1, count, store);
    store_hold_begin(store, &hold);
    store_let_go(store, &file[1], 1, count, store);
    store_hold_end(store, &hold);
    store_close(store);
    EXPECT(atomic_load(&told) == 0, "told of %u", atomic_load(&told));
    temp_folder_remove(&folder);

    folder = temp_folder_new();
    store = open_store(&folder);
    const uint64_t never_placed = 123456; /* nor is its folder there */
    store_let_go(store, &never_placed, 1, count, store);
    EXPECT(atomic_load(&told) == 1, "what is not there has gone");
    store_close(store);
    temp_folder_remove(&folder);
}

struct crowd {
    struct store *store;
    atomic_uint_fast64_t current;
    atomic_uint wrong;
    atomic_bool stop;
};

/* As an answer: holds, then looks what there is, then takes its time, then reads. */
static void *answer_on(void *of)
{
    struct crowd *crowd = of;

    while (!atomic_load(&crowd->stop)) {
        struct store_hold hold;
        struct error err = { 0 };
        char byte;

        store_hold_begin(crowd->store, &hold);
        const uint64_t listed = atomic_load(&crowd->current);
        nanosleep(&(struct timespec){ 0, 200000 }, NULL);
        if (!store_read(crowd->store, listed, 0, &byte, 1, MAY_WAIT, &err))
            atomic_fetch_add(&crowd->wrong, 1);
        store_hold_end(crowd->store, &hold);
    }
    return NULL;
}

TEST(whoever_lists_within_a_hold_reads_what_was_listed)
{
    struct temp_folder folder = temp_folder_new();
    static struct crowd crowd;
    pthread_t answers[4];

    enum { REPLACED = 200 };
    atomic_store(&told, 0);
    crowd.store = open_store(&folder);
    atomic_store(&crowd.current, stored(crowd.store));
    for (size_t i = 0; i < COUNT_OF(answers); i++)
        pthread_create(&answers[i], NULL, answer_on, &crowd);
    for (unsigned i = 0; i < REPLACED; i++) {
        const uint64_t old = atomic_load(&crowd.current);
        atomic_store(&crowd.current, stored(crowd.store));
        store_let_go(crowd.store, &old, 1, count, crowd.store);
    }
    atomic_store(&crowd.stop, true);
    for (size_t i = 0; i < COUNT_OF(answers); i++)
        pthread_join(answers[i], NULL);
    EXPECT(atomic_load(&crowd.wrong) == 0, "%u had gone", atomic_load(&crowd.wrong));
    wait_until_told(REPLACED);
    EXPECT(temp_folder_files(folder.path, ".dcm") == 1, "%zu files", temp_folder_files(folder.path, ".dcm"));
    store_close(crowd.store);
    temp_folder_remove(&folder);
}
