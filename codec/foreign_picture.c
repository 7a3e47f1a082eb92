/* codec/foreign_picture.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See foreign_picture.h.
 */
#include "codec/foreign_picture.h"

#include "codec/decoder_process.h"
#include "codec/inside.h"

static const char UNREADABLE[] = "A part is no image/png or image/gif that can be read.";

static uint32_t be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint32_t le16(const uint8_t *at)
{
    return (uint32_t)(at[0] | at[1] << 8);
}

static bool set_shape(struct foreign_picture *picture, uint32_t rows, uint32_t columns, unsigned samples,
                      unsigned bits)
{
    picture->shape = (struct pixel_shape){
        .rows = rows,
        .columns = columns,
        .samples_per_pixel = (uint16_t)samples,
        .bits_allocated = (uint16_t)bits,
        .bits_stored = (uint16_t)bits,
        .photometric = samples == 1 ? MONOCHROME2 : RGB,
    };
    return rows > 0 && columns > 0 && rows <= UINT16_MAX && columns <= UINT16_MAX;
}

/* │ signature 8 │ length 4, "IHDR" │ columns 4 │ rows 4 │ depth │ colour │ ... (PNG 11.2.2) */
static bool read_png(struct bytes file, struct foreign_picture *picture)
{
    enum { GRAY = 0, COLOURS = 2, INDEXED = 3, GRAY_ALPHA = 4, COLOURS_ALPHA = 6, HEAD = 33 };

    if (file.size < HEAD || memcmp(file.data + 8, "\0\0\0\x0DIHDR", 8) != 0)
        return false;
    const unsigned depth = file.data[24], colour = file.data[25];
    const bool one_of_few = depth == 1 || depth == 2 || depth == 4;
    const bool possible = colour == GRAY      ? one_of_few || depth == 8 || depth == 16
                          : colour == INDEXED ? one_of_few || depth == 8
                          : colour == COLOURS || colour == GRAY_ALPHA || colour == COLOURS_ALPHA
                              ? depth == 8 || depth == 16
                              : false;
    picture->kind = FOREIGN_PNG;
    picture->frames = 1;
    return possible && set_shape(picture, be32(file.data + 20), be32(file.data + 16),
                                 colour == GRAY || colour == GRAY_ALPHA ? 1 : 3, depth == 16 ? 16 : 8);
}

/* ── GIF: a screen, then blocks until the trailer ── */

static size_t colour_table_bytes(uint8_t flags)
{
    return flags & 0x80 ? (size_t)3 << ((flags & 7) + 1) : 0;
}

/* Blocks of up to 255 bytes, the last one empty. */
static bool pass_blocks(struct bytes file, size_t *at)
{
    while (*at < file.size) {
        const size_t size = file.data[*at];
        *at += 1 + size;
        if (size == 0)
            return true;
    }
    return false;
}

/* What stands before an image may say how long it is shown, in hundredths of a second. */
static bool pass_extension(struct bytes file, size_t *at, uint32_t *show_ms)
{
    const size_t from = *at;

    if (file.size - from >= 8 && file.data[from + 1] == 0xF9 && file.data[from + 2] == 4)
        *show_ms = 10 * le16(file.data + from + 4);
    *at += 2;
    return pass_blocks(file, at);
}

static bool pass_image(struct bytes file, size_t *at)
{
    enum { DESCRIPTOR = 10 };

    if (file.size - *at < DESCRIPTOR)
        return false;
    *at += DESCRIPTOR + colour_table_bytes(file.data[*at + 9]) + 1; /* and the size of a code */
    return pass_blocks(file, at);
}

static bool read_gif(struct bytes file, struct foreign_picture *picture)
{
    enum { SCREEN = 13, IMAGE = 0x2C, EXTENSION = 0x21, TRAILER = 0x3B };
    uint32_t show_ms = 0;
    bool whole = true;

    picture->kind = FOREIGN_GIF;
    if (file.size < SCREEN || !set_shape(picture, le16(file.data + 8), le16(file.data + 6), 3, 8))
        return false;
    for (size_t at = SCREEN + colour_table_bytes(file.data[10]);
         whole && at < file.size && file.data[at] != TRAILER;) {
        if (file.data[at] == EXTENSION) {
            whole = pass_extension(file, &at, &show_ms);
            continue;
        }
        whole = file.data[at] == IMAGE && pass_image(file, &at) && picture->frames < FOREIGN_FRAMES_MOST;
        picture->show_ms = picture->frames == 0 || picture->show_ms == show_ms ? show_ms : 0;
        picture->frames += whole;
        show_ms = 0;
    }
    return whole && picture->frames > 0;
}

bool foreign_picture_read(struct bytes file, struct foreign_picture *ret, struct error *err)
{
    struct foreign_picture picture = { 0 };
    const bool is_png = file.size >= 8 && memcmp(file.data, "\x89PNG\r\n\x1A\n", 8) == 0;
    const bool is_gif =
        file.size >= 6 && (memcmp(file.data, "GIF87a", 6) == 0 || memcmp(file.data, "GIF89a", 6) == 0);

    if (!(is_png && read_png(file, &picture)) && !(is_gif && read_gif(file, &picture)))
        return error_tell(err, FAULT_NOT_DICOM, "%s", UNREADABLE);
    *ret = picture;
    return true;
}

/* ── decoding ── */

static bool decode_here(const struct foreign_picture *picture, struct bytes file, uint32_t first,
                        uint32_t count, struct block **ret, struct error *err)
{
    const uint64_t size = pixel_shape_frame_bytes(&picture->shape) * count;
    struct block *block = NULL;

    if (!block_take((size_t)size, &block, err))
        return false;
    const bool decoded = picture->kind == FOREIGN_PNG
                             ? foreign_png_decode(picture, file, block_room(block, NULL), err)
                             : foreign_gif_decode(picture, file, first, count, block_room(block, NULL), err);
    if (!decoded) {
        block_unref(block);
        return false;
    }
    block_seal(block, (size_t)size);
    *ret = block;
    return true;
}

bool foreign_picture_decode(const struct foreign_picture *picture, struct bytes file, uint32_t first,
                            uint32_t count, struct block **ret, struct error *err)
{
    const struct decoder_job job = {
        .shape = picture->shape, .picture = *picture, .first_frame = first, .frames = count
    };
    SCOPED(pixels) struct pixels made = { 0 };

    if (!decoder_processes_are_open())
        return decode_here(picture, file, first, count, ret, err);
    if (!decoder_process_run(&job, file, &made, err))
        return false;
    if (block_bytes(made.block).size != pixel_shape_frame_bytes(&picture->shape) * count)
        return decoding_failed(err, "%zu bytes came out of a picture", block_bytes(made.block).size);
    *ret = TAKE(made.block);
    return true;
}
