/* dicom/presentation_state.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Reads a presentation state: each module of PS3.3 C.11 is a function below, but for what is drawn on the
 * picture (presentation_graphics.c).
 */
#include "dicom/presentation_state.h"

#include <stdlib.h>

#include "dicom/attribute_reader.h"
#include "dicom/data_set.h"
#include "dicom/tag.h"

enum {
    REFERENCED_SERIES = 0x00081115,
    REFERENCED_IMAGES = 0x00081140,
    REFERENCED_INSTANCE = 0x00081155,
    REFERENCED_FRAMES = 0x00081160,
    SOFTCOPY_VOI = 0x00283110,
    PRESENTATION_LUT_SEQUENCE = 0x20500010,
    PRESENTATION_LUT_SHAPE = 0x20500020,
    LUT_DESCRIPTOR = 0x00283002,
    LUT_DATA = 0x00283006,
    ICC_PROFILE = 0x00282000,
    SHUTTER_SHAPE = 0x00181600,
    SHUTTER_VALUE = 0x00181622,
    SHUTTER_OVERLAY = 0x00181623,
    SHUTTER_CIELAB = 0x00181624,
    DISPLAYED_AREA = 0x0070005A,
    TOP_LEFT = 0x00700052,
    BOTTOM_RIGHT = 0x00700053,
    SIZE_MODE = 0x00700100,
    MAGNIFICATION = 0x00700103,
    FLIP = 0x00700041,
    ROTATION = 0x00700042,
    PIXEL_SPACING = 0x00700101,
    PIXEL_ASPECT = 0x00700102,
    MASK_SUBTRACTIONS = 0x00286100,
    VIEWING_MODE = 0x00281090,
    BLENDING_SEQUENCE = 0x00700402,
    BLENDING_OPACITY = 0x00700403,
    BLENDING_POSITION = 0x00700405
};

bool presentation_state_is_class(struct bytes sop_class)
{
    static const char *const classes[] = {
        "1.2.840.10008.5.1.4.1.1.11.1", /* grayscale */
        "1.2.840.10008.5.1.4.1.1.11.2", /* colour */
        "1.2.840.10008.5.1.4.1.1.11.3", /* pseudo-colour */
        "1.2.840.10008.5.1.4.1.1.11.4", /* blending */
    };

    for (size_t i = 0; i < COUNT_OF(classes); i++)
        if (bytes_equal_text(sop_class, classes[i]))
            return true;
    return false;
}

/* ── references ── */

static bool read_reference(struct attribute_reader *reader, const struct dataset_item *item, void *into)
{
    struct image_reference *reference = into;
    struct error ignored = { 0 };
    uint32_t count = 0;

    *reference = (struct image_reference){ 0 };
    if (!uid_parse(attribute_text(reader, item, REFERENCED_INSTANCE), &reference->instance, &ignored))
        return false;
    reference->frames = attribute_counts(reader, item, REFERENCED_FRAMES, PRESENTATION_REFERENCES, &count);
    reference->frame_count = count;
    return true;
}

struct image_references presentation_references(struct attribute_reader *reader,
                                                const struct dataset_item *item)
{
    struct image_references references;

    references.list = attribute_list(reader, item, REFERENCED_IMAGES, PRESENTATION_REFERENCES,
                                     sizeof(struct image_reference), read_reference, &references.count);
    return references;
}

static uint32_t count_images(const struct dataset_item *root)
{
    struct dataset_element sequence, images;
    const struct dataset_item *series = NULL, *image = NULL;
    uint32_t count = 0;

    if (!dataset_find(root, REFERENCED_SERIES, &sequence) || !sequence.is_sequence)
        return 0;
    while ((series = dataset_next_item(&sequence, series)) != NULL) {
        if (!dataset_find(series, REFERENCED_IMAGES, &images) || !images.is_sequence)
            continue;
        while (count < PRESENTATION_REFERENCES && (image = dataset_next_item(&images, image)) != NULL)
            count++;
    }
    return count;
}

/* Those of all series one behind the other. */
static struct image_references read_images(struct attribute_reader *reader, const struct dataset_item *root)
{
    struct dataset_element sequence;
    const struct dataset_item *series = NULL;
    const uint32_t most = count_images(root);
    struct image_reference *all = attribute_room(reader, most, sizeof(*all));
    struct error ignored = { 0 };
    struct uid study = { 0 };
    uint32_t count = 0;

    if (!all || !dataset_find(root, REFERENCED_SERIES, &sequence) || !sequence.is_sequence)
        return (struct image_references){ NULL, 0 };
    if (!uid_parse(attribute_text(reader, root, TAG_STUDY_INSTANCE_UID), &study, &ignored))
        study = (struct uid){ 0 };
    while ((series = dataset_next_item(&sequence, series)) != NULL) {
        const struct image_references some = presentation_references(reader, series);
        struct uid uid = { 0 };

        if (!uid_parse(attribute_text(reader, series, TAG_SERIES_INSTANCE_UID), &uid, &ignored))
            continue;
        for (uint32_t i = 0; i < some.count && count < most; i++) {
            all[count] = some.list[i];
            all[count].study = study;
            all[count++].series = uid;
        }
    }
    return (struct image_references){ all, count };
}

/* ── gray ── */

static bool read_voi(struct attribute_reader *reader, const struct dataset_item *item, void *into)
{
    struct presented_voi *voi = into;

    *voi = (struct presented_voi){ .to = presentation_references(reader, item), .look = { .slope = 1 } };
    attribute_voi(reader, item, &voi->look);
    return voi->look.has_window || voi->look.voi.count > 0;
}

static struct presented_gray read_gray(struct attribute_reader *reader, const struct dataset_item *item)
{
    struct presented_gray gray = { .modality = { .slope = 1 } };

    attribute_modality(reader, item, &gray.modality);
    gray.vois = attribute_list(reader, item, SOFTCOPY_VOI, PRESENTATION_ITEMS, sizeof(struct presented_voi),
                               read_voi, &gray.voi_count);
    return gray;
}

static void read_output(struct attribute_reader *reader, const struct dataset_item *root,
                        struct presentation_state *into)
{
    const struct dataset_item *presentation = attribute_item(root, PRESENTATION_LUT_SEQUENCE);

    if (presentation)
        attribute_lut(reader, presentation, LUT_DESCRIPTOR, LUT_DATA, &into->presentation);
    into->inverse = attribute_is(reader, root, PRESENTATION_LUT_SHAPE, "INVERSE");
    attribute_palette(reader, root, &into->palette);
    into->icc_profile = attribute_bytes(reader, root, ICC_PROFILE);
}

/* ── blending ── */

/* Each item names its images as a state does, the study too (C.11.14). */
static void read_blending(struct attribute_reader *reader, const struct dataset_item *root,
                          struct presentation_state *into)
{
    for (unsigned n = 0; n < 2; n++) {
        const struct dataset_item *item = attribute_item_at(root, BLENDING_SEQUENCE, n);
        if (!item)
            return;
        if (attribute_is(reader, item, BLENDING_POSITION, "SUPERIMPOSED")) {
            into->above.images = read_images(reader, item);
            into->above.gray = read_gray(reader, item);
        } else {
            into->images = read_images(reader, item);
            into->gray = read_gray(reader, item);
        }
    }
    if (!attribute_real(reader, root, BLENDING_OPACITY, 0, &into->above.opacity) || into->above.opacity > 1)
        into->above.opacity = 1;
    if (into->above.opacity < 0)
        into->above.opacity = 0;
}

/* ── masks ── */

static bool read_mask(struct attribute_reader *reader, const struct dataset_item *item, void *into)
{
    struct frame_mask *mask = into;
    const struct bytes operation = attribute_text(reader, item, 0x00286101);
    int64_t number;

    *mask = (struct frame_mask){ .averaged = 1, .offset = 1 };
    mask->ranges = attribute_counts(reader, item, 0x00286102, PRESENTATION_REFERENCES, &mask->range_count);
    mask->range_count /= 2;
    mask->frames = attribute_counts(reader, item, 0x00286110, PRESENTATION_MASK_FRAMES, &mask->frame_count);
    if (attribute_whole(reader, item, 0x00286112, 0, &number) && number >= 1)
        mask->averaged = number < PRESENTATION_MASK_FRAMES ? (uint32_t)number : PRESENTATION_MASK_FRAMES;
    if (!attribute_real(reader, item, 0x00286114, 0, &mask->shift_rows) ||
        !attribute_real(reader, item, 0x00286114, 1, &mask->shift_columns))
        mask->shift_rows = mask->shift_columns = 0;
    if (attribute_whole(reader, item, 0x00286120, 0, &number) && number >= INT16_MIN && number <= INT16_MAX)
        mask->offset = (int32_t)number;
    if (bytes_equal_text(operation, "AVG_SUB"))
        mask->operation = MASK_AVERAGE;
    else if (bytes_equal_text(operation, "TID"))
        mask->operation = MASK_EARLIER_FRAME;
    else if (bytes_equal_text(operation, "REV_TID"))
        mask->operation = MASK_REVERSED;
    else
        return false;
    return mask->operation == MASK_AVERAGE    ? mask->frame_count > 0
           : mask->operation == MASK_REVERSED ? mask->range_count > 0
                                              : true;
}

/* NONE is none; a mode of NAT shows the frames as they are. */
static void read_masks(struct attribute_reader *reader, const struct dataset_item *root,
                       struct presentation_state *into)
{
    const struct dataset_item *item;

    if (attribute_is(reader, root, VIEWING_MODE, "NAT"))
        return;
    into->masks = attribute_list(reader, root, MASK_SUBTRACTIONS, PRESENTATION_ITEMS,
                                 sizeof(struct frame_mask), read_mask, &into->mask_count);
    for (unsigned n = 0; n < 16 && (item = attribute_item_at(root, MASK_SUBTRACTIONS, n)) != NULL; n++) {
        struct frame_mask mask;
        if (!attribute_is(reader, item, 0x00286101, "NONE") && !read_mask(reader, item, &mask))
            into->has_unknown_mask = true;
    }
}

/* Does a frame lie in its ranges? *ret_first: where the range begins. */
static bool mask_applies(const struct frame_mask *mask, uint32_t frame, uint32_t frames)
{
    for (uint32_t i = 0; i < mask->range_count; i++)
        if (frame >= mask->ranges[2 * i] && frame <= mask->ranges[2 * i + 1])
            return true;
    if (mask->range_count > 0)
        return false;
    if (mask->operation == MASK_AVERAGE)
        return (uint64_t)frame + mask->averaged <= (uint64_t)frames + 1;
    const int64_t earlier = (int64_t)frame - mask->offset;
    return earlier >= 1 && earlier <= frames;
}

const struct frame_mask *presentation_state_mask(const struct presentation_state *state, uint32_t frame,
                                                 uint32_t frames)
{
    for (uint32_t i = 0; i < state->mask_count; i++)
        if (mask_applies(&state->masks[i], frame, frames))
            return &state->masks[i];
    return NULL;
}

/* ── shutter ── */

struct presented_colour presentation_colour(struct attribute_reader *reader, const struct dataset_item *item,
                                            uint32_t gray, uint32_t lab)
{
    struct presented_colour colour = { 0 };
    int64_t value;

    if (gray != 0 && attribute_whole(reader, item, gray, 0, &value) && value >= 0 && value <= UINT16_MAX) {
        colour.has_gray = true;
        colour.gray = (uint16_t)value;
    }
    colour.has_lab = true;
    for (unsigned i = 0; i < 3; i++) {
        if (!attribute_whole(reader, item, lab, i, &value) || value < 0 || value > UINT16_MAX) {
            colour.has_lab = false;
            break;
        }
        colour.lab[i] = (uint16_t)value;
    }
    return colour;
}

static bool read_edges(struct attribute_reader *reader, const struct dataset_item *root, struct shutter *into)
{
    static const uint32_t tags[] = { 0x00181602, 0x00181604, 0x00181606, 0x00181608 };
    int32_t *const edges[] = { &into->left, &into->right, &into->top, &into->bottom };

    for (size_t i = 0; i < COUNT_OF(tags); i++) {
        int64_t value;
        if (!attribute_whole(reader, root, tags[i], 0, &value) || value < INT32_MIN || value > INT32_MAX)
            return false;
        *edges[i] = (int32_t)value;
    }
    return true;
}

/* `overlays` of the state: one of them may be the shutter. */
static void read_shutter(struct attribute_reader *reader, const struct dataset_item *root,
                         struct presentation_state *state)
{
    struct bytes shapes = attribute_text(reader, root, SHUTTER_SHAPE);
    struct shutter *into = &state->shutter;
    int64_t group = 0;

    while (shapes.data) {
        const struct bytes shape = bytes_trim(bytes_cut(&shapes, '\\'));
        if (bytes_equal_text(shape, "RECTANGULAR")) {
            into->rectangular = read_edges(reader, root, into);
        } else if (bytes_equal_text(shape, "CIRCULAR")) {
            into->circular = attribute_real(reader, root, 0x00181610, 0, &into->row) &&
                             attribute_real(reader, root, 0x00181610, 1, &into->column) &&
                             attribute_real(reader, root, 0x00181612, 0, &into->radius);
        } else if (bytes_equal_text(shape, "POLYGONAL")) {
            into->vertices =
                attribute_reals(reader, root, 0x00181620, PRESENTATION_POINTS, &into->vertex_count);
            into->vertex_count /= 2;
            into->polygonal = into->vertex_count >= 3;
        } else if (bytes_equal_text(shape, "BITMAP") &&
                   attribute_whole(reader, root, SHUTTER_OVERLAY, 0, &group)) {
            for (size_t i = 0; i < state->overlay_count; i++)
                if (state->overlays[i].group == group && !state->overlays[i].in_pixels)
                    into->bitmap_or_null = &state->overlays[i];
        }
    }
    into->colour = presentation_colour(reader, root, SHUTTER_VALUE, SHUTTER_CIELAB);
}

/* ── where ── */

static void order(int32_t *a, int32_t *b)
{
    const int32_t low = *a < *b ? *a : *b, high = *a < *b ? *b : *a;

    *a = low;
    *b = high;
}

/* Vertical to horizontal, told by one or the other (C.10.4). */
static double read_aspect(struct attribute_reader *reader, const struct dataset_item *item)
{
    static const uint32_t tags[] = { PIXEL_SPACING, PIXEL_ASPECT };

    for (size_t i = 0; i < COUNT_OF(tags); i++) {
        double vertical, horizontal;
        if (attribute_real(reader, item, tags[i], 0, &vertical) &&
            attribute_real(reader, item, tags[i], 1, &horizontal) && vertical > 0 && horizontal > 0 &&
            vertical / horizontal >= 0.01 && vertical / horizontal <= 100)
            return vertical / horizontal;
    }
    return 1;
}

static bool read_area(struct attribute_reader *reader, const struct dataset_item *item, void *into)
{
    struct displayed_area *area = into;
    int64_t corners[4];

    *area = (struct displayed_area){ .to = presentation_references(reader, item),
                                     .magnification = 1,
                                     .aspect = 1 };
    for (unsigned i = 0; i < 4; i++)
        if (!attribute_whole(reader, item, i < 2 ? TOP_LEFT : BOTTOM_RIGHT, i % 2, &corners[i]) ||
            corners[i] < -100000 || corners[i] > 100000)
            return false;
    area->left = (int32_t)corners[0];
    area->top = (int32_t)corners[1];
    area->right = (int32_t)corners[2];
    area->bottom = (int32_t)corners[3];
    /* The corners are those of what is seen: a turned image has them the other way round. */
    order(&area->left, &area->right);
    order(&area->top, &area->bottom);
    if (attribute_is(reader, item, SIZE_MODE, "MAGNIFY"))
        area->mode = SIZE_MAGNIFY;
    else if (attribute_is(reader, item, SIZE_MODE, "TRUE SIZE"))
        area->mode = SIZE_TRUE_SIZE;
    if (!attribute_real(reader, item, MAGNIFICATION, 0, &area->magnification) || area->magnification <= 0)
        area->magnification = 1;
    area->aspect = read_aspect(reader, item);
    return true;
}

static void read_spatial(struct attribute_reader *reader, const struct dataset_item *root,
                         struct presentation_state *into)
{
    int64_t rotation;

    if (attribute_whole(reader, root, ROTATION, 0, &rotation) && rotation % 90 == 0)
        into->rotation = (unsigned)((rotation % 360 + 360) % 360);
    into->flipped = attribute_is(reader, root, FLIP, "Y");
    into->areas = attribute_list(reader, root, DISPLAYED_AREA, PRESENTATION_ITEMS,
                                 sizeof(struct displayed_area), read_area, &into->area_count);
}

/* ── all of it ── */

bool presentation_state_read(const char *path, struct presentation_state **ret, struct error *err)
{
    struct data_set file = { .fd = -1 };
    SCOPED(data_set) struct data_set *data_set = &file;
    SCOPED(presentation_state) struct presentation_state *state = NULL;

    if (!data_set_open(path, data_set, err))
        return error_while(err, "reading a presentation state");
    state = calloc(1, sizeof(*state));
    if (!state)
        return error_set(err, FAULT_BUSY, "no memory for a presentation state");
    struct attribute_reader reader = { .arena = &state->arena, .budget = IMAGE_DISPLAY_CEILING };
    const struct dataset_item *root = dataset_root(data_set->elements);
    state->overlay_count = attribute_overlays(&reader, root, state->overlays);
    state->images = read_images(&reader, root);
    state->gray = read_gray(&reader, root);
    read_output(&reader, root, state);
    read_blending(&reader, root, state);
    read_masks(&reader, root, state);
    read_shutter(&reader, root, state);
    read_spatial(&reader, root, state);
    presentation_graphics_read(&reader, root, state);
    state->character_set = attribute_text(&reader, root, TAG_SPECIFIC_CHARACTER_SET);
    if (state->images.count == 0)
        return error_tell(err, FAULT_NOT_ACCEPTABLE, "The presentation state refers to no image.");
    *ret = TAKE(state);
    return true;
}

void presentation_state_free(struct presentation_state *state)
{
    if (!state)
        return;
    arena_release(&state->arena);
    free(state);
}

void presentation_state_drop(struct presentation_state **state)
{
    presentation_state_free(*state);
}

bool image_references_have(const struct image_references *references, const struct uid *instance,
                           uint32_t frame)
{
    for (uint32_t i = 0; i < references->count; i++) {
        const struct image_reference *one = &references->list[i];
        if (!uid_equal(&one->instance, instance))
            continue;
        if (one->frame_count == 0)
            return true;
        for (uint32_t k = 0; k < one->frame_count; k++)
            if (one->frames[k] == frame)
                return true;
    }
    return references->count == 0;
}

const struct presented_voi *presented_gray_voi(const struct presented_gray *gray, const struct uid *instance,
                                               uint32_t frame)
{
    for (uint32_t i = 0; i < gray->voi_count; i++)
        if (image_references_have(&gray->vois[i].to, instance, frame))
            return &gray->vois[i];
    return NULL;
}

const struct displayed_area *presentation_state_area(const struct presentation_state *state,
                                                     const struct uid *instance, uint32_t frame)
{
    for (uint32_t i = 0; i < state->area_count; i++)
        if (image_references_have(&state->areas[i].to, instance, frame))
            return &state->areas[i];
    return NULL;
}
