/* tests/fuzz/server_client_hello_fuzz.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first bytes of a connection: read whole, and as they would arrive.
 */
#include <stdlib.h>

#include "server/client_hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t scratch[CLIENT_HELLO_CEILING_BYTES];
    enum client_hello_state state = HELLO_NOT_YET;
    struct client_hello hello = { 0 };
    size_t have = 0;

    if (size > CLIENT_HELLO_CEILING_BYTES)
        return 0;
    while (state == HELLO_NOT_YET) {
        size_t needed = 0;
        state = client_hello_read(bytes_of(data, have), scratch, &hello, &needed);
        if (state != HELLO_NOT_YET)
            break;
        if (needed <= have || needed > CLIENT_HELLO_CEILING_BYTES)
            abort(); /* the listener would turn in circles */
        if (needed > size)
            break;
        have = needed;
    }
    if (state == HELLO_WHOLE) {
        unsigned sum = client_hello_offers(&hello, "http/1.1");
        for (size_t i = 0; i < hello.server_name.size; i++)
            sum += hello.server_name.data[i];
        __asm__ volatile("" : : "r"(sum)); /* so that the reading is not left out */
    }
    return 0;
}
