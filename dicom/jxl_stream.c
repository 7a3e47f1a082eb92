/* dicom/jxl_stream.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The image header, bit by bit (lowest first), up to the colour space. Whether it is lossless cannot be read
 * off it for sure: pictures in XYB are not; others are, as encoders make them.
 *
 *   boxes   │ "JXL " │ ftyp │ jbrd: a JPEG can be made of it again │ jxlc, or jxlp: the code stream │
 *   stream  │ FF 0A │ size │ metadata: bits, channels, XYB?, colour │ frames … │
 */
#include "dicom/jxl_stream.h"

struct bits {
    struct bytes data;
    size_t at; /* bits */
    bool ended;
};

static uint32_t take(struct bits *bits, unsigned count)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < count; i++, bits->at++) {
        if (bits->at / 8 >= bits->data.size) {
            bits->ended = true;
            return 0;
        }
        value |= (uint32_t)(bits->data.data[bits->at / 8] >> bits->at % 8 & 1) << i;
    }
    return value;
}

/* One of four: each an offset and so many bits. */
struct choice {
    uint32_t offset;
    unsigned bits;
};

static uint32_t take_one_of(struct bits *bits, const struct choice choices[4])
{
    const struct choice *choice = &choices[take(bits, 2)];

    return choice->offset + take(bits, choice->bits);
}

static void read_size(struct bits *bits, uint64_t *ret_rows, uint64_t *ret_columns)
{
    static const struct choice sizes[] = { { 1, 9 }, { 1, 13 }, { 1, 18 }, { 1, 30 } };
    static const uint8_t ratios[][2] = { { 0, 0 }, { 1, 1 },  { 12, 10 }, { 4, 3 },
                                         { 3, 2 }, { 16, 9 }, { 5, 4 },   { 2, 1 } };
    const bool small = take(bits, 1);

    *ret_rows = small ? 8 * (take(bits, 5) + 1) : take_one_of(bits, sizes);
    const uint32_t ratio = take(bits, 3);
    *ret_columns = ratio   ? *ret_rows * ratios[ratio][0] / ratios[ratio][1]
                   : small ? 8 * (take(bits, 5) + 1)
                           : take_one_of(bits, sizes);
}

struct facts {
    uint32_t bits, colour_space;
    bool xyb;
};

/* False: nothing for DICOM. */
static bool read_metadata(struct bits *bits, struct facts *ret)
{
    static const struct choice depths[] = { { 8, 0 }, { 10, 0 }, { 12, 0 }, { 1, 6 } };
    static const struct choice channels[] = { { 0, 0 }, { 1, 0 }, { 2, 4 }, { 1, 12 } };
    static const struct choice names[] = { { 0, 0 }, { 1, 0 }, { 2, 4 }, { 18, 6 } };
    uint64_t ignored;

    *ret = (struct facts){ .bits = 8, .xyb = true };
    if (take(bits, 1)) /* all as usual */
        return !bits->ended;
    if (take(bits, 1)) {
        (void)take(bits, 3); /* orientation */
        if (take(bits, 1))
            read_size(bits, &ignored, &ignored);
        if (take(bits, 1) || take(bits, 1)) /* preview, animation */
            return false;
    }
    if (take(bits, 1)) /* float */
        return false;
    ret->bits = take_one_of(bits, depths);
    (void)take(bits, 1); /* 16 bits are enough to decode it */
    if (take_one_of(bits, channels) > 0)
        return false;
    ret->xyb = take(bits, 1);
    if (take(bits, 1)) /* sRGB */
        return !bits->ended;
    (void)take(bits, 1); /* a profile comes */
    ret->colour_space = take_one_of(bits, names);
    return !bits->ended;
}

/* The size of a box and of what is before its content; 0: to the end. */
static uint64_t box_size(struct bytes box, size_t *ret_before)
{
    enum { BOX = 8, LONG_BOX = 16 };
    uint64_t size = 0;

    *ret_before = BOX;
    for (int i = 0; i < 4; i++)
        size = size << 8 | box.data[i];
    if (size != 1)
        return size;
    *ret_before = LONG_BOX;
    size = 0;
    for (int i = BOX; i < LONG_BOX; i++)
        size = size << 8 | box.data[i];
    return size;
}

/* The beginning of the bare stream out of its boxes, as far as they are in `head`; where it is in several,
 * that of the first, which holds the image header. What JPEG needs to come back may stand behind it. */
static struct bytes find_stream(struct bytes head, bool *ret_jpeg)
{
    static const uint8_t signature[] = { 0, 0, 0, 12, 'J', 'X', 'L', ' ', 0x0D, 0x0A, 0x87, 0x0A };
    enum { LEAST = 16, PART_NUMBER = 4 };
    struct bytes stream = bytes_of(NULL, 0);

    *ret_jpeg = false;
    if (head.size < sizeof signature || memcmp(head.data, signature, sizeof signature) != 0)
        return head;
    for (struct bytes left = bytes_from(head, sizeof signature); left.size >= LEAST;) {
        size_t before;
        uint64_t size = box_size(left, &before);
        const bool is_part = memcmp(left.data + 4, "jxlp", 4) == 0;

        if (size == 0 || size > left.size)
            size = left.size;
        before += is_part ? PART_NUMBER : 0;
        if (size < before)
            break;
        *ret_jpeg |= memcmp(left.data + 4, "jbrd", 4) == 0;
        if (!stream.data && (is_part || memcmp(left.data + 4, "jxlc", 4) == 0))
            stream = bytes_of(left.data + before, (size_t)size - before);
        left = bytes_from(left, (size_t)size);
    }
    return stream;
}

bool jxl_stream_read(struct bytes head, struct code_stream *ret)
{
    enum { GRAY = 1 };
    bool jpeg;
    const struct bytes stream = find_stream(head, &jpeg);
    struct bits bits = { .data = stream, .at = 16 };
    uint64_t rows, columns;
    struct facts facts;

    if (stream.size < 4 || stream.data[0] != 0xFF || stream.data[1] != 0x0A)
        return false;
    read_size(&bits, &rows, &columns);
    if (!read_metadata(&bits, &facts) || facts.bits > 16 || rows == 0 || columns == 0 || rows > UINT16_MAX ||
        columns > UINT16_MAX)
        return false;
    ret->syntax = jpeg ? SYNTAX_JPEG_XL_RECOMPRESSION : facts.xyb ? SYNTAX_JPEG_XL : SYNTAX_JPEG_XL_LOSSLESS;
    ret->shape = (struct pixel_shape){ .rows = (uint32_t)rows,
                                       .columns = (uint32_t)columns,
                                       .samples_per_pixel = facts.colour_space == GRAY ? 1 : 3,
                                       .bits_stored = (uint16_t)facts.bits,
                                       .bits_allocated = facts.bits > 8 ? 16 : 8,
                                       .photometric = facts.colour_space == GRAY ? MONOCHROME2
                                                      : jpeg ? YBR_FULL_422 /* as JPEG mostly is */
                                                             : RGB };
    return true;
}
