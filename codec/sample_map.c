/* codec/sample_map.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See sample_map.h for the chain; here is how each kind of it is made fast.
 */
#include "codec/sample_map.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codec/kernels.h"

/* Above this slope float would miss levels: a table then. */
#define STEEPEST 64.0

enum { TABLE_MOST = 65536, RANGE_BINS = 4096 };

struct sample_map {
    enum { BY_LINE, BY_TABLE, BY_NUMBER } way;
    unsigned bytes_in, channels;
    bool wide;
    struct linear_map line;
    void (*apply_line)(const uint8_t *from, size_t count, const struct linear_map *map, uint8_t *into);
    bool is_line; /* numbers that become 8 bits by number * scale + offset */
    double scale, offset;
    unsigned shift, mask;    /* of a table's index */
    uint8_t *table;          /* channels bytes an entry, or uint16_t */
    struct sample_rule rule; /* by number; its look is `look` */
    struct gray_look look;
};

/* ── the chain, one value ── */

static double lut_value(const struct lut *lut, double input)
{
    const double place = floor(input + 0.5) - lut->first;

    return lut->values[place <= 0 ? 0 : place >= lut->count ? lut->count - 1 : (uint32_t)place];
}

static double lut_share(const struct lut *lut, double input)
{
    return lut_value(lut, input) / (double)((1u << lut->bits) - 1);
}

static double modality_value(const struct gray_look *look, double stored)
{
    if (look->modality.count > 0)
        return lut_value(&look->modality, stored);
    return look->has_rescale ? stored * look->slope + look->intercept : stored;
}

/* PS3.3 C.11.2.1.2 and C.11.2.1.3, not yet cut to 0..1. */
static double window_share(const struct voi_window *window, double value)
{
    const double center = window->center, width = window->width;

    switch (window->function) {
    case VOI_SIGMOID:
        return 1.0 / (1.0 + exp(-4.0 * (value - center) / width));
    case VOI_LINEAR_EXACT:
        return (value - center) / width + 0.5;
    case VOI_LINEAR:
        break;
    }
    if (width <= 1)
        return value > center - 0.5 ? 1.0 : 0.0;
    return (value - (center - 0.5)) / (width - 1.0) + 0.5;
}

static bool goes_by_lut(const struct sample_rule *rule)
{
    return rule->look->voi.count > 0 && (rule->prefers_lut || !rule->look->has_window);
}

/* Black and white where nothing says so, as what the Modality LUT makes of the ends. */
static double range_share(const struct sample_rule *rule, double value)
{
    const double a = modality_value(rule->look, rule->range.from),
                 b = modality_value(rule->look, rule->range.to);
    const double low = fmin(a, b), high = fmax(a, b);

    return high > low ? (value - low) / (high - low) : 0.5;
}

static double cut(double share)
{
    return share > 0 ? (share < 1 ? share : 1) : 0; /* NaN too is black */
}

double sample_rule_gray(const struct sample_rule *rule, double stored)
{
    const double value = modality_value(rule->look, stored);
    double share;

    if (goes_by_lut(rule))
        share = lut_share(&rule->look->voi, value);
    else if (rule->look->has_window)
        share = window_share(&rule->look->window, value);
    else
        share = range_share(rule, value);
    share = cut(share);
    if (rule->presentation.count > 0)
        share = cut(lut_share(&rule->presentation,
                              rule->presentation.first + share * (rule->presentation.count - 1)));
    return rule->inverse ? 1 - share : share;
}

/* ── a straight line? ── */

static bool find_line(const struct sample_rule *rule, double *ret_scale, double *ret_offset)
{
    const struct gray_look *look = rule->look;
    double scale, offset;

    if (look->modality.count > 0 || goes_by_lut(rule) || rule->presentation.count > 0)
        return false;
    if (look->has_window) {
        const struct voi_window *window = &look->window;
        if (window->function == VOI_SIGMOID || (window->function == VOI_LINEAR && window->width <= 1))
            return false;
        const double width = window->function == VOI_LINEAR ? window->width - 1 : window->width;
        const double center = window->function == VOI_LINEAR ? window->center - 0.5 : window->center;
        scale = 255.0 / width;
        offset = 127.5 - center * scale;
    } else {
        const double a = modality_value(look, rule->range.from), b = modality_value(look, rule->range.to);
        if (!(fabs(b - a) > 0))
            return false;
        scale = 255.0 / fabs(b - a);
        offset = -fmin(a, b) * scale;
    }
    if (look->has_rescale) {
        offset += look->intercept * scale;
        scale *= look->slope;
    }
    if (rule->inverse) {
        scale = -scale;
        offset = 255.0 - offset;
    }
    if (!(fabs(scale) <= STEEPEST) || !(fabs(offset) <= STEEPEST * 65536))
        return false;
    *ret_scale = scale;
    *ret_offset = offset;
    return true;
}

/* ── building ── */

static unsigned bits_stored_of(const struct pixel_shape *shape)
{
    return shape->bits_stored >= 1 && shape->bits_stored <= shape->bits_allocated ? shape->bits_stored
                                                                                  : shape->bits_allocated;
}

static unsigned high_bit_of(const struct sample_rule *rule)
{
    const unsigned stored = bits_stored_of(&rule->shape);

    return rule->high_bit != UINT32_MAX && rule->high_bit + 1 >= stored &&
                   rule->high_bit < rule->shape.bits_allocated
               ? rule->high_bit
               : stored - 1;
}

static int32_t value_of_index(uint32_t index, unsigned stored, bool is_signed)
{
    return is_signed && index >> (stored - 1) ? (int32_t)index - (int32_t)(1u << stored) : (int32_t)index;
}

static bool is_padding(const struct sample_rule *rule, double stored)
{
    const struct image_display *display = rule->display_or_null;

    if (!display || !display->has_padding)
        return false;
    if (rule->samples != SAMPLES_INTEGER)
        return stored >= display->float_padding_from && stored <= display->float_padding_to;
    return stored >= display->padding_from && stored <= display->padding_to;
}

static void palette_entry(const struct palette *palette, int32_t value, uint8_t *into)
{
    const struct lut *const tables[] = { &palette->red, &palette->green, &palette->blue };

    for (size_t i = 0; i < 3; i++)
        into[i] = (uint8_t)(lut_share(tables[i], value) * 255.0 + 0.5);
}

static void fill_entry(const struct sample_map *map, const struct sample_rule *rule, int32_t value,
                       uint32_t index)
{
    const struct palette *palette = rule->palette_or_null;

    if (palette && (!rule->palette_is_supplement ||
                    (value >= palette->red.first &&
                     (int64_t)value < (int64_t)palette->red.first + palette->red.count))) {
        palette_entry(palette, value, map->table + 3 * (size_t)index);
        return;
    }
    const double gray = is_padding(rule, value) ? 0 : sample_rule_gray(rule, value);
    if (map->wide)
        ((uint16_t *)(void *)map->table)[index] = (uint16_t)(gray * 65535.0 + 0.5);
    else
        memset(map->table + map->channels * (size_t)index, (int)(gray * 255.0 + 0.5), map->channels);
}

static bool build_table(struct sample_map *map, const struct sample_rule *rule, struct error *err)
{
    const unsigned stored = bits_stored_of(&rule->shape);
    const uint32_t entries = 1u << stored;

    map->way = BY_TABLE;
    map->shift = high_bit_of(rule) + 1 - stored;
    map->mask = entries - 1;
    map->table = malloc(entries * (size_t)(map->wide ? 2 : map->channels));
    if (!map->table)
        return error_set(err, FAULT_BUSY, "no memory for a table of %u entries", (unsigned)entries);
    for (uint32_t i = 0; i < entries; i++)
        fill_entry(map, rule, value_of_index(i, stored, rule->shape.is_signed), i);
    return true;
}

static void build_line(struct sample_map *map, const struct sample_rule *rule, double scale, double offset)
{
    const struct kernels *best = kernels();
    const unsigned stored = bits_stored_of(&rule->shape), allocated = rule->shape.bits_allocated;
    const struct image_display *display = rule->display_or_null;

    map->way = BY_LINE;
    map->line = (struct linear_map){ .scale = (float)scale, .offset = (float)offset };
    map->line.up = allocated - 1 - high_bit_of(rule);
    map->line.down = allocated - stored;
    map->line.padding_from = 1; /* an empty range */
    if (display && display->has_padding) {
        map->line.has_padding = true;
        map->line.padding_from = display->padding_from;
        map->line.padding_to = display->padding_to;
    }
    if (allocated == 8)
        map->apply_line = rule->shape.is_signed ? best->linear_i8 : best->linear_u8;
    else
        map->apply_line = rule->shape.is_signed ? best->linear_i16 : best->linear_u16;
}

static bool is_known_size(const struct sample_rule *rule)
{
    const unsigned bits = rule->shape.bits_allocated;

    if (rule->samples == SAMPLES_FLOAT)
        return bits == 32;
    if (rule->samples == SAMPLES_DOUBLE)
        return bits == 64;
    return bits == 1 || bits == 8 || bits == 16 || bits == 32;
}

bool sample_map_new(const struct sample_rule *rule, struct sample_map **ret, struct error *err)
{
    const unsigned bits = rule->shape.bits_allocated;
    double scale, offset;

    if (!is_known_size(rule))
        return error_tell(err, FAULT_NOT_ACCEPTABLE, "Bits Allocated %u cannot be rendered.", bits);
    if (rule->palette_or_null && bits > 16)
        return error_tell(err, FAULT_NOT_ACCEPTABLE, "PALETTE COLOR of %u bits cannot be rendered.", bits);
    SCOPED(sample_map) struct sample_map *map = calloc(1, sizeof(*map));
    if (!map)
        return error_set(err, FAULT_BUSY, "no memory for a map of samples");

    map->bytes_in = bits < 8 ? 1 : bits / 8;
    map->channels = rule->palette_or_null ? 3 : 1;
    map->wide = rule->wide && map->channels == 1;
    map->rule = *rule;
    map->look = *rule->look;
    map->rule.look = &map->look;
    if (bits > 16) {
        map->way = BY_NUMBER;
        map->is_line = !map->wide && find_line(rule, &map->scale, &map->offset);
    } else if (bits >= 8 && map->channels == 1 && !map->wide && find_line(rule, &scale, &offset)) {
        build_line(map, rule, scale, offset);
    } else if (!build_table(map, rule, err)) {
        return false;
    }
    *ret = TAKE(map);
    return true;
}

void sample_map_free(struct sample_map *map)
{
    if (!map)
        return;
    free(map->table);
    free(map);
}

void sample_map_drop(struct sample_map **map)
{
    sample_map_free(*map);
}

unsigned sample_map_channels(const struct sample_map *map)
{
    return map->channels;
}

unsigned sample_map_bytes_in(const struct sample_map *map)
{
    return map->bytes_in;
}

/* ── applying ── */

static double number_at(const struct sample_rule *rule, const uint8_t *from)
{
    float single;
    double full;
    uint32_t word;

    if (rule->samples == SAMPLES_DOUBLE) {
        memcpy(&full, from, sizeof(full));
        return full;
    }
    if (rule->samples == SAMPLES_FLOAT) {
        memcpy(&single, from, sizeof(single));
        return (double)single;
    }
    memcpy(&word, from, sizeof(word));
    const unsigned stored = bits_stored_of(&rule->shape), up = 31 - high_bit_of(rule), down = 32 - stored;
    word <<= up;
    return rule->shape.is_signed ? (double)((int32_t)word >> down) : (double)(word >> down);
}

static void apply_numbers(const struct sample_map *map, const uint8_t *from, size_t count, void *into)
{
    for (size_t i = 0; i < count; i++) {
        const double stored = number_at(&map->rule, from + i * map->bytes_in);
        if (map->is_line && isfinite(stored) && !is_padding(&map->rule, stored)) {
            const double byte = stored * map->scale + map->offset;
            ((uint8_t *)into)[i] = (uint8_t)((byte > 0 ? byte < 255 ? byte : 255 : 0) + 0.5);
            continue;
        }
        const double gray =
            !isfinite(stored) || is_padding(&map->rule, stored) ? 0 : sample_rule_gray(&map->rule, stored);
        if (map->wide)
            ((uint16_t *)into)[i] = (uint16_t)(gray * 65535.0 + 0.5);
        else
            ((uint8_t *)into)[i] = (uint8_t)(gray * 255.0 + 0.5);
    }
}

static inline uint32_t index_at(const struct sample_map *map, const uint8_t *from, size_t i)
{
    uint16_t word;

    if (map->bytes_in == 1)
        return ((uint32_t)from[i] >> map->shift) & map->mask;
    memcpy(&word, from + 2 * i, sizeof(word));
    return ((uint32_t)word >> map->shift) & map->mask;
}

static void apply_table(const struct sample_map *map, const uint8_t *from, size_t count, void *into)
{
    if (map->wide) {
        for (size_t i = 0; i < count; i++)
            ((uint16_t *)into)[i] = ((const uint16_t *)(const void *)map->table)[index_at(map, from, i)];
    } else if (map->channels == 3) {
        for (size_t i = 0; i < count; i++)
            memcpy((uint8_t *)into + 3 * i, map->table + 3 * (size_t)index_at(map, from, i), 3);
    } else {
        for (size_t i = 0; i < count; i++)
            ((uint8_t *)into)[i] = map->table[index_at(map, from, i)];
    }
}

void sample_map_apply(const struct sample_map *map, const uint8_t *from, size_t count, void *into)
{
    switch (map->way) {
    case BY_LINE:
        map->apply_line(from, count, &map->line, into);
        return;
    case BY_TABLE:
        apply_table(map, from, count, into);
        return;
    case BY_NUMBER:
        apply_numbers(map, from, count, into);
        return;
    }
}

void sample_unpack_bits(const uint8_t *packed, uint64_t n, size_t count, uint8_t *into)
{
    for (size_t i = 0; i < count; i++, n++)
        into[i] = packed[n / 8] >> (n % 8) & 1;
}

void sample_values(const struct sample_rule *rule, const uint8_t *from, size_t count, float *into)
{
    const unsigned stored = bits_stored_of(&rule->shape), bits = rule->shape.bits_allocated;
    const size_t width = bits < 8 ? 1 : bits / 8u;
    const struct sample_map view = { .bytes_in = (unsigned)width,
                                     .shift = high_bit_of(rule) + 1 - stored,
                                     .mask = bits <= 16 ? (1u << stored) - 1 : 0 };

    for (size_t i = 0; i < count; i++) {
        const double value = bits > 16
                                 ? number_at(rule, from + i * width)
                                 : value_of_index(index_at(&view, from, i), stored, rule->shape.is_signed);
        into[i] =
            isfinite(value) && !is_padding(rule, value) ? (float)modality_value(rule->look, value) : NAN;
    }
}

/* ── a range from the pixels ── */

/* From the 0.2 % lowest to the 0.2 % highest of `total` things counted in bins; false: those two are the
 * same. */
static bool percentiles(const uint32_t *bins, size_t count, uint64_t total, size_t *ret_low, size_t *ret_high)
{
    const uint64_t aside = total / 500;
    uint64_t seen = 0;
    size_t low = 0, high = count - 1;

    while (low < count - 1 && (seen += bins[low]) <= aside)
        low++;
    seen = 0;
    while (high > 0 && (seen += bins[high]) <= aside)
        high--;
    *ret_low = low;
    *ret_high = high;
    return high > low;
}

/* One value alone is black. */
static struct sample_range ends(double from, double to)
{
    return from < to ? (struct sample_range){ from, to } : (struct sample_range){ from, from + 1 };
}

static struct sample_range range_of_integers(const struct sample_rule *rule, const uint8_t *from,
                                             size_t count)
{
    const unsigned stored = bits_stored_of(&rule->shape), wide = rule->shape.bits_allocated == 16;
    const uint32_t entries = 1u << stored, half = rule->shape.is_signed ? entries / 2 : 0;
    const struct sample_map view = { .bytes_in = wide ? 2 : 1,
                                     .shift = high_bit_of(rule) + 1 - stored,
                                     .mask = entries - 1 };
    uint32_t *bins =
        calloc(entries, sizeof(*bins)); /* ascending with the value: the signed ones turned by half */
    uint64_t total = 0;
    size_t low = 0, high = 0;

    if (!bins)
        return ends(0, entries - 1);
    for (size_t i = 0; i < count; i++)
        bins[(index_at(&view, from, i) + half) & view.mask]++;
    for (uint32_t i = 0; i < entries; i++) {
        if (is_padding(rule, (double)i - half))
            bins[i] = 0;
        total += bins[i];
    }
    const bool is_segmentation = rule->display_or_null && rule->display_or_null->is_segmentation;
    if (total > 0 && !is_segmentation && percentiles(bins, entries, total, &low, &high)) {
        free(bins);
        return ends((double)low - half, (double)high - half);
    }
    low = is_segmentation ? half : 0; /* what is in no segment is black in every frame */
    high = entries - 1;
    while (low < high && bins[low] == 0 && !is_segmentation)
        low++;
    while (high > low && bins[high] == 0)
        high--;
    free(bins);
    return ends((double)low - half, (double)high - half);
}

static struct sample_range range_of_numbers(const struct sample_rule *rule, const uint8_t *from, size_t count)
{
    const size_t width = rule->shape.bits_allocated / 8;
    uint32_t bins[RANGE_BINS] = { 0 };
    double least = INFINITY, most = -INFINITY;
    uint64_t total = 0;
    size_t low, high;

    for (size_t i = 0; i < count; i++) {
        const double value = number_at(rule, from + i * width);
        if (isfinite(value) && !is_padding(rule, value)) {
            least = fmin(least, value);
            most = fmax(most, value);
        }
    }
    if (!(most > least) || !isfinite(most - least))
        return isfinite(least) ? ends(least, least) : ends(0, 1);
    const double step = (most - least) / (RANGE_BINS - 1);
    for (size_t i = 0; i < count; i++) {
        const double value = number_at(rule, from + i * width);
        if (isfinite(value) && !is_padding(rule, value)) {
            bins[(size_t)((value - least) / step)]++;
            total++;
        }
    }
    if (!percentiles(bins, RANGE_BINS, total, &low, &high))
        return ends(least, most);
    return ends(least + (double)low * step, least + (double)high * step);
}

struct sample_range sample_range_of(const struct sample_rule *rule, const uint8_t *from, size_t count)
{
    const unsigned bits = bits_stored_of(&rule->shape);
    const bool is_segmentation = rule->display_or_null && rule->display_or_null->is_segmentation;

    if (rule->shape.bits_allocated > 16 || rule->samples != SAMPLES_INTEGER)
        return range_of_numbers(rule, from, count);
    if (bits == 1 || (bits <= 8 && !is_segmentation))
        return rule->shape.is_signed ? ends(-(double)(1u << bits) / 2, (double)(1u << bits) / 2 - 1)
                                     : ends(0, (double)(1u << bits) - 1);
    return range_of_integers(rule, from, count);
}
