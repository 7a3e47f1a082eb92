/* dicom/presentation_state.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * A softcopy presentation state (PS3.3 A.33, PS3.4 N.2) as values: which images it is for, and how they are
 * shown with it. Read from the stored file, bounded as image_display.h is, immutable afterwards.
 */
#ifndef GANTRY_DICOM_PRESENTATION_STATE_H
#define GANTRY_DICOM_PRESENTATION_STATE_H

#include "dicom/image_display.h"

enum { PRESENTATION_REFERENCES = 10000, PRESENTATION_ITEMS = 1000, PRESENTATION_POINTS = 10000 };

/* An image, or some frames of it. */
struct image_reference {
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

enum size_mode { SIZE_SCALE_TO_FIT, SIZE_TRUE_SIZE, SIZE_MAGNIFY };
struct displayed_area {
    struct image_references to;
    int32_t left, top, right,
        bottom; /* pixels from 1, ordered, the last ones included; may lie outside the image */
    enum size_mode mode;
    double magnification; /* with SIZE_MAGNIFY */
};

/* What is left to see; all of those that are there apply. */
struct shutter {
    bool rectangular, circular, polygonal;
    int32_t left, right, top, bottom; /* pixels from 1 */
    double row, column, radius;
    const double *vertices; /* row, column, row, column ... */
    uint32_t vertex_count;
    uint16_t value; /* what is shown elsewhere, of 65535 */
};

enum graphic_kind { GRAPHIC_POINT, GRAPHIC_POLYLINE, GRAPHIC_INTERPOLATED, GRAPHIC_CIRCLE, GRAPHIC_ELLIPSE };
struct graphic {
    enum graphic_kind kind;
    bool in_display_units; /* parts of the displayed area, else pixels of the image from 1 */
    const double *points;  /* x, y, x, y ... */
    uint32_t point_count;
};
struct graphic_text {
    struct bytes text; /* as stored: in the character set of the state */
    bool box_in_display_units, anchor_in_display_units;
    bool has_box, has_anchor;
    double box_left, box_top, anchor_x, anchor_y;
};
struct graphic_annotation {
    struct image_references to;
    const struct graphic *graphics;
    uint32_t graphic_count;
    const struct graphic_text *texts;
    uint32_t text_count;
};

struct presentation_state {
    struct image_references images;
    struct gray_look modality; /* rescale and Modality LUT alone */
    const struct presented_voi *vois;
    uint32_t voi_count;
    struct lut presentation;
    bool inverse;
    struct palette palette; /* pseudo-colour; count 0: none */
    struct bytes icc_profile;
    const struct displayed_area *areas;
    uint32_t area_count;
    struct shutter shutter;
    unsigned rotation; /* degrees clockwise: 0, 90, 180, 270 */
    bool flipped;      /* left becomes right, after the rotation */
    const struct graphic_annotation *annotations;
    uint32_t annotation_count;
    struct bytes character_set; /* (0008,0005) as stored */

    struct arena arena;
};

/* Grayscale, colour and pseudo-colour softcopy presentation states. */
bool presentation_state_is_class(struct bytes sop_class);
/* NOT_DICOM; NOT_ACCEPTABLE: it refers to no image. May wait; any thread. */
MUST_USE bool presentation_state_read(const char *path, struct presentation_state **ret, struct error *err);
void presentation_state_free(struct presentation_state *state); /* NULL is fine */
void presentation_state_drop(struct presentation_state **state);

/* Is this frame among those? */
bool image_references_have(const struct image_references *references, const struct uid *instance,
                           uint32_t frame);
/* The first that applies to the frame, or NULL. */
const struct presented_voi *presentation_state_voi(const struct presentation_state *state,
                                                   const struct uid *instance, uint32_t frame);
const struct displayed_area *presentation_state_area(const struct presentation_state *state,
                                                     const struct uid *instance, uint32_t frame);

#endif
