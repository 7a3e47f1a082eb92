/* codec/rendering.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * One frame's samples in, a picture out: windowed, coloured, cropped and scaled on the way, some rows at a
 * time, so that a native frame is read from its file in pieces that stay in the processor's cache.
 */
#ifndef GANTRY_CODEC_RENDERING_H
#define GANTRY_CODEC_RENDERING_H

#include "codec/codec.h"
#include "codec/sample_map.h"
#include "codec/scaling.h"

struct rendering_task {
    /* Of what is given: gray, palette indices or RGB, interleaved; of 1, 8, 16, 32 or 64 bits. */
    const struct sample_rule *rule;
    struct region region;   /* within the shape */
    uint32_t rows, columns; /* of the picture to be made */
    bool flip_rows, flip_columns;
};

struct rendering;
/* NOT_ACCEPTABLE for samples that cannot be shown; BUSY. */
MUST_USE bool rendering_new(const struct rendering_task *task, struct rendering **ret, struct error *err);
void rendering_free(struct rendering *rendering); /* NULL is fine */
void rendering_drop(struct rendering **rendering);
/* The rows [first, end) that are looked at at all. */
void rendering_needs(const struct rendering *rendering, uint32_t *ret_first, uint32_t *ret_end);
/* Whole rows, in ascending order without gaps among those that are needed. */
void rendering_add(struct rendering *rendering, uint32_t first_row, uint32_t count, const uint8_t *samples);
/* When all that it needs was added: 8-bit gray or RGB, or 16-bit gray where the rule says `wide`. */
MUST_USE bool rendering_finish(struct rendering *rendering, struct pixels *ret, struct error *err);

#endif
