/* dicom/presentation_state.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * A softcopy presentation state (PS3.3 A.33, PS3.4 N.2) as values: which images it is for, and how they are
 * shown with it. Read from the stored file, bounded as image_display.h is, immutable afterwards.
 */
#ifndef GANTRY_DICOM_PRESENTATION_STATE_H
#define GANTRY_DICOM_PRESENTATION_STATE_H

#include "dicom/image_display.h"

enum {
    PRESENTATION_REFERENCES = 10000,
    PRESENTATION_ITEMS = 1000,
    PRESENTATION_POINTS = 10000,      /* of one graphic */
    PRESENTATION_POINTS_ALL = 200000, /* of all graphics of a state; what comes behind is left out */
    PRESENTATION_MASK_FRAMES = 64,    /* that make up one mask, and that are averaged before subtracting */
};

/* An image, or some frames of it. */
struct image_reference {
    struct uid study;            /* empty: the study of the state */
    struct uid series, instance; /* series empty where the item does not say */
    const uint32_t *frames;      /* from 1; NULL: all */
    uint32_t frame_count;
};
struct image_references {
    const struct image_reference *list;
    uint32_t count; /* 0: all images of the state */
};

struct presented_voi {
    struct image_references to;
    struct gray_look look; /* window and VOI LUT alone */
};

/* What makes gray of a set of images before polarity. */
struct presented_gray {
    struct gray_look modality; /* rescale and Modality LUT alone */
    const struct presented_voi *vois;
    uint32_t voi_count;
};

/* As PS3.3 C.10.7 has it: a gray P-Value, and CIELab for displays with colours. */
struct presented_colour {
    bool has_gray, has_lab;
    uint16_t gray, lab[3];
};

/* Other frames of the same image subtracted from this one (PS3.3 C.7.6.10). */
enum mask_operation { MASK_AVERAGE, MASK_EARLIER_FRAME, MASK_REVERSED };
struct frame_mask {
    enum mask_operation operation;
    const uint32_t *ranges; /* first, last, first, last ...; NULL: wherever there are frames for it */
    uint32_t range_count;   /* of pairs */
    const uint32_t *frames; /* with MASK_AVERAGE */
    uint32_t frame_count;
    uint32_t averaged;                /* so many contrast frames from the current one on, 1 or more */
    double shift_rows, shift_columns; /* pixels that the mask is moved down and to the right */
    int32_t offset;                   /* with the others: so many frames before the current one */
};

enum size_mode { SIZE_SCALE_TO_FIT, SIZE_TRUE_SIZE, SIZE_MAGNIFY };
struct displayed_area {
    struct image_references to;
    int32_t left, top, right,
        bottom; /* pixels from 1, ordered, the last ones included; may lie outside the image */
    enum size_mode mode;
    double magnification; /* with SIZE_MAGNIFY */
    double aspect;        /* how high a pixel is for its width, 1 where nothing is said; 1/100 .. 100 */
};

/* What is left to see; all of those that are there apply. */
struct shutter {
    bool rectangular, circular, polygonal;
    int32_t left, right, top, bottom; /* pixels from 1 */
    double row, column, radius;
    const double *vertices; /* row, column, row, column ... */
    uint32_t vertex_count;
    const struct overlay *bitmap_or_null; /* whose set bits are shut */
    struct presented_colour colour;       /* what is shown elsewhere; black where it says nothing */
};

enum graphic_kind { GRAPHIC_POINT, GRAPHIC_POLYLINE, GRAPHIC_INTERPOLATED, GRAPHIC_CIRCLE, GRAPHIC_ELLIPSE };
struct graphic {
    enum graphic_kind kind;
    bool in_display_units; /* parts of the displayed area, else pixels of the image: 0, 0 is the upper left
                              corner of the first one, 1, 1 its lower right corner */
    bool filled, dashed;
    double thickness;     /* pixels of the picture; 1 where nothing is said, at most 100 */
    const double *points; /* x, y, x, y ... */
    uint32_t point_count;
    struct presented_colour colour, fill; /* of its own styles; nothing: the layer's */
};
enum text_side { TEXT_LEFT, TEXT_CENTER, TEXT_RIGHT };
struct graphic_text {
    struct bytes text; /* as stored: in the character set of the state */
    bool box_in_display_units, anchor_in_display_units;
    bool has_box, has_anchor, anchor_is_visible;
    double box[4]; /* left, top, right, bottom */
    double anchor_x, anchor_y;
    enum text_side side;
    struct presented_colour colour;
};
struct graphic_annotation {
    struct image_references to;
    struct bytes layer;
    const struct graphic *graphics;
    uint32_t graphic_count;
    const struct graphic_text *texts;
    uint32_t text_count;
};
struct graphic_layer {
    struct bytes name;
    int64_t order; /* lower ones are drawn first */
    struct presented_colour colour;
};
/* An overlay group that is shown: the plane of the state, or, where it has none, that of the image. */
struct shown_overlay {
    uint16_t group;
    struct bytes layer;
    const struct overlay *plane_or_null;
};

/* Two sets of gray images, one through the palette over the other (PS3.3 C.11.14). */
struct blending {
    struct image_references images; /* superimposed; count 0: nothing is blended */
    struct presented_gray gray;
    double opacity; /* of what lies above, 0..1 */
};

struct presentation_state {
    struct image_references images; /* blended: the underlying ones */
    struct presented_gray gray;
    struct blending above;
    const struct frame_mask *masks;
    uint32_t mask_count;
    bool has_unknown_mask; /* an operation that is not known here */
    struct lut presentation;
    bool inverse;
    struct palette palette; /* pseudo-colour; count 0: none */
    struct bytes icc_profile;
    const struct displayed_area *areas;
    uint32_t area_count;
    struct shutter shutter;
    unsigned rotation;                  /* degrees clockwise: 0, 90, 180, 270 */
    bool flipped;                       /* left becomes right, after the rotation */
    const struct graphic_layer *layers; /* in the order in which they are drawn */
    uint32_t layer_count;
    const struct graphic_annotation *annotations;
    uint32_t annotation_count;
    struct overlay overlays[IMAGE_DISPLAY_OVERLAYS];
    size_t overlay_count;
    struct shown_overlay shown_overlays[IMAGE_DISPLAY_OVERLAYS];
    size_t shown_overlay_count;
    struct bytes character_set; /* (0008,0005) as stored */

    struct arena arena;
};

/* Grayscale, colour, pseudo-colour and blending softcopy presentation states. */
bool presentation_state_is_class(struct bytes sop_class);
/* NOT_DICOM; NOT_ACCEPTABLE: it refers to no image. May wait; any thread. */
MUST_USE bool presentation_state_read(const char *path, struct presentation_state **ret, struct error *err);
void presentation_state_free(struct presentation_state *state); /* NULL is fine */
void presentation_state_drop(struct presentation_state **state);

/* Is this frame among those? */
bool image_references_have(const struct image_references *references, const struct uid *instance,
                           uint32_t frame);
/* Each the first that applies to the frame, or NULL. */
const struct presented_voi *presented_gray_voi(const struct presented_gray *gray, const struct uid *instance,
                                               uint32_t frame);
/* Of an image of so many frames; the mask frames that it tells of are not yet known to be there. */
const struct frame_mask *presentation_state_mask(const struct presentation_state *state, uint32_t frame,
                                                 uint32_t frames);
/* The layer of this name, or NULL. */
const struct graphic_layer *presentation_state_layer(const struct presentation_state *state,
                                                     struct bytes name);
const struct displayed_area *presentation_state_area(const struct presentation_state *state,
                                                     const struct uid *instance, uint32_t frame);

/* ── for presentation_state.c ── */

struct attribute_reader;
struct dataset_item;
/* dicom/presentation_graphics.c: layers, annotations and overlays, in the order of the layers. */
void presentation_graphics_read(struct attribute_reader *reader, const struct dataset_item *root,
                                struct presentation_state *into);
struct image_references presentation_references(struct attribute_reader *reader,
                                                const struct dataset_item *item);
struct presented_colour presentation_colour(struct attribute_reader *reader, const struct dataset_item *item,
                                            uint32_t gray, uint32_t lab);

#endif
