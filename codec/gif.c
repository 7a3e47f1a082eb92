/* codec/gif.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * GIF by giflib: 256 grays as they are; colours by a table of their own for each frame, chosen by median cut
 * (boxes of colours are halved until there are 256 of them) over the colours' highest five bits.
 */
#include "codec/picture_format.h"

#include <gif_lib.h>
#include <stdlib.h>

enum {
    COLOURS = 256,
    CELL_BITS = 5,
    CELLS = 1 << (3 * CELL_BITS),
    SIDE_MOST = 65535,
    GIF_CEILING_BYTES = 1 << 30
};

struct gif_animation {
    GifFileType *gif;
    struct buffer written;
    uint32_t rows, columns;
    unsigned frames;
};

static int take_bytes(GifFileType *gif, const GifByteType *data, int size)
{
    buffer_append(gif->UserData, bytes_of(data, (size_t)size));
    return size;
}

static bool failed(struct gif_animation *animation, int code, struct error *err)
{
    const char *why = GifErrorString(animation && animation->gif ? animation->gif->Error : code);

    return error_set(err, FAULT_INTERNAL, "giflib: %s", why ? why : "no reason told");
}

bool gif_animation_new(uint32_t rows, uint32_t columns, struct gif_animation **ret, struct error *err)
{
    SCOPED(gif_animation) struct gif_animation *animation = calloc(1, sizeof(*animation));
    int code = 0;

    if (!animation)
        return error_set(err, FAULT_BUSY, "no memory for a GIF");
    buffer_init(&animation->written, GIF_CEILING_BYTES);
    if (rows > SIDE_MOST || columns > SIDE_MOST)
        return error_tell(err, FAULT_NOT_ACCEPTABLE, "image/gif has at most %d pixels a side.", SIDE_MOST);
    animation->rows = rows;
    animation->columns = columns;
    animation->gif = EGifOpen(&animation->written, take_bytes, &code);
    if (!animation->gif)
        return failed(animation, code, err);
    EGifSetGifVersion(animation->gif, true);
    if (EGifPutScreenDesc(animation->gif, (int)columns, (int)rows, 8, 0, NULL) == GIF_ERROR)
        return failed(animation, 0, err);
    *ret = TAKE(animation);
    return true;
}

void gif_animation_free(struct gif_animation *animation)
{
    int code;

    if (!animation)
        return;
    if (animation->gif)
        EGifCloseFile(animation->gif, &code);
    buffer_done(&animation->written);
    free(animation);
}

void gif_animation_drop(struct gif_animation **animation)
{
    gif_animation_free(*animation);
}

/* ── colours ── */

/* A cell of the colour cube: how many pixels, and the sum of their colours. */
struct cell {
    uint32_t count, index;
    uint64_t red, green, blue;
};

struct box {
    uint32_t first, end; /* of the cells that are used */
    uint64_t count;
};

static uint32_t cell_of(const uint8_t *pixel)
{
    return (uint32_t)(pixel[0] >> 3) << 10 | (uint32_t)(pixel[1] >> 3) << 5 | (uint32_t)(pixel[2] >> 3);
}

static unsigned side(uint32_t index, unsigned axis)
{
    return index >> (CELL_BITS * (2 - axis)) & 31;
}

static int by_red(const void *a, const void *b)
{
    return (int)side(((const struct cell *)a)->index, 0) - (int)side(((const struct cell *)b)->index, 0);
}
static int by_green(const void *a, const void *b)
{
    return (int)side(((const struct cell *)a)->index, 1) - (int)side(((const struct cell *)b)->index, 1);
}
static int by_blue(const void *a, const void *b)
{
    return (int)side(((const struct cell *)a)->index, 2) - (int)side(((const struct cell *)b)->index, 2);
}

static unsigned longest_axis(const struct cell *cells, const struct box *box, unsigned *ret_length)
{
    unsigned best = 0;

    *ret_length = 0;
    for (unsigned axis = 0; axis < 3; axis++) {
        unsigned least = 31, most = 0;
        for (uint32_t i = box->first; i < box->end; i++) {
            const unsigned at = side(cells[i].index, axis);
            least = at < least ? at : least;
            most = at > most ? at : most;
        }
        if (most - least > *ret_length) {
            *ret_length = most - least;
            best = axis;
        }
    }
    return best;
}

/* In two along its longest side, at the middle pixel. */
static bool split(struct cell *cells, struct box *box, struct box *ret)
{
    static int (*const orders[])(const void *, const void *) = { by_red, by_green, by_blue };
    unsigned length;
    const unsigned axis = longest_axis(cells, box, &length);
    uint64_t seen = 0;
    uint32_t at = box->first;

    if (length == 0)
        return false;
    qsort(cells + box->first, box->end - box->first, sizeof(*cells), orders[axis]);
    while (at < box->end - 1 && (seen += cells[at].count) < box->count / 2)
        at++;
    at = at == box->first ? at + 1 : at;
    *ret = (struct box){ at, box->end, 0 };
    for (uint32_t i = at; i < box->end; i++)
        ret->count += cells[i].count;
    box->end = at;
    box->count -= ret->count;
    return true;
}

static unsigned cut_boxes(struct cell *cells, uint32_t used, uint64_t pixels, struct box boxes[COLOURS])
{
    unsigned count = 1;
    bool whole[COLOURS] = { false }; /* cannot be split */

    boxes[0] = (struct box){ 0, used, pixels };
    while (count < COLOURS) {
        unsigned best = COLOURS;
        for (unsigned i = 0; i < count; i++)
            if (!whole[i] && boxes[i].end - boxes[i].first > 1 &&
                (best == COLOURS || boxes[i].count > boxes[best].count))
                best = i;
        if (best == COLOURS)
            break;
        if (split(cells, &boxes[best], &boxes[count]))
            count++;
        else
            whole[best] = true;
    }
    return count;
}

static uint8_t mean(uint64_t sum, uint64_t count)
{
    return count ? (uint8_t)((sum + count / 2) / count) : 0;
}

static GifColorType colour_of(const struct cell *cells, const struct box *box)
{
    uint64_t red = 0, green = 0, blue = 0;

    for (uint32_t i = box->first; i < box->end; i++) {
        red += cells[i].red;
        green += cells[i].green;
        blue += cells[i].blue;
    }
    return (GifColorType){ mean(red, box->count), mean(green, box->count), mean(blue, box->count) };
}

/* The table, and for each cell of the cube its entry there. */
static bool choose_colours(struct bytes pixels, GifColorType table[COLOURS], uint8_t *entry_of,
                           struct error *err)
{
    struct cell *cells = calloc(CELLS, sizeof(*cells));
    struct box boxes[COLOURS];
    uint32_t used = 0;

    if (!cells)
        return error_set(err, FAULT_BUSY, "no memory for a table of colours");
    for (size_t i = 0; i + 3 <= pixels.size; i += 3) {
        struct cell *cell = &cells[cell_of(pixels.data + i)];
        cell->count++;
        cell->red += pixels.data[i];
        cell->green += pixels.data[i + 1];
        cell->blue += pixels.data[i + 2];
    }
    for (uint32_t i = 0; i < CELLS; i++)
        if (cells[i].count > 0) {
            cells[used] = cells[i];
            cells[used++].index = i;
        }
    const unsigned count = cut_boxes(cells, used, pixels.size / 3, boxes);
    for (unsigned n = 0; n < count; n++) {
        table[n] = colour_of(cells, &boxes[n]);
        for (uint32_t i = boxes[n].first; i < boxes[n].end; i++)
            entry_of[cells[i].index] = (uint8_t)n;
    }
    free(cells);
    return true;
}

/* ── frames ── */

static bool put_extensions(struct gif_animation *animation, double show_ms)
{
    static const uint8_t netscape[] = { 1, 0, 0 }; /* repeat for ever */
    const double hundredths = show_ms / 10 + 0.5;
    GraphicsControlBlock control = { .DisposalMode = DISPOSE_DO_NOT,
                                     .TransparentColor = NO_TRANSPARENT_COLOR };
    GifByteType packed[4];

    if (animation->frames == 1 &&
        (EGifPutExtensionLeader(animation->gif, APPLICATION_EXT_FUNC_CODE) == GIF_ERROR ||
         EGifPutExtensionBlock(animation->gif, 11, "NETSCAPE2.0") == GIF_ERROR ||
         EGifPutExtensionBlock(animation->gif, sizeof(netscape), netscape) == GIF_ERROR ||
         EGifPutExtensionTrailer(animation->gif) == GIF_ERROR))
        return false;
    control.DelayTime = hundredths > 65535 ? 65535 : hundredths < 2 ? 2 : (int)hundredths;
    EGifGCBToExtension(&control, packed);
    return EGifPutExtension(animation->gif, GRAPHICS_EXT_FUNC_CODE, sizeof(packed), packed) != GIF_ERROR;
}

static bool put_rows(struct gif_animation *animation, const struct pixels *picture, const uint8_t *entry_of)
{
    const uint8_t *pixels = block_bytes(picture->block).data;
    uint8_t *row = malloc(animation->columns);
    bool done = row != NULL;

    for (uint32_t n = 0; done && n < animation->rows; n++) {
        const uint8_t *from = pixels + (size_t)n * animation->columns * picture->shape.samples_per_pixel;
        for (uint32_t i = 0; i < animation->columns; i++)
            row[i] = entry_of ? entry_of[cell_of(from + 3 * (size_t)i)] : from[i];
        done = EGifPutLine(animation->gif, row, (int)animation->columns) != GIF_ERROR;
    }
    free(row);
    return done;
}

static bool put_frame(struct gif_animation *animation, const struct pixels *picture, GifColorType *table,
                      const uint8_t *entry_of, double show_ms, struct error *err)
{
    ColorMapObject *map = GifMakeMapObject(COLOURS, table);

    animation->frames++;
    const bool done = map && (show_ms <= 0 || put_extensions(animation, show_ms)) &&
                      EGifPutImageDesc(animation->gif, 0, 0, (int)animation->columns, (int)animation->rows,
                                       false, map) != GIF_ERROR &&
                      put_rows(animation, picture, entry_of);
    GifFreeMapObject(map);
    return done ? buffer_check(&animation->written, "a GIF", err) : failed(animation, 0, err);
}

bool gif_animation_add(struct gif_animation *animation, const struct pixels *picture, double show_ms,
                       struct error *err)
{
    GifColorType table[COLOURS] = { { 0, 0, 0 } };
    uint8_t *entry_of;

    if (picture->shape.rows != animation->rows || picture->shape.columns != animation->columns)
        return error_set(err, FAULT_INTERNAL, "frames of a GIF differ in size");
    if (picture->shape.samples_per_pixel == 1) {
        for (unsigned i = 0; i < COLOURS; i++)
            table[i] = (GifColorType){ (GifByteType)i, (GifByteType)i, (GifByteType)i };
        return put_frame(animation, picture, table, NULL, show_ms, err);
    }
    entry_of = calloc(CELLS, 1);
    const bool done = entry_of ? choose_colours(block_bytes(picture->block), table, entry_of, err) &&
                                     put_frame(animation, picture, table, entry_of, show_ms, err)
                               : error_set(err, FAULT_BUSY, "no memory for a table of colours");
    free(entry_of);
    return done;
}

bool gif_animation_finish(struct gif_animation *animation, struct block **ret, struct error *err)
{
    int code = 0;
    GifFileType *gif = TAKE(animation->gif);

    if (EGifCloseFile(gif, &code) == GIF_ERROR)
        return failed(animation, code, err);
    if (!buffer_check(&animation->written, "a GIF", err) || !block_take(animation->written.size, ret, err))
        return false;
    memcpy(block_room(*ret, NULL), animation->written.data, animation->written.size);
    block_seal(*ret, animation->written.size);
    return true;
}
