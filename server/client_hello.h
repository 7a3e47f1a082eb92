/* server/client_hello.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What the first bytes of a connection want, read without taking them: is it a TLS ClientHello, is it all
 * there, and which ALPN protocols and server name does it name? Only what decides where the connection goes
 * is read; whether the hello is any good is for the TLS library to say. Never waits; any thread.
 */
#ifndef GANTRY_SERVER_CLIENT_HELLO_H
#define GANTRY_SERVER_CLIENT_HELLO_H

#include "base/bytes.h"

/* A ClientHello with all its record heads may be this long. Post-quantum key shares and long session tickets
 * make 2 to 4 KiB; a whole record is 16 KiB. */
enum { CLIENT_HELLO_CEILING_BYTES = 32 * 1024 };

enum { VERSION_TLS_1_2 = 0x0303, VERSION_TLS_1_3 = 0x0304 };

enum client_hello_state {
    HELLO_WHOLE,      /* all there and understood */
    HELLO_MALFORMED,  /* all there, and no good */
    HELLO_NOT_YET,    /* more must come */
    HELLO_PLAIN_HTTP, /* a method in clear text */
    HELLO_NOT_TLS,    /* something else, or too long */
};

struct client_hello {
    unsigned newest;          /* of VERSION_TLS_1_2, VERSION_TLS_1_3 that it speaks; 0: older ones alone */
    struct bytes server_name; /* of SNI, empty: none */
    struct bytes protocols; /* the list of ALPN as in RFC 7301 3.1: length byte, name, ...; empty: no ALPN */
};

/* `peeked`: what has arrived so far. NOT_YET: *ret_needed is the size that must be there before it is worth
 * looking again (always more than there is, never above the ceiling). WHOLE: *ret points into `peeked` or
 * `scratch`. */
enum client_hello_state client_hello_read(struct bytes peeked, uint8_t scratch[CLIENT_HELLO_CEILING_BYTES],
                                          struct client_hello *ret, size_t *ret_needed);
/* Is this ALPN name among those offered? */
bool client_hello_offers(const struct client_hello *hello, const char *protocol);

#endif
