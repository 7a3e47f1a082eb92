/* tests/unit/codec/native_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "codec/codec.h"

#include "tests/support/expect.h"

TEST(RET_54_big_endian_samples_are_turned_in_place)
{
    static const struct {
        unsigned bits;
        const char *turned;
    } cases[] = {
        { 8, "21436587" }, { 16, "21436587" }, { 32, "43218765" }, { 64, "87654321" }, { 24, "12345678" }
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t data[] = "12345678";
        codec_swap_bytes(data, 8, cases[i].bits);
        EXPECT_TEXT(bytes_of(data, 8), cases[i].turned);
    }
}

TEST(a_tail_shorter_than_a_sample_stays)
{
    uint8_t data[] = "12345";

    codec_swap_bytes(data, 5, 16);
    EXPECT_TEXT(bytes_of(data, 5), "21435");
    codec_swap_bytes(data, 5, 64);
    EXPECT_TEXT(bytes_of(data, 5), "21435");
}

TEST(RET_52_a_frame_of_bits_starts_at_bit_0_and_ends_in_zeros)
{
    uint8_t packed[8], got[8], want[8];

    for (unsigned i = 0; i < sizeof packed; i++)
        packed[i] = (uint8_t)(0x9D * (i + 1) ^ 0x5A);
    for (unsigned offset = 0; offset < 8; offset++)
        for (unsigned bits = 1; bits <= 56; bits++) {
            memset(want, 0, sizeof want);
            for (unsigned i = 0; i < bits; i++)
                if (packed[(offset + i) / 8] >> ((offset + i) % 8) & 1)
                    want[i / 8] = (uint8_t)(want[i / 8] | 1u << (i % 8));
            memset(got, 0xEE, sizeof got);
            codec_shift_bits(bytes_of(packed, (offset + bits + 7) / 8), offset, bits, got);
            EXPECT(memcmp(got, want, (bits + 7) / 8) == 0, "%u bits from bit %u", bits, offset);
        }
}
