/* codec/jpeg_ls_model.h
 * SPDX-License-Identifier: Apache-2.0
 *
 * The statistics of JPEG-LS (ITU-T T.87 Annex A), the same on both sides: what has been seen in a context
 * says how the next error in it is coded. Written for speed: what decoding the next sample has to wait for is
 * worked out when the last one of its context is done with. Not for other rooms.
 *
 *     Rc Rb Rd        gradients Rd-Rb, Rb-Rc, Rc-Ra, each quantised to -4..4: 365 contexts and their mirrors;
 *     Ra  x           all zero: a run
 */
#ifndef GANTRY_CODEC_JPEG_LS_MODEL_H
#define GANTRY_CODEC_JPEG_LS_MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/block.h"
#include "codec/jpeg_ls_stream.h"

/* A context (A.2): the names are the standard's. All of it in 16 bytes. */
struct ls_context {
    int32_t a, b;
    int16_t n;
    int8_t c;
    uint8_t k;    /* the Golomb parameter of the next sample (A.5.1) */
    int32_t flip; /* -1: its errors are mapped the other way round (A.11) */
};

struct ls_run_context {
    int32_t a, n, nn;
};

enum { LS_RESET = 64, LS_CONTEXTS = 365, LS_STEPS = 9, LS_COMPONENTS = 3, LS_BITS_MOST = 16 };

/* J[] of A.7.1.1: a run's part of 2^J samples. */
static const uint8_t ls_run_order[32] = { 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,  2,  3,  3,  3,  3,
                                          4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

/* What a scan is coded with, and the two lines that are looked at. `line[c]` and `above[c]` have a sample
 * before the first and one behind the last. */
struct ls_model {
    struct ls_parameters p;
    int32_t width;
    struct ls_context contexts[LS_CONTEXTS];
    struct ls_run_context runs[2];
    unsigned run_index[LS_COMPONENTS];
    uint16_t *line[LS_COMPONENTS], *above[LS_COMPONENTS];
    const int8_t *quantised; /* of a gradient: -maxval..maxval */
    struct block *memory;
};

/* For lines of `width` samples of `components` components. One owner; ls_model_done gives back the memory.
 * BUSY. */
MUST_USE bool ls_model_init(struct ls_model *model, const struct ls_parameters *parameters, uint32_t width,
                            unsigned components, struct error *err);
void ls_model_done(struct ls_model *model);
/* As at the beginning of a scan and behind a restart marker: nothing has been seen. */
void ls_model_reset(struct ls_model *model);

/* Before each line: the line becomes the one above it, and the samples beyond its ends are what A.2.1 says.
 */
static inline void ls_model_next_line(struct ls_model *model, unsigned component)
{
    uint16_t *above = model->line[component];

    model->line[component] = model->above[component];
    model->above[component] = above;
    above[model->width] = above[model->width - 1];
    model->line[component][-1] = above[0];
}

/* The number of the context, negative for a mirrored one, 0 for a run (A.3). */
static inline int32_t ls_gradients(const int8_t *quantised, int32_t ra, int32_t rb, int32_t rc, int32_t rd)
{
    return (quantised[rd - rb] * LS_STEPS + quantised[rb - rc]) * LS_STEPS + quantised[rc - ra];
}

/* The median of Ra, Rb and Ra + Rb - Rc (A.4.1). */
static inline int32_t ls_predicted(int32_t ra, int32_t rb, int32_t rc)
{
    const int32_t least = ra < rb ? ra : rb, most = ra < rb ? rb : ra, slope = ra + rb - rc;
    const int32_t capped = slope < most ? slope : most;

    return capped > least ? capped : least;
}

static inline int32_t ls_clamped(int32_t value, int32_t most)
{
    value = value < 0 ? 0 : value;
    return value > most ? most : value;
}

static inline unsigned ls_log2(int32_t value)
{
    return 31u - (unsigned)__builtin_clz((unsigned)value);
}

/* The least k for which n << k >= a, n >= 1. */
static inline unsigned ls_golomb(int32_t a, int32_t n)
{
    const int guess = (int)ls_log2(a | 1) - (int)ls_log2(n);
    const unsigned k = guess > 0 ? (unsigned)guess : 0;

    return k + ((n << k) < a);
}

/* A.6: what `error` teaches a context. The halvings and a new k are seldom, so branches are foreseen there,
 * and the next sample need not wait for a; the rest is as likely as not, and has none. */
static inline __attribute__((always_inline)) void ls_context_learn(struct ls_context *context, int32_t error,
                                                                   int32_t near)
{
    int32_t a = context->a + (error < 0 ? -error : error), b = context->b + error * (2 * near + 1);
    int32_t n = context->n;
    unsigned k = context->k;

    if (__builtin_expect(n == LS_RESET, 0)) {
        a >>= 1;
        b >>= 1;
        n >>= 1;
    }
    n++;
    const int32_t low = (b + n - 1) >> 31, high = -b >> 31; /* b <= -n, b > 0 */
    int32_t c = context->c + low - high;
    b += (n & low) - (n & high);
    b &= b >> 31; /* at most 0 */
    b = b <= -n ? 1 - n : b;
    if (__builtin_expect(c != (int8_t)c, 0))
        c -= low - high;
    if (__builtin_expect((n << k) < a || (k && n << k >> 1 >= a), 0)) {
        k = ls_golomb(a, n);
        context->k = (uint8_t)k;
    }
    context->a = a;
    context->b = b;
    context->n = (int16_t)n;
    context->c = (int8_t)c;
    if (near == 0)
        context->flip = -(k == 0) & ((2 * b + n - 1) >> 31);
}

/* A.7.2.1 */
static inline unsigned ls_run_golomb(const struct ls_run_context *context, int32_t type)
{
    return ls_golomb(context->a + (context->n >> 1) * type, context->n);
}

static inline void ls_run_learn(struct ls_run_context *context, int32_t error, int32_t mapped, int32_t type)
{
    context->nn += error < 0;
    context->a += (mapped + 1 - type) >> 1;
    if (context->n == LS_RESET) {
        context->a >>= 1;
        context->n >>= 1;
        context->nn >>= 1;
    }
    context->n++;
}

/* A.4.5 and A.4.4 the other way: the sample for a prediction and an error in steps of 2 NEAR + 1. */
static inline int32_t ls_sample(const struct ls_parameters *p, int32_t predicted, int32_t error)
{
    if (p->near == 0)
        return (predicted + error) & p->maxval;
    const int32_t step = 2 * p->near + 1;
    int32_t value = predicted + error * step;
    if (value < -p->near)
        value += p->range * step;
    else if (value > p->maxval + p->near)
        value -= p->range * step;
    return ls_clamped(value, p->maxval);
}

#endif
