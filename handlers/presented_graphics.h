/* handlers/presented_graphics.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * What a presentation state draws on a picture that is turned and scaled already: overlays, graphics and
 * texts, layer by layer (PS3.3 C.10.5, C.10.7, C.11.7).
 */
#ifndef GANTRY_HANDLERS_PRESENTED_GRAPHICS_H
#define GANTRY_HANDLERS_PRESENTED_GRAPHICS_H

#include "codec/codec.h"
#include "codec/drawing.h"
#include "dicom/presentation_state.h"

/* The frame that is shown, with what. */
struct presented {
    const struct presentation_state *state;
    const struct uid *instance;
    uint32_t frame;                       /* from 1 */
    const struct image_display *display;  /* of the image: its overlays may be shown */
    const struct pixels *samples_or_null; /* of the frame, for overlays that lie in them */
    const char *font_path;
};

/* From the pixels of the image to where they are in the picture. */
struct placing {
    struct displayed_area area; /* what is left of the image ... */
    unsigned rotation;          /* ... turned ... */
    bool flipped;
    double scale_x, scale_y; /* ... and scaled */
};

/* Draws on `picture`, which becomes one of colours where it is gray and a layer's colour is not. Little is
 * done for a state that draws without end: NOT_ACCEPTABLE. BUSY, INTERNAL (no font). */
MUST_USE bool presented_graphics(const struct presented *what, const struct placing *placing,
                                 struct pixels *picture, struct error *err);
/* Does it show an overlay that lies in the samples of the image? */
bool presented_needs_samples(const struct presentation_state *state, const struct image_display *display);
/* A colour as this picture can have it; `or` where it says nothing. */
struct colour presented_colour_of(const struct presented_colour *colour, const struct pixels *picture,
                                  struct colour or);

#endif
