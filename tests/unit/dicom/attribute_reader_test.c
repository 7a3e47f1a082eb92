/* tests/unit/dicom/attribute_reader_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Palettes in segments (PS3.3 C.7.9.2), as told and as broken.
 */
#include "dicom/attribute_reader.h"

#include "tests/support/expect.h"

TEST(REN_50_discrete_linear_and_indirect_segments)
{
    static const uint16_t words[] = { 0, 3, 10, 20, 30, 1, 4, 70, 2, 1, 0, 0 };
    static const uint16_t want[] = { 10, 20, 30, 40, 50, 60, 70, 10, 20, 30 };
    uint16_t got[10];

    attribute_expand_segments(bytes_of(words, sizeof(words)), 16, 10, got);
    for (size_t i = 0; i < COUNT_OF(want); i++)
        EXPECT(got[i] == want[i], "entry %zu is %u, want %u", i, got[i], want[i]);
}

TEST(segments_of_bytes_and_falling_lines)
{
    static const uint8_t bytes[] = { 0, 1, 200, 1, 4, 0, 2, 1, 0, 0, 0, 0 };
    static const uint16_t want[] = { 200, 150, 100, 50, 0, 200, 200 };
    uint16_t got[7];

    attribute_expand_segments(bytes_of(bytes, sizeof(bytes)), 8, 7, got);
    for (size_t i = 0; i < COUNT_OF(want); i++)
        EXPECT(got[i] == want[i], "entry %zu is %u, want %u", i, got[i], want[i]);
}

TEST(broken_segments_end_and_what_lacks_is_the_last_entry)
{
    static const uint16_t loops[] = { 2, 65535, 0, 0 }; /* itself, for ever */
    static const uint16_t beyond[] = { 0, 1, 7, 2, 1, 65535, 65535 };
    static const uint16_t cut[] = { 0, 500, 7, 8 };
    uint16_t got[64];

    attribute_expand_segments(bytes_of(loops, sizeof(loops)), 16, 64, got);
    EXPECT(got[0] == 0 && got[63] == 0, "a loop gave %u", got[63]);
    attribute_expand_segments(bytes_of(beyond, sizeof(beyond)), 16, 64, got);
    EXPECT(got[0] == 7 && got[63] == 7, "an offset beyond the end gave %u", got[63]);
    attribute_expand_segments(bytes_of(cut, sizeof(cut)), 16, 64, got);
    EXPECT(got[1] == 8 && got[63] == 8, "a cut segment gave %u", got[63]);
    attribute_expand_segments(bytes_of(NULL, 0), 16, 64, got);
    EXPECT(got[63] == 0, "nothing gave %u", got[63]);
}
