/* tests/unit/dicom/utf8_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "dicom/utf8.h"

#include "base/attributes.h"
#include "tests/support/expect.h"

TEST(every_character_is_read_as_it_was_written)
{
    for (uint32_t character = 0; character <= 0x10FFFF; character++) {
        uint8_t coded[UTF8_MOST];
        uint32_t read;
        if (character == 0xD800)
            character = 0xE000;
        const size_t size = utf8_put(character, coded);
        if (utf8_read(bytes_of(coded, size), &read) != size || read != character)
            EXPECT(false, "U+%04X", character);
    }
}

TEST(what_is_not_utf_8_is_one_broken_byte)
{
    static const char *const broken[] = { "\x80",
                                          "\xC0\x80",
                                          "\xC3",
                                          "\xE0\x80\x80",
                                          "\xED\xA0\x80",
                                          "\xF4\x90\x80\x80",
                                          "\xF8\x88\x80\x80\x80",
                                          "\xFF",
                                          "\xE3\x81",
                                          "\xC3(" };

    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        uint32_t read;
        EXPECT(utf8_read(bytes_of_text(broken[i]), &read) == 1 && read == UTF8_BROKEN, "case %zu", i);
    }
}
