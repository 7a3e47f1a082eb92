/* http/multipart_writer.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The text around the parts of an answer; see multipart_writer.h. Spelled as the viewers' parsers want it:
 * they look for exactly "Content-Type:" and for transfer-syntax without quotes.
 */
#include "http/multipart_writer.h"

#include <assert.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/digest.h"
#include "http/body.h"

enum { BOUNDARY_BYTES = 16, HEAD_SHORTENED_OVER = 512, HEAD_CEILING = 900 };

static uint8_t secret[DIGEST_BYTES];
static pthread_once_t secret_once = PTHREAD_ONCE_INIT;

static void make_secret(void)
{
    const int outcome = gnutls_rnd(GNUTLS_RND_KEY, secret, sizeof secret);

    if (outcome < 0) {
        fprintf(stderr, "gantry: random bytes: %s\n", gnutls_strerror(outcome));
        abort();
    }
}

void multipart_boundary_secret(struct bytes given)
{
    assert(given.size > 0);
    pthread_once(&secret_once, make_secret); /* so that nobody makes another one later */
    digest_of(given, secret);
}

struct bytes multipart_boundary(struct arena *arena, struct bytes seed)
{
    uint8_t mac[DIGEST_BYTES];
    char *text = arena_alloc(arena, 2 * BOUNDARY_BYTES + 1);

    pthread_once(&secret_once, make_secret);
    const int outcome = gnutls_hmac_fast(GNUTLS_MAC_SHA256, secret, sizeof secret,
                                         seed.data ? seed.data : mac, seed.size, mac);
    if (outcome < 0) {
        fprintf(stderr, "gantry: HMAC: %s\n", gnutls_strerror(outcome));
        abort();
    }
    digest_hex(mac, BOUNDARY_BYTES, text);
    return bytes_of(text, 2 * BOUNDARY_BYTES);
}

const char *multipart_content_type(struct arena *arena, struct bytes boundary, const char *part_type,
                                   const char *transfer_syntax_or_null)
{
    return arena_printf(arena, "multipart/related; type=\"%s\"; boundary=%.*s%s%s", part_type,
                        BYTES_ARG(boundary), transfer_syntax_or_null ? "; transfer-syntax=" : "",
                        transfer_syntax_or_null ? transfer_syntax_or_null : "");
}

/* What stands behind scheme and host of an absolute URL. */
static const char *without_host(const char *location)
{
    const char *host = strstr(location, "://");
    const char *path = host ? strchr(host + 3, '/') : NULL;

    return path ? path : location;
}

struct bytes multipart_part_head(struct arena *arena, struct bytes boundary, bool first,
                                 const char *part_type, const char *transfer_syntax_or_null,
                                 const char *location_or_null, uint64_t size)
{
    const size_t fixed = 120 + boundary.size + strlen(part_type) +
                         (transfer_syntax_or_null ? strlen(transfer_syntax_or_null) : 0);
    const char *location = location_or_null;
    char length[48] = "";

    if (location && fixed + strlen(location) > HEAD_SHORTENED_OVER)
        location = without_host(location);
    if (location && fixed + strlen(location) > HEAD_CEILING)
        location = NULL;
    if (size != BODY_SIZE_UNKNOWN)
        snprintf(length, sizeof length, "Content-Length: %" PRIu64 "\r\n", size);
    return bytes_of_text(arena_printf(
        arena, "%s--%.*s\r\nContent-Type: %s%s%s\r\n%s%s%s%s\r\n", first ? "" : "\r\n", BYTES_ARG(boundary),
        part_type, transfer_syntax_or_null ? "; transfer-syntax=" : "",
        transfer_syntax_or_null ? transfer_syntax_or_null : "", location ? "Content-Location: " : "",
        location ? location : "", location ? "\r\n" : "", length));
}

struct bytes multipart_tail(struct arena *arena, struct bytes boundary)
{
    return bytes_of_text(arena_printf(arena, "\r\n--%.*s--\r\n", BYTES_ARG(boundary)));
}
