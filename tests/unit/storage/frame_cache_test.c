/* tests/unit/storage/frame_cache_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/frame_cache.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "tests/support/expect.h"
#include "tests/support/temp_folder.h"

enum { FRAME_BYTES = 1000 };

struct house {
    struct temp_folder folder;
    struct frame_cache *cache;
};

static struct house house_with(uint64_t memory, uint64_t disk)
{
    struct house house = { temp_folder_new(), NULL };
    const struct frame_cache_options options = { .folder = house.folder.path,
                                                 .memory_bytes = memory,
                                                 .disk_bytes = disk };
    struct error err = { 0 };

    if (!frame_cache_open(&options, &house.cache, &err))
        abort();
    return house;
}

static void reopen(struct house *house, uint64_t memory, uint64_t disk)
{
    const struct frame_cache_options options = { .folder = house->folder.path,
                                                 .memory_bytes = memory,
                                                 .disk_bytes = disk };
    struct error err = { 0 };

    frame_cache_close(house->cache);
    house->cache = NULL;
    if (!frame_cache_open(&options, &house->cache, &err))
        abort();
}

static void leave(struct house *house)
{
    frame_cache_close(house->cache);
    temp_folder_remove(&house->folder);
}

static struct frame_key key_of(uint64_t generation, uint32_t frame)
{
    static const uint8_t digest[STORE_DIGEST_BYTES] = { 1, 2, 3 };

    return frame_key_of(generation, digest, frame, "a syntax");
}

struct made {
    atomic_uint calls;
    uint8_t value;
    enum fault fault;
    atomic_bool *started, *may_end;
};

static bool make(void *context, struct block **ret, struct error *err)
{
    struct made *made = context;

    atomic_fetch_add(&made->calls, 1);
    if (made->started) {
        atomic_store(made->started, true);
        while (!atomic_load(made->may_end))
            sched_yield();
    }
    if (made->fault != FAULT_NONE)
        return error_tell(err, made->fault, "as asked for");
    if (!block_take(FRAME_BYTES, ret, err))
        return false;
    memset(block_room(*ret, NULL), made->value, FRAME_BYTES);
    block_seal(*ret, FRAME_BYTES);
    block_trim(ret);
    return true;
}

/* Is the frame had, and are its bytes `value`? */
static bool get(struct house *house, uint64_t generation, uint32_t frame, struct made *made)
{
    const struct frame_key key = key_of(generation, frame);
    struct block *block = NULL;
    struct error err = { 0 };

    if (!frame_cache_get(house->cache, &key, MAY_WAIT, NULL, make, made, &block, &err))
        return false;
    const struct bytes data = block_bytes(block);
    const bool right =
        data.size == FRAME_BYTES && data.data[0] == made->value && data.data[FRAME_BYTES - 1] == made->value;
    block_unref(block);
    return right;
}

TEST(a_frame_is_made_once_and_then_at_hand)
{
    struct house house = house_with(1 << 20, 0);
    struct made made = { .value = 7 };
    const struct frame_key key = key_of(1, 1);
    struct block *block = NULL;
    struct error err = { 0 };

    EXPECT(!frame_cache_get(house.cache, &key, MUST_NOT_WAIT, NULL, make, &made, &block, &err) &&
               err.fault == FAULT_WOULD_WAIT,
           "%d", err.fault);
    EXPECT(get(&house, 1, 1, &made) && get(&house, 1, 1, &made), "not had");
    EXPECT(frame_cache_get(house.cache, &key, MUST_NOT_WAIT, NULL, make, &made, &block, &err), "%s",
           err.detail);
    block_unref(block);
    EXPECT(atomic_load(&made.calls) == 1, "%u calls", atomic_load(&made.calls));
    leave(&house);
}

TEST(frames_differ_by_number_and_file_and_by_what_is_made_of_them)
{
    struct house house = house_with(1 << 20, 0);
    struct made a = { .value = 1 }, b = { .value = 2 }, c = { .value = 3 };
    static const uint8_t digest[STORE_DIGEST_BYTES] = { 1, 2, 3 }, other[STORE_DIGEST_BYTES] = { 9 };
    const struct frame_key keys[] = { frame_key_of(1, digest, 1, "x"), frame_key_of(1, digest, 1, "y"),
                                      frame_key_of(1, other, 1, "x"), frame_key_of(1, digest, 11, "x") };

    EXPECT(get(&house, 1, 1, &a) && get(&house, 1, 2, &b) && get(&house, 2, 1, &c), "made");
    EXPECT(get(&house, 1, 1, &a) && get(&house, 1, 2, &b) && get(&house, 2, 1, &c), "kept");
    for (size_t i = 1; i < COUNT_OF(keys); i++)
        EXPECT(memcmp(keys[0].hash, keys[i].hash, FRAME_KEY_BYTES) != 0, "key %zu", i);
    leave(&house);
}

TEST(what_is_made_may_be_told_at_any_length)
{
    static const uint8_t digest[STORE_DIGEST_BYTES] = { 1, 2, 3 };
    static char what[6000];
    struct frame_key before = frame_key_of(1, digest, 1, what);

    for (size_t size = 1; size < sizeof what - 1; size += size < 400 ? 1 : 97) {
        memset(what, 'x', size);
        const struct frame_key key = frame_key_of(1, digest, 1, what),
                               again = frame_key_of(1, digest, 1, what);
        EXPECT(memcmp(key.hash, again.hash, FRAME_KEY_BYTES) == 0, "%zu: not the same", size);
        EXPECT(memcmp(key.hash, before.hash, FRAME_KEY_BYTES) != 0, "%zu: as one shorter", size);
        what[size - 1] = 'y';
        const struct frame_key other = frame_key_of(1, digest, 1, what);
        EXPECT(memcmp(key.hash, other.hash, FRAME_KEY_BYTES) != 0, "%zu: the last letter does not count",
               size);
        before = key;
    }
}

TEST(what_does_not_fit_memory_goes_to_disk_and_comes_back)
{
    struct house house = house_with(8 * FRAME_BYTES, 1 << 20);
    struct made made[32] = { 0 };

    for (uint32_t i = 0; i < 32; i++) {
        made[i].value = (uint8_t)(i + 1);
        EXPECT(get(&house, 1, i + 1, &made[i]), "frame %u", i);
    }
    EXPECT(frame_cache_count(house.cache).memory_bytes <= 8 * FRAME_BYTES, "memory");
    EXPECT(frame_cache_count(house.cache).disk_bytes > 20 * FRAME_BYTES, "disk");
    for (uint32_t i = 0; i < 32; i++)
        EXPECT(get(&house, 1, i + 1, &made[i]) && atomic_load(&made[i].calls) == 1, "frame %u made %u times",
               i, atomic_load(&made[i].calls));
    reopen(&house, 8 * FRAME_BYTES, 1 << 20);
    for (uint32_t i = 0; i < 32; i++)
        EXPECT(get(&house, 1, i + 1, &made[i]) && atomic_load(&made[i].calls) == 1, "after a stop, frame %u",
               i);
    leave(&house);
}

/* As it comes from a codec, with more room than bytes; `context` keeps a reference. */
static bool make_loose(void *context, struct block **ret, struct error *err)
{
    struct block **held = context;

    if (!block_take(FRAME_BYTES, ret, err))
        return false;
    memset(block_room(*ret, NULL), 7, FRAME_BYTES);
    block_seal(*ret, FRAME_BYTES);
    *held = block_ref(*ret);
    return true;
}

TEST(what_is_kept_in_memory_takes_no_more_of_the_block_budget_than_was_said)
{
    enum { MEMORY_BYTES = 1 << 20, MANY = 3000 };
    const size_t before = block_in_use();
    struct house house = house_with(MEMORY_BYTES, 1 << 20);

    for (uint32_t frame = 1; frame <= MANY; frame++) {
        const struct frame_key key = key_of(1, frame);
        struct block *block = NULL, *held = NULL;
        struct error err = { 0 };
        if (!EXPECT(frame_cache_get(house.cache, &key, MAY_WAIT, NULL, make_loose, &held, &block, &err),
                    "frame %u: %s", frame, err.detail))
            break;
        EXPECT(block_bytes(block).size == FRAME_BYTES && block_bytes(block).data[FRAME_BYTES - 1] == 7,
               "frame %u: other bytes", frame);
        block_unref(block);
        block_unref(held);
    }
    const size_t kept = block_in_use() - before;
    EXPECT(kept > MEMORY_BYTES / 2 && kept <= MEMORY_BYTES, "%zu bytes in use", kept);
    leave(&house);
    EXPECT(block_in_use() == before, "%zu bytes left in use", block_in_use() - before);
}

/* What the file system took for them. */
static uint64_t room_of_files(const char *path)
{
    DIR *folder = opendir(path);
    uint64_t bytes = 0;

    if (!folder)
        abort();
    for (const struct dirent *at; (at = readdir(folder));) {
        struct stat status;
        const int fd = openat(dirfd(folder), at->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        /* Blocks are given when data are written out. */
        if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && fsync(fd) == 0 &&
            fstat(fd, &status) == 0)
            bytes += (uint64_t)status.st_blocks * 512;
        if (fd >= 0)
            close(fd);
    }
    closedir(folder);
    return bytes;
}

TEST(the_disk_has_a_bound_that_counts_what_a_file_takes_of_it)
{
    enum { DISK_BYTES = 64 << 10 };
    struct house house = house_with(4 * FRAME_BYTES, DISK_BYTES);
    struct made made = { .value = 5 };

    for (uint32_t i = 0; i < 200; i++)
        EXPECT(get(&house, 1, i + 1, &made), "frame %u", i);
    const uint64_t counted = frame_cache_count(house.cache).disk_bytes;
    EXPECT(counted > DISK_BYTES / 2 && counted <= DISK_BYTES, "%llu counted", (unsigned long long)counted);
    reopen(&house, 4 * FRAME_BYTES, DISK_BYTES);
    EXPECT(frame_cache_count(house.cache).disk_bytes <= DISK_BYTES, "after a stop");
    frame_cache_close(house.cache);
    house.cache = NULL;
    const uint64_t taken = room_of_files(house.folder.path);
    EXPECT(taken > 0 && taken <= DISK_BYTES, "%llu bytes of the disk", (unsigned long long)taken);
    temp_folder_remove(&house.folder);
}

TEST(a_file_that_is_cut_or_turned_round_is_made_again)
{
    for (int kind = 0; kind < 3; kind++) {
        struct house house = house_with(1 << 20, 1 << 20);
        struct made made = { .value = 9 };

        EXPECT(get(&house, 1, 1, &made), "made");
        frame_cache_close(house.cache);
        DIR *folder = opendir(house.folder.path);
        for (struct dirent *at; (at = readdir(folder));) {
            if (at->d_name[0] == '.')
                continue;
            const int fd = openat(dirfd(folder), at->d_name, O_RDWR | O_CLOEXEC);
            if (kind == 0)
                EXPECT(ftruncate(fd, 500) == 0, "cut");
            else
                EXPECT(pwrite(fd, "?", 1, kind == 1 ? 700 : 3) == 1, "turned");
            close(fd);
        }
        closedir(folder);
        house.cache = NULL;
        reopen(&house, 1 << 20, 1 << 20);
        EXPECT(get(&house, 1, 1, &made) && atomic_load(&made.calls) == 2, "kind %d: %u calls", kind,
               atomic_load(&made.calls));
        leave(&house);
    }
}

TEST(a_broken_frame_is_tried_once_a_busy_one_again)
{
    struct house house = house_with(1 << 20, 0);
    struct made broken = { .fault = FAULT_CORRUPT_PIXELS }, busy = { .fault = FAULT_BUSY };

    for (unsigned i = 0; i < 5; i++)
        EXPECT(!get(&house, 1, 1, &broken) && !get(&house, 1, 2, &busy), "had");
    EXPECT(atomic_load(&broken.calls) == 1, "%u", atomic_load(&broken.calls));
    EXPECT(atomic_load(&busy.calls) == 5, "%u", atomic_load(&busy.calls));
    leave(&house);
}

TEST(what_is_forgotten_is_gone_from_memory_and_disk)
{
    struct house house = house_with(4 * FRAME_BYTES, 1 << 20);
    struct made made = { .value = 5 }, other = { .value = 6 };

    for (uint32_t i = 0; i < 20; i++)
        EXPECT(get(&house, 1, i + 1, &made) && get(&house, 2, i + 1, &other), "frame %u", i);
    frame_cache_forget(house.cache, &(uint64_t){ 1 }, 1);
    atomic_store(&made.calls, 0);
    atomic_store(&other.calls, 0);
    for (uint32_t i = 0; i < 20; i++)
        EXPECT(get(&house, 2, i + 1, &other) && get(&house, 1, i + 1, &made), "frame %u", i);
    EXPECT(atomic_load(&made.calls) == 20 && atomic_load(&other.calls) == 0, "%u and %u",
           atomic_load(&made.calls), atomic_load(&other.calls));
    leave(&house);
}

struct asker {
    struct house *house;
    struct made *made;
    pthread_t thread;
    bool right;
};

static void *ask(void *of)
{
    struct asker *asker = of;

    asker->right = get(asker->house, 1, 1, asker->made);
    return NULL;
}

TEST(equal_requests_at_once_are_made_once)
{
    struct house house = house_with(1 << 20, 0);
    atomic_bool started = false, may_end = false;
    struct made made = { .value = 3, .started = &started, .may_end = &may_end };
    struct asker askers[8];

    for (size_t i = 0; i < COUNT_OF(askers); i++) {
        askers[i] = (struct asker){ .house = &house, .made = &made };
        pthread_create(&askers[i].thread, NULL, ask, &askers[i]);
    }
    while (frame_cache_count(house.cache).shared < 7)
        sched_yield();
    atomic_store(&may_end, true);
    for (size_t i = 0; i < COUNT_OF(askers); i++) {
        pthread_join(askers[i].thread, NULL);
        EXPECT(askers[i].right, "asker %zu", i);
    }
    EXPECT(atomic_load(&made.calls) == 1, "%u calls", atomic_load(&made.calls));
    leave(&house);
}

struct parked {
    struct waiter waiter; /* first */
    atomic_uint holds, wakes;
};

static void hold(struct waiter *waiter)
{
    atomic_fetch_add(&((struct parked *)waiter)->holds, 1);
}

static void wake(struct waiter *waiter)
{
    atomic_fetch_add(&((struct parked *)waiter)->wakes, 1);
}

TEST(who_gives_a_waiter_does_not_wait_and_is_woken_once)
{
    struct house house = house_with(1 << 20, 0);
    atomic_bool started = false, may_end = false;
    struct made made = { .value = 3, .started = &started, .may_end = &may_end };
    struct asker asker = { .house = &house, .made = &made };
    struct parked parked[3] = { 0 };
    const struct frame_key key = key_of(1, 1);
    struct block *block = NULL;
    struct error err = { 0 };

    pthread_create(&asker.thread, NULL, ask, &asker);
    while (!atomic_load(&started))
        sched_yield();
    for (size_t i = 0; i < COUNT_OF(parked); i++) {
        parked[i].waiter = (struct waiter){ .hold = hold, .wake = wake };
        for (unsigned twice = 0; twice < 2; twice++)
            EXPECT(
                !frame_cache_get(house.cache, &key, MAY_WAIT, &parked[i].waiter, make, &made, &block, &err) &&
                    err.fault == FAULT_WOULD_WAIT,
                "%d", err.fault);
    }
    atomic_store(&may_end, true);
    pthread_join(asker.thread, NULL);
    for (size_t i = 0; i < COUNT_OF(parked); i++) {
        EXPECT(atomic_load(&parked[i].holds) == 1 && atomic_load(&parked[i].wakes) == 1, "%u holds, %u wakes",
               atomic_load(&parked[i].holds), atomic_load(&parked[i].wakes));
        EXPECT(frame_cache_get(house.cache, &key, MAY_WAIT, &parked[i].waiter, make, &made, &block, &err),
               "%s", err.detail);
        block_unref(block);
    }
    EXPECT(atomic_load(&made.calls) == 1, "%u calls", atomic_load(&made.calls));
    leave(&house);
}

static struct waiter *woken[8];
static atomic_uint woken_count;

static void wake_in_turn(struct waiter *waiter)
{
    woken[atomic_fetch_add(&woken_count, 1)] = waiter;
}

/* Without room for it each of those who wait would make it once more, one after the other, and whoever came
 * last would be first: with four who ask again and again, somebody would never be served. */
TEST(who_waited_gets_what_was_made_in_the_order_of_coming_although_it_is_not_kept)
{
    struct house house = house_with(0, 0);
    atomic_bool started = false, may_end = false;
    struct made made = { .value = 3, .started = &started, .may_end = &may_end };
    struct asker asker = { .house = &house, .made = &made };
    struct parked parked[3] = { 0 };
    const struct frame_key key = key_of(1, 1), other = key_of(1, 2);
    struct block *block = NULL;
    struct error err = { 0 };

    atomic_store(&woken_count, 0);
    pthread_create(&asker.thread, NULL, ask, &asker);
    while (!atomic_load(&started))
        sched_yield();
    for (size_t i = 0; i < COUNT_OF(parked); i++) {
        parked[i].waiter = (struct waiter){ .hold = hold, .wake = wake_in_turn };
        EXPECT(!frame_cache_get(house.cache, &key, MAY_WAIT, &parked[i].waiter, make, &made, &block, &err) &&
                   err.fault == FAULT_WOULD_WAIT,
               "%d", err.fault);
    }
    atomic_store(&may_end, true);
    pthread_join(asker.thread, NULL);
    EXPECT(asker.right && atomic_load(&woken_count) == COUNT_OF(parked), "%u woken",
           atomic_load(&woken_count));
    EXPECT(!frame_cache_get(house.cache, &other, MUST_NOT_WAIT, &parked[0].waiter, make, &made, &block, &err),
           "another frame is not what was waited for");
    for (size_t i = 0; i < COUNT_OF(parked); i++) {
        EXPECT(woken[i] == &parked[i].waiter, "the order of waking, at %zu", i);
        if (EXPECT(frame_cache_get(house.cache, &key, MAY_WAIT, &parked[i].waiter, make, &made, &block, &err),
                   "%s", err.detail))
            EXPECT(block_bytes(block).data[0] == made.value, "other bytes");
        block_unref(TAKE(block));
    }
    EXPECT(atomic_load(&made.calls) == 1, "%u calls", atomic_load(&made.calls));
    EXPECT(!frame_cache_get(house.cache, &key, MUST_NOT_WAIT, &parked[0].waiter, make, &made, &block, &err),
           "a result is given once");
    leave(&house);
}

struct crowd {
    struct house *house;
    pthread_t thread;
    uint32_t seed;
    unsigned wrong;
};

static void *jostle(void *of)
{
    struct crowd *one = of;

    for (unsigned i = 0; i < 400; i++) {
        one->seed = one->seed * 1664525u + 1013904223u;
        const uint32_t frame = one->seed >> 16 & 31;
        struct made made = { .value = (uint8_t)frame };
        one->wrong += !get(one->house, 1 + frame % 3, frame + 1, &made);
        if (i % 100 == 99)
            frame_cache_forget(one->house->cache, &(uint64_t){ 1 }, 1);
    }
    return NULL;
}

TEST(many_threads_get_right_bytes_while_frames_come_and_go)
{
    struct house house = house_with(9 * FRAME_BYTES, 12 * FRAME_BYTES);
    struct crowd crowd[6];

    for (size_t i = 0; i < COUNT_OF(crowd); i++) {
        crowd[i] = (struct crowd){ .house = &house, .seed = (uint32_t)i };
        pthread_create(&crowd[i].thread, NULL, jostle, &crowd[i]);
    }
    for (size_t i = 0; i < COUNT_OF(crowd); i++) {
        pthread_join(crowd[i].thread, NULL);
        EXPECT(crowd[i].wrong == 0, "thread %zu: %u wrong", i, crowd[i].wrong);
    }
    leave(&house);
    EXPECT(block_in_use() == 0, "%zu bytes of blocks left", block_in_use());
}
