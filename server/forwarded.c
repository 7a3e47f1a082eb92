/* server/forwarded.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * What gateways in front say; see forwarded.h.
 *
 *   client ──► A ──► B ──► us      Forwarded: for=client;host=pacs.example;proto=https, for=A;host=inner
 *                                             └ A's element ─────────────────────────┘  └ B's ─────────┘
 *
 * B is the other end of our connection. Its element is the last; the one before counts if "for" there names a
 * proxy of ours, and so on. Whatever stands further left the client may have written itself.
 */
#include "server/forwarded.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "server/framing.h"

enum { PROXIES_MOST = 256, HOPS_MOST = 32, ADDRESS_BYTES = 16, PREFIX_MOST = 256 };

/* IPv6; IPv4 mapped into it. */
struct network {
    uint8_t address[ADDRESS_BYTES];
    unsigned bits;
};
struct proxies {
    size_t count;
    struct network list[];
};

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF };

/* ── addresses ── */

/* *ret_less: bits of an IPv6 address that stand in front of this one. */
static bool read_address(struct bytes text, uint8_t ret[ADDRESS_BYTES], unsigned *ret_less)
{
    char room[INET6_ADDRSTRLEN];

    if (text.size == 0 || text.size >= sizeof room)
        return false;
    memcpy(room, text.data, text.size);
    room[text.size] = '\0';
    *ret_less = 0;
    if (inet_pton(AF_INET6, room, ret) == 1)
        return true;
    memcpy(ret, mapped, sizeof mapped);
    *ret_less = 8 * sizeof mapped;
    return inet_pton(AF_INET, room, ret + sizeof mapped) == 1;
}

static bool read_network(struct bytes text, struct network *ret)
{
    const struct bytes address = bytes_cut(&text, '/');
    uint64_t bits = 0;
    unsigned less;

    if (!read_address(address, ret->address, &less))
        return false;
    ret->bits = 8 * ADDRESS_BYTES;
    if (!text.data)
        return true;
    if (!number_parse(text, 0, 8 * ADDRESS_BYTES - less, &bits))
        return false;
    ret->bits = (unsigned)bits + less;
    return true;
}

bool proxies_parse(const char *text, struct proxies **ret, struct error *err)
{
    struct proxies *proxies = calloc(1, sizeof *proxies + PROXIES_MOST * sizeof *proxies->list);

    if (!proxies)
        return error_set(err, FAULT_BUSY, "no memory for trusted_proxies");
    while (*text) {
        text += strspn(text, ", \t");
        const size_t size = strcspn(text, ", \t");
        if (size == 0)
            break;
        if (proxies->count == PROXIES_MOST ||
            !read_network(bytes_of(text, size), &proxies->list[proxies->count++])) {
            free(proxies);
            return error_set(err, FAULT_MALFORMED, "trusted_proxies: \"%.*s\" is no address or network",
                             size > 60 ? 60 : (int)size, text);
        }
        text += size;
    }
    /* Kept for each reload (dispatcher.c): so no larger than needed. */
    struct proxies *fitted = realloc(proxies, sizeof *proxies + proxies->count * sizeof *proxies->list);
    *ret = fitted ? fitted : proxies;
    return true;
}

void proxies_free(struct proxies *proxies)
{
    free(proxies);
}

bool proxies_are_none(const struct proxies *proxies)
{
    return !proxies || proxies->count == 0;
}

static bool is_in(const struct network *network, const uint8_t address[ADDRESS_BYTES])
{
    const unsigned whole = network->bits / 8, rest = network->bits % 8;

    if (memcmp(network->address, address, whole) != 0)
        return false;
    return rest == 0 || ((network->address[whole] ^ address[whole]) >> (8 - rest)) == 0;
}

static bool have(const struct proxies *proxies, const uint8_t address[ADDRESS_BYTES])
{
    for (size_t i = 0; i < proxies->count; i++)
        if (is_in(&proxies->list[i], address))
            return true;
    return false;
}

bool proxies_have(const struct proxies *proxies, const struct sockaddr *address)
{
    uint8_t key[ADDRESS_BYTES];

    if (proxies_are_none(proxies))
        return false;
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 six;
        memcpy(&six, address, sizeof six);
        memcpy(key, &six.sin6_addr, sizeof key);
    } else if (address->sa_family == AF_INET) {
        struct sockaddr_in four;
        memcpy(&four, address, sizeof four);
        memcpy(key, mapped, sizeof mapped);
        memcpy(key + sizeof mapped, &four.sin_addr, 4);
    } else {
        return false;
    }
    return have(proxies, key);
}

/* An address as the fields write it: 10.0.0.1, 10.0.0.1:80, [fd00::1], [fd00::1]:80, fd00::1. */
static bool names_proxy(const struct proxies *proxies, struct bytes text)
{
    uint8_t key[ADDRESS_BYTES];
    unsigned less;

    if (text.size > 0 && text.data[0] == '[') {
        struct bytes rest = bytes_from(text, 1);
        text = bytes_cut(&rest, ']');
    } else {
        struct bytes rest = text;
        const struct bytes first = bytes_cut(&rest, ':');
        if (rest.data && !memchr(rest.data, ':', rest.size))
            text = first;
    }
    return read_address(text, key, &less) && have(proxies, key);
}

/* ── the fields ── */

struct hop {
    struct bytes of, host, proto; /* data NULL: not said */
};

/* Cuts at the first `separator` outside quotes. */
static struct bytes cut_unquoted(struct bytes *rest, uint8_t separator)
{
    bool quoted = false;

    for (size_t at = 0; at < rest->size; at++) {
        const uint8_t c = rest->data[at];
        if (quoted && c == '\\')
            at++;
        else if (c == '"')
            quoted = !quoted;
        else if (c == separator && !quoted) {
            const struct bytes head = bytes_of(rest->data, at);
            *rest = bytes_from(*rest, at + 1);
            return head;
        }
    }
    const struct bytes all = *rest;
    *rest = bytes_of(NULL, 0);
    return all;
}

/* Without its quotes; a value with an escape in it is none that is wanted here. */
static struct bytes unquote(struct bytes value)
{
    if (value.size < 2 || value.data[0] != '"' || value.data[value.size - 1] != '"')
        return value;
    return bytes_of(value.data + 1, value.size - 2);
}

/* for=10.0.0.1;host=pacs.example;proto=https */
static struct hop read_element(struct bytes element)
{
    struct hop hop = { 0 };

    while (element.size > 0) {
        struct bytes value = cut_unquoted(&element, ';');
        const struct bytes name = bytes_trim(bytes_cut(&value, '='));
        value = unquote(bytes_trim(value));
        if (bytes_equal_nocase(name, bytes_of_text("for")))
            hop.of = value;
        else if (bytes_equal_nocase(name, bytes_of_text("host")))
            hop.host = value;
        else if (bytes_equal_nocase(name, bytes_of_text("proto")))
            hop.proto = value;
    }
    return hop;
}

/* The element of the outermost proxy that is ours; false: there is none. */
static bool find_hop(const struct proxies *proxies, struct bytes header, struct hop *ret)
{
    struct hop hops[HOPS_MOST];
    size_t count = 0;

    while (header.size > 0) {
        const struct bytes element = bytes_trim(cut_unquoted(&header, ','));
        if (element.size == 0)
            continue;
        if (count == HOPS_MOST) /* the last ones are those that count */
            memmove(hops, hops + 1, --count * sizeof *hops);
        hops[count++] = read_element(element);
    }
    if (count == 0)
        return false;
    size_t at = count - 1;
    while (at > 0 && names_proxy(proxies, hops[at].of))
        at--;
    *ret = hops[at];
    return true;
}

/* Of a list with an entry for each hop, the one that lies `back` from its end; the first if there are fewer.
 */
static struct bytes entry_from_end(struct bytes list, size_t back)
{
    struct bytes entry = { 0 };
    size_t count = 0;

    for (struct bytes rest = list; rest.size > 0; count++)
        (void)bytes_cut(&rest, ',');
    for (struct bytes rest = list; rest.size > 0; count--) {
        entry = bytes_trim(bytes_cut(&rest, ','));
        if (count <= back + 1)
            break;
    }
    return entry;
}

/* How many proxies of ours X-Forwarded-For names at its end. */
static size_t count_proxies(const struct proxies *proxies, struct bytes list)
{
    size_t back = 0;

    while (back < HOPS_MOST && list.size > 0 && names_proxy(proxies, entry_from_end(list, back)))
        back++;
    return back;
}

static struct hop read_x_forwarded(const struct proxies *proxies, const struct request *request)
{
    const size_t back = count_proxies(proxies, request_header(request, "x-forwarded-for"));

    return (struct hop){
        .host = entry_from_end(request_header(request, "x-forwarded-host"), back),
        .proto = entry_from_end(request_header(request, "x-forwarded-proto"), back),
    };
}

/* "/pacs": what a gateway takes away in front; "" for anything else. */
static struct bytes read_prefix(const struct request *request)
{
    struct bytes prefix = bytes_trim(request_header(request, "x-forwarded-prefix"));

    while (prefix.size > 0 && prefix.data[prefix.size - 1] == '/')
        prefix.size--;
    if (prefix.size == 0 || prefix.size > PREFIX_MOST || prefix.data[0] != '/')
        return bytes_of_text("");
    for (size_t i = 0; i < prefix.size; i++) {
        const uint8_t c = prefix.data[i];
        const bool plain =
            (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c && strchr("-._~/", c));
        if (!plain || (c == '/' && i > 0 && prefix.data[i - 1] == '/'))
            return bytes_of_text("");
    }
    return prefix;
}

const char *forwarded_base(const struct proxies *proxies, const struct request *request)
{
    struct hop hop;

    if (!find_hop(proxies, request_header(request, "forwarded"), &hop))
        hop = read_x_forwarded(proxies, request);
    const bool http = bytes_equal_nocase(hop.proto, bytes_of_text("http"));
    if (hop.proto.size > 0 && !http && !bytes_equal_nocase(hop.proto, bytes_of_text("https")))
        return NULL;
    const struct bytes host = hop.host.size > 0 ? hop.host : bytes_trim(request_header(request, "host"));
    if (!framing_host_is_valid(host))
        return NULL;
    return arena_printf(request->arena, "%s://%.*s%.*s", http ? "http" : "https", BYTES_ARG(host),
                        BYTES_ARG(read_prefix(request)));
}
