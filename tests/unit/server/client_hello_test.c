/* tests/unit/server/client_hello_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Telling what the first bytes of a connection want.
 */
#include "base/buffer.h"
#include "server/client_hello.h"
#include "tests/support/expect.h"

static uint8_t scratch[CLIENT_HELLO_CEILING_BYTES];

static void put(struct buffer *into, size_t number, size_t bytes)
{
    while (bytes-- > 0)
        buffer_append_byte(into, (uint8_t)(number >> (8 * bytes)));
}

/* The message of a hello with ALPN (names as on the wire, NULL: none), SNI (NULL: none), and so much padding.
 */
static void make_message(struct buffer *into, const char *alpn, const char *name, size_t padding)
{
    struct buffer extensions;

    buffer_init(&extensions, 1 << 20);
    if (name) {
        put(&extensions, 0, 2);
        put(&extensions, strlen(name) + 5, 2);
        put(&extensions, strlen(name) + 3, 2);
        put(&extensions, 0, 1);
        put(&extensions, strlen(name), 2);
        buffer_append_text(&extensions, name);
    }
    put(&extensions, 21, 2);
    put(&extensions, padding, 2);
    for (size_t i = 0; i < padding; i++)
        put(&extensions, 0, 1);
    if (alpn) {
        put(&extensions, 16, 2);
        put(&extensions, strlen(alpn) + 2, 2);
        put(&extensions, strlen(alpn), 2);
        buffer_append_text(&extensions, alpn);
    }
    put(into, 1, 1);
    put(into, 2 + 32 + 1 + 4 + 2 + 2 + extensions.size, 3);
    put(into, 0x0303, 2);
    for (unsigned i = 0; i < 32; i++)
        put(into, i, 1);
    put(into, 0, 1);
    put(into, 2, 2);
    put(into, 0x1301, 2);
    put(into, 0x0100, 2);
    put(into, extensions.size, 2);
    buffer_append(into, buffer_bytes(&extensions));
    buffer_done(&extensions);
}

/* Cuts it into records of at most so many bytes. */
static void make_records(struct buffer *into, struct bytes message, size_t record)
{
    while (message.size > 0) {
        const size_t size = message.size < record ? message.size : record;
        put(into, 22, 1);
        put(into, 0x0301, 2);
        put(into, size, 2);
        buffer_append(into, bytes_of(message.data, size));
        message = bytes_from(message, size);
    }
}

static void make_hello(struct buffer *into, const char *alpn, const char *name, size_t padding, size_t record)
{
    struct buffer message;

    buffer_init(into, 1 << 20);
    buffer_init(&message, 1 << 20);
    make_message(&message, alpn, name, padding);
    make_records(into, buffer_bytes(&message), record);
    buffer_done(&message);
}

TEST(TLS_11_protocols_and_name_are_read)
{
    struct client_hello hello = { 0 };
    struct buffer wire;
    size_t needed = 0;

    make_hello(&wire, "\x02h2\x08http/1.1", "pacs.example.org", 10, 16384);
    const enum client_hello_state state = client_hello_read(buffer_bytes(&wire), scratch, &hello, &needed);
    EXPECT(state == HELLO_WHOLE, "state %d", state);
    EXPECT_TEXT(hello.server_name, "pacs.example.org");
    EXPECT(client_hello_offers(&hello, "h2"), "no h2");
    EXPECT(client_hello_offers(&hello, "http/1.1"), "no http/1.1");
    EXPECT(!client_hello_offers(&hello, "http/1"), "a part of a name is none");
    buffer_done(&wire);

    make_hello(&wire, NULL, NULL, 0, 16384);
    EXPECT(client_hello_read(buffer_bytes(&wire), scratch, &hello, &needed) == HELLO_WHOLE,
           "no extensions of ours");
    EXPECT(hello.protocols.size == 0 && hello.server_name.size == 0, "found what is not there");
    EXPECT(!client_hello_offers(&hello, "http/1.1"), "offers without ALPN");
    buffer_done(&wire);
}

/* Every prefix is NOT_YET, asks for more than there is and never for more than there will be. */
/* Extension 43 decides where there is one, else the version in front. */
TEST(TLS_01_versions_of_today_are_told_from_old_ones)
{
    static const struct {
        uint16_t legacy;
        const char *versions; /* a list as on the wire, NULL: none */
        size_t size;
        unsigned newest;
    } cases[] = {
        { 0x0303, NULL, 0, VERSION_TLS_1_2 },
        { 0x0304, NULL, 0, VERSION_TLS_1_2 }, /* nobody may say so there */
        { 0x0302, NULL, 0, 0 },
        { 0x0301, NULL, 0, 0 },
        { 0x0300, NULL, 0, 0 },
        { 0x0303, "\x02\x03\x04", 3, VERSION_TLS_1_3 },
        { 0x0303, "\x06\x03\x03\x03\x04\x03\x02", 7, VERSION_TLS_1_3 },
        { 0x0303, "\x04\x0a\x0a\x03\x03", 5, VERSION_TLS_1_2 },
        { 0x0303, "\x04\x03\x02\x03\x01", 5, 0 },
        { 0x0303, "\x02\x0a\x0a", 3, 0 },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const size_t extensions = cases[i].versions ? cases[i].size + 4 : 0;
        struct client_hello hello = { 0 };
        struct buffer message, wire;
        size_t needed;
        buffer_init(&message, 4096);
        buffer_init(&wire, 4096);
        put(&message, 1, 1);
        put(&message, 2 + 32 + 1 + 4 + 2 + 2 + extensions, 3);
        put(&message, cases[i].legacy, 2);
        for (unsigned k = 0; k < 33; k++)
            put(&message, 0, 1);
        put(&message, 0x00021301, 4);
        put(&message, 0x0100, 2);
        put(&message, extensions, 2);
        if (extensions) {
            put(&message, 43, 2);
            put(&message, cases[i].size, 2);
            buffer_append(&message, bytes_of(cases[i].versions, cases[i].size));
        }
        make_records(&wire, buffer_bytes(&message), 16384);
        EXPECT(client_hello_read(buffer_bytes(&wire), scratch, &hello, &needed) == HELLO_WHOLE, "case %zu",
               i);
        EXPECT(hello.newest == cases[i].newest, "case %zu: newest %x", i, hello.newest);
        buffer_done(&message);
        buffer_done(&wire);
    }
}

TEST(TLS_13_a_hello_cut_anywhere_is_waited_for)
{
    static const size_t records[] = { 16384, 700, 100 };

    for (size_t r = 0; r < COUNT_OF(records); r++) {
        struct client_hello hello;
        struct buffer wire;
        size_t needed = 0, looks = 0;

        make_hello(&wire, "\x08http/1.1", "localhost", 900, records[r]);
        for (size_t size = 0; size < wire.size; size++) {
            const enum client_hello_state state =
                client_hello_read(bytes_of(wire.data, size), scratch, &hello, &needed);
            EXPECT(state == HELLO_NOT_YET, "records of %zu, prefix %zu: state %d", records[r], size, state);
            EXPECT(needed > size && needed <= wire.size, "records of %zu, prefix %zu needs %zu of %zu",
                   records[r], size, needed, wire.size);
        }
        for (size_t size = 0; size < wire.size; looks++) {
            if (client_hello_read(bytes_of(wire.data, size), scratch, &hello, &needed) != HELLO_NOT_YET)
                break;
            size = needed;
        }
        EXPECT(looks <= 2 * (wire.size / (records[r] + 5) + 1), "%zu looks", looks);
        EXPECT(client_hello_read(buffer_bytes(&wire), scratch, &hello, &needed) == HELLO_WHOLE, "not whole");
        EXPECT(client_hello_offers(&hello, "http/1.1"), "records of %zu: ALPN lost", records[r]);
        buffer_done(&wire);
    }
}

TEST(TLS_13_a_hello_may_be_longer_than_a_record_but_not_endless)
{
    struct client_hello hello;
    struct buffer wire;
    size_t needed;

    make_hello(&wire, "\x08http/1.1", NULL, 20000, 16384);
    EXPECT(client_hello_read(buffer_bytes(&wire), scratch, &hello, &needed) == HELLO_WHOLE, "20000 bytes");
    buffer_done(&wire);

    make_hello(&wire, "\x08http/1.1", NULL, 40000, 16384);
    EXPECT(client_hello_read(bytes_of(wire.data, 9), scratch, &hello, &needed) == HELLO_NOT_YET,
           "a record's worth");
    EXPECT(client_hello_read(bytes_of(wire.data, 5 + 16384), scratch, &hello, &needed) == HELLO_NOT_TLS,
           "40000 bytes were waited for");
    buffer_done(&wire);

    make_hello(&wire, "\x08http/1.1", NULL, 0, 1);
    EXPECT(client_hello_read(buffer_bytes(&wire), scratch, &hello, &needed) == HELLO_NOT_TLS,
           "records of one byte");
    buffer_done(&wire);
}

TEST(TLS_13_plain_http_and_noise_are_told_apart)
{
    static const struct {
        const char *text;
        size_t size;
        enum client_hello_state state;
    } cases[] = {
        { "GET / HTTP/1.1\r\n", 16, HELLO_PLAIN_HTTP },
        { "POST ", 5, HELLO_PLAIN_HTTP },
        { "G", 1, HELLO_PLAIN_HTTP },
        { "\0\0\0\0\0\0", 6, HELLO_NOT_TLS },
        { "\x80\x2e\x01\x03\x01", 5, HELLO_NOT_TLS }, /* SSL 2 */
        { "ssh", 3, HELLO_NOT_TLS },
        { "G\x01", 2, HELLO_NOT_TLS },
        { "\x16\x02", 2, HELLO_NOT_TLS },
        { "\x15\x03\x01\x00\x02\x02\x28", 7, HELLO_NOT_TLS }, /* an alert */
        { "\x16\x03\x01\x00\x00", 5, HELLO_MALFORMED },
        { "\x16\x03\x01\x40\x01", 5, HELLO_MALFORMED },
        { "\x16\x03\x01\x00\x05\x02", 6, HELLO_MALFORMED },
        { "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03", 10, HELLO_MALFORMED },
        { "\x16\x03\x01\x00\x02\x01\x00\x17", 8, HELLO_MALFORMED },
        { "", 0, HELLO_NOT_YET },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct client_hello hello;
        size_t needed;
        const enum client_hello_state state =
            client_hello_read(bytes_of(cases[i].text, cases[i].size), scratch, &hello, &needed);
        EXPECT(state == cases[i].state, "case %zu: state %d", i, state);
    }
}

/* Flips every byte of a good hello to a few values: any answer will do, but none may read outside. */
TEST(a_damaged_hello_is_never_believed_too_far)
{
    static const uint8_t values[] = { 0x00, 0x7F, 0xFF };
    struct client_hello hello;
    struct buffer wire;
    size_t needed;

    make_hello(&wire, "\x02h2\x08http/1.1", "localhost", 30, 60);
    for (size_t i = 0; i < wire.size; i++)
        for (size_t v = 0; v < COUNT_OF(values); v++) {
            const uint8_t kept = wire.data[i];
            wire.data[i] = values[v];
            needed = 0;
            const enum client_hello_state state =
                client_hello_read(buffer_bytes(&wire), scratch, &hello, &needed);
            EXPECT(state != HELLO_NOT_YET || (needed > wire.size && needed <= CLIENT_HELLO_CEILING_BYTES),
                   "byte %zu: needs %zu", i, needed);
            if (state == HELLO_WHOLE)
                client_hello_offers(&hello, "http/1.1");
            wire.data[i] = kept;
        }
    buffer_done(&wire);
}
