/* tests/fuzz/http_multipart_fuzz.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first byte is the number of cuts, the bytes behind it where they are; the rest is the message. Read in
 * those slices it must come out as it does when read in one piece.
 */
#include <stdlib.h>

#include "base/buffer.h"
#include "http/multipart_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    struct buffer text;
    bool in_part;
    uint64_t begun;
};

static void must(bool condition)
{
    if (!condition)
        abort();
}

static bool part_begin(void *context, const struct fields *headers, struct error *err)
{
    struct seen *seen = context;

    (void)err;
    must(!seen->in_part);
    seen->in_part = true;
    seen->begun++;
    buffer_append_byte(&seen->text, '[');
    for (size_t i = 0; i < headers->count; i++) {
        must(headers->list[i].name.size > 0);
        buffer_append(&seen->text, headers->list[i].name);
        buffer_append_byte(&seen->text, '=');
        buffer_append(&seen->text, headers->list[i].value);
        buffer_append_byte(&seen->text, '\n');
    }
    return true;
}

static bool part_bytes(void *context, struct bytes chunk, struct error *err)
{
    struct seen *seen = context;

    (void)err;
    must(seen->in_part && chunk.size > 0);
    buffer_append(&seen->text, chunk);
    return true;
}

static bool part_end(void *context, struct error *err)
{
    struct seen *seen = context;

    (void)err;
    must(seen->in_part);
    seen->in_part = false;
    buffer_append_byte(&seen->text, ']');
    return true;
}

/* Slices are copied to memory of exactly their size, so that a read beyond one is seen. */
static bool push(struct multipart_reader *reader, const uint8_t *data, size_t size, struct error *err)
{
    uint8_t *slice = malloc(size ? size : 1);

    if (size)
        memcpy(slice, data, size);
    const bool good = multipart_reader_push(reader, bytes_of(slice, size), err);
    free(slice);
    return good;
}

/* Returns whether the message was whole. */
static bool read_message(struct bytes message, struct bytes cuts, struct seen *seen)
{
    static const struct multipart_events events = { part_begin, part_bytes, part_end };
    struct arena arena = { 0 };
    struct error err = { 0 };
    struct multipart_reader *reader = NULL;
    size_t at = 0;
    bool good = true;

    *seen = (struct seen){ 0 };
    buffer_init(&seen->text, 4 << 20);
    must(multipart_reader_new(bytes_of_text("b-b"), &events, seen, &arena, &reader, &err));
    for (size_t i = 0; good && i < cuts.size && at < message.size; i++) {
        const size_t left = message.size - at, slice = cuts.data[i] < left ? cuts.data[i] : left;
        good = push(reader, message.data + at, slice, &err);
        at += slice;
    }
    good = good && push(reader, message.data + at, message.size - at, &err);
    must(multipart_reader_in_part(reader) == seen->in_part && multipart_reader_parts(reader) == seen->begun);
    good = good && multipart_reader_end(reader, &err);
    must(good || err.fault == FAULT_MALFORMED);
    arena_release(&arena);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen whole, cut;

    if (size == 0 || size - 1 < data[0])
        return 0;
    const struct bytes cuts = bytes_of(data + 1, data[0]);
    const struct bytes message = bytes_of(data + 1 + data[0], size - 1 - data[0]);
    const bool whole_good = read_message(message, bytes_of(NULL, 0), &whole);
    const bool cut_good = read_message(message, cuts, &cut);

    must(whole_good == cut_good && whole.begun == cut.begun && whole.in_part == cut.in_part);
    must(bytes_equal(buffer_bytes(&whole.text), buffer_bytes(&cut.text)));
    buffer_done(&whole.text);
    buffer_done(&cut.text);
    return 0;
}
