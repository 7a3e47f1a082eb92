/* tests/unit/storage/metadata_text_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/metadata_text.h"

#include "tests/support/expect.h"

TEST(a_text_comes_back_as_it_was_and_takes_less_room)
{
    SCOPED(buffer) struct buffer text = { 0 }, stored = { 0 }, back = { 0 };
    struct error err = { 0 };

    buffer_init(&text, 1 << 20);
    buffer_init(&stored, 1 << 20);
    buffer_init(&back, 1 << 20);
    for (unsigned i = 0; i < 200; i++)
        buffer_printf(&text, "\"0018%04X\":{\"vr\":\"DS\",\"Value\":[%u]},", i, i);
    EXPECT(metadata_text_compress(buffer_bytes(&text), 1, &stored, &err), "%s", err.detail);
    EXPECT(stored.size < text.size / 3, "%zu of %zu bytes", stored.size, text.size);
    EXPECT(metadata_text_size(buffer_bytes(&stored)) == text.size, "another size");
    buffer_append_text(&back, "before");
    EXPECT(metadata_text_expand(buffer_bytes(&stored), &back, &err), "%s", err.detail);
    EXPECT(bytes_equal(bytes_from(buffer_bytes(&back), 6), buffer_bytes(&text)), "another text");
}

TEST(damaged_metadata_are_a_failure_of_the_disk_and_never_another_text)
{
    SCOPED(buffer) struct buffer stored = { 0 }, back = { 0 };
    struct error err = { 0 };

    buffer_init(&stored, 1 << 20);
    buffer_init(&back, 1 << 20);
    EXPECT(metadata_text_compress(bytes_of_text("{\"00080005\":{\"vr\":\"CS\"}}"), 1, &stored, &err), "%s",
           err.detail);
    for (size_t cut = 0; cut < stored.size; cut++) {
        err = (struct error){ 0 };
        EXPECT(!metadata_text_expand(bytes_of(stored.data, cut), &back, &err) && err.fault == FAULT_DISK,
               "cut at %zu: fault %d", cut, err.fault);
    }
    err = (struct error){ 0 };
    EXPECT(!metadata_text_expand(bytes_of_text("{}"), &back, &err) && err.fault == FAULT_DISK,
           "text that was never compressed");
}

TEST(a_text_beyond_the_ceiling_of_its_reader_is_refused)
{
    SCOPED(buffer) struct buffer stored = { 0 }, back = { 0 };
    struct error err = { 0 };

    buffer_init(&stored, 1 << 20);
    buffer_init(&back, 10);
    EXPECT(metadata_text_compress(bytes_of_text("{\"00080005\":{\"vr\":\"CS\"}}"), 1, &stored, &err), "%s",
           err.detail);
    EXPECT(!metadata_text_expand(buffer_bytes(&stored), &back, &err) && err.fault == FAULT_TOO_LARGE,
           "fault %d", err.fault);
}
