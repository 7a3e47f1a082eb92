/* dicom/frame_table.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Where each frame lies in a stored file, so that serving one needs no parsing.
 *
 *   7FE0,0010 | item: offset table | item: frame 1 | item: frame 2a | item: frame 2b | end
 *                                  ^starts[0] - 8  ^starts[1] - 8   ^starts[2] - 8   ^starts[3] - 8
 *             firsts: 0, 1, 3      frame 1: one extent; frame 2: two extents (PS3.5 A.4)
 *
 * Items leave no gap, so 8 bytes a fragment hold both place and size; one fragment a frame needs no `firsts`,
 * native frames need no array at all. Built once, when the instance arrives (frame_scan.c); read-only ever
 * after.
 */
#include "dicom/frame_table.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { ITEM_HEADER_BYTES = 8, STORED_VERSION = 1, STORED_ONE_FRAGMENT_A_FRAME = 0, STORED_GROUPED = 1 };

struct frame_table {
    atomic_uint references;
    enum frame_kind kind;
    uint32_t count;
    struct extent value;
    uint64_t frame_bits;     /* native */
    uint32_t fragment_count; /* encapsulated, and so the rest */
    uint64_t *starts;        /* fragment_count + 1 */
    uint32_t *firsts;        /* count + 1; NULL: fragment k is frame k */
};

static bool is_native(enum frame_kind kind)
{
    return kind == FRAMES_NATIVE || kind == FRAMES_NATIVE_BIG || kind == FRAMES_NATIVE_BITS;
}

static struct frame_table *new_table(enum frame_kind kind, struct extent value)
{
    struct frame_table *table = calloc(1, sizeof *table);

    if (!table) {
        fputs("gantry: out of memory\n", stderr);
        abort();
    }
    atomic_init(&table->references, 1);
    table->kind = kind;
    table->value = value;
    return table;
}

struct frame_table *frame_table_of_native(enum frame_kind kind, uint64_t offset, uint64_t frame_bits,
                                          uint32_t count, uint64_t available_bytes)
{
    assert(is_native(kind));
    if (frame_bits % 8)
        kind = FRAMES_NATIVE_BITS;
    else if (kind == FRAMES_NATIVE_BITS)
        kind = FRAMES_NATIVE;

    struct frame_table *table = new_table(kind, (struct extent){ offset, available_bytes });
    table->frame_bits = frame_bits;
    if (frame_bits) {
        /* In eighths of a byte, but without the overflow that eight times the bytes could give. */
        const uint64_t whole = available_bytes > UINT64_MAX / 8 ? UINT64_MAX : available_bytes * 8;
        const uint64_t fit = whole / frame_bits;
        table->count = fit < count ? (uint32_t)fit : count;
    }
    return table;
}

struct frame_table *frame_table_of_fragments(enum frame_kind kind, struct extent value, uint64_t *starts,
                                             uint32_t fragment_count, uint32_t *firsts_or_null,
                                             uint32_t frame_count)
{
    assert(!is_native(kind));
    assert(firsts_or_null || frame_count <= fragment_count);
    struct frame_table *table = new_table(kind, value);
    table->count = frame_count;
    table->fragment_count = fragment_count;
    table->starts = starts;
    table->firsts = firsts_or_null;
    return table;
}

enum frame_kind frame_table_kind(const struct frame_table *table)
{
    return table->kind;
}

uint32_t frame_table_count(const struct frame_table *table)
{
    return table->count;
}

unsigned frame_table_bit_offset(const struct frame_table *table, uint32_t frame)
{
    if (table->kind != FRAMES_NATIVE_BITS || frame < 1 || frame > table->count)
        return 0;
    return (unsigned)((frame - 1) * table->frame_bits % 8);
}

uint64_t frame_table_frame_bits(const struct frame_table *table)
{
    return table->frame_bits;
}

struct extent frame_table_value(const struct frame_table *table)
{
    return table->value;
}

static uint32_t first_fragment(const struct frame_table *table, uint32_t frame_index)
{
    return table->firsts ? table->firsts[frame_index] : frame_index;
}

/* The bytes that hold any bit of the frame. */
static struct extent native_extent(const struct frame_table *table, uint32_t frame)
{
    const uint64_t from = (frame - 1) * table->frame_bits, to = from + table->frame_bits;
    const uint64_t first = from / 8, behind = to / 8 + (to % 8 != 0);

    return (struct extent){ table->value.offset + first, behind - first };
}

bool frame_table_find(const struct frame_table *table, uint32_t frame, uint32_t *ret_extents,
                      struct error *err)
{
    if (frame < 1 || frame > table->count)
        return error_set(err, FAULT_NOT_FOUND, "frame %" PRIu32 " of %" PRIu32, frame, table->count);

    *ret_extents =
        is_native(table->kind) ? 1 : first_fragment(table, frame) - first_fragment(table, frame - 1);
    return true;
}

struct extent frame_table_extent(const struct frame_table *table, uint32_t frame, uint32_t extent_index)
{
    assert(frame >= 1 && frame <= table->count);
    if (is_native(table->kind)) {
        assert(extent_index == 0);
        return native_extent(table, frame);
    }
    const uint32_t fragment = first_fragment(table, frame - 1) + extent_index;
    assert(fragment < first_fragment(table, frame));
    const uint64_t start = table->starts[fragment];
    return (struct extent){ start, table->starts[fragment + 1] - ITEM_HEADER_BYTES - start };
}

uint64_t frame_table_frame_bytes(const struct frame_table *table, uint32_t frame)
{
    if (frame < 1 || frame > table->count)
        return 0;
    if (is_native(table->kind))
        return native_extent(table, frame).size;
    const uint32_t from = first_fragment(table, frame - 1), to = first_fragment(table, frame);
    return table->starts[to] - table->starts[from] - (uint64_t)ITEM_HEADER_BYTES * (to - from);
}

struct frame_table *frame_table_ref(const struct frame_table *table)
{
    struct frame_table *const counted = (struct frame_table *)(uintptr_t)table;

    atomic_fetch_add_explicit(&counted->references, 1, memory_order_relaxed);
    return counted;
}

void frame_table_unref(const struct frame_table *table)
{
    struct frame_table *const counted = (struct frame_table *)(uintptr_t)table;

    if (!counted || atomic_fetch_sub_explicit(&counted->references, 1, memory_order_acq_rel) != 1)
        return;
    free(counted->starts);
    free(counted->firsts);
    free(counted);
}

void frame_table_drop(struct frame_table **table)
{
    frame_table_unref(*table);
    *table = NULL;
}

/* As the catalog keeps it. Numbers have seven bits a byte, lowest first, the eighth bit says that more
 * follow.
 *
 *   version, kind, frames, value offset, value size
 *   native:        frame bits
 *   encapsulated:  fragments, first start behind the value's offset, size of each fragment,
 *                  form; grouped: fragments before frame 1, then fragments of each frame
 */
static void write_number(struct buffer *into, uint64_t number)
{
    uint8_t coded[10];
    size_t size = 0;

    do {
        coded[size] = (uint8_t)((number & 0x7F) | (number > 0x7F ? 0x80 : 0));
        size++;
        number >>= 7;
    } while (number);
    buffer_append(into, bytes_of(coded, size));
}

void frame_table_write(const struct frame_table *table, struct buffer *into)
{
    buffer_append_byte(into, STORED_VERSION);
    buffer_append_byte(into, (uint8_t)table->kind);
    write_number(into, table->count);
    write_number(into, table->value.offset);
    write_number(into, table->value.size);
    if (is_native(table->kind)) {
        write_number(into, table->frame_bits);
        return;
    }
    write_number(into, table->fragment_count);
    write_number(into, table->fragment_count ? table->starts[0] - table->value.offset : 0);
    for (uint32_t i = 0; i < table->fragment_count; i++)
        write_number(into, table->starts[i + 1] - ITEM_HEADER_BYTES - table->starts[i]);
    buffer_append_byte(into, table->firsts ? STORED_GROUPED : STORED_ONE_FRAGMENT_A_FRAME);
    if (!table->firsts)
        return;
    write_number(into, table->firsts[0]);
    for (uint32_t i = 0; i < table->count; i++)
        write_number(into, table->firsts[i + 1] - table->firsts[i]);
}

static bool read_number(struct bytes *rest, uint64_t most, uint64_t *ret)
{
    uint64_t number = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (rest->size == 0)
            return false;
        const uint8_t byte = rest->data[0];
        if (shift == 63 && byte > 1)
            return false;
        *rest = bytes_from(*rest, 1);
        number |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80)) {
            *ret = number;
            return number <= most;
        }
    }
    return false;
}

static bool read_byte(struct bytes *rest, uint8_t *ret)
{
    if (rest->size == 0)
        return false;
    *ret = rest->data[0];
    *rest = bytes_from(*rest, 1);
    return true;
}

/* Sizes of the fragments, and that all lie within the value. */
static bool read_fragments(struct bytes *rest, struct frame_table *table)
{
    const uint64_t value_end = table->value.offset + table->value.size;
    uint64_t fragments, start;

    /* Each fragment takes a byte here at least, so what is allocated is bounded by what is stored. */
    if (!read_number(rest, UINT32_MAX - 1, &fragments) || !read_number(rest, table->value.size, &start) ||
        fragments > rest->size)
        return false;
    start += table->value.offset;
    table->starts = calloc((size_t)fragments + 1, sizeof *table->starts);
    if (!table->starts)
        return false;
    table->fragment_count = (uint32_t)fragments;
    table->starts[0] = start;
    for (uint32_t i = 0; i < table->fragment_count; i++) {
        uint64_t size;
        if (start > value_end || start - table->value.offset < ITEM_HEADER_BYTES ||
            !read_number(rest, value_end - start, &size))
            return false;
        start += size + ITEM_HEADER_BYTES;
        table->starts[i + 1] = start;
    }
    return true;
}

/* Which fragments make which frame. */
static bool read_groups(struct bytes *rest, struct frame_table *table)
{
    uint8_t form;
    uint64_t number;

    if (!read_byte(rest, &form))
        return false;
    if (form == STORED_ONE_FRAGMENT_A_FRAME)
        return table->count <= table->fragment_count;
    if (form != STORED_GROUPED || table->count > table->fragment_count || table->count > rest->size)
        return false;
    table->firsts = calloc((size_t)table->count + 1, sizeof *table->firsts);
    if (!table->firsts || !read_number(rest, table->fragment_count, &number))
        return false;
    table->firsts[0] = (uint32_t)number;
    for (uint32_t i = 0; i < table->count; i++) {
        if (!read_number(rest, table->fragment_count - table->firsts[i], &number) || number == 0)
            return false;
        table->firsts[i + 1] = table->firsts[i] + (uint32_t)number;
    }
    return true;
}

static bool read_native(struct bytes *rest, struct frame_table *table)
{
    uint64_t bits;

    if (!read_number(rest, UINT64_MAX, &table->frame_bits) ||
        (table->kind == FRAMES_NATIVE_BITS) != (table->frame_bits % 8 != 0))
        return false;
    if (__builtin_mul_overflow(table->frame_bits, (uint64_t)table->count, &bits))
        return false;
    return bits / 8 + (bits % 8 != 0) <= table->value.size && (table->count == 0 || table->frame_bits > 0);
}

bool frame_table_parse(struct bytes stored, struct frame_table **ret, struct error *err)
{
    SCOPED(frame_table) struct frame_table *table = NULL;
    struct extent value;
    struct bytes rest = stored;
    uint8_t version = 0, kind = 0;
    uint64_t count;

    if (!read_byte(&rest, &version) || version != STORED_VERSION || !read_byte(&rest, &kind) ||
        kind > FRAMES_VIDEO)
        return error_set(err, FAULT_DISK, "stored frame table: version %u, kind %u", version, kind);
    if (!read_number(&rest, UINT32_MAX, &count) || !read_number(&rest, INT64_MAX, &value.offset) ||
        !read_number(&rest, (uint64_t)INT64_MAX - value.offset, &value.size))
        return error_set(err, FAULT_DISK, "stored frame table: its head is not sound");

    table = new_table((enum frame_kind)kind, value);
    table->count = (uint32_t)count;
    const bool sound = is_native(table->kind) ? read_native(&rest, table)
                                              : read_fragments(&rest, table) && read_groups(&rest, table);
    if (!sound || rest.size)
        return error_set(err, FAULT_DISK, "stored frame table: not sound, %zu of %zu bytes left", rest.size,
                         stored.size);
    *ret = TAKE(table);
    return true;
}
