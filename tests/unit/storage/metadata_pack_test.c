/* tests/unit/storage/metadata_pack_test.c
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/metadata_pack.h"

#include <stdio.h>
#include <stdlib.h>

#define ZLIB_CONST
#include <zlib.h>

#include "dicom/dicom_json.h"
#include "storage/metadata_text.h"
#include "tests/support/expect.h"

#define BASE "https://pacs.example/dicom-web"

enum { CEILING = 8 << 20 };

static void append_object(struct buffer *into, unsigned n, size_t filling)
{
    buffer_printf(
        into,
        "{\"00080018\":{\"vr\":\"UI\",\"Value\":[\"1.2.%u\"]},\"00204000\":{\"vr\":\"LT\",\"Value\":[\"", n);
    for (size_t i = 0; i < filling; i++)
        buffer_append_byte(into, (uint8_t)('a' + (i * 7 + n) % 26));
    buffer_printf(into, "\"]},\"7FE00010\":{\"vr\":\"OW\",\"BulkDataURI\":\"%c/studies/1/%u\"}}",
                  JSON_BASE_MARK, n);
}

/* Also what all of it must say: objects, commas, links under the base. */
static const struct metadata_pack *pack_of(unsigned count, size_t filling, struct buffer *ret_text)
{
    struct metadata_packing *packing = NULL;
    const struct metadata_pack *pack = NULL;
    struct error err = { 0 };

    EXPECT(metadata_packing_begin(BASE, &packing, &err), "%s", err.detail);
    for (unsigned n = 0; n < count; n++) {
        SCOPED(buffer) struct buffer object = { 0 };
        buffer_init(&object, CEILING);
        append_object(&object, n, filling);
        EXPECT(metadata_packing_add(packing, n + 1, buffer_bytes(&object), &err), "%s", err.detail);
        if (n)
            buffer_append_byte(ret_text, ',');
        for (size_t i = 0; i < object.size; i++)
            if (object.data[i] == JSON_BASE_MARK)
                buffer_append_text(ret_text, BASE);
            else
                buffer_append_byte(ret_text, object.data[i]);
    }
    EXPECT(metadata_packing_end(packing, &pack, &err), "%s", err.detail);
    metadata_packing_free(packing);
    return pack;
}

static void expect_texts(const struct metadata_pack *pack, struct bytes text)
{
    SCOPED(buffer) struct buffer all = { 0 }, deflated = { 0 };
    uint64_t size = 0;
    struct error err = { 0 };

    buffer_init(&all, CEILING);
    buffer_init(&deflated, CEILING);
    for (size_t i = 0; i < pack->count; i++) {
        const struct metadata_chunk *chunk = &pack->chunks[i];
        const size_t from = all.size + (i ? 1 : 0);
        static const uint8_t comma[] = { 0, 1, 0, 0xfe, 0xff, ',' };
        if (i) {
            buffer_append_byte(&all, ',');
            buffer_append(&deflated, bytes_of(comma, sizeof comma));
        }
        EXPECT(metadata_text_expand(chunk->zstd, &all, &err), "%s", err.detail);
        EXPECT(all.size - from == chunk->size, "chunk %zu has another size", i);
        EXPECT(crc32_z(0, all.data + from, all.size - from) == chunk->crc, "chunk %zu has another CRC", i);
        buffer_append(&deflated, chunk->deflate);
        size += chunk->size;
    }
    EXPECT(size == pack->text_size, "the sizes do not add up");
    EXPECT(bytes_equal(buffer_bytes(&all), text), "the text is another one");

    /* One stream, by copying. */
    static const uint8_t end[] = { 1, 0, 0, 0xff, 0xff };
    buffer_append(&deflated, bytes_of(end, sizeof end));
    uint8_t *inflated = malloc(text.size + 1);
    z_stream zlib = { .next_in = deflated.data, .avail_in = (uInt)deflated.size };
    EXPECT(inflateInit2(&zlib, -MAX_WBITS) == Z_OK, "zlib");
    zlib.next_out = inflated;
    zlib.avail_out = (uInt)text.size + 1;
    const int code = inflate(&zlib, Z_FINISH);
    EXPECT(code == Z_STREAM_END && zlib.avail_in == 0, "inflating gave %d, %u bytes left", code,
           zlib.avail_in);
    EXPECT(bytes_equal(bytes_of(inflated, zlib.total_out), text), "deflate holds another text");
    inflateEnd(&zlib);
    free(inflated);
}

TEST(a_pack_says_what_its_instances_say_with_links_under_the_base)
{
    static const struct {
        unsigned count;
        size_t filling;
        size_t chunks;
    } cases[] = { { 1, 10, 1 },
                  { 3, 1000, 1 },
                  { 300, 2000, 3 }, /* 256 KiB each */
                  { 3, 300000, 3 }, /* longer ones stand alone */
                  { 0, 0, 0 } };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        SCOPED(buffer) struct buffer text = { 0 };
        buffer_init(&text, CEILING);
        const struct metadata_pack *pack = pack_of(cases[i].count, cases[i].filling, &text);
        EXPECT(pack->count == cases[i].chunks, "case %zu: %zu chunks", i, pack->count);
        EXPECT(pack->instances == cases[i].count, "case %zu: another count", i);
        expect_texts(pack, buffer_bytes(&text));
        metadata_pack_unref(pack);
    }
}

TEST(a_pack_is_read_again_as_it_was_written)
{
    SCOPED(buffer) struct buffer text = { 0 }, directory = { 0 };
    const struct metadata_pack *again = NULL;
    struct error err = { 0 };

    buffer_init(&text, CEILING);
    buffer_init(&directory, CEILING);
    const struct metadata_pack *pack = pack_of(300, 2000, &text);
    metadata_pack_write_directory(pack, &directory);
    EXPECT(metadata_pack_read(buffer_bytes(&directory), metadata_pack_body(pack), &again, &err), "%s",
           err.detail);
    EXPECT(memcmp(&again->version, &pack->version, sizeof pack->version) == 0, "another version");
    EXPECT(again->instances == 300, "another count");
    expect_texts(again, buffer_bytes(&text));
    metadata_pack_unref(again);
    metadata_pack_unref(pack);
}

TEST(a_damaged_pack_is_a_failure_of_the_disk)
{
    SCOPED(buffer) struct buffer text = { 0 }, directory = { 0 };
    const struct metadata_pack *again = NULL;
    struct error err = { 0 };

    buffer_init(&text, CEILING);
    buffer_init(&directory, CEILING);
    const struct metadata_pack *pack = pack_of(2, 10, &text);
    metadata_pack_write_directory(pack, &directory);
    const struct bytes body = metadata_pack_body(pack);
    EXPECT(!metadata_pack_read(bytes_of(directory.data, 10), body, &again, &err) && err.fault == FAULT_DISK,
           "a cut directory");
    EXPECT(!metadata_pack_read(bytes_of(directory.data, directory.size - 1), body, &again, &err) &&
               err.fault == FAULT_DISK,
           "half an entry");
    EXPECT(!metadata_pack_read(buffer_bytes(&directory), bytes_of(body.data, body.size - 1), &again, &err) &&
               err.fault == FAULT_DISK,
           "a cut body");
    memset(directory.data + 16 + 8, 0xff, 8); /* the first chunk's size */
    EXPECT(!metadata_pack_read(buffer_bytes(&directory), body, &again, &err) && err.fault == FAULT_DISK,
           "a size that no chunk has");
    metadata_pack_unref(pack);
}

TEST(versions_of_series_add_up_to_that_of_the_study_whatever_the_order)
{
    struct metadata_version all = { { 0 } }, one = { { 0 } }, two = { { 0 } }, other = { { 0 } };

    for (uint64_t n = 1; n <= 10; n++)
        metadata_version_add(&all, n);
    for (uint64_t n = 10; n >= 1; n--)
        metadata_version_add(n % 2 ? &one : &two, n);
    metadata_version_join(&two, &one);
    EXPECT(memcmp(&all, &two, sizeof all) == 0, "they do not add up");
    for (uint64_t n = 1; n <= 10; n++)
        metadata_version_add(&other, n == 5 ? 11 : n);
    EXPECT(memcmp(&all, &other, sizeof all) != 0, "an instance that was replaced is not seen");
}
