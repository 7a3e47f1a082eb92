/* tests/unit/base/arena_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/expect.h"

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

static char order[64];

static void note(void *what)
{
    strcat(order, what);
}

TEST(memory_comes_zeroed_and_aligned_at_any_size)
{
    struct arena arena = { 0 };

    for (size_t size = 0; size < 20000; size = size * 2 + 1) {
        uint8_t *at = arena_alloc(&arena, size);
        EXPECT((uintptr_t)at % _Alignof(max_align_t) == 0, "size %zu at %p", size, (void *)at);
        for (size_t i = 0; i < size; i++)
            if (!EXPECT(at[i] == 0, "byte %zu of %zu", i, size))
                break;
        memset(at, 0xFF, size);
    }
    arena_release(&arena);
}

TEST(memory_used_again_is_zeroed_again)
{
    struct arena arena = { 0 };

    memset(arena_alloc(&arena, 100), 0xFF, 100);
    const struct arena_mark mark = arena_mark(&arena);
    memset(arena_alloc(&arena, 100), 0xFF, 100);
    arena_rewind(&arena, mark);
    const uint8_t *again = arena_alloc(&arena, 100);
    EXPECT(again[0] == 0 && again[99] == 0, "not zeroed");
    arena_release(&arena);
}

TEST(duties_run_newest_first_and_once)
{
    struct arena arena = { 0 };

    order[0] = '\0';
    arena_defer(&arena, note, "a");
    arena_defer(&arena, note, "b");
    const struct arena_mark mark = arena_mark(&arena);
    arena_defer(&arena, note, "c");
    arena_alloc(&arena, 100000);
    arena_defer(&arena, note, "d");
    arena_rewind(&arena, mark);
    EXPECT_TEXT(bytes_of_text(order), "dc");
    arena_defer(&arena, note, "e");
    arena_release(&arena);
    EXPECT_TEXT(bytes_of_text(order), "dceba");
    arena_release(&arena);
    EXPECT_TEXT(bytes_of_text(order), "dceba");
}

TEST(a_mark_of_an_empty_arena_rewinds_to_empty)
{
    struct arena arena = { 0 };
    const struct arena_mark mark = arena_mark(&arena);

    arena_alloc(&arena, 10);
    arena_rewind(&arena, mark);
    EXPECT(!arena.chunks && !arena.duties, "not empty");
}

TEST(what_lies_before_a_mark_stays)
{
    struct arena arena = { 0 };
    const char *kept = arena_printf(&arena, "%s-%d", "kept", 1);
    const struct arena_mark mark = arena_mark(&arena);

    for (int i = 0; i < 100; i++)
        arena_alloc(&arena, 1000);
    arena_rewind(&arena, mark);
    EXPECT_TEXT(bytes_of_text(kept), "kept-1");
    arena_release(&arena);
}

TEST(copies_end_with_a_NUL_that_is_not_counted)
{
    struct arena arena = { 0 };
    const struct bytes copy = arena_copy(&arena, bytes_of("a\0b", 3));

    EXPECT(copy.size == 3 && memcmp(copy.data, "a\0b", 4) == 0, "size %zu", copy.size);
    EXPECT(arena_text(&arena, bytes_of(NULL, 0))[0] == '\0', "not empty");
    arena_release(&arena);
}

TEST(a_long_text_is_printed_whole)
{
    struct arena arena = { 0 };
    const char *text = arena_printf(&arena, "%0*d", 10000, 7);

    EXPECT(strlen(text) == 10000 && text[9999] == '7', "length %zu", strlen(text));
    arena_release(&arena);
}
