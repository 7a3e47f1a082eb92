/* handlers/bulk_picture.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See bulk_picture.h. Sizes are known from the files' own words before anything is decoded; decoding is done
 * piece by piece while the instance is written, in a decoder process.
 */
#include "handlers/bulk_picture.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/number.h"
#include "codec/codec.h"
#include "codec/foreign_picture.h"
#include "dicom/json_data_set.h"
#include "dicom/tag.h"

enum {
    FILE_MOST_BYTES = 256 << 20,
    PIECE_BYTES = 16 << 20, /* native, decoded at once; a frame at least */
    TAG_FRAME_TIME = 0x00181063,
    TAG_FRAME_INCREMENT_POINTER = 0x00280009,
};

static bool is_picture(const struct bulk_part *part)
{
    return strcmp(part->media_type, "image/png") == 0 || strcmp(part->media_type, "image/gif") == 0;
}

bool bulk_pictures_are_meant(const struct bulk_list *list)
{
    return is_picture(list->list[0]);
}

/* The whole file: what decodes it wants all of it. */
static bool read_file(struct bulk_parts *parts, const struct bulk_part *part, struct block **ret,
                      struct error *err)
{
    struct block *file = NULL;

    if (part->size > FILE_MOST_BYTES)
        return error_tell(err, FAULT_TOO_LARGE, "A part of %s may have %d bytes.", part->media_type,
                          FILE_MOST_BYTES);
    if (!block_take((size_t)part->size + 1, &file, err))
        return error_while(err, "reading a picture");
    if (!bulk_parts_read(parts, part, 0, block_room(file, NULL), (size_t)part->size, err)) {
        block_unref(file);
        return false;
    }
    block_seal(file, (size_t)part->size);
    *ret = file;
    return true;
}

static bool read_facts(struct bulk_parts *parts, const struct bulk_part *part, struct foreign_picture *ret,
                       struct error *err)
{
    struct block *file = NULL;

    if (!read_file(parts, part, &file, err))
        return false;
    const bool read = foreign_picture_read(block_bytes(file), ret, err);
    block_unref(file);
    return read;
}

/* ── the Image Pixel Description ── */

static bool same_frame(const struct pixel_shape *a, const struct pixel_shape *b)
{
    return a->rows == b->rows && a->columns == b->columns && a->samples_per_pixel == b->samples_per_pixel &&
           a->bits_allocated == b->bits_allocated;
}

/* One sample may be gray either way round, or an index into tables that the metadata bring. */
static bool photometric_fits(struct bytes said, unsigned samples)
{
    return samples == 3 ? bytes_equal_text(said, "RGB")
                        : bytes_equal_text(said, "MONOCHROME1") || bytes_equal_text(said, "MONOCHROME2") ||
                              bytes_equal_text(said, "PALETTE COLOR");
}

static bool contradicts(struct error *err, const char *attribute)
{
    return error_tell(err, FAULT_MISMATCH, "%s is not what the image of the part has.", attribute);
}

/* Fewer bits than the image's are the metadata's to know: 12 of 16, say. */
static bool settle_bits(json_t *model, const struct pixel_shape *shape, struct error *err)
{
    char room[JSON_VALUE_ROOM];
    const struct bytes said = json_data_set_text(model, TAG_BITS_STORED, room);
    uint64_t stored = shape->bits_stored;

    if (said.data && !number_parse(bytes_trim(said), 1, shape->bits_allocated, &stored))
        return contradicts(err, "Bits Stored (0028,0101)");
    if (!said.data)
        (void)bulk_parts_settle_number(model, TAG_BITS_STORED, (uint32_t)stored);
    if (!bulk_parts_settle_number(model, TAG_HIGH_BIT, (uint32_t)stored - 1))
        return contradicts(err, "High Bit (0028,0102)");
    return true;
}

static bool settle_description(json_t *model, const struct pixel_shape *shape, struct error *err)
{
    const struct {
        uint32_t tag, value;
        const char *name;
    } numbers[] = {
        { TAG_ROWS, shape->rows, "Rows (0028,0010)" },
        { TAG_COLUMNS, shape->columns, "Columns (0028,0011)" },
        { TAG_SAMPLES_PER_PIXEL, shape->samples_per_pixel, "Samples per Pixel (0028,0002)" },
        { TAG_BITS_ALLOCATED, shape->bits_allocated, "Bits Allocated (0028,0100)" },
        { TAG_PIXEL_REPRESENTATION, 0, "Pixel Representation (0028,0103)" },
        { TAG_PLANAR_CONFIGURATION, 0, "Planar Configuration (0028,0006)" },
    };
    const size_t count = COUNT_OF(numbers) - (shape->samples_per_pixel == 1);
    char room[JSON_VALUE_ROOM];

    for (size_t i = 0; i < count; i++)
        if (!bulk_parts_settle_number(model, numbers[i].tag, numbers[i].value))
            return contradicts(err, numbers[i].name);
    const struct bytes said = json_data_set_text(model, TAG_PHOTOMETRIC_INTERPRETATION, room);
    if (!said.data)
        json_data_set_set_text(model, TAG_PHOTOMETRIC_INTERPRETATION, "CS",
                               shape->samples_per_pixel == 3 ? "RGB" : "MONOCHROME2");
    else if (!photometric_fits(bytes_trim(said), shape->samples_per_pixel))
        return contradicts(err, "Photometric Interpretation (0028,0004)");
    return settle_bits(model, shape, err);
}

static bool settle_frames(json_t *model, uint64_t frames, uint32_t show_ms, struct error *err)
{
    char room[JSON_VALUE_ROOM], text[24];
    const struct bytes said = json_data_set_text(model, TAG_NUMBER_OF_FRAMES, room);
    uint64_t count;

    if (said.data && (!number_parse(bytes_trim(said), 1, UINT32_MAX, &count) || count != frames))
        return error_tell(err, FAULT_MISMATCH,
                          "Number of Frames (0028,0008) is not that of the images, %" PRIu64 ".", frames);
    if (!said.data && frames > 1)
        json_data_set_set_number(model, TAG_NUMBER_OF_FRAMES, "IS", (uint32_t)frames);
    if (frames > 1 && show_ms && !json_data_set_text(model, TAG_FRAME_TIME, room).data &&
        !json_data_set_text(model, TAG_FRAME_INCREMENT_POINTER, room).data) {
        snprintf(text, sizeof text, "%" PRIu32, show_ms);
        json_data_set_set_text(model, TAG_FRAME_TIME, "DS", text);
        json_data_set_set_text(model, TAG_FRAME_INCREMENT_POINTER, "AT", "00181063");
    }
    return true;
}

/* ── sizes ── */

static bool weigh(const struct foreign_picture *facts, const struct bulk_part *part,
                  const struct limits *limits, struct error *err)
{
    const uint64_t frame = pixel_shape_frame_bytes(&facts->shape);

    if (frame > limits->decode_ceiling_bytes)
        return error_tell(err, FAULT_TOO_LARGE,
                          "An image that is decoded may have %" PRIu64 " bytes (decode_ceiling).",
                          limits->decode_ceiling_bytes);
    if (facts->frames > limits->instance_ceiling_bytes / frame)
        return error_tell(err, FAULT_TOO_LARGE, "An instance may have %" PRIu64 " bytes.",
                          limits->instance_ceiling_bytes);
    if (!codec_is_plausible(frame * facts->frames, part->size))
        return error_tell(err, FAULT_TOO_LARGE,
                          "A part of %s claims far more pixels than its bytes can hold.", part->media_type);
    return true;
}

bool bulk_pictures_settle(struct bulk_parts *parts, const struct bulk_list *list, const struct limits *limits,
                          json_t *model, struct bulk_pictures *ret, struct error *err)
{
    struct bulk_pictures pictures = { .parts = parts, .list = *list };
    struct foreign_picture facts = { 0 };

    for (size_t i = 0; i < list->count; i++) {
        if (!is_picture(list->list[i]))
            return error_tell(err, FAULT_NOT_DICOM,
                              "Pixel Data (7FE0,0010): its parts are images of different kinds.");
        if (!read_facts(parts, list->list[i], &facts, err) || !weigh(&facts, list->list[i], limits, err))
            return false;
        if (i == 0)
            pictures.shape = facts.shape;
        else if (!same_frame(&pictures.shape, &facts.shape))
            return error_tell(err, FAULT_NOT_DICOM,
                              "Pixel Data (7FE0,0010): its images differ in size, samples or bits.");
        pictures.frames += facts.frames;
    }
    if (!settle_description(model, &pictures.shape, err) ||
        !settle_frames(model, pictures.frames, list->count == 1 ? facts.show_ms : 0, err))
        return false;
    *ret = pictures;
    return true;
}

uint64_t bulk_pictures_bytes(const struct bulk_pictures *pictures)
{
    return pixel_shape_frame_bytes(&pictures->shape) * pictures->frames;
}

/* ── decoded ── */

static bool put_file(const struct bulk_pictures *pictures, struct bytes file,
                     bool (*put)(void *context, struct bytes data, struct error *err), void *context,
                     struct error *err)
{
    const uint64_t frame_bytes = pixel_shape_frame_bytes(&pictures->shape);
    const uint32_t at_once = frame_bytes < PIECE_BYTES ? (uint32_t)(PIECE_BYTES / frame_bytes) : 1;
    struct foreign_picture facts;

    if (!foreign_picture_read(file, &facts, err))
        return false;
    for (uint32_t first = 0; first < facts.frames;) {
        const uint32_t count = facts.frames - first < at_once ? facts.frames - first : at_once;
        struct block *native = NULL;

        if (!foreign_picture_decode(&facts, file, first, count, &native, err))
            return false;
        const bool done = put(context, block_bytes(native), err);
        block_unref(native);
        if (!done)
            return false;
        first += count;
    }
    return true;
}

bool bulk_pictures_put(const struct bulk_pictures *pictures,
                       bool (*put)(void *context, struct bytes data, struct error *err), void *context,
                       struct error *err)
{
    for (size_t i = 0; i < pictures->list.count; i++) {
        const struct bulk_part *part = pictures->list.list[i];
        struct block *file = NULL;

        if (!read_file(pictures->parts, part, &file, err))
            return false;
        const bool done = put_file(pictures, block_bytes(file), put, context, err);
        block_unref(file);
        if (!done && err->fault == FAULT_CORRUPT_PIXELS)
            return error_tell(err, FAULT_NOT_DICOM, "Pixel Data (7FE0,0010): a part of %s cannot be decoded.",
                              part->media_type);
        if (!done)
            return false;
    }
    return true;
}
