/* codec/foreign_picture.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pictures that a client sends instead of pixel data (PS3.18 Table 10.5.2-1): PNG and GIF, made native. What
 * a file says of itself is read here, by our own eyes and within bounds; the libraries see it in a decoder
 * process.
 *
 *   PNG   gray of 1 to 8 bits ─► 8 bits     gray of 16 ─► 16     colours of 8, 16; indexed ─► RGB     alpha
 * goes GIF   each image as it is seen, on what those before it left ─► RGB of 8 bits
 */
#ifndef GANTRY_CODEC_FOREIGN_PICTURE_H
#define GANTRY_CODEC_FOREIGN_PICTURE_H

#include "base/attributes.h"
#include "base/block.h"
#include "base/bytes.h"
#include "base/error.h"
#include "dicom/pixel_shape.h"

enum foreign_kind { FOREIGN_NONE, FOREIGN_PNG, FOREIGN_GIF };
enum { FOREIGN_FRAMES_MOST = 100000 };

struct foreign_picture {
    enum foreign_kind kind;
    struct pixel_shape shape; /* of a frame, made native */
    uint32_t frames;
    uint32_t show_ms; /* of each frame; 0: not said, or not the same for all */
};

/* NOT_DICOM, told: neither of the two, or broken. Any thread, never waits. */
MUST_USE bool foreign_picture_read(struct bytes file, struct foreign_picture *ret, struct error *err);
/* The frames from `first` (counted from 0) on, `count` of them, one behind the other as codec.h says.
 * `picture` as foreign_picture_read said of this file, and frames that are in it; what they may take is the
 * caller's to weigh before. Frames of a GIF cost those before them. CORRUPT_PIXELS; BUSY. Any thread; takes
 * its time. */
MUST_USE bool foreign_picture_decode(const struct foreign_picture *picture, struct bytes file, uint32_t first,
                                     uint32_t count, struct block **ret, struct error *err);

/* codec/foreign_png.c, foreign_gif.c: into room for those frames. */
MUST_USE bool foreign_png_decode(const struct foreign_picture *picture, struct bytes file, uint8_t *into,
                                 struct error *err);
MUST_USE bool foreign_gif_decode(const struct foreign_picture *picture, struct bytes file, uint32_t first,
                                 uint32_t count, uint8_t *into, struct error *err);

#endif
