/* codec/foreign_gif.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * GIF made native, by giflib, image by image: each is drawn on what the ones before it left, as a browser
 * shows it. Where nothing was drawn it is black.
 */
#include <gif_lib.h>
#include <stdlib.h>

#include "codec/foreign_picture.h"
#include "codec/inside.h"

struct gif_reading {
    struct bytes left;
    const struct pixel_shape *shape;
    GifFileType *gif;
    uint8_t *now, *before; /* the screen; and as it was before the image that wants it back */
    GifByteType *line;
    GraphicsControlBlock control; /* of the next image */
    GifImageDesc last;            /* the image drawn last, and what becomes of it */
    int last_disposal;
};

static int give_bytes(GifFileType *gif, GifByteType *into, int size)
{
    struct gif_reading *reading = gif->UserData;
    const size_t given = reading->left.size < (size_t)size ? reading->left.size : (size_t)size;

    if (given)
        memcpy(into, reading->left.data, given);
    reading->left = bytes_from(reading->left, given);
    return (int)given;
}

static bool failed(const struct gif_reading *reading, struct error *err)
{
    const char *why = GifErrorString(reading->gif ? reading->gif->Error : D_GIF_ERR_OPEN_FAILED);

    return decoding_failed(err, "giflib: %s", why ? why : "no reason told");
}

static size_t screen_bytes(const struct gif_reading *reading)
{
    return (size_t)pixel_shape_frame_bytes(reading->shape);
}

/* What the last image leaves for the next. */
static void dispose(struct gif_reading *reading)
{
    const GifImageDesc *last = &reading->last;
    const size_t columns = reading->shape->columns, rows = reading->shape->rows;

    if (reading->last_disposal == DISPOSE_PREVIOUS)
        memcpy(reading->now, reading->before, screen_bytes(reading));
    if (reading->last_disposal != DISPOSE_BACKGROUND || (size_t)last->Left >= columns)
        return;
    const size_t room = columns - (size_t)last->Left;
    const size_t width = (size_t)last->Width < room ? (size_t)last->Width : room;
    for (size_t y = 0; y < (size_t)last->Height && y + (size_t)last->Top < rows; y++)
        memset(reading->now + 3 * ((y + (size_t)last->Top) * columns + (size_t)last->Left), 0, 3 * width);
}

static void draw_line(struct gif_reading *reading, const ColorMapObject *colours, int y)
{
    const GifImageDesc *image = &reading->gif->Image;
    const uint32_t row = (uint32_t)(image->Top + y);

    if (row >= reading->shape->rows)
        return;
    for (int x = 0; x < image->Width && (uint32_t)(image->Left + x) < reading->shape->columns; x++) {
        uint8_t *pixel =
            reading->now + 3 * ((size_t)row * reading->shape->columns + (size_t)(image->Left + x));
        const int index = reading->line[x];

        if (index == reading->control.TransparentColor || index >= colours->ColorCount)
            continue;
        pixel[0] = colours->Colors[index].Red;
        pixel[1] = colours->Colors[index].Green;
        pixel[2] = colours->Colors[index].Blue;
    }
}

static bool draw_image(struct gif_reading *reading, struct error *err)
{
    static const int offsets[] = { 0, 4, 2, 1 }, jumps[] = { 8, 8, 4, 2 };
    GifFileType *gif = reading->gif;

    if (DGifGetImageDesc(gif) == GIF_ERROR)
        return failed(reading, err);
    const ColorMapObject *colours = gif->Image.ColorMap ? gif->Image.ColorMap : gif->SColorMap;
    if (!colours || gif->Image.Width <= 0 || gif->Image.Height <= 0 || gif->Image.Left < 0 ||
        gif->Image.Top < 0)
        return decoding_failed(err, "a GIF whose image has no colours, or no size");
    dispose(reading);
    reading->last = gif->Image;
    reading->last_disposal = reading->control.DisposalMode;
    if (reading->last_disposal == DISPOSE_PREVIOUS)
        memcpy(reading->before, reading->now, screen_bytes(reading));
    const int passes = gif->Image.Interlace ? 4 : 1;
    for (int pass = 0; pass < passes; pass++)
        for (int y = passes == 4 ? offsets[pass] : 0; y < gif->Image.Height;
             y += passes == 4 ? jumps[pass] : 1) {
            if (DGifGetLine(gif, reading->line, gif->Image.Width) == GIF_ERROR)
                return failed(reading, err);
            draw_line(reading, colours, y);
        }
    return true;
}

static bool read_extension(struct gif_reading *reading, struct error *err)
{
    GifByteType *block = NULL;
    int code;

    if (DGifGetExtension(reading->gif, &code, &block) == GIF_ERROR)
        return failed(reading, err);
    if (code == GRAPHICS_EXT_FUNC_CODE && block && block[0] >= 4)
        (void)DGifExtensionToGCB(block[0], block + 1, &reading->control);
    while (block)
        if (DGifGetExtensionNext(reading->gif, &block) == GIF_ERROR)
            return failed(reading, err);
    return true;
}

/* Up to the next image, and that. */
static bool next_frame(struct gif_reading *reading, struct error *err)
{
    static const GraphicsControlBlock nothing_said = { .TransparentColor = NO_TRANSPARENT_COLOR };
    GifRecordType type;

    reading->control = nothing_said;
    for (;;) {
        if (DGifGetRecordType(reading->gif, &type) == GIF_ERROR)
            return failed(reading, err);
        if (type == IMAGE_DESC_RECORD_TYPE)
            return draw_image(reading, err);
        if (type != EXTENSION_RECORD_TYPE)
            return decoding_failed(err, "a GIF that ends before its last image");
        if (!read_extension(reading, err))
            return false;
    }
}

bool foreign_gif_decode(const struct foreign_picture *picture, struct bytes file, uint32_t first,
                        uint32_t count, uint8_t *into, struct error *err)
{
    struct gif_reading reading = { .left = file, .shape = &picture->shape };
    const size_t size = screen_bytes(&reading);
    int code = 0;

    reading.now = calloc(1, size);
    reading.before = calloc(1, size);
    reading.line = malloc(UINT16_MAX + 1);
    reading.gif =
        reading.now && reading.before && reading.line ? DGifOpen(&reading, give_bytes, &code) : NULL;
    bool ok = reading.now && reading.before && reading.line
                  ? reading.gif || failed(&reading, err)
                  : error_set(err, FAULT_BUSY, "no memory for a GIF's screen");
    if (ok && (reading.gif->SWidth != (int)picture->shape.columns ||
               reading.gif->SHeight != (int)picture->shape.rows))
        ok = decoding_failed(err, "a GIF of another size than its header says");
    for (uint32_t i = 0; ok && i < first + count; i++) {
        ok = next_frame(&reading, err);
        if (ok && i >= first)
            memcpy(into + (i - first) * size, reading.now, size);
    }
    if (reading.gif)
        (void)DGifCloseFile(reading.gif, &code);
    free(reading.now);
    free(reading.before);
    free(reading.line);
    return ok;
}
