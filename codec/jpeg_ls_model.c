/* codec/jpeg_ls_model.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * JPEG-LS: parameters, and the memory of a scan.
 */
#include "codec/jpeg_ls_model.h"

#include <assert.h>

enum { BASIC_T1 = 3, BASIC_T2 = 7, BASIC_T3 = 21, LEAST_BITS_OF_LIMIT = 8 };

/* C.2.4.1.1.1: beyond its range a threshold is the least possible. */
static int32_t threshold(int32_t value, int32_t least, int32_t maxval)
{
    return value > maxval || value < least ? least : value;
}

void ls_parameters_default(unsigned bits, int32_t near, struct ls_parameters *ret)
{
    const int32_t maxval = (1 << bits) - 1;
    int32_t t1, t2, t3;

    if (maxval >= 128) {
        const int32_t factor = ((maxval < 4095 ? maxval : 4095) + 128) / 256;
        t1 = factor * (BASIC_T1 - 2) + 2 + 3 * near;
        t2 = factor * (BASIC_T2 - 3) + 3 + 5 * near;
        t3 = factor * (BASIC_T3 - 4) + 4 + 7 * near;
    } else {
        const int32_t factor = 256 / (maxval + 1);
        t1 = BASIC_T1 / factor + 3 * near;
        t2 = BASIC_T2 / factor + 5 * near;
        t3 = BASIC_T3 / factor + 7 * near;
        t1 = t1 > 2 ? t1 : 2;
        t2 = t2 > 3 ? t2 : 3;
        t3 = t3 > 4 ? t3 : 4;
    }
    t1 = threshold(t1, near + 1, maxval);
    t2 = threshold(t2, t1, maxval);
    t3 = threshold(t3, t2, maxval);
    const int32_t range = (maxval + 2 * near) / (2 * near + 1) + 1;
    const unsigned for_limit = bits > LEAST_BITS_OF_LIMIT ? bits : LEAST_BITS_OF_LIMIT;
    *ret = (struct ls_parameters){
        .bits = bits,
        .maxval = maxval,
        .near = near,
        .range = range,
        .limit = (int32_t)(2 * (bits + for_limit)),
        .qbpp = ls_log2(range - 1) + 1,
        .t1 = t1,
        .t2 = t2,
        .t3 = t3,
    };
}

/* A.3.3, for every gradient that there can be. */
static void quantise(const struct ls_parameters *p, int8_t *middle)
{
    const int32_t from[] = { p->near + 1, p->t1, p->t2, p->t3 };

    memset(middle - p->maxval, 0, 2 * (size_t)p->maxval + 1);
    for (int i = 0; i < (int)COUNT_OF(from); i++)
        if (from[i] <= p->maxval) {
            const size_t count = (size_t)(p->maxval - from[i]) + 1;
            memset(middle + from[i], i + 1, count);
            memset(middle - p->maxval, -i - 1, count);
        }
}

static void clear_lines(struct ls_model *model)
{
    for (unsigned i = 0; i < LS_COMPONENTS; i++) {
        if (model->line[i])
            memset(model->line[i] - 1, 0, sizeof(uint16_t) * ((size_t)model->width + 2));
        if (model->above[i])
            memset(model->above[i] - 1, 0, sizeof(uint16_t) * ((size_t)model->width + 2));
    }
}

void ls_model_reset(struct ls_model *model)
{
    const int32_t first = (model->p.range + 32) / 64, a = first > 2 ? first : 2;
    const struct ls_context fresh = {
        .a = a,
        .n = 1,
        .k = (uint8_t)ls_golomb(a, 1),
    };

    for (unsigned i = 0; i < LS_CONTEXTS; i++)
        model->contexts[i] = fresh;
    for (unsigned i = 0; i < 2; i++)
        model->runs[i] = (struct ls_run_context){ .a = a, .n = 1 };
    memset(model->run_index, 0, sizeof model->run_index);
    clear_lines(model);
}

bool ls_model_init(struct ls_model *model, const struct ls_parameters *parameters, uint32_t width,
                   unsigned components, struct error *err)
{
    const size_t line = (size_t)width + 2, gradients = 2 * (size_t)parameters->maxval + 1;

    assert(components >= 1 && components <= LS_COMPONENTS);
    *model = (struct ls_model){ .p = *parameters, .width = (int32_t)width };
    if (!block_take(2 * components * line * sizeof(uint16_t) + gradients, &model->memory, err))
        return error_while(err, "lines of JPEG-LS");
    uint16_t *next = (uint16_t *)(void *)block_room(model->memory, NULL);
    for (unsigned i = 0; i < components; i++) {
        model->line[i] = next + 1;
        model->above[i] = next + line + 1;
        next += 2 * line;
    }
    int8_t *middle = (int8_t *)next + parameters->maxval;
    quantise(parameters, middle);
    model->quantised = middle;
    ls_model_reset(model);
    return true;
}

void ls_model_done(struct ls_model *model)
{
    block_unref(model->memory);
    model->memory = NULL;
}
