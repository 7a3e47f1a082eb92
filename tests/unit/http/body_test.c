/* tests/unit/http/body_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/expect.h"

#include "http/body.h"

/* Gives "abc..." one byte a call and refuses to at every second one while it must not wait. */
struct halting {
    struct body_source source;
    uint64_t at, end;
    bool asked;
};

static bool read_halting(struct body_source *source, void *into, size_t capacity, enum patience patience,
                         size_t *ret_size, struct error *err)
{
    struct halting *self = (struct halting *)source;

    self->asked = !self->asked;
    if (patience == MUST_NOT_WAIT && self->asked)
        return error_set(err, FAULT_WOULD_WAIT, "not yet");
    if (self->at == self->end || capacity == 0) {
        *ret_size = 0;
        return true;
    }
    *(uint8_t *)into = (uint8_t)('a' + self->at++ % 26);
    *ret_size = 1;
    return true;
}

static struct body_source *halting(struct arena *arena, uint64_t size, uint64_t told)
{
    struct halting *self = arena_alloc(arena, sizeof *self);

    self->source = (struct body_source){ .size = told, .read = read_halting };
    self->end = size;
    return &self->source;
}

/* All of a body, `step` bytes a call, waiting only when told to. */
static bool read_all(struct body_source *source, size_t step, enum patience patience, char *into,
                     size_t *ret_size, struct error *err)
{
    size_t size = 0;

    for (;;) {
        size_t got = 0;
        if (!source->read(source, into + size, step, patience, &got, err)) {
            if (err->fault != FAULT_WOULD_WAIT)
                return false;
            continue;
        }
        if (got == 0)
            break;
        size += got;
    }
    *ret_size = size;
    return true;
}

TEST(bytes_come_out_as_they_went_in_at_any_step)
{
    for (size_t step = 1; step < 8; step++) {
        struct arena arena = { 0 };
        struct error err = { 0 };
        char got[32];
        size_t size = 0;
        struct body_source *source = body_of_bytes(&arena, bytes_of_text("hello"));
        EXPECT(source->size == 5, "size %d", (int)source->size);
        EXPECT(read_all(source, step, MUST_NOT_WAIT, got, &size, &err), "%s", err.detail);
        EXPECT_TEXT(bytes_of(got, size), "hello");
        arena_release(&arena);
    }
}

TEST(a_block_is_let_go_with_its_arena)
{
    struct arena arena = { 0 };
    struct error err = { 0 };
    struct block *block = NULL;
    char got[16];
    size_t size = 0;
    const size_t before = block_in_use();

    if (!EXPECT(block_take(10, &block, &err), "%s", err.detail))
        return;
    memcpy(block_room(block, NULL), "0123", 4);
    block_seal(block, 4);
    struct body_source *source = body_of_block(&arena, block);
    EXPECT(source->size == 4 && read_all(source, 3, MUST_NOT_WAIT, got, &size, &err), "%s", err.detail);
    EXPECT_TEXT(bytes_of(got, size), "0123");
    EXPECT(block_in_use() > before, "in use %zu", block_in_use());
    arena_release(&arena);
    EXPECT(block_in_use() == before, "in use %zu", block_in_use());
}

TEST(a_chain_fills_one_read_across_its_parts)
{
    struct arena arena = { 0 };
    struct error err = { 0 };
    char got[32];
    size_t size = 0;
    struct body_source *parts[] = {
        body_of_bytes(&arena, bytes_of_text("head ")),
        body_of_bytes(&arena, bytes_of(NULL, 0)),
        body_of_bytes(&arena, bytes_of_text("body")),
        body_of_bytes(&arena, bytes_of_text(" tail")),
    };
    struct body_source *chain = body_chain(&arena, parts, COUNT_OF(parts));

    EXPECT(chain->size == 14, "size %d", (int)chain->size);
    EXPECT(chain->read(chain, got, sizeof got, MUST_NOT_WAIT, &size, &err) && size == 14, "got %zu", size);
    EXPECT_TEXT(bytes_of(got, size), "head body tail");
    EXPECT(chain->read(chain, got, sizeof got, MUST_NOT_WAIT, &size, &err) && size == 0, "got %zu", size);
    arena_release(&arena);
}

TEST(a_chain_of_nothing_is_empty)
{
    struct arena arena = { 0 };
    struct error err = { 0 };
    char got[4];
    size_t size = 1;
    struct body_source *chain = body_chain(&arena, NULL, 0);

    EXPECT(chain->size == 0 && chain->read(chain, got, 4, MAY_WAIT, &size, &err) && size == 0, "got %zu",
           size);
    arena_release(&arena);
}

TEST(a_chain_gives_what_it_has_before_it_would_wait_and_loses_nothing)
{
    struct arena arena = { 0 };
    struct error err = { 0 };
    char got[64];
    size_t size = 0;
    struct body_source *parts[] = { body_of_bytes(&arena, bytes_of_text("<")), halting(&arena, 5, 5),
                                    body_of_bytes(&arena, bytes_of_text(">")) };
    struct body_source *chain = body_chain(&arena, parts, COUNT_OF(parts));

    EXPECT(read_all(chain, 10, MUST_NOT_WAIT, got, &size, &err), "%s", err.detail);
    EXPECT_TEXT(bytes_of(got, size), "<abcde>");
    arena_release(&arena);
}

TEST(the_size_of_a_chain_is_unknown_when_a_part_does_not_know)
{
    struct arena arena = { 0 };
    struct error err = { 0 };
    char got[16];
    size_t size = 0;
    struct body_source *parts[] = { body_of_bytes(&arena, bytes_of_text("x")),
                                    halting(&arena, 2, BODY_SIZE_UNKNOWN) };
    struct body_source *chain = body_chain(&arena, parts, COUNT_OF(parts));

    EXPECT(chain->size == BODY_SIZE_UNKNOWN, "size known");
    EXPECT(read_all(chain, 4, MAY_WAIT, got, &size, &err), "%s", err.detail);
    EXPECT_TEXT(bytes_of(got, size), "xab");
    arena_release(&arena);
}

TEST(a_part_that_lies_about_its_size_ends_the_body_with_a_fault)
{
    static const struct {
        uint64_t real, told;
    } cases[] = { { 3, 4 }, { 4, 3 }, { 0, 1 } };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct arena arena = { 0 };
        struct error err = { 0 };
        char got[16];
        size_t size = 0;
        struct body_source *part = halting(&arena, cases[i].real, cases[i].told);
        struct body_source *chain = body_chain(&arena, &part, 1);
        EXPECT(!read_all(chain, 8, MAY_WAIT, got, &size, &err) && err.fault == FAULT_INTERNAL,
               "case %zu fault %d", i, err.fault);
        arena_release(&arena);
    }
}

TEST(a_slice_is_the_bytes_it_names_whatever_lies_below)
{
    for (uint64_t offset = 0; offset <= 12; offset++) {
        for (uint64_t length = 0; length <= 12 - offset; length++) {
            struct arena arena = { 0 };
            struct error err = { 0 };
            char got[64];
            size_t size = 0;
            struct body_source *parts[] = { body_of_bytes(&arena, bytes_of_text("0123")),
                                            halting(&arena, 4, 4),
                                            body_of_bytes(&arena, bytes_of_text("4567")) };
            struct body_source *chain = body_chain(&arena, parts, COUNT_OF(parts));
            struct body_source *slice = body_slice(&arena, chain, offset, length);
            EXPECT(slice->size == length, "size");
            EXPECT(read_all(slice, 3, MUST_NOT_WAIT, got, &size, &err), "%s", err.detail);
            EXPECT(bytes_equal(bytes_of(got, size), bytes_of(&"0123abcd4567"[offset], (size_t)length)),
                   "at %d of %d: %.*s", (int)offset, (int)length, (int)size, got);
            arena_release(&arena);
        }
    }
}

TEST(a_slice_of_a_slice_skips_twice)
{
    struct arena arena = { 0 };
    struct error err = { 0 };
    char got[16];
    size_t size = 0;
    uint64_t skipped = 0;
    struct body_source *slice = body_slice(
        &arena, body_slice(&arena, body_of_bytes(&arena, bytes_of_text("0123456789")), 2, 7), 1, 5);

    EXPECT(body_skip(slice, 2, MUST_NOT_WAIT, &skipped, &err) && skipped == 2, "skipped %d", (int)skipped);
    EXPECT(read_all(slice, 8, MUST_NOT_WAIT, got, &size, &err), "%s", err.detail);
    EXPECT_TEXT(bytes_of(got, size), "567");
    EXPECT(body_skip(slice, 2, MUST_NOT_WAIT, &skipped, &err) && skipped == 0, "skipped %d", (int)skipped);
    arena_release(&arena);
}

TEST(a_slice_of_a_body_that_ends_early_is_a_fault)
{
    for (uint64_t offset = 1; offset < 6; offset += 4) {
        struct arena arena = { 0 };
        struct error err = { 0 };
        char got[16];
        size_t size = 0;
        struct body_source *slice = body_slice(&arena, halting(&arena, 3, 8), offset, 3);
        EXPECT(!read_all(slice, 8, MAY_WAIT, got, &size, &err) && err.fault == FAULT_INTERNAL, "fault %d",
               err.fault);
        arena_release(&arena);
    }
}
