/* tests/unit/http/content_decoder_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/content_decoder.h"

#include <stdlib.h>
#include <zlib.h>

#include "base/buffer.h"
#include "tests/support/expect.h"

struct collector {
    struct body_sink sink;
    struct buffer got;
    bool ended;
};

static bool collect(struct body_sink *sink, struct bytes chunk, struct error *err)
{
    struct collector *collector = (struct collector *)sink;

    buffer_append(&collector->got, chunk);
    return buffer_check(&collector->got, "what is collected", err);
}

static bool end(struct body_sink *sink, struct error *err)
{
    (void)err;
    ((struct collector *)sink)->ended = true;
    return true;
}

static struct buffer gzip(struct bytes data)
{
    struct buffer into;
    z_stream stream = { 0 };

    buffer_init(&into, 1 << 24);
    deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY);
    stream.next_in = (Bytef *)(uintptr_t)data.data;
    stream.avail_in = (uInt)data.size;
    stream.avail_out = (uInt)deflateBound(&stream, data.size);
    stream.next_out = buffer_reserve(&into, stream.avail_out);
    deflate(&stream, Z_FINISH);
    buffer_grew(&into, stream.total_out);
    deflateEnd(&stream);
    return into;
}

/* Pushed in pieces of `size` bytes. */
static bool push(struct bytes coded, size_t size, struct collector *collector, struct error *err)
{
    struct arena arena = { 0 };
    struct body_sink *sink = NULL;

    *collector = (struct collector){ .sink = { collect, end } };
    buffer_init(&collector->got, 1 << 24);
    bool ok = content_decoder(bytes_of_text("gzip"), &collector->sink, 100, &arena, &sink, err);
    EXPECT(!ok || content_decoder_inner(sink) == &collector->sink, "the inner sink");
    for (size_t at = 0; ok && at < coded.size; at += size)
        ok = sink->write(sink, bytes_of(coded.data + at, coded.size - at < size ? coded.size - at : size),
                         err);
    ok = ok && sink->end(sink, err);
    arena_release(&arena);
    return ok;
}

TEST(STO_15_a_gzip_body_is_decoded_however_it_is_cut)
{
    uint8_t data[200000];
    struct collector collector;
    struct error err = { 0 };

    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * i >> 7);
    SCOPED(buffer) struct buffer coded = gzip(bytes_of(data, sizeof data));
    buffer_append(&coded, buffer_bytes(&coded)); /* a second member */
    for (size_t size = 1; size < coded.size; size = size * 3 + 1) {
        EXPECT(push(buffer_bytes(&coded), size, &collector, &err) && collector.ended, "%s", err.detail);
        EXPECT(collector.got.size == 2 * sizeof data && memcmp(collector.got.data, data, sizeof data) == 0 &&
                   memcmp(collector.got.data + sizeof data, data, sizeof data) == 0,
               "in pieces of %zu: %zu bytes", size, collector.got.size);
        buffer_done(&collector.got);
    }
}

TEST(a_body_that_is_cut_or_broken_is_malformed)
{
    static const char text[] = "some text that is to be compressed, and more of it, and more of it";
    struct collector collector;

    SCOPED(buffer) struct buffer coded = gzip(bytes_of_text(text));
    for (size_t size = 0; size < coded.size; size++) {
        struct error err = { 0 };
        EXPECT(!push(bytes_of(coded.data, size), 7, &collector, &err) && err.fault == FAULT_MALFORMED,
               "%zu bytes were enough", size);
        buffer_done(&collector.got);
    }
    coded.data[coded.size - 6] ^= 1; /* the checksum */
    struct error err = { 0 };
    EXPECT(!push(buffer_bytes(&coded), 1000, &collector, &err) && err.fault == FAULT_MALFORMED,
           "a wrong checksum");
    buffer_done(&collector.got);
}

TEST(a_bomb_is_too_large_after_its_first_mebibyte)
{
    uint8_t *zeros = calloc(1, 8 << 20);
    struct collector collector;
    struct error err = { 0 };

    SCOPED(buffer) struct buffer coded = gzip(bytes_of(zeros, 8 << 20));
    EXPECT(!push(buffer_bytes(&coded), 512, &collector, &err) && err.fault == FAULT_TOO_LARGE, "%s",
           err.detail);
    EXPECT(collector.got.size <= 2 << 20, "%zu bytes got through", collector.got.size);
    buffer_done(&collector.got);
    free(zeros);
}

TEST(other_codings_are_not_taken_and_identity_is_nothing)
{
    struct arena arena = { 0 };
    struct collector collector = { .sink = { collect, end } };
    struct body_sink *sink = NULL;
    struct error err = { 0 };

    EXPECT(content_decoder(bytes_of_text("identity"), &collector.sink, 100, &arena, &sink, &err) &&
               sink == &collector.sink,
           "identity");
    EXPECT(!content_decoder(bytes_of_text("gzip, gzip"), &collector.sink, 100, &arena, &sink, &err) &&
               err.fault == FAULT_UNSUPPORTED_MEDIA,
           "twice");
    arena_release(&arena);
}
