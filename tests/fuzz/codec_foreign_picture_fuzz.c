/* tests/fuzz/codec_foreign_picture_fuzz.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a PNG or a GIF: what they say of themselves, and, where that is small, all of their frames and
 * the last one alone, which must be the same.
 */
#include "codec/foreign_picture.h"

#include <stdlib.h>

enum { PIXELS_MOST = 1 << 20, FRAMES_MOST = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct foreign_picture picture;
    struct error err = { 0 };
    struct block *all = NULL, *last = NULL;

    if (!foreign_picture_read(bytes_of(data, size), &picture, &err))
        return 0;
    const uint64_t frame = pixel_shape_frame_bytes(&picture.shape);
    if (frame == 0 || picture.frames == 0)
        abort();
    if (frame * picture.frames > PIXELS_MOST || picture.frames > FRAMES_MOST)
        return 0;
    if (foreign_picture_decode(&picture, bytes_of(data, size), 0, picture.frames, &all, &err)) {
        if (!foreign_picture_decode(&picture, bytes_of(data, size), picture.frames - 1, 1, &last, &err) ||
            !bytes_equal(bytes_from(block_bytes(all), (size_t)(frame * (picture.frames - 1))),
                         block_bytes(last)))
            abort();
    }
    block_unref(all);
    block_unref(last);
    return 0;
}
