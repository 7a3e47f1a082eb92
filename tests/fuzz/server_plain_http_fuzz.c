/* tests/fuzz/server_plain_http_fuzz.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Port 80: a challenge never climbs out of its folder, a Location never has a second line nor another host
 * than the one that was asked for. The input is Host, a line feed, and the target.
 */
#include <stdlib.h>

#include "server/plain_http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes target = bytes_of(data, size), token;
    const struct bytes host = bytes_cut(&target, '\n');
    char location[4096];

    if (plain_http_challenge(target, &token) &&
        (token.size == 0 || memchr(token.data, '/', token.size) || memchr(token.data, '.', token.size)))
        abort();
    if (plain_http_location("", 8443, host, target, location, sizeof location)) {
        if (strncmp(location, "https://", 8) != 0 || strpbrk(location, "\r\n \t"))
            abort();
        /* What stands before the path is the host and our port. */
        const char *path = strchr(location + 8, '/');
        if (!path || memcmp(path, target.data, target.size) != 0 || memcmp(path - 5, ":8443", 5) != 0)
            abort();
    }
    if (plain_http_location("https://pacs.example.org/x", 443, host, target, location, sizeof location) &&
        strncmp(location, "https://pacs.example.org/", 25) != 0)
        abort();
    return 0;
}
