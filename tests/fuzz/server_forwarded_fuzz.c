/* tests/fuzz/server_forwarded_fuzz.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first line is a list of proxies, the next ones are Forwarded, X-Forwarded-For, -Host, -Proto, -Prefix.
 */
#include <stdlib.h>
#include <string.h>

#include "server/forwarded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "forwarded", "x-forwarded-for", "x-forwarded-host",
                                         "x-forwarded-proto", "x-forwarded-prefix" };
    struct arena arena = { 0 };
    struct request request = { .arena = &arena };
    struct bytes rest = bytes_of(data, size);
    struct proxies *proxies = NULL;
    struct error err = { 0 };

    if (!proxies_parse(arena_text(&arena, bytes_cut(&rest, '\n')), &proxies, &err) &&
        !proxies_parse("10.0.0.0/8", &proxies, &err))
        abort();
    fields_add(&request.headers, &arena, bytes_of_text("host"), bytes_of_text("inner"));
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const struct bytes line = bytes_cut(&rest, '\n');
        if (line.size > 0)
            fields_add(&request.headers, &arena, bytes_of_text(names[i]), line);
    }
    const char *base = forwarded_base(proxies, &request);
    /* It goes into JSON, XML and headers as it is. */
    if (base && (strncmp(base, "http", 4) != 0 || strpbrk(base, "\"'<>\\ \r\n\t&?#@") ||
                 strlen(base) > 8 + 261 + 256))
        abort();
    proxies_free(proxies);
    arena_release(&arena);
    return 0;
}
