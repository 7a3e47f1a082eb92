/* server/client_hello.c
 * SPDX-License-Identifier: Apache-2.0
 *
 *   record │ 22 │ 3, x │ length │ fragment of handshake messages ...    (RFC 8446 5.1)   a hello may span
 * records hello  │  1 │ length (3 bytes) │ version │ random │ session │ suites │ compression │ extensions │
 */
#include "server/client_hello.h"

enum {
    RECORD_HEAD_BYTES = 5,
    RECORD_MOST_BYTES = 16384,
    RECORD_HANDSHAKE = 22,
    RECORDS_MOST = 16, /* else a hello of one-byte records makes us look again for every byte of it */
    MESSAGE_HEAD_BYTES = 4,
    MESSAGE_CLIENT_HELLO = 1,
    EXTENSION_SERVER_NAME = 0,
    EXTENSION_ALPN = 16,
    EXTENSION_SUPPORTED_VERSIONS = 43,
};

/* Cuts `size` bytes off the front. */
static bool take(struct bytes *rest, size_t size, struct bytes *ret)
{
    if (rest->size < size)
        return false;
    *ret = bytes_of(rest->data, size);
    *rest = bytes_from(*rest, size);
    return true;
}

/* Cuts off a vector: its length in `length_bytes` bytes, then so many bytes. */
static bool take_vector(struct bytes *rest, size_t length_bytes, struct bytes *ret)
{
    struct bytes head;
    size_t size = 0;

    if (!take(rest, length_bytes, &head))
        return false;
    for (size_t i = 0; i < head.size; i++)
        size = size << 8 | head.data[i];
    return take(rest, size, ret);
}

static bool read_server_name(struct bytes extension, struct bytes *ret)
{
    struct bytes list, kind, name;

    if (!take_vector(&extension, 2, &list) || !take(&list, 1, &kind) || !take_vector(&list, 2, &name))
        return false;
    if (kind.data[0] == 0) /* host_name, the only kind there is */
        *ret = name;
    return true;
}

static unsigned read_16(const uint8_t *data)
{
    return (unsigned)data[0] << 8 | data[1];
}

/* It replaces the version in the hello's head (RFC 8446 4.2.1). */
static bool read_versions(struct bytes extension, unsigned *ret_newest)
{
    struct bytes list, version;

    if (!take_vector(&extension, 1, &list))
        return false;
    *ret_newest = 0;
    while (take(&list, 2, &version)) {
        const unsigned number = read_16(version.data);
        if ((number == VERSION_TLS_1_2 || number == VERSION_TLS_1_3) && number > *ret_newest)
            *ret_newest = number;
    }
    return true;
}

static bool read_extensions(struct bytes extensions, struct client_hello *ret)
{
    while (extensions.size > 0) {
        struct bytes type, content;
        if (!take(&extensions, 2, &type) || !take_vector(&extensions, 2, &content))
            return false;
        const unsigned number = read_16(type.data);
        if (number == EXTENSION_SERVER_NAME && !read_server_name(content, &ret->server_name))
            return false;
        if (number == EXTENSION_ALPN && !take_vector(&content, 2, &ret->protocols))
            return false;
        if (number == EXTENSION_SUPPORTED_VERSIONS && !read_versions(content, &ret->newest))
            return false;
    }
    return true;
}

static bool read_hello(struct bytes body, struct client_hello *ret)
{
    struct bytes version, skipped, extensions;
    struct client_hello hello = { 0 };

    if (!take(&body, 2, &version) || !take(&body, 32, &skipped) || !take_vector(&body, 1, &skipped) ||
        !take_vector(&body, 2, &skipped) || !take_vector(&body, 1, &skipped))
        return false;
    hello.newest = read_16(version.data) >= VERSION_TLS_1_2 ? VERSION_TLS_1_2 : 0;
    if (body.size > 0 && (!take_vector(&body, 2, &extensions) || !read_extensions(extensions, &hello)))
        return false;
    *ret = hello;
    return true;
}

static enum client_hello_state needs(size_t size, size_t *ret_needed)
{
    if (size > CLIENT_HELLO_CEILING_BYTES)
        return HELLO_NOT_TLS;
    *ret_needed = size;
    return HELLO_NOT_YET;
}

/* No TLS record begins with a letter, every HTTP method does. */
static enum client_hello_state name_stranger(struct bytes peeked)
{
    size_t letters = 0;

    while (letters < peeked.size && peeked.data[letters] >= 'A' && peeked.data[letters] <= 'Z')
        letters++;
    return letters >= 3 || (letters > 0 && letters == peeked.size) ? HELLO_PLAIN_HTTP : HELLO_NOT_TLS;
}

/* The message is put together from the fragments of its records. */
enum client_hello_state client_hello_read(struct bytes peeked, uint8_t scratch[CLIENT_HELLO_CEILING_BYTES],
                                          struct client_hello *ret, size_t *ret_needed)
{
    struct bytes rest = peeked;
    size_t gathered = 0;

    for (unsigned record = 0; record < RECORDS_MOST; record++) {
        const size_t before = peeked.size - rest.size;
        if (rest.size > 0 && rest.data[0] != RECORD_HANDSHAKE)
            return before ? HELLO_MALFORMED : name_stranger(peeked);
        if (rest.size > 1 && rest.data[1] != 3)
            return before ? HELLO_MALFORMED : HELLO_NOT_TLS;
        if (rest.size < RECORD_HEAD_BYTES)
            return needs(before + RECORD_HEAD_BYTES, ret_needed);

        const size_t size = (size_t)rest.data[3] << 8 | rest.data[4];
        if (size == 0 || size > RECORD_MOST_BYTES)
            return HELLO_MALFORMED;
        const struct bytes behind_head = bytes_from(rest, RECORD_HEAD_BYTES);
        const size_t here = behind_head.size < size ? behind_head.size : size;
        if (gathered + here > CLIENT_HELLO_CEILING_BYTES)
            return HELLO_NOT_TLS;
        memcpy(scratch + gathered, behind_head.data, here);
        gathered += here;

        if (gathered > 0 && scratch[0] != MESSAGE_CLIENT_HELLO)
            return HELLO_MALFORMED;
        if (here < size)
            return needs(before + RECORD_HEAD_BYTES + size, ret_needed);
        if (gathered >= MESSAGE_HEAD_BYTES) {
            const size_t message = (size_t)scratch[1] << 16 | (size_t)scratch[2] << 8 | scratch[3];
            if (message > CLIENT_HELLO_CEILING_BYTES)
                return HELLO_NOT_TLS;
            if (gathered >= MESSAGE_HEAD_BYTES + message)
                return read_hello(bytes_of(scratch + MESSAGE_HEAD_BYTES, message), ret) ? HELLO_WHOLE
                                                                                        : HELLO_MALFORMED;
        }
        rest = bytes_from(rest, RECORD_HEAD_BYTES + size);
    }
    return HELLO_NOT_TLS;
}

bool client_hello_offers(const struct client_hello *hello, const char *protocol)
{
    struct bytes rest = hello->protocols, name;

    while (take_vector(&rest, 1, &name))
        if (bytes_equal_text(name, protocol))
            return true;
    return false;
}
