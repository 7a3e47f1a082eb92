/* handlers/rendering_parameters.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The query parameters of rendered resources and thumbnails (PS3.18 8.3.5), and those of WADO-URI that mean
 * the same (9.5.1.2), as one typed value. Whatever is ill-formed is MALFORMED and the sentence names the
 * parameter.
 */
#ifndef GANTRY_HANDLERS_RENDERING_PARAMETERS_H
#define GANTRY_HANDLERS_RENDERING_PARAMETERS_H

#include "base/error.h"
#include "codec/scaling.h"
#include "dicom/presentation_state.h"
#include "handlers/handler.h"

enum icc_choice { ICC_ABSENT, ICC_NO, ICC_YES, ICC_SRGB, ICC_ADOBERGB, ICC_ROMMRGB };

struct rendering_parameters {
    bool has_window;
    struct voi_window window;
    bool has_viewport;
    uint32_t viewport_columns,
        viewport_rows; /* UINT32_MAX: no limit that way (WADO-URI rows or columns alone) */
    bool has_region;
    struct region region;  /* pixels; width, height 0: to the right or lower edge */
    bool region_is_shares; /* WADO-URI: all four are parts of 1 */
    bool flip_columns, flip_rows;
    unsigned quality;        /* 0: not given */
    bool quality_is_default; /* set by who fills it in */
    bool annotate_patient, annotate_technique;
    const char *unknown_annotations; /* NULL: none */
    enum icc_choice icc;
    bool wide;     /* bits=16: gray PNG of 16 bits (an extension) */
    bool overlays; /* overlays=yes (an extension) */
    /* Not of the query itself: the presentation state that is rendered with, or NULL, and its generation. */
    const struct presentation_state *state;
    uint64_t state_generation;
    struct blend_images *blend; /* with a blending one: what lies above, and which images these are */
    uint64_t blend_mark;
    const char *name; /* rendering_parameters_name, set when nothing else will change any more; NULL: not */
};

/* For /rendered. */
MUST_USE bool rendering_parameters_read(const struct request *request, uint32_t viewport_ceiling,
                                        struct rendering_parameters *ret, struct error *err);
/* For /thumbnail: a viewport without a region, and nothing else. */
MUST_USE bool thumbnail_parameters_read(const struct request *request, uint32_t viewport_ceiling,
                                        struct rendering_parameters *ret, struct error *err);
/* For WADO-URI: rows, columns, region, windowCenter, windowWidth, imageQuality, imageAnnotation (or
 * annotation). */
MUST_USE bool uri_parameters_read(const struct request *request, uint32_t viewport_ceiling,
                                  struct rendering_parameters *ret, struct error *err);
/* Another version of the renderer makes other pictures: counted up with each change that a client could see.
 */
#define RENDERER_VERSION "2"
/* The same for any that give the same picture, different for others: part of its name in the cache and its
 * tag. */
const char *rendering_parameters_name(const struct rendering_parameters *parameters, struct arena *arena);
/* What of a frame of this size is shown, and how large: MALFORMED when the region does not lie inside it. */
MUST_USE bool rendering_parameters_fit(const struct rendering_parameters *parameters, uint32_t rows,
                                       uint32_t columns, struct region *ret_region, uint32_t *ret_rows,
                                       uint32_t *ret_columns, struct error *err);
/* Adds the Warning of REN-20 where an annotation is not known. */
void rendering_parameters_warn(const struct rendering_parameters *parameters, const struct request *request,
                               struct response *response);

#endif
