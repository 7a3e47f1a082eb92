/* codec/foreign_png.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * PNG made native, by libpng. No gamma, no colour profile: the samples are what they are. Transparency is
 * left out.
 */
#include <png.h>
#include <stdlib.h>

#include "codec/foreign_picture.h"
#include "codec/inside.h"

enum { CHUNK_MOST_BYTES = 8 << 20, CHUNKS_MOST = 1000 };

struct png_reading {
    struct bytes left;
    struct error *err;
    png_structp png;
    png_infop info;
    png_bytep *rows;
};

static void give_bytes(png_structp png, png_bytep into, size_t size)
{
    struct png_reading *reading = png_get_io_ptr(png);

    if (size > reading->left.size)
        png_error(png, "cut off");
    memcpy(into, reading->left.data, size);
    reading->left = bytes_from(reading->left, size);
}

static void fail(png_structp png, png_const_charp why)
{
    decoding_failed(((struct png_reading *)png_get_error_ptr(png))->err, "libpng: %s", why);
    longjmp(png_jmpbuf(png), 1);
}

static void pass_over(png_structp png, png_const_charp why)
{
    (void)png;
    (void)why;
}

static void read_all(struct png_reading *reading, const struct pixel_shape *shape, uint8_t *into)
{
    const size_t row = (size_t)shape->columns * shape->samples_per_pixel * (shape->bits_allocated / 8);
    png_structp png = reading->png;

    png_set_read_fn(png, reading, give_bytes);
    png_set_user_limits(png, UINT16_MAX, UINT16_MAX);
    png_set_chunk_malloc_max(png, CHUNK_MOST_BYTES);
    png_set_chunk_cache_max(png, CHUNKS_MOST);
    png_read_info(png, reading->info);
    if (png_get_image_height(png, reading->info) != shape->rows ||
        png_get_image_width(png, reading->info) != shape->columns)
        png_error(png, "another size than its header");
    png_set_palette_to_rgb(png);
    png_set_expand_gray_1_2_4_to_8(png);
    png_set_strip_alpha(png);
    png_set_swap(png); /* PNG is big endian */
    (void)png_set_interlace_handling(png);
    png_read_update_info(png, reading->info);
    if (png_get_rowbytes(png, reading->info) != row)
        png_error(png, "other samples than its header says");
    reading->rows = malloc(shape->rows * sizeof *reading->rows);
    if (!reading->rows)
        png_error(png, "no memory for rows");
    for (uint32_t i = 0; i < shape->rows; i++)
        reading->rows[i] = into + i * row;
    png_read_image(png, reading->rows);
    png_read_end(png, NULL);
}

bool foreign_png_decode(const struct foreign_picture *picture, struct bytes file, uint8_t *into,
                        struct error *err)
{
    struct png_reading reading = { .left = file, .err = err };
    volatile bool ok = false; /* set beyond setjmp */

    reading.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reading, fail, pass_over);
    reading.info = reading.png ? png_create_info_struct(reading.png) : NULL;
    if (!reading.info) {
        png_destroy_read_struct(&reading.png, NULL, NULL);
        return error_set(err, FAULT_BUSY, "no memory for libpng");
    }
    if (!setjmp(png_jmpbuf(reading.png))) {
        read_all(&reading, &picture->shape, into);
        ok = true;
    }
    png_destroy_read_struct(&reading.png, &reading.info, NULL);
    free(reading.rows);
    return ok;
}
