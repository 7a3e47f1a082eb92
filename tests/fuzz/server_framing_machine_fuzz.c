/* tests/fuzz/server_framing_machine_fuzz.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first byte says into pieces of which size the rest, a client's bytes, is cut. Cut or whole, the same
 * goes on; what went on goes on unchanged a second time; none of it is anything that two readers cut
 * differently.
 */
#include <stdlib.h>

#include "base/buffer.h"
#include "server/framing_machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct framing_limits limits = { .target_bytes = 300,
                                              .header_bytes = 1000,
                                              .header_fields = 20 };

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void feed(struct bytes input, size_t piece, struct framing_machine *machine, struct buffer *out)
{
    uint8_t *window = malloc(input.size + 1);
    size_t held = 0;

    for (size_t in = 0; in < input.size && machine->state != FRAMING_REFUSED;) {
        const size_t size = input.size - in < piece ? input.size - in : piece;
        size_t now_held = 0;
        memcpy(window + held, input.data + in, size);
        in += size;
        const size_t passed = framing_machine_run(machine, &limits, window, held + size, &now_held);
        must(passed + now_held <= held + size);
        must(machine->state == FRAMING_REFUSED || now_held <= 300 + 1000 + 8192 + piece);
        buffer_append(out, bytes_of(window, passed));
        memmove(window, window + passed, now_held);
        held = now_held;
    }
    free(window);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct framing_machine whole = { 0 }, cut = { 0 }, again = { 0 };
    struct buffer of_whole, of_cut, of_again;

    if (size < 2)
        return 0;
    const struct bytes input = bytes_of(data + 1, size - 1);
    buffer_init(&of_whole, size);
    buffer_init(&of_cut, size);
    buffer_init(&of_again, size);
    feed(input, input.size, &whole, &of_whole);
    feed(input, (size_t)data[0] + 1, &cut, &of_cut);
    must(bytes_equal(buffer_bytes(&of_whole), buffer_bytes(&of_cut)));
    must(whole.state == cut.state && whole.heads == cut.heads && whole.left == cut.left);
    must((whole.error.fault != FAULT_NONE) == (whole.state == FRAMING_REFUSED));
    feed(buffer_bytes(&of_whole), of_whole.size + 1, &again, &of_again);
    must(again.state != FRAMING_REFUSED && again.heads == whole.heads);
    must(bytes_equal(buffer_bytes(&of_whole), buffer_bytes(&of_again)));
    buffer_done(&of_whole);
    buffer_done(&of_cut);
    buffer_done(&of_again);
    return 0;
}
