/* tests/fuzz/handlers_offer_fuzz.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as an Accept header and as a list of frames: what is chosen is what the client takes most gladly,
 * and no list has a frame that is none.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "handlers/frames_body.h"
#include "handlers/offer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_list(struct bytes text)
{
    struct arena arena = { 0 };
    struct frame_list list = { 0 };
    struct error err = { 0 };

    if (frame_list_parse(text, 1000, &arena, &list, &err)) {
        assert(list.count >= 1 && list.count <= 1000);
        for (size_t i = 0; i < list.count; i++)
            assert(list.frames[i] >= 1);
    } else {
        assert(err.fault == FAULT_MALFORMED || err.fault == FAULT_TOO_LARGE);
    }
    arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = { 0 };
    struct offers offers = { .count = 0 };
    struct accept accept = { 0 };
    struct choice choice = { 0 };
    struct error err = { 0 };

    if (size < 2)
        return 0;
    const bool one_item = data[1] & 1;
    const enum transfer_syntax syntax = (enum transfer_syntax)(data[0] % SYNTAX_COUNT);
    const struct pixel_shape shape = { .rows = 8,
                                       .columns = 8,
                                       .samples_per_pixel = data[1] & 2 ? 3 : 1,
                                       .bits_allocated = data[1] & 4 ? 16 : 8,
                                       .bits_stored = 8,
                                       .photometric = data[1] & 2 ? RGB : MONOCHROME2 };
    const struct bytes text = bytes_of(data + 2, size - 2);

    try_list(text);
    accept_parse(text, &arena, &accept);
    offers_of_instance(&offers, syntax, transfer_syntax_info(syntax)->uid, data[1] & 8 ? &shape : NULL);
    const bool chosen = offers_choose(&offers, &accept, one_item, &choice, &err);
    unsigned best = 0;
    for (size_t i = 0; i < offers.count; i++)
        for (int multipart = one_item ? 0 : 1; multipart < 2; multipart++) {
            const struct offer *offer = &offers.list[i];
            const unsigned quality = accept_quality_of(&accept, multipart, offer->media_type,
                                                       offer->transfer_syntax, offer->meant_by, NULL);
            best = quality > best ? quality : best;
        }
    assert(chosen == (best > 0));
    if (chosen)
        assert(accept_quality_of(&accept, choice.multipart, choice.offer->media_type,
                                 choice.offer->transfer_syntax, choice.offer->meant_by, NULL) == best &&
               (choice.multipart || one_item));
    else
        assert(err.fault == FAULT_NOT_ACCEPTABLE && err.told[0]);
    arena_release(&arena);
    return 0;
}
