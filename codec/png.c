/* codec/png.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * PNG by libpng. A picture is looked at once, so it is compressed for speed: each row as the difference to
 * its left neighbour, zlib's level 2.
 */
#include "codec/picture_format.h"

#include <png.h>
#include <stdlib.h>

enum { DEFLATE_LEVEL = 2 };

struct png_writing {
    struct buffer *into;
    struct error *err;
    png_structp png;
    png_infop info;
};

static void take_bytes(png_structp png, png_bytep data, size_t size)
{
    buffer_append(((struct png_writing *)png_get_io_ptr(png))->into, bytes_of(data, size));
}

static void flush_nothing(png_structp png)
{
    (void)png;
}

static void fail(png_structp png, png_const_charp why)
{
    error_set(((struct png_writing *)png_get_error_ptr(png))->err, FAULT_INTERNAL, "libpng: %s", why);
    longjmp(png_jmpbuf(png), 1);
}

static void pass_over(png_structp png, png_const_charp why)
{
    (void)png;
    (void)why;
}

static void write_all(const struct png_writing *writing, const struct pixels *picture, struct bytes profile)
{
    const struct pixel_shape *shape = &picture->shape;
    const struct bytes pixels = block_bytes(picture->block);
    const size_t row = (size_t)shape->columns * shape->samples_per_pixel * (shape->bits_allocated / 8);

    png_set_write_fn(writing->png, (void *)(uintptr_t)writing, take_bytes, flush_nothing);
    png_set_IHDR(writing->png, writing->info, shape->columns, shape->rows, shape->bits_allocated,
                 shape->samples_per_pixel == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_compression_level(writing->png, DEFLATE_LEVEL);
    png_set_compression_buffer_size(writing->png, 65536);
    png_set_filter(writing->png, PNG_FILTER_TYPE_BASE, PNG_FILTER_SUB);
    if (profile.size > 0)
        png_set_iCCP(writing->png, writing->info, "profile", PNG_COMPRESSION_TYPE_BASE, profile.data,
                     (png_uint_32)profile.size);
    png_write_info(writing->png, writing->info);
    if (shape->bits_allocated == 16)
        png_set_swap(writing->png); /* PNG is big endian */
    for (uint32_t i = 0; i < shape->rows; i++)
        png_write_row(writing->png, pixels.data + i * row);
    png_write_end(writing->png, NULL);
}

bool png_write(const struct pixels *picture, const struct picture_wish *wish, struct buffer *into,
               struct error *err)
{
    struct png_writing writing = { .into = into, .err = err };

    writing.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &writing, fail, pass_over);
    writing.info = writing.png ? png_create_info_struct(writing.png) : NULL;
    if (!writing.info) {
        png_destroy_write_struct(&writing.png, NULL);
        return error_set(err, FAULT_BUSY, "no memory for libpng");
    }
    if (setjmp(png_jmpbuf(writing.png))) {
        png_destroy_write_struct(&writing.png, &writing.info);
        return false;
    }
    write_all(&writing, picture, wish->icc_profile);
    png_destroy_write_struct(&writing.png, &writing.info);
    return true;
}
