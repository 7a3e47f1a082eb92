/* dicom/attribute_reader.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Numbers, texts and tables of a data set; see attribute_reader.h.
 */
#include "dicom/attribute_reader.h"

#include <math.h>

#include "base/number.h"

enum {
    MODALITY_LUT_SEQUENCE = 0x00283000,
    VOI_LUT_SEQUENCE = 0x00283010,
    LUT_DESCRIPTOR = 0x00283002,
    LUT_DATA = 0x00283006,
    RESCALE_INTERCEPT = 0x00281052,
    RESCALE_SLOPE = 0x00281053,
    WINDOW_CENTER = 0x00281050,
    WINDOW_WIDTH = 0x00281051,
    VOI_LUT_FUNCTION = 0x00281056,
    RED_DESCRIPTOR = 0x00281101,
    RED_DATA = 0x00281201,
    RED_SEGMENTS = 0x00281221,
    LUT_MOST = 65536,
    OVERLAY_FRAMES_MOST = 1000000
};

static bool take_budget(struct attribute_reader *reader, uint64_t bytes)
{
    if (bytes > reader->budget)
        return false;
    reader->budget -= bytes;
    return true;
}

struct bytes attribute_bytes(struct attribute_reader *reader, const struct dataset_item *item, uint32_t tag)
{
    struct dataset_element element;
    struct error ignored = { 0 };

    if (!dataset_find(item, tag, &element) || element.is_sequence || !take_budget(reader, element.size))
        return bytes_of(NULL, 0);
    uint8_t *value = arena_alloc(reader->arena, (size_t)element.size + 1);
    if (!dataset_value(&element, value, &ignored))
        return bytes_of(NULL, 0);
    return bytes_of(value, (size_t)element.size);
}

static struct bytes without_padding(struct bytes text)
{
    while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\0'))
        text.size--;
    while (text.size > 0 && text.data[0] == ' ')
        text = bytes_from(text, 1);
    return text;
}

struct bytes attribute_text(struct attribute_reader *reader, const struct dataset_item *item, uint32_t tag)
{
    return without_padding(attribute_bytes(reader, item, tag));
}

bool attribute_is(struct attribute_reader *reader, const struct dataset_item *item, uint32_t tag,
                  const char *text)
{
    return bytes_equal_text(attribute_text(reader, item, tag), text);
}

static bool number_in_text(struct bytes values, unsigned n, double *ret)
{
    struct bytes value = bytes_cut(&values, '\\');

    while (n-- > 0) {
        if (!values.data)
            return false;
        value = bytes_cut(&values, '\\');
    }
    return number_parse_real(without_padding(value), ret);
}

static uint64_t little_endian(const uint8_t *data, size_t width)
{
    uint64_t value = 0;

    for (size_t i = width; i > 0; i--)
        value = value << 8 | data[i - 1];
    return value;
}

static double real_of(const char *vr, const uint8_t *data)
{
    float single;
    double full;

    if (strcmp(vr, "FL") == 0) {
        memcpy(&single, data, sizeof(single));
        return (double)single;
    }
    if (strcmp(vr, "FD") == 0) {
        memcpy(&full, data, sizeof(full));
        return full;
    }
    if (strcmp(vr, "SL") == 0)
        return (double)(int32_t)little_endian(data, 4);
    if (strcmp(vr, "UL") == 0)
        return (double)little_endian(data, 4);
    const uint16_t word = (uint16_t)little_endian(data, 2);
    return strcmp(vr, "SS") == 0 ? (double)(int16_t)word : (double)word;
}

static size_t width_of(const char *vr)
{
    if (strcmp(vr, "FD") == 0)
        return 8;
    return strcmp(vr, "FL") == 0 || strcmp(vr, "SL") == 0 || strcmp(vr, "UL") == 0 ? 4 : 2;
}

/* US or SS, where implicit VR leaves it open, goes by the pixels. */
static const char *binary_vr(const struct attribute_reader *reader, const char *vr)
{
    static const char *const binary[] = { "US", "SS", "UL", "SL", "FL", "FD" };

    for (size_t i = 0; i < COUNT_OF(binary); i++)
        if (strcmp(vr, binary[i]) == 0)
            return binary[i];
    if (strcmp(vr, "xs") == 0 || strcmp(vr, "lt") == 0)
        return reader->pixels_signed ? "SS" : "US";
    return NULL;
}

bool attribute_real(struct attribute_reader *reader, const struct dataset_item *item, uint32_t tag,
                    unsigned n, double *ret)
{
    struct dataset_element element;
    double value;

    if (!dataset_find(item, tag, &element))
        return false;
    const struct bytes bytes = attribute_bytes(reader, item, tag);
    const char *vr = binary_vr(reader, element.vr);
    if (vr) {
        const size_t width = width_of(vr);
        if (bytes.size / width <= n)
            return false;
        value = real_of(vr, bytes.data + n * width);
    } else if (!number_in_text(bytes, n, &value)) {
        return false;
    }
    if (!isfinite(value))
        return false;
    *ret = value;
    return true;
}

/* How many values there are in text, or in numbers of `width` bytes. */
static uint32_t count_values(struct bytes bytes, size_t width, uint32_t most)
{
    size_t count = width ? bytes.size / width : bytes.size > 0;

    for (size_t i = 0; !width && i < bytes.size; i++)
        count += bytes.data[i] == '\\';
    return count < most ? (uint32_t)count : most;
}

const double *attribute_reals(struct attribute_reader *reader, const struct dataset_item *item, uint32_t tag,
                              uint32_t most, uint32_t *ret_count)
{
    struct dataset_element element;

    *ret_count = 0;
    if (!dataset_find(item, tag, &element))
        return NULL;
    struct bytes bytes = attribute_bytes(reader, item, tag);
    const char *vr = binary_vr(reader, element.vr);
    const size_t width = vr ? width_of(vr) : 0;
    const uint32_t count = count_values(bytes, width, most);
    if (count == 0 || !take_budget(reader, count * sizeof(double)))
        return NULL;
    double *values = arena_array(reader->arena, count, sizeof(*values));
    for (uint32_t i = 0; i < count; i++) {
        if (vr)
            values[i] = real_of(vr, bytes.data + i * width);
        else if (!number_parse_real(without_padding(bytes_cut(&bytes, '\\')), &values[i]))
            values[i] = 0;
        if (!isfinite(values[i]))
            values[i] = 0;
    }
    *ret_count = count;
    return values;
}

bool attribute_whole(struct attribute_reader *reader, const struct dataset_item *item, uint32_t tag,
                     unsigned n, int64_t *ret)
{
    double value;

    if (!attribute_real(reader, item, tag, n, &value) || fabs(value) > 4503599627370496.0)
        return false;
    *ret = (int64_t)value;
    return true;
}

const struct dataset_item *attribute_item_at(const struct dataset_item *item, uint32_t sequence, unsigned n)
{
    struct dataset_element element;
    const struct dataset_item *found = NULL;

    if (!dataset_find(item, sequence, &element) || !element.is_sequence)
        return NULL;
    do
        found = dataset_next_item(&element, found);
    while (found && n-- > 0);
    return found;
}

const struct dataset_item *attribute_item(const struct dataset_item *item, uint32_t sequence)
{
    return attribute_item_at(item, sequence, 0);
}

/* ── lists ── */

static uint32_t count_items(const struct dataset_item *item, uint32_t sequence, uint32_t most)
{
    struct dataset_element element;
    const struct dataset_item *at = NULL;
    uint32_t count = 0;

    if (!dataset_find(item, sequence, &element) || !element.is_sequence)
        return 0;
    while (count < most && (at = dataset_next_item(&element, at)) != NULL)
        count++;
    return count;
}

void *attribute_room(struct attribute_reader *reader, uint32_t count, size_t size)
{
    if (count == 0 || count * size > reader->budget)
        return NULL;
    reader->budget -= count * size;
    return arena_array(reader->arena, count, size);
}

void *attribute_list(struct attribute_reader *reader, const struct dataset_item *item, uint32_t sequence,
                     uint32_t most, size_t size,
                     bool (*read)(struct attribute_reader *, const struct dataset_item *, void *),
                     uint32_t *ret_count)
{
    const uint32_t count = count_items(item, sequence, most);
    struct dataset_element element;
    const struct dataset_item *at = NULL;
    uint8_t *list = attribute_room(reader, count, size);

    *ret_count = 0;
    if (!list || !dataset_find(item, sequence, &element))
        return NULL;
    for (uint32_t i = 0; i < count && (at = dataset_next_item(&element, at)) != NULL; i++)
        if (read(reader, at, list + *ret_count * size))
            ++*ret_count;
    return list;
}

const uint32_t *attribute_counts(struct attribute_reader *reader, const struct dataset_item *item,
                                 uint32_t tag, uint32_t most, uint32_t *ret_count)
{
    uint32_t count = 0;
    const double *reals = attribute_reals(reader, item, tag, most, &count);
    uint32_t *numbers = attribute_room(reader, count, sizeof(*numbers));

    for (uint32_t i = 0; numbers && i < count; i++)
        numbers[i] = reals[i] >= 0 && reals[i] <= UINT32_MAX ? (uint32_t)reals[i] : 0;
    *ret_count = numbers ? count : 0;
    return numbers;
}

/* ── tables ── */

/* Entries, first value mapped, bits (PS3.3 C.11.1.1). */
static bool read_descriptor(struct attribute_reader *reader, const struct dataset_item *item, uint32_t tag,
                            struct lut *ret)
{
    struct dataset_element element;

    if (!dataset_find(item, tag, &element))
        return false;
    const struct bytes three = attribute_bytes(reader, item, tag);
    if (three.size < 6)
        return false;
    const char *vr = binary_vr(reader, element.vr);
    const bool is_signed = vr ? strcmp(vr, "SS") == 0 : reader->pixels_signed;
    const uint16_t first = (uint16_t)little_endian(three.data + 2, 2);

    ret->count = (uint32_t)little_endian(three.data, 2);
    if (ret->count == 0)
        ret->count = LUT_MOST;
    ret->first = is_signed ? (int16_t)first : first;
    ret->bits = (unsigned)little_endian(three.data + 4, 2);
    return ret->bits >= 1 && ret->bits <= 16;
}

static uint16_t *room_for(struct attribute_reader *reader, uint32_t count)
{
    return take_budget(reader, count * sizeof(uint16_t)) ? arena_array(reader->arena, count, sizeof(uint16_t))
                                                         : NULL;
}

/* What a table of 16 bits holds when its maker meant 8: every entry below 256 (seen in the field). */
static void tolerate_small_entries(struct lut *lut)
{
    for (uint32_t i = 0; i < lut->count; i++)
        if (lut->values[i] > 255)
            return;
    if (lut->bits > 8)
        lut->bits = 8;
}

static void mask_entries(struct lut *lut, uint16_t *values)
{
    const unsigned most = (1u << lut->bits) - 1;

    for (uint32_t i = 0; i < lut->count; i++)
        if (values[i] > most)
            values[i] = (uint16_t)most;
}

bool attribute_lut(struct attribute_reader *reader, const struct dataset_item *item, uint32_t descriptor,
                   uint32_t data, struct lut *ret)
{
    struct lut lut = { 0 };

    if (!read_descriptor(reader, item, descriptor, &lut))
        return false;
    const struct bytes bytes = attribute_bytes(reader, item, data);
    const bool packed = lut.bits <= 8 && bytes.size < (size_t)lut.count * 2; /* two entries a word */
    const size_t there = packed ? bytes.size : bytes.size / 2;
    if (there == 0)
        return false;
    if (there < lut.count)
        lut.count = (uint32_t)there;
    uint16_t *values = room_for(reader, lut.count);
    if (!values)
        return false;
    for (uint32_t i = 0; i < lut.count; i++)
        values[i] = packed ? bytes.data[i] : (uint16_t)little_endian(bytes.data + 2 * (size_t)i, 2);
    lut.values = values;
    if (lut.bits < 16) /* entries with more bits than told: the field has 16 bit ones told as 12 or 8 */
        for (uint32_t i = 0; i < lut.count; i++)
            while (lut.bits < 16 && values[i] >> lut.bits)
                lut.bits++;
    mask_entries(&lut, values);
    tolerate_small_entries(&lut);
    *ret = lut;
    return true;
}

/* ── segments ── */

struct segments {
    struct bytes data;
    size_t width; /* bytes of a word */
    uint16_t *into;
    uint32_t count, filled;
};

static bool next_word(const struct segments *all, size_t *at, uint32_t *ret)
{
    if (all->data.size - *at < all->width)
        return false;
    *ret = (uint32_t)little_endian(all->data.data + *at, all->width);
    *at += all->width;
    return true;
}

static void put_entry(struct segments *all, uint32_t value)
{
    if (all->filled < all->count)
        all->into[all->filled++] = (uint16_t)value;
}

static bool put_discrete(struct segments *all, size_t *at, uint32_t length)
{
    uint32_t value;

    for (uint32_t i = 0; i < length; i++) {
        if (!next_word(all, at, &value))
            return false;
        put_entry(all, value);
    }
    return true;
}

/* From the entry before to the one told, in `length` steps. */
static bool put_linear(struct segments *all, size_t *at, uint32_t length)
{
    const int64_t from = all->filled ? all->into[all->filled - 1] : 0;
    uint32_t to;

    if (!next_word(all, at, &to) || length == 0)
        return false;
    for (uint32_t i = 1; i <= length; i++) {
        const int64_t rise = ((int64_t)to - from) * i;
        put_entry(
            all,
            (uint32_t)(from + (rise + (rise < 0 ? -(int64_t)(length / 2) : (int64_t)(length / 2))) / length));
    }
    return true;
}

static bool put_segments(struct segments *all, size_t at, uint32_t most_segments, bool indirect_allowed)
{
    uint32_t opcode, length;

    while (most_segments-- > 0 && all->filled < all->count) {
        if (!next_word(all, &at, &opcode) || !next_word(all, &at, &length))
            return false;
        if (opcode == 0) {
            if (!put_discrete(all, &at, length))
                return false;
        } else if (opcode == 1) {
            if (!put_linear(all, &at, length))
                return false;
        } else if (opcode == 2 && indirect_allowed) {
            const size_t width = all->width, parts = width == 1 ? 4 : 2;
            uint32_t offset = 0, word;
            for (size_t i = 0; i < parts; i++) {
                if (!next_word(all, &at, &word))
                    return false;
                offset |= word << (8 * width * i);
            }
            /* Segments copied may not be indirect themselves (PS3.3 C.7.9.2.3), so this ends. */
            if (offset >= all->data.size || !put_segments(all, offset, length, false))
                return false;
        } else {
            return false;
        }
    }
    return true;
}

void attribute_expand_segments(struct bytes data, unsigned bits, uint32_t count, uint16_t *into)
{
    struct segments all = { data, bits > 8 ? 2 : 1, into, count, 0 };

    put_segments(&all, 0, UINT32_MAX, true);
    while (all.filled < all.count)
        put_entry(&all, all.filled ? all.into[all.filled - 1] : 0);
}

bool attribute_segmented_lut(struct attribute_reader *reader, const struct dataset_item *item,
                             uint32_t descriptor, uint32_t data, struct lut *ret)
{
    struct lut lut = { 0 };

    if (!read_descriptor(reader, item, descriptor, &lut))
        return false;
    const struct bytes bytes = attribute_bytes(reader, item, data);
    uint16_t *values = bytes.size > 0 ? room_for(reader, lut.count) : NULL;
    if (!values)
        return false;
    attribute_expand_segments(bytes, lut.bits, lut.count, values);
    lut.values = values;
    mask_entries(&lut, values);
    *ret = lut;
    return true;
}

bool attribute_palette(struct attribute_reader *reader, const struct dataset_item *item, struct palette *ret)
{
    struct palette palette = { 0 };
    struct lut *const tables[] = { &palette.red, &palette.green, &palette.blue };

    for (uint32_t i = 0; i < 3; i++)
        if (!attribute_lut(reader, item, RED_DESCRIPTOR + i, RED_DATA + i, tables[i]) &&
            !attribute_segmented_lut(reader, item, RED_DESCRIPTOR + i, RED_SEGMENTS + i, tables[i]))
            return false;
    /* Entries that look like 8 bits in one colour alone are just dark. */
    unsigned bits = 0;
    for (size_t i = 0; i < 3; i++)
        bits = tables[i]->bits > bits ? tables[i]->bits : bits;
    for (size_t i = 0; i < 3; i++)
        tables[i]->bits = bits;
    *ret = palette;
    return true;
}

/* ── VOI and modality ── */

static bool read_window(struct attribute_reader *reader, const struct dataset_item *item,
                        struct voi_window *ret)
{
    struct voi_window window = { .function = VOI_LINEAR };

    if (!attribute_real(reader, item, WINDOW_CENTER, 0, &window.center) ||
        !attribute_real(reader, item, WINDOW_WIDTH, 0, &window.width))
        return false;
    if (attribute_is(reader, item, VOI_LUT_FUNCTION, "SIGMOID"))
        window.function = VOI_SIGMOID;
    else if (attribute_is(reader, item, VOI_LUT_FUNCTION, "LINEAR_EXACT"))
        window.function = VOI_LINEAR_EXACT;
    if (window.width <= 0)
        return false;
    /* Linear needs a width of 1 at least (C.11.2.1.2); the field has 0.x for real values, meant exactly. */
    if (window.function == VOI_LINEAR && window.width < 1)
        window.function = VOI_LINEAR_EXACT;
    *ret = window;
    return true;
}

void attribute_voi(struct attribute_reader *reader, const struct dataset_item *item, struct gray_look *into)
{
    const struct dataset_item *first = attribute_item(item, VOI_LUT_SEQUENCE);

    if (first)
        attribute_lut(reader, first, LUT_DESCRIPTOR, LUT_DATA, &into->voi);
    if (read_window(reader, item, &into->window))
        into->has_window = true;
}

void attribute_modality(struct attribute_reader *reader, const struct dataset_item *item,
                        struct gray_look *into)
{
    const struct dataset_item *first = attribute_item(item, MODALITY_LUT_SEQUENCE);
    double slope, intercept = 0;

    if (first && attribute_lut(reader, first, LUT_DESCRIPTOR, LUT_DATA, &into->modality))
        return;
    if (!attribute_real(reader, item, RESCALE_SLOPE, 0, &slope) || slope == 0)
        return;
    attribute_real(reader, item, RESCALE_INTERCEPT, 0, &intercept);
    into->has_rescale = true;
    into->slope = slope;
    into->intercept = intercept;
}

/* ── overlays ── */

static bool read_overlay(struct attribute_reader *reader, const struct dataset_item *root, uint32_t group,
                         struct overlay *ret)
{
    const uint32_t base = group << 16;
    int64_t rows, columns, row = 1, column = 1, frames = 1, first = 1, allocated = 1, position = 0;

    if (!attribute_whole(reader, root, base | 0x0010, 0, &rows) ||
        !attribute_whole(reader, root, base | 0x0011, 0, &columns) || rows < 1 || columns < 1)
        return false;
    struct dataset_element origin;
    if (dataset_find(root, base | 0x0050, &origin) && origin.size >= 4) {
        const struct bytes two = attribute_bytes(reader, root, base | 0x0050);
        if (two.size >= 4) {
            row = (int16_t)(uint16_t)(two.data[0] | two.data[1] << 8);
            column = (int16_t)(uint16_t)(two.data[2] | two.data[3] << 8);
        }
    }
    attribute_whole(reader, root, base | 0x0015, 0, &frames);
    attribute_whole(reader, root, base | 0x0051, 0, &first);
    attribute_whole(reader, root, base | 0x0100, 0, &allocated);
    attribute_whole(reader, root, base | 0x0102, 0, &position);
    if (frames < 1 || frames > OVERLAY_FRAMES_MOST || first < 1)
        frames = first = 1;
    *ret = (struct overlay){ (uint16_t)group,  (uint32_t)rows,  (uint32_t)columns,
                             (int32_t)row,     (int32_t)column, (uint32_t)first,
                             (uint32_t)frames, false,           0,
                             { NULL, 0 } };
    ret->bits = attribute_bytes(reader, root, base | 0x3000);
    const uint64_t needed = ((uint64_t)rows * (uint64_t)columns * (uint64_t)frames + 7) / 8;
    if (ret->bits.size >= needed)
        return true;
    /* The in-pixel form is retired, not extinct: bits allocated as the pixels have them, no data of its own.
     */
    ret->in_pixels = ret->bits.size == 0 && allocated > 1 && position >= 0 && position < 32;
    ret->bit_position = (unsigned)position;
    return ret->in_pixels;
}

size_t attribute_overlays(struct attribute_reader *reader, const struct dataset_item *item,
                          struct overlay *into)
{
    size_t count = 0;

    for (uint32_t group = 0x6000; group <= 0x601E && count < IMAGE_DISPLAY_OVERLAYS; group += 2)
        if (read_overlay(reader, item, group, &into[count]))
            count++;
    return count;
}
