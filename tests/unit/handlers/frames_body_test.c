/* tests/unit/handlers/frames_body_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Lists of frames. What the bodies hold is tested through the whole house: tests/loopback/frames_test.c.
 */
#include "handlers/frames_body.h"

#include "tests/support/expect.h"

TEST(RET_48_a_list_keeps_its_order_and_duplicates)
{
    struct arena arena = { 0 };
    struct frame_list list;
    struct error err = { 0 };

    if (EXPECT(frame_list_parse(bytes_of_text("3,1,1,4294967295"), 10, &arena, &list, &err), "%s",
               err.detail)) {
        EXPECT(list.count == 4, "%zu frames", list.count);
        EXPECT(list.frames[0] == 3 && list.frames[1] == 1 && list.frames[2] == 1 &&
                   list.frames[3] == UINT32_MAX,
               "%u,%u,%u,%u", list.frames[0], list.frames[1], list.frames[2], list.frames[3]);
    }
    arena_release(&arena);
}

TEST(RET_48_zero_and_what_is_no_number_are_malformed)
{
    static const char *const texts[] = { "",    "0",  "a",    "1,",  ",1",  "1,,2",       "-1",
                                         "1.5", "+1", "1 ,2", "0x1", "1;2", "4294967296", "1,0" };

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct arena arena = { 0 };
        struct frame_list list;
        struct error err = { 0 };

        EXPECT(!frame_list_parse(bytes_of_text(texts[i]), 10, &arena, &list, &err), "accepted \"%s\"",
               texts[i]);
        EXPECT(err.fault == FAULT_MALFORMED, "\"%s\" gave fault %d", texts[i], err.fault);
        arena_release(&arena);
    }
}

TEST(a_list_has_a_ceiling)
{
    struct arena arena = { 0 };
    struct frame_list list;
    struct error err = { 0 };

    EXPECT(!frame_list_parse(bytes_of_text("1,2,3"), 2, &arena, &list, &err), "three of two");
    EXPECT(err.fault == FAULT_TOO_LARGE, "fault %d", err.fault);
    arena_release(&arena);
}
