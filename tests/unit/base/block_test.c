/* tests/unit/base/block_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/expect.h"

#include <pthread.h>
#include <string.h>

#include "base/block.h"

TEST(a_block_has_the_room_asked_for_and_shows_what_was_sealed)
{
    struct error err = { 0 };
    struct block *block = NULL;
    size_t capacity = 0;

    EXPECT(block_take(1000000, &block, &err), "%s", err.detail);
    memset(block_room(block, &capacity), 'x', 1000000);
    EXPECT(capacity >= 1000000, "capacity %zu", capacity);
    EXPECT(block_bytes(block).size == 0, "before it is sealed");
    block_seal(block, 3);
    EXPECT_TEXT(block_bytes(block), "xxx");
    block_unref(block);
    block_unref(NULL);
}

TEST(blocks_are_counted_while_anybody_holds_them)
{
    struct error err = { 0 };
    struct block *block = NULL;
    const size_t before = block_in_use();

    EXPECT(block_take(1, &block, &err), "%s", err.detail);
    EXPECT(block_in_use() == before + BLOCK_STANDARD_BYTES, "in use %zu", block_in_use());
    EXPECT(block_peak() >= block_in_use(), "peak %zu", block_peak());
    struct block *second = block_ref(block);
    block_unref(block);
    EXPECT(block_in_use() == before + BLOCK_STANDARD_BYTES, "in use %zu", block_in_use());
    block_unref(second);
    EXPECT(block_in_use() == before, "in use %zu", block_in_use());
}

TEST(a_recycled_block_shows_nothing_until_it_is_sealed)
{
    struct error err = { 0 };
    struct block *block = NULL;

    EXPECT(block_take(1, &block, &err), "%s", err.detail);
    block_seal(block, 100);
    block_unref(block);
    EXPECT(block_take(1, &block, &err), "%s", err.detail);
    EXPECT(block_bytes(block).size == 0, "size %zu", block_bytes(block).size);
    block_unref(block);
}

TEST(over_budget_is_busy_and_not_counted)
{
    struct error err = { 0 };
    struct block *first = NULL, *second = NULL;

    block_budget(2 * BLOCK_STANDARD_BYTES);
    const size_t before = block_in_use();
    EXPECT(block_take(1, &first, &err), "%s", err.detail);
    EXPECT(!block_take(BLOCK_STANDARD_BYTES + 1, &second, &err) && err.fault == FAULT_BUSY, "fault %d",
           err.fault);
    EXPECT(!second, "touched");
    EXPECT(strstr(err.told, "block_budget") && strstr(err.detail, "in use"), "%s; %s", err.told, err.detail);
    EXPECT(!block_take(SIZE_MAX, &second, &err) && err.fault == FAULT_OVER_BUDGET, "fault %d", err.fault);
    EXPECT(strstr(err.told, "block_budget"), "%s", err.told);
    EXPECT(block_take(BLOCK_STANDARD_BYTES, &second, &err), "%s", err.detail);
    block_unref(first);
    block_unref(second);
    EXPECT(block_in_use() == before, "in use %zu", block_in_use());
    block_budget((size_t)256 << 20);
}

static void *take_and_give(void *unused)
{
    for (int i = 0; i < 2000; i++) {
        struct error err = { 0 };
        struct block *block = NULL;
        if (!block_take((size_t)(i % 3) * BLOCK_STANDARD_BYTES, &block, &err))
            continue;
        block_room(block, NULL)[0] = (uint8_t)i;
        block_seal(block, 1);
        struct block *second = block_ref(block);
        block_unref(block);
        block_unref(second);
    }
    return unused;
}

TEST(threads_take_and_give_blocks_and_none_is_lost)
{
    pthread_t threads[4];
    const size_t before = block_in_use();

    for (size_t i = 0; i < COUNT_OF(threads); i++)
        EXPECT(pthread_create(&threads[i], NULL, take_and_give, NULL) == 0, "thread %zu", i);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
    EXPECT(block_in_use() == before, "in use %zu", block_in_use());
}

TEST(a_block_of_an_exact_size_counts_for_no_more)
{
    const size_t before = block_in_use();
    struct block *block = NULL;
    struct error err = { 0 };

    if (!EXPECT(block_take_exact(1000, &block, &err), "%s", err.detail))
        return;
    EXPECT(block_in_use() == before + 1000, "%zu counted", block_in_use() - before);
    memset(block_room(block, NULL), 7, 1000);
    block_seal(block, 1000);
    EXPECT(block_bytes(block).size == 1000, "size");
    block_unref(block);
    EXPECT(block_in_use() == before, "not given back");
}

TEST(what_is_kept_has_no_more_room_than_it_needs)
{
    const size_t before = block_in_use();
    struct block *block = NULL, *small, *same;
    struct error err = { 0 };

    EXPECT(block_take(BLOCK_STANDARD_BYTES, &block, &err), "%s", err.detail);
    memset(block_room(block, NULL), 7, 1000);
    block_seal(block, 1000);
    small = block_keep(block);
    EXPECT(small != block && bytes_equal(block_bytes(small), block_bytes(block)), "not a copy");
    EXPECT(block_cost(small) == 1000 && block_cost(block) == BLOCK_STANDARD_BYTES, "%zu and %zu",
           block_cost(small), block_cost(block));
    EXPECT(block_in_use() == before + BLOCK_STANDARD_BYTES + 1000, "%zu", block_in_use() - before);
    same = block_keep(small);
    EXPECT(same == small, "copied again");
    block_unref(same);
    block_unref(small);
    block_unref(block);
    EXPECT(block_in_use() == before, "%zu left", block_in_use() - before);
}

/* A frame's block comes back for the next frame of about its size; another size does not push all others out.
 */
TEST(larger_blocks_are_recycled_by_size_within_a_share_of_the_budget)
{
    enum { FRAME_BYTES = 512 * 512 * 2, MANY = 100 };
    struct block *list[MANY] = { NULL };
    struct error err = { 0 };

    EXPECT(block_take(FRAME_BYTES, &list[0], &err), "%s", err.detail);
    uint8_t *first = block_room(list[0], NULL);
    block_unref(list[0]);
    EXPECT(block_take(FRAME_BYTES - 1000, &list[0], &err), "%s", err.detail);
    EXPECT(block_room(list[0], NULL) == first, "another block");
    block_unref(list[0]);
    for (size_t i = 0; i < MANY; i++)
        EXPECT(block_take(2 * 1024 * 1024, &list[i], &err), "%s", err.detail);
    for (size_t i = 0; i < MANY; i++)
        block_unref(list[i]);
    for (unsigned round = 0; round < 2; round++) {
        EXPECT(block_take(FRAME_BYTES, &list[0], &err), "%s", err.detail);
        uint8_t *room = block_room(list[0], NULL);
        EXPECT(round == 0 || room == first, "blocks of another size are in the way");
        first = room;
        block_unref(list[0]);
    }
}

TEST(a_block_in_place_is_not_counted_and_stays_where_it_is)
{
    static _Alignas(64) uint8_t memory[BLOCK_HEAD_BYTES + 100], large[BLOCK_HEAD_BYTES + 400000];
    const size_t before = block_in_use();
    struct block *block = block_in_place(memory, sizeof memory), *taken = NULL;
    struct error err = { 0 };
    size_t capacity = 0;

    EXPECT(block_room(block, &capacity) == memory + BLOCK_HEAD_BYTES && capacity == 100, "%zu", capacity);
    block_seal(block, 3);
    block_unref(block);
    EXPECT(block_bytes(block).size == 3, "its last holder took it away");
    block_offer(large, sizeof large);
    EXPECT(block_take(1000, &taken, &err) && block_room(taken, NULL) != large + BLOCK_HEAD_BYTES,
           "small ones");
    block_unref(taken);
    EXPECT(block_take(400001, &taken, &err) && block_room(taken, NULL) != large + BLOCK_HEAD_BYTES,
           "too small");
    block_unref(taken);
    EXPECT(block_take(400000, &taken, &err) && block_room(taken, NULL) == large + BLOCK_HEAD_BYTES,
           "it fits");
    block_unref(taken);
    EXPECT(block_take(400000, &taken, &err) && block_room(taken, NULL) != large + BLOCK_HEAD_BYTES, "twice");
    block_unref(taken);
    block_offer(large, sizeof large);
    block_offer(NULL, 0);
    EXPECT(block_take(400000, &taken, &err) && block_room(taken, NULL) != large + BLOCK_HEAD_BYTES,
           "no longer");
    block_unref(taken);
    EXPECT(block_in_use() == before, "%zu counted", block_in_use() - before);
}
