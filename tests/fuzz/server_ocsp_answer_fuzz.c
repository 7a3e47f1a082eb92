/* tests/fuzz/server_ocsp_answer_fuzz.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * What a responder says, to which anyone on the way may add: nothing that our CA has not signed is believed.
 * The input is the response; the certificate is made here, so no input can be right.
 */
#include <stdlib.h>
#include <time.h>

#include "server/make_certificate.h"
#include "server/ocsp_staple.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "localhost" };
    static struct made_certificate ca, server;
    struct ocsp_answer answer;
    struct error err = { 0 };

    if (!ca.key) {
        const struct make_order ca_order = { .kind = MAKE_CA, .common_name = "CA", .days = 10 };
        const struct make_order order = { MAKE_SERVER, "localhost", names, 1, 10 };
        if (!make_certificate(&ca_order, NULL, &ca, &err) || !make_certificate(&order, &ca, &server, &err))
            abort();
    }
    if (ocsp_answer_check(bytes_of(data, size), server.certificate, ca.certificate, time(NULL), &answer,
                          &err) ||
        err.fault == FAULT_NONE)
        abort();
    return 0;
}
