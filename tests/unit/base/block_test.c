/* tests/unit/base/block_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/expect.h"

#include <pthread.h>

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
    EXPECT(!block_take(SIZE_MAX, &second, &err) && err.fault == FAULT_BUSY, "fault %d", err.fault);
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
