/* dicom/image_display.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * How the pixels of an instance are to be shown: what a renderer needs of the data set beside the pixels,
 * read in one small parse that never looks at the pixel data, bounded in size, immutable afterwards. Kept
 * with the instance's generation (storage/display_cache.h), so that a file is parsed for this once and not
 * for each frame.
 */
#ifndef GANTRY_DICOM_IMAGE_DISPLAY_H
#define GANTRY_DICOM_IMAGE_DISPLAY_H

#include "base/arena.h"
#include "base/attributes.h"
#include "base/bytes.h"
#include "base/error.h"
#include "dicom/uid.h"

enum {
    IMAGE_DISPLAY_CEILING = 64 * 1024 * 1024, /* bytes of tables, overlays and profiles of one instance */
    IMAGE_DISPLAY_OVERLAYS = 16
};

/* PS3.3 C.11.2.1.2, C.11.2.1.3 */
enum voi_function { VOI_LINEAR, VOI_LINEAR_EXACT, VOI_SIGMOID };
struct voi_window {
    double center, width; /* in what the Modality LUT gives; width > 0 */
    enum voi_function function;
};

/* A table as its descriptor has it: values below `first` get the first entry, those above the last one (PS3.3
 * C.11.1.1.1). count 0: there is none. Entries are 0 .. 2^bits - 1. */
struct lut {
    int32_t first;
    uint32_t count;
    unsigned bits;
    const uint16_t *values;
};

/* PS3.4 N.2.1: what makes gray of stored values. */
struct gray_look {
    bool has_rescale, has_window;
    double slope, intercept; /* slope never 0; 1 and 0 without a rescale */
    struct lut modality;     /* goes before the rescale */
    struct voi_window window;
    struct lut voi;
};

struct palette {
    struct lut red, green, blue; /* all or none */
};

struct overlay {
    uint16_t group; /* 6000, 6002 ... */
    uint32_t rows, columns;
    int32_t row, column; /* of its first pixel, from 1 */
    uint32_t first_frame, frames;
    bool in_pixels; /* its bits lie in the pixel data, at `bit_position` (retired) */
    unsigned bit_position;
    struct bytes bits; /* bit 0 first; enough for frames * rows * columns */
};

enum sample_kind { SAMPLES_INTEGER, SAMPLES_FLOAT, SAMPLES_DOUBLE };

struct image_display {
    enum sample_kind samples;
    unsigned high_bit;
    bool inverse;     /* Presentation LUT Shape INVERSE */
    bool prefers_lut; /* DX and mammography: a VOI LUT goes before a window */
    bool is_segmentation;
    bool has_padding;
    int32_t padding_from, padding_to; /* stored values, ascending */
    double float_padding_from, float_padding_to;
    struct gray_look look;               /* of the data set, or of the shared functional groups */
    const struct gray_look *frame_looks; /* by frame from 0, NULL: all are `look` */
    uint32_t frame_look_count;
    struct palette palette;
    bool palette_is_supplement; /* Pixel Presentation COLOR: only values in the palette's range go through it
                                 */
    struct overlay overlays[IMAGE_DISPLAY_OVERLAYS];
    size_t overlay_count;
    struct bytes icc_profile;
    double frame_ms;         /* 0: not told */
    const double *frames_ms; /* Frame Time Vector, NULL: none */
    uint32_t frames_ms_count;
    uint32_t representative_frame; /* from 1; 0: not told */
    bool has_strange_colours;      /* a retired Photometric Interpretation that nothing here makes RGB of */
    bool shows_identity;           /* Burned In Annotation or Recognizable Visual Features is YES */
    uint64_t bytes;                /* about so much memory */

    struct arena arena;
    unsigned references;
    uint64_t range; /* see image_display_recall */
};

/* Reads it from a stored file. NOT_DICOM when that cannot be parsed; what is merely wrong inside (a table
 * that is too short, a slope of 0) is left out or taken as far as it goes. May wait; any thread. */
MUST_USE bool image_display_read(const char *path, const struct image_display **ret, struct error *err);
const struct image_display *image_display_ref(const struct image_display *display);
void image_display_unref(const struct image_display *display); /* NULL is fine */
void image_display_drop(const struct image_display **display);

/* What a renderer found in the pixels to be black and white where nothing of the above says so (REN-46):
 * found once, the same for all frames. False: not yet. Any thread; whoever finds it finds the same. */
bool image_display_recall(const struct image_display *display, float *ret_from, float *ret_to);
void image_display_remember(const struct image_display *display, float from, float to);

/* How long `frame` (from 1) is seen when played: Frame Time Vector, or one time for all; 100 ms where nothing
 * is told. */
double image_display_show_ms(const struct image_display *display, uint32_t frame);
/* The look of `frame`, counted from 1. */
const struct gray_look *image_display_look(const struct image_display *display, uint32_t frame);

#endif
