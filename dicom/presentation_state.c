/* dicom/presentation_state.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Reads a presentation state: each module of PS3.3 C.11 is a function below.
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
    DISPLAYED_AREA = 0x0070005A,
    TOP_LEFT = 0x00700052,
    BOTTOM_RIGHT = 0x00700053,
    SIZE_MODE = 0x00700100,
    MAGNIFICATION = 0x00700103,
    FLIP = 0x00700041,
    ROTATION = 0x00700042,
    GRAPHIC_ANNOTATIONS = 0x00700001,
    TEXT_OBJECTS = 0x00700008,
    GRAPHIC_OBJECTS = 0x00700009,
    UNFORMATTED_TEXT = 0x00700006,
    BOX_UNITS = 0x00700003,
    ANCHOR_UNITS = 0x00700004,
    GRAPHIC_UNITS = 0x00700005,
    BOX_TOP_LEFT = 0x00700010,
    ANCHOR_POINT = 0x00700014,
    GRAPHIC_DATA = 0x00700022,
    GRAPHIC_TYPE = 0x00700023
};

bool presentation_state_is_class(struct bytes sop_class)
{
    static const char *const classes[] = {
        "1.2.840.10008.5.1.4.1.1.11.1", /* grayscale */
        "1.2.840.10008.5.1.4.1.1.11.2", /* colour */
        "1.2.840.10008.5.1.4.1.1.11.3", /* pseudo-colour */
    };

    for (size_t i = 0; i < COUNT_OF(classes); i++)
        if (bytes_equal_text(sop_class, classes[i]))
            return true;
    return false;
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

/* An array in the arena, within the budget; NULL: none. */
static void *room_for(struct attribute_reader *reader, uint32_t count, size_t size)
{
    if (count == 0 || count * size > reader->budget)
        return NULL;
    reader->budget -= count * size;
    return arena_array(reader->arena, count, size);
}

/* Calls `read` with each item of a sequence; those it takes are the list. *ret_count how many. */
static void *read_list(struct attribute_reader *reader, const struct dataset_item *item, uint32_t sequence,
                       uint32_t most, size_t size,
                       bool (*read)(struct attribute_reader *, const struct dataset_item *, void *),
                       uint32_t *ret_count)
{
    const uint32_t count = count_items(item, sequence, most);
    struct dataset_element element;
    const struct dataset_item *at = NULL;
    uint8_t *list = room_for(reader, count, size);

    *ret_count = 0;
    if (!list || !dataset_find(item, sequence, &element))
        return NULL;
    for (uint32_t i = 0; i < count && (at = dataset_next_item(&element, at)) != NULL; i++)
        if (read(reader, at, list + *ret_count * size))
            ++*ret_count;
    return list;
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
    const double *frames = attribute_reals(reader, item, REFERENCED_FRAMES, PRESENTATION_REFERENCES, &count);
    uint32_t *numbers = room_for(reader, count, sizeof(*numbers));
    for (uint32_t i = 0; numbers && i < count; i++)
        numbers[i] = frames[i] >= 1 && frames[i] <= UINT32_MAX ? (uint32_t)frames[i] : 0;
    reference->frames = numbers;
    reference->frame_count = numbers ? count : 0;
    return true;
}

static struct image_references read_references(struct attribute_reader *reader,
                                               const struct dataset_item *item)
{
    struct image_references references;

    references.list = read_list(reader, item, REFERENCED_IMAGES, PRESENTATION_REFERENCES,
                                sizeof(struct image_reference), read_reference, &references.count);
    return references;
}

/* Those of all series one behind the other. */
static void read_images(struct attribute_reader *reader, const struct dataset_item *root,
                        struct presentation_state *into)
{
    struct dataset_element sequence;
    const struct dataset_item *series = NULL;
    struct image_reference *all = room_for(reader, PRESENTATION_REFERENCES, sizeof(*all));
    uint32_t count = 0;

    if (!all || !dataset_find(root, REFERENCED_SERIES, &sequence) || !sequence.is_sequence)
        return;
    while ((series = dataset_next_item(&sequence, series)) != NULL) {
        const struct image_references some = read_references(reader, series);
        struct error ignored = { 0 };
        struct uid uid = { 0 };

        if (!uid_parse(attribute_text(reader, series, TAG_SERIES_INSTANCE_UID), &uid, &ignored))
            continue;
        for (uint32_t i = 0; i < some.count && count < PRESENTATION_REFERENCES; i++) {
            all[count] = some.list[i];
            all[count++].series = uid;
        }
    }
    into->images = (struct image_references){ all, count };
}

/* ── gray ── */

static bool read_voi(struct attribute_reader *reader, const struct dataset_item *item, void *into)
{
    struct presented_voi *voi = into;

    *voi = (struct presented_voi){ .to = read_references(reader, item), .look = { .slope = 1 } };
    attribute_voi(reader, item, &voi->look);
    return voi->look.has_window || voi->look.voi.count > 0;
}

static void read_gray(struct attribute_reader *reader, const struct dataset_item *root,
                      struct presentation_state *into)
{
    const struct dataset_item *presentation = attribute_item(root, PRESENTATION_LUT_SEQUENCE);

    into->modality = (struct gray_look){ .slope = 1 };
    attribute_modality(reader, root, &into->modality);
    into->vois = read_list(reader, root, SOFTCOPY_VOI, PRESENTATION_ITEMS, sizeof(struct presented_voi),
                           read_voi, &into->voi_count);
    if (presentation)
        attribute_lut(reader, presentation, LUT_DESCRIPTOR, LUT_DATA, &into->presentation);
    into->inverse = attribute_is(reader, root, PRESENTATION_LUT_SHAPE, "INVERSE");
    attribute_palette(reader, root, &into->palette);
    into->icc_profile = attribute_bytes(reader, root, ICC_PROFILE);
}

/* ── shutter ── */

static void read_shutter(struct attribute_reader *reader, const struct dataset_item *root,
                         struct shutter *into)
{
    struct bytes shapes = attribute_text(reader, root, SHUTTER_SHAPE);
    int64_t left, right, top, bottom, value;

    while (shapes.data) {
        const struct bytes shape = bytes_trim(bytes_cut(&shapes, '\\'));
        if (bytes_equal_text(shape, "RECTANGULAR") && attribute_whole(reader, root, 0x00181602, 0, &left) &&
            attribute_whole(reader, root, 0x00181604, 0, &right) &&
            attribute_whole(reader, root, 0x00181606, 0, &top) &&
            attribute_whole(reader, root, 0x00181608, 0, &bottom)) {
            into->rectangular = true;
            into->left = (int32_t)left;
            into->right = (int32_t)right;
            into->top = (int32_t)top;
            into->bottom = (int32_t)bottom;
        } else if (bytes_equal_text(shape, "CIRCULAR")) {
            into->circular = attribute_real(reader, root, 0x00181610, 0, &into->row) &&
                             attribute_real(reader, root, 0x00181610, 1, &into->column) &&
                             attribute_real(reader, root, 0x00181612, 0, &into->radius);
        } else if (bytes_equal_text(shape, "POLYGONAL")) {
            into->vertices =
                attribute_reals(reader, root, 0x00181620, PRESENTATION_POINTS, &into->vertex_count);
            into->vertex_count /= 2;
            into->polygonal = into->vertex_count >= 3;
        }
    }
    if (attribute_whole(reader, root, SHUTTER_VALUE, 0, &value) && value >= 0 && value <= UINT16_MAX)
        into->value = (uint16_t)value;
}

/* ── where ── */

static void order(int32_t *a, int32_t *b)
{
    const int32_t low = *a < *b ? *a : *b, high = *a < *b ? *b : *a;

    *a = low;
    *b = high;
}

static bool read_area(struct attribute_reader *reader, const struct dataset_item *item, void *into)
{
    struct displayed_area *area = into;
    int64_t corners[4];

    *area = (struct displayed_area){ .to = read_references(reader, item), .magnification = 1 };
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
    return true;
}

static void read_spatial(struct attribute_reader *reader, const struct dataset_item *root,
                         struct presentation_state *into)
{
    int64_t rotation;

    if (attribute_whole(reader, root, ROTATION, 0, &rotation) && rotation % 90 == 0)
        into->rotation = (unsigned)((rotation % 360 + 360) % 360);
    into->flipped = attribute_is(reader, root, FLIP, "Y");
    into->areas = read_list(reader, root, DISPLAYED_AREA, PRESENTATION_ITEMS, sizeof(struct displayed_area),
                            read_area, &into->area_count);
}

/* ── graphics ── */

static bool read_text(struct attribute_reader *reader, const struct dataset_item *item, void *into)
{
    struct graphic_text *text = into;

    *text = (struct graphic_text){ .text = attribute_text(reader, item, UNFORMATTED_TEXT) };
    text->box_in_display_units = attribute_is(reader, item, BOX_UNITS, "DISPLAY");
    text->anchor_in_display_units = attribute_is(reader, item, ANCHOR_UNITS, "DISPLAY");
    text->has_box = attribute_real(reader, item, BOX_TOP_LEFT, 0, &text->box_left) &&
                    attribute_real(reader, item, BOX_TOP_LEFT, 1, &text->box_top);
    text->has_anchor = attribute_real(reader, item, ANCHOR_POINT, 0, &text->anchor_x) &&
                       attribute_real(reader, item, ANCHOR_POINT, 1, &text->anchor_y);
    return text->text.size > 0 && (text->has_box || text->has_anchor);
}

static bool read_graphic(struct attribute_reader *reader, const struct dataset_item *item, void *into)
{
    static const struct {
        const char *name;
        enum graphic_kind kind;
    } kinds[] = { { "POINT", GRAPHIC_POINT },
                  { "POLYLINE", GRAPHIC_POLYLINE },
                  { "INTERPOLATED", GRAPHIC_INTERPOLATED },
                  { "CIRCLE", GRAPHIC_CIRCLE },
                  { "ELLIPSE", GRAPHIC_ELLIPSE } };
    struct graphic *graphic = into;
    const struct bytes type = attribute_text(reader, item, GRAPHIC_TYPE);

    *graphic = (struct graphic){ .in_display_units = attribute_is(reader, item, GRAPHIC_UNITS, "DISPLAY") };
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (bytes_equal_text(type, kinds[i].name)) {
            graphic->kind = kinds[i].kind;
            graphic->points =
                attribute_reals(reader, item, GRAPHIC_DATA, PRESENTATION_POINTS, &graphic->point_count);
            graphic->point_count /= 2;
            return graphic->point_count > 0;
        }
    return false;
}

static bool read_annotation(struct attribute_reader *reader, const struct dataset_item *item, void *into)
{
    struct graphic_annotation *annotation = into;

    *annotation = (struct graphic_annotation){ .to = read_references(reader, item) };
    annotation->texts = read_list(reader, item, TEXT_OBJECTS, PRESENTATION_ITEMS, sizeof(struct graphic_text),
                                  read_text, &annotation->text_count);
    annotation->graphics = read_list(reader, item, GRAPHIC_OBJECTS, PRESENTATION_ITEMS,
                                     sizeof(struct graphic), read_graphic, &annotation->graphic_count);
    return annotation->text_count > 0 || annotation->graphic_count > 0;
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
    read_images(&reader, root, state);
    read_gray(&reader, root, state);
    read_shutter(&reader, root, &state->shutter);
    read_spatial(&reader, root, state);
    state->annotations =
        read_list(&reader, root, GRAPHIC_ANNOTATIONS, PRESENTATION_ITEMS, sizeof(struct graphic_annotation),
                  read_annotation, &state->annotation_count);
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

const struct presented_voi *presentation_state_voi(const struct presentation_state *state,
                                                   const struct uid *instance, uint32_t frame)
{
    for (uint32_t i = 0; i < state->voi_count; i++)
        if (image_references_have(&state->vois[i].to, instance, frame))
            return &state->vois[i];
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
