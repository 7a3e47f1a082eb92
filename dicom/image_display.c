/* dicom/image_display.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The display attributes of an instance, gathered in one pass; see image_display.h.
 *
 * Functional groups (PS3.3 C.7.6.16) are folded here: a frame's look is the per-frame group's, where that is
 * silent the shared one's, where that is silent the data set's own.
 */
#include "dicom/image_display.h"

#include <math.h>
#include <stdlib.h>

#include "base/number.h"
#include "dicom/attribute_reader.h"
#include "dicom/data_set.h"
#include "dicom/tag.h"

enum {
    BURNED_IN_ANNOTATION = 0x00280301,
    RECOGNIZABLE_VISUAL_FEATURES = 0x00280302,
    FRAME_TIME = 0x00181063,
    FRAME_TIME_VECTOR = 0x00181065,
    CINE_RATE = 0x00180040,
    DISPLAY_FRAME_RATE = 0x00082144,
    PIXEL_PADDING_VALUE = 0x00280120,
    PIXEL_PADDING_RANGE_LIMIT = 0x00280121,
    FLOAT_PADDING_VALUE = 0x00280122,
    DOUBLE_PADDING_VALUE = 0x00280123,
    FLOAT_PADDING_LIMIT = 0x00280124,
    DOUBLE_PADDING_LIMIT = 0x00280125,
    PIXEL_INTENSITY_RELATIONSHIP = 0x00281040,
    PIXEL_PRESENTATION = 0x00089205,
    ICC_PROFILE = 0x00282000,
    REPRESENTATIVE_FRAME = 0x00286010,
    PRESENTATION_LUT_SHAPE = 0x20500020,
    SHARED_GROUPS = 0x52009229,
    FRAME_GROUPS = 0x52009230,
    FRAME_VOI_LUT = 0x00289132,
    PIXEL_VALUE_TRANSFORMATION = 0x00289145,
    OPTICAL_PATH_SEQUENCE = 0x00480105,
    FRAMES_MOST = 1000000
};

static const char *const lut_first_classes[] = {
    "1.2.840.10008.5.1.4.1.1.1.1", /* Digital X-Ray, for presentation */
    "1.2.840.10008.5.1.4.1.1.1.2", /* Digital Mammography, for presentation */
    "1.2.840.10008.5.1.4.1.1.1.3", /* Digital Intra-Oral X-Ray, for presentation */
};
/* Their Modality LUT is for measuring (REN-41): XA, RF, XA bi-plane, enhanced XA and XRF. */
static const char *const projection_classes[] = {
    "1.2.840.10008.5.1.4.1.1.12.1",   "1.2.840.10008.5.1.4.1.1.12.2",   "1.2.840.10008.5.1.4.1.1.12.3",
    "1.2.840.10008.5.1.4.1.1.12.1.1", "1.2.840.10008.5.1.4.1.1.12.2.1",
};
static const char *const segmentation_classes[] = {
    "1.2.840.10008.5.1.4.1.1.66.4",
    "1.2.840.10008.5.1.4.1.1.66.7",
};

static bool is_one_of(struct bytes uid, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes_equal_text(uid, list[i]))
            return true;
    return false;
}

/* ── groups ── */

static void read_groups(struct attribute_reader *reader, const struct dataset_item *groups,
                        struct gray_look *into)
{
    const struct dataset_item *voi = attribute_item(groups, FRAME_VOI_LUT);
    const struct dataset_item *transformation = attribute_item(groups, PIXEL_VALUE_TRANSFORMATION);

    if (voi)
        attribute_voi(reader, voi, into);
    if (transformation)
        attribute_modality(reader, transformation, into);
}

static bool has_look(const struct dataset_item *groups)
{
    return attribute_item(groups, FRAME_VOI_LUT) || attribute_item(groups, PIXEL_VALUE_TRANSFORMATION);
}

static void read_frame_looks(struct attribute_reader *reader, const struct dataset_item *root,
                             struct image_display *into)
{
    struct dataset_element element;
    const struct dataset_item *item = NULL;
    uint32_t count = 0, n = 0;
    bool any = false;

    if (!dataset_find(root, FRAME_GROUPS, &element) || !element.is_sequence)
        return;
    while (count < FRAMES_MOST && (item = dataset_next_item(&element, item)) != NULL) {
        any = any || has_look(item);
        count++;
    }
    const uint64_t bytes = count * sizeof(struct gray_look);
    if (!any || bytes > reader->budget)
        return;
    reader->budget -= bytes;
    struct gray_look *looks = arena_array(reader->arena, count, sizeof(*looks));
    item = NULL;
    while (n < count && (item = dataset_next_item(&element, item)) != NULL) {
        looks[n] = into->look;
        read_groups(reader, item, &looks[n++]);
    }
    into->frame_looks = looks;
    into->frame_look_count = n;
}

/* ── padding, cine ── */

static int32_t stored_value(double value, bool is_signed)
{
    /* The field writes signed padding as US and the other way round: the bit pattern is what counts. */
    const int32_t whole = (int32_t)value;
    return is_signed ? (int16_t)(uint16_t)whole : (uint16_t)whole;
}

static void read_padding(struct attribute_reader *reader, const struct dataset_item *root,
                         struct image_display *into)
{
    double from, to;

    if (into->samples != SAMPLES_INTEGER) {
        const bool full = into->samples == SAMPLES_DOUBLE;
        if (!attribute_real(reader, root, full ? DOUBLE_PADDING_VALUE : FLOAT_PADDING_VALUE, 0, &from))
            return;
        if (!attribute_real(reader, root, full ? DOUBLE_PADDING_LIMIT : FLOAT_PADDING_LIMIT, 0, &to))
            to = from;
        into->has_padding = true;
        into->float_padding_from = fmin(from, to);
        into->float_padding_to = fmax(from, to);
        return;
    }
    if (!attribute_real(reader, root, PIXEL_PADDING_VALUE, 0, &from) || fabs(from) > 65535)
        return;
    if (!attribute_real(reader, root, PIXEL_PADDING_RANGE_LIMIT, 0, &to) || fabs(to) > 65535)
        to = from;
    const int32_t a = stored_value(from, reader->pixels_signed), b = stored_value(to, reader->pixels_signed);
    into->has_padding = true;
    into->padding_from = a < b ? a : b;
    into->padding_to = a < b ? b : a;
}

static void read_cine(struct attribute_reader *reader, const struct dataset_item *root,
                      struct image_display *into)
{
    double rate;

    if (attribute_real(reader, root, DISPLAY_FRAME_RATE, 0, &rate) && rate > 0)
        into->frame_ms = 1000.0 / rate;
    else if (attribute_real(reader, root, FRAME_TIME, 0, &rate) && rate > 0)
        into->frame_ms = rate;
    else if (attribute_real(reader, root, CINE_RATE, 0, &rate) && rate > 0)
        into->frame_ms = 1000.0 / rate;

    into->frames_ms = attribute_reals(reader, root, FRAME_TIME_VECTOR, FRAMES_MOST, &into->frames_ms_count);
}

static void read_colour(struct attribute_reader *reader, const struct dataset_item *root,
                        struct image_display *into)
{
    attribute_palette(reader, root, &into->palette);
    into->palette_is_supplement =
        into->palette.red.count > 0 && attribute_is(reader, root, PIXEL_PRESENTATION, "COLOR");
    into->icc_profile = attribute_bytes(reader, root, ICC_PROFILE);
    if (into->icc_profile.size == 0) { /* whole slide images have it in their optical path */
        const struct dataset_item *path = attribute_item(root, OPTICAL_PATH_SEQUENCE);
        if (path)
            into->icc_profile = attribute_bytes(reader, path, ICC_PROFILE);
    }
}

/* A linear window of real numbers from 0 to 1 has the width 1, for which the linear formula is a threshold
 * (C.11.2.1.2.1): makers of float parametric maps mean LINEAR_EXACT. */
static void mend_real_window(struct gray_look *look)
{
    if (look->has_window && look->window.function == VOI_LINEAR && look->window.width <= 1)
        look->window.function = VOI_LINEAR_EXACT;
}

static bool has_strange_colours(struct attribute_reader *reader, const struct dataset_item *root)
{
    static const char *const strange[] = { "HSV", "ARGB", "CMYK", "YBR_PARTIAL_422" };
    const struct bytes photometric = attribute_text(reader, root, TAG_PHOTOMETRIC_INTERPRETATION);

    for (size_t i = 0; i < COUNT_OF(strange); i++)
        if (bytes_equal_text(photometric, strange[i]))
            return true;
    return false;
}

static void read_all(struct attribute_reader *reader, const struct data_set *data_set,
                     struct image_display *into)
{
    const struct dataset_item *root = dataset_root(data_set->elements);
    const struct bytes class = attribute_text(reader, root, TAG_SOP_CLASS_UID);
    int64_t whole;

    reader->pixels_signed = attribute_whole(reader, root, TAG_PIXEL_REPRESENTATION, 0, &whole) && whole == 1;
    if (data_set->skeleton.has_pixel_data && data_set->skeleton.pixel_tag != TAG_PIXEL_DATA)
        into->samples = data_set->skeleton.pixel_tag == TAG_FLOAT_PIXEL_DATA ? SAMPLES_FLOAT : SAMPLES_DOUBLE;
    into->high_bit = attribute_whole(reader, root, TAG_HIGH_BIT, 0, &whole) && whole >= 0 && whole < 64
                         ? (unsigned)whole
                         : UINT32_MAX;
    into->has_strange_colours = has_strange_colours(reader, root);
    into->prefers_lut = is_one_of(class, lut_first_classes, COUNT_OF(lut_first_classes));
    into->is_segmentation = is_one_of(class, segmentation_classes, COUNT_OF(segmentation_classes));
    into->inverse = attribute_is(reader, root, PRESENTATION_LUT_SHAPE, "INVERSE");
    into->shows_identity = attribute_is(reader, root, BURNED_IN_ANNOTATION, "YES") ||
                           attribute_is(reader, root, RECOGNIZABLE_VISUAL_FEATURES, "YES");
    if (attribute_whole(reader, root, REPRESENTATIVE_FRAME, 0, &whole) && whole > 0 && whole <= FRAMES_MOST)
        into->representative_frame = (uint32_t)whole;

    into->look = (struct gray_look){ .slope = 1 };
    const struct bytes relation = attribute_text(reader, root, PIXEL_INTENSITY_RELATIONSHIP);
    const bool for_measuring = is_one_of(class, projection_classes, COUNT_OF(projection_classes)) &&
                               (bytes_equal_text(relation, "LOG") || bytes_equal_text(relation, "DISP"));
    if (!for_measuring)
        attribute_modality(reader, root, &into->look);
    attribute_voi(reader, root, &into->look);
    const struct dataset_item *shared = attribute_item(root, SHARED_GROUPS);
    if (shared)
        read_groups(reader, shared, &into->look);
    read_frame_looks(reader, root, into);
    if (into->samples != SAMPLES_INTEGER) {
        mend_real_window(&into->look);
        for (uint32_t i = 0; i < into->frame_look_count; i++)
            mend_real_window((struct gray_look *)(uintptr_t)&into->frame_looks[i]);
    }
    read_padding(reader, root, into);
    into->overlay_count = attribute_overlays(reader, root, into->overlays);
    read_cine(reader, root, into);
    read_colour(reader, root, into);
}

bool image_display_read(const char *path, const struct image_display **ret, struct error *err)
{
    struct data_set state = { .fd = -1 };
    SCOPED(data_set) struct data_set *data_set = &state;
    SCOPED(image_display) const struct image_display *owned = NULL;

    if (!data_set_open(path, data_set, err))
        return error_while(err, "reading how an image is shown");
    struct image_display *display = calloc(1, sizeof(*display));
    if (!display)
        return error_set(err, FAULT_BUSY, "no memory for display attributes");
    display->references = 1;
    owned = display;
    struct attribute_reader reader = { .arena = &display->arena, .budget = IMAGE_DISPLAY_CEILING };
    read_all(&reader, data_set, display);
    display->bytes = sizeof(*display) + IMAGE_DISPLAY_CEILING - reader.budget;
    *ret = TAKE(owned);
    return true;
}

const struct image_display *image_display_ref(const struct image_display *display)
{
    __atomic_add_fetch(&((struct image_display *)(uintptr_t)display)->references, 1, __ATOMIC_RELAXED);
    return display;
}

void image_display_unref(const struct image_display *display)
{
    struct image_display *owned = (struct image_display *)(uintptr_t)display;

    if (!owned || __atomic_sub_fetch(&owned->references, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    arena_release(&owned->arena);
    free(owned);
}

void image_display_drop(const struct image_display **display)
{
    image_display_unref(*display);
}

const struct gray_look *image_display_look(const struct image_display *display, uint32_t frame)
{
    return frame >= 1 && frame <= display->frame_look_count ? &display->frame_looks[frame - 1]
                                                            : &display->look;
}

/* Both floats in one word, so that it is read and written at once. Two equal ends are no range, so 0 is none.
 */
bool image_display_recall(const struct image_display *display, float *ret_from, float *ret_to)
{
    const uint64_t word = __atomic_load_n(&display->range, __ATOMIC_RELAXED);
    const uint32_t from = (uint32_t)(word >> 32), to = (uint32_t)word;

    memcpy(ret_from, &from, sizeof(from));
    memcpy(ret_to, &to, sizeof(to));
    return word != 0;
}

void image_display_remember(const struct image_display *display, float from, float to)
{
    uint32_t high, low;

    memcpy(&high, &from, sizeof(high));
    memcpy(&low, &to, sizeof(low));
    __atomic_store_n(&((struct image_display *)(uintptr_t)display)->range, (uint64_t)high << 32 | low,
                     __ATOMIC_RELAXED);
}

double image_display_show_ms(const struct image_display *display, uint32_t frame)
{
    double ms = display->frame_ms;

    /* The vector has the time from the frame before to each one (PS3.3 C.7.6.5.1.2): a frame is seen until
     * the next. */
    if (frame < display->frames_ms_count)
        ms = display->frames_ms[frame];
    return ms > 0 ? ms : 100;
}
