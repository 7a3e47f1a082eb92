/* dicom/presentation_graphics.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * What a presentation state draws: graphic layers (PS3.3 C.10.7), graphic annotations (C.10.5) and which
 * overlays are shown (C.11.7). Compound graphics are drawn by the simple graphics that the standard wants
 * beside them (C.10.5.1.3.1).
 */
#include "dicom/presentation_state.h"

#include "dicom/attribute_reader.h"

enum {
    GRAPHIC_ANNOTATIONS = 0x00700001,
    LAYER = 0x00700002,
    BOX_UNITS = 0x00700003,
    ANCHOR_UNITS = 0x00700004,
    GRAPHIC_UNITS = 0x00700005,
    UNFORMATTED_TEXT = 0x00700006,
    TEXT_OBJECTS = 0x00700008,
    GRAPHIC_OBJECTS = 0x00700009,
    BOX_TOP_LEFT = 0x00700010,
    BOX_BOTTOM_RIGHT = 0x00700011,
    JUSTIFICATION = 0x00700012,
    ANCHOR_POINT = 0x00700014,
    ANCHOR_VISIBILITY = 0x00700015,
    GRAPHIC_DATA = 0x00700022,
    GRAPHIC_TYPE = 0x00700023,
    GRAPHIC_FILLED = 0x00700024,
    LAYERS = 0x00700060,
    LAYER_ORDER = 0x00700062,
    LAYER_GRAY = 0x00700066,
    LAYER_CIELAB = 0x00700401,
    TEXT_STYLE = 0x00700231,
    LINE_STYLE = 0x00700232,
    FILL_STYLE = 0x00700233,
    TEXT_CIELAB = 0x00700241,
    PATTERN_CIELAB = 0x00700251,
    LINE_THICKNESS = 0x00700253,
    LINE_DASHING = 0x00700254,
    OVERLAY_LAYER = 0x60001001
};

/* ── layers ── */

static bool read_layer(struct attribute_reader *reader, const struct dataset_item *item, void *into)
{
    struct graphic_layer *layer = into;

    *layer = (struct graphic_layer){ .name = attribute_text(reader, item, LAYER) };
    layer->colour = presentation_colour(reader, item, LAYER_GRAY, LAYER_CIELAB);
    if (!attribute_whole(reader, item, LAYER_ORDER, 0, &layer->order))
        layer->order = 0;
    return layer->name.size > 0;
}

/* By their order, equal ones as they are listed; few enough for this. */
static void sort_layers(struct graphic_layer *layers, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        const struct graphic_layer one = layers[i];
        uint32_t at = i;

        for (; at > 0 && layers[at - 1].order > one.order; at--)
            layers[at] = layers[at - 1];
        layers[at] = one;
    }
}

const struct graphic_layer *presentation_state_layer(const struct presentation_state *state,
                                                     struct bytes name)
{
    for (uint32_t i = 0; i < state->layer_count; i++)
        if (bytes_equal(state->layers[i].name, name))
            return &state->layers[i];
    return NULL;
}

/* ── texts ── */

static bool read_pair(struct attribute_reader *reader, const struct dataset_item *item, uint32_t tag,
                      double *ret_x, double *ret_y)
{
    return attribute_real(reader, item, tag, 0, ret_x) && attribute_real(reader, item, tag, 1, ret_y);
}

static bool read_text(struct attribute_reader *reader, const struct dataset_item *item, void *into)
{
    struct graphic_text *text = into;
    const struct dataset_item *style = attribute_item(item, TEXT_STYLE);
    const struct bytes side = attribute_text(reader, item, JUSTIFICATION);

    *text = (struct graphic_text){ .text = attribute_text(reader, item, UNFORMATTED_TEXT) };
    text->box_in_display_units = attribute_is(reader, item, BOX_UNITS, "DISPLAY");
    text->anchor_in_display_units = attribute_is(reader, item, ANCHOR_UNITS, "DISPLAY");
    text->has_box = read_pair(reader, item, BOX_TOP_LEFT, &text->box[0], &text->box[1]);
    if (text->has_box && !read_pair(reader, item, BOX_BOTTOM_RIGHT, &text->box[2], &text->box[3])) {
        text->box[2] = text->box[0];
        text->box[3] = text->box[1];
    }
    text->has_anchor = read_pair(reader, item, ANCHOR_POINT, &text->anchor_x, &text->anchor_y);
    text->anchor_is_visible = attribute_is(reader, item, ANCHOR_VISIBILITY, "Y");
    if (bytes_equal_text(side, "CENTER"))
        text->side = TEXT_CENTER;
    else if (bytes_equal_text(side, "RIGHT"))
        text->side = TEXT_RIGHT;
    if (style)
        text->colour = presentation_colour(reader, style, 0, TEXT_CIELAB);
    return text->text.size > 0 && (text->has_box || text->has_anchor);
}

/* ── graphics ── */

static void read_styles(struct attribute_reader *reader, const struct dataset_item *item,
                        struct graphic *into)
{
    const struct dataset_item *line = attribute_item(item, LINE_STYLE),
                              *fill = attribute_item(item, FILL_STYLE);

    into->thickness = 1;
    if (line) {
        into->colour = presentation_colour(reader, line, 0, PATTERN_CIELAB);
        into->dashed = attribute_is(reader, line, LINE_DASHING, "DASHED");
        if (!attribute_real(reader, line, LINE_THICKNESS, 0, &into->thickness) || !(into->thickness >= 1))
            into->thickness = 1;
        if (into->thickness > 100)
            into->thickness = 100;
    }
    if (fill)
        into->fill = presentation_colour(reader, fill, 0, PATTERN_CIELAB);
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

    *graphic = (struct graphic){ .in_display_units = attribute_is(reader, item, GRAPHIC_UNITS, "DISPLAY"),
                                 .filled = attribute_is(reader, item, GRAPHIC_FILLED, "Y") };
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (bytes_equal_text(type, kinds[i].name)) {
            graphic->kind = kinds[i].kind;
            read_styles(reader, item, graphic);
            graphic->points =
                attribute_reals(reader, item, GRAPHIC_DATA, 2 * PRESENTATION_POINTS, &graphic->point_count);
            graphic->point_count /= 2;
            return graphic->point_count > 0;
        }
    return false;
}

static bool read_annotation(struct attribute_reader *reader, const struct dataset_item *item, void *into)
{
    struct graphic_annotation *annotation = into;

    *annotation = (struct graphic_annotation){ .to = presentation_references(reader, item),
                                               .layer = attribute_text(reader, item, LAYER) };
    annotation->texts = attribute_list(reader, item, TEXT_OBJECTS, PRESENTATION_ITEMS,
                                       sizeof(struct graphic_text), read_text, &annotation->text_count);
    annotation->graphics = attribute_list(reader, item, GRAPHIC_OBJECTS, PRESENTATION_ITEMS,
                                          sizeof(struct graphic), read_graphic, &annotation->graphic_count);
    return annotation->text_count > 0 || annotation->graphic_count > 0;
}

/* Many items of many points would keep a worker for minutes: all together are bounded. */
static void bound_points(struct graphic_annotation *annotations, uint32_t count)
{
    uint64_t left = PRESENTATION_POINTS_ALL;

    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < annotations[i].graphic_count; k++) {
            const uint32_t points = annotations[i].graphics[k].point_count;
            if (points > left) {
                annotations[i].graphic_count = k;
                break;
            }
            left -= points;
        }
}

/* ── overlays ── */

static void read_shown_overlays(struct attribute_reader *reader, const struct dataset_item *root,
                                struct presentation_state *into)
{
    for (uint32_t group = 0x6000; group <= 0x601E; group += 2) {
        struct shown_overlay *shown = &into->shown_overlays[into->shown_overlay_count];
        const struct bytes layer = attribute_text(reader, root, OVERLAY_LAYER + ((group - 0x6000) << 16));

        if (layer.size == 0 || into->shown_overlay_count == IMAGE_DISPLAY_OVERLAYS)
            continue;
        *shown = (struct shown_overlay){ .group = (uint16_t)group, .layer = layer };
        for (size_t i = 0; i < into->overlay_count; i++)
            if (into->overlays[i].group == group && !into->overlays[i].in_pixels)
                shown->plane_or_null = &into->overlays[i];
        /* A shutter is not shown as an overlay too. */
        if (!shown->plane_or_null || shown->plane_or_null != into->shutter.bitmap_or_null)
            into->shown_overlay_count++;
    }
}

/* ── all of it ── */

void presentation_graphics_read(struct attribute_reader *reader, const struct dataset_item *root,
                                struct presentation_state *into)
{
    struct graphic_layer *layers = attribute_list(reader, root, LAYERS, PRESENTATION_ITEMS, sizeof(*layers),
                                                  read_layer, &into->layer_count);
    struct graphic_annotation *annotations =
        attribute_list(reader, root, GRAPHIC_ANNOTATIONS, PRESENTATION_ITEMS, sizeof(*annotations),
                       read_annotation, &into->annotation_count);

    if (layers)
        sort_layers(layers, into->layer_count);
    if (annotations)
        bound_points(annotations, into->annotation_count);
    into->layers = layers;
    into->annotations = annotations;
    read_shown_overlays(reader, root, into);
}
