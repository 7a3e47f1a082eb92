/* codec/jpeg_ls_encoder.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * JPEG-LS, encoding (T.87 Annex A). Codes are written as plain bits, without branches, some lines at a time;
 * then they are copied to the stream, where a zero bit stands behind each byte of FF (A.1).
 */
#include "codec/jpeg_ls_segments.h"

#include <assert.h>

enum {
    SHORT_ZEROS = 32, /* with a one and 16 bits they can be put at once */
    PLAIN_BYTES = 32 * 1024,
    CODE_BYTES_MOST = 9, /* LIMIT at 16 bits, and a bit for a run */
    COPY_SLACK_BYTES = 32,
    END_BYTES = 2
};

/* Bits that are not whole bytes yet stand on top of `top`. There is room for what a line can have. */
struct plain {
    uint8_t *begin, *at;
    uint64_t top;
    unsigned count; /* 0..7 */
};

static inline void store_be64(uint8_t *at, uint64_t word)
{
    word = __builtin_bswap64(word);
    memcpy(at, &word, sizeof word);
}

static inline uint64_t load_be64(const uint8_t *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof word);
    return __builtin_bswap64(word);
}

/* The lowest `length` bits of `code`, 0..56; the others are zero. */
static inline void put(struct plain *plain, uint64_t code, unsigned length)
{
    plain->top |= code << 1 << (63 - plain->count - length);
    plain->count += length;
    store_be64(plain->at, plain->top);
    plain->at += plain->count >> 3;
    plain->top <<= plain->count & 0x38;
    plain->count &= 7;
}

/* A.5.3: zeros, a one, k bits; or as many zeros as the limit allows, a one, and the number less one. */
static inline void put_mapped(struct plain *plain, uint32_t mapped, unsigned k, unsigned most_zeros,
                              unsigned qbpp)
{
    const uint32_t zeros = mapped >> k, code = 1u << k | (mapped & ((1u << k) - 1));

    if (__builtin_expect(zeros < (most_zeros < SHORT_ZEROS ? most_zeros : SHORT_ZEROS), 1)) {
        put(plain, code, zeros + 1 + k);
    } else if (zeros < most_zeros) {
        put(plain, 0, zeros);
        put(plain, code, k + 1);
    } else {
        put(plain, 1, most_zeros + 1);
        put(plain, mapped - 1, qbpp);
    }
}

/* A.4.5 */
static inline int32_t modulo_range(const struct ls_parameters *p, int32_t error)
{
    if (error < 0)
        error += p->range;
    return error >= (p->range + 1) / 2 ? error - p->range : error;
}

/* The error of a sample in steps of 2 NEAR + 1, and what a decoder will make of it. */
static inline __attribute__((always_inline)) int32_t error_of(const struct ls_parameters *p, bool lossless,
                                                              int32_t sample, int32_t predicted, int32_t sign,
                                                              int32_t *ret_seen)
{
    int32_t error = ((sample - predicted) ^ sign) - sign;

    if (lossless) {
        *ret_seen = sample;
        return (int32_t)((uint32_t)error << (32 - p->bits)) >> (32 - p->bits);
    }
    const int32_t step = 2 * p->near + 1;
    error = error > 0 ? (error + p->near) / step : -(p->near - error) / step;
    error = modulo_range(p, error);
    *ret_seen = ls_sample(p, predicted, (error ^ sign) - sign);
    return error;
}

/* A.7.1.2: `length` samples of a run, which the line's end has cut or not. */
static void put_run(struct plain *plain, unsigned *run_index, uint32_t length, bool at_end)
{
    while (length >= 1u << ls_run_order[*run_index]) {
        put(plain, 1, 1);
        length -= 1u << ls_run_order[*run_index];
        if (*run_index < COUNT_OF(ls_run_order) - 1)
            ++*run_index;
    }
    if (!at_end)
        put(plain, length, ls_run_order[*run_index] + 1u); /* a zero before it */
    else if (length)
        put(plain, 1, 1);
}

/* A.7.2: the sample that ends a run. Returns what a decoder will see. */
static int32_t put_run_end(struct plain *plain, struct ls_model *model, int32_t type, unsigned run_index,
                           int32_t sample, int32_t ra, int32_t rb)
{
    const struct ls_parameters *p = &model->p;
    struct ls_run_context *context = &model->runs[type];
    const int32_t predicted = type ? ra : rb, sign = !type && ra > rb ? -1 : 0;
    const unsigned k = ls_run_golomb(context, type);
    int32_t seen;
    const int32_t error = error_of(p, p->near == 0, sample, predicted, sign, &seen);
    const bool map = (k == 0 && error > 0 && 2 * context->nn < context->n) ||
                     (error < 0 && (k != 0 || 2 * context->nn >= context->n));
    const int32_t mapped = 2 * abs(error) - type - map;

    put_mapped(plain, (uint32_t)mapped, k, (unsigned)p->limit - ls_run_order[run_index] - 1 - p->qbpp - 1,
               p->qbpp);
    ls_run_learn(context, error, mapped, type);
    return seen;
}

static inline bool is_near(int32_t a, int32_t b, int32_t near)
{
    return abs(a - b) <= near;
}

/* A run from x on and the sample that ends it. Returns where the line goes on. */
static uint32_t put_run_mode(struct plain *plain, struct ls_model *model, unsigned component, uint32_t x)
{
    const struct ls_parameters *p = &model->p;
    const uint32_t width = (uint32_t)model->width, from = x;
    uint16_t *line = model->line[component];
    unsigned *run_index = &model->run_index[component];
    const int32_t ra = line[(int64_t)x - 1];

    while (x < width && is_near(line[x], ra, p->near))
        line[x++] = (uint16_t)ra;
    put_run(plain, run_index, x - from, x == width);
    if (x == width)
        return x;
    const int32_t rb = model->above[component][x], type = is_near(ra, rb, p->near);
    line[x] = (uint16_t)put_run_end(plain, model, type, *run_index, line[x], ra, rb);
    *run_index -= *run_index > 0;
    return x + 1;
}

/* A sample in regular mode. Returns what a decoder will see. */
static inline __attribute__((always_inline)) int32_t put_sample(struct plain *plain,
                                                                struct ls_context *contexts,
                                                                const struct ls_parameters *p, bool lossless,
                                                                int32_t q, int32_t predicted, int32_t sample)
{
    const int32_t sign = q >> 31;
    struct ls_context *context = &contexts[(q ^ sign) - sign];
    const int32_t px = ls_clamped(predicted + ((context->c ^ sign) - sign), p->maxval);
    int32_t seen;
    const int32_t error = error_of(p, lossless, sample, px, sign, &seen);
    const int32_t turned = error ^ context->flip;

    put_mapped(plain, (uint32_t)((turned >> 31) ^ (2 * turned)), context->k, (unsigned)p->limit - p->qbpp - 1,
               p->qbpp);
    ls_context_learn(context, error, lossless ? 0 : p->near);
    return seen;
}

static inline __attribute__((always_inline)) void
encode_samples(struct plain *into_plain, struct ls_model *model, unsigned component, bool lossless)
{
    const struct ls_parameters p = model->p;
    const int8_t *quantised = model->quantised;
    const uint16_t *above = model->above[component];
    uint16_t *line = model->line[component];
    struct plain plain = *into_plain;
    const uint32_t width = (uint32_t)model->width;

    for (uint32_t x = 0; x < width;) {
        const int32_t ra = line[(int64_t)x - 1], rb = above[x], rc = above[(int64_t)x - 1];
        const int32_t q = ls_gradients(quantised, ra, rb, rc, above[x + 1]);
        if (__builtin_expect(q == 0, 0)) {
            struct plain run = plain;
            x = put_run_mode(&run, model, component, x);
            plain = run;
            continue;
        }
        const int32_t seen =
            put_sample(&plain, model->contexts, &p, lossless, q, ls_predicted(ra, rb, rc), line[x]);
        if (!lossless)
            line[x] = (uint16_t)seen;
        x++;
    }
    *into_plain = plain;
}

static void encode_line(struct plain *plain, struct ls_model *model)
{
    if (model->p.near == 0)
        encode_samples(plain, model, 0, true);
    else
        encode_samples(plain, model, 0, false);
}

/* A run of pixels, all components alike, and the pixel that ends it. Returns where the line goes on. */
static uint32_t put_pixel_run(struct plain *plain, struct ls_model *model, uint32_t x)
{
    const struct ls_parameters *p = &model->p;
    const uint32_t width = (uint32_t)model->width, from = x;

    for (; x < width; x++) {
        bool alike = true;
        for (unsigned i = 0; i < LS_COMPONENTS; i++)
            alike &= is_near(model->line[i][x], model->line[i][(int64_t)from - 1], p->near);
        if (!alike)
            break;
        for (unsigned i = 0; i < LS_COMPONENTS; i++)
            model->line[i][x] = model->line[i][(int64_t)from - 1];
    }
    put_run(plain, &model->run_index[0], x - from, x == width);
    if (x == width)
        return x;
    for (unsigned i = 0; i < LS_COMPONENTS; i++)
        model->line[i][x] = (uint16_t)put_run_end(plain, model, 0, model->run_index[0], model->line[i][x],
                                                  model->line[i][(int64_t)x - 1], model->above[i][x]);
    model->run_index[0] -= model->run_index[0] > 0;
    return x + 1;
}

static void encode_pixels(struct plain *into_plain, struct ls_model *model)
{
    struct plain plain = *into_plain;
    const bool lossless = model->p.near == 0;

    for (uint32_t x = 0; x < (uint32_t)model->width;) {
        int32_t q[LS_COMPONENTS], any = 0;
        for (unsigned i = 0; i < LS_COMPONENTS; i++)
            any |= q[i] = ls_gradients(model->quantised, model->line[i][(int64_t)x - 1], model->above[i][x],
                                       model->above[i][(int64_t)x - 1], model->above[i][x + 1]);
        if (any == 0) {
            x = put_pixel_run(&plain, model, x);
            continue;
        }
        for (unsigned i = 0; i < LS_COMPONENTS; i++) {
            uint16_t *at = model->line[i] + x;
            const uint16_t *above = model->above[i] + x;
            *at = (uint16_t)put_sample(&plain, model->contexts, &model->p, lossless, q[i],
                                       ls_predicted(at[-1], above[0], above[-1]), *at);
        }
        x++;
    }
    *into_plain = plain;
}

/* ── the stream ── */

struct output {
    struct block *block;
    size_t size;
    bool owed; /* the last byte is FF: only seven bits go into the next */
};

static bool make_room(struct output *output, size_t more, struct error *err)
{
    struct block *larger = NULL;
    size_t capacity;
    uint8_t *room = block_room(output->block, &capacity);

    if (capacity - output->size >= more)
        return true;
    if (!block_take(capacity + capacity / 2 + more, &larger, err))
        return false;
    memcpy(block_room(larger, NULL), room, output->size);
    block_unref(output->block);
    output->block = larger;
    return true;
}

/* Copies a whole byte at a time: near FF and near the end. Returns how many bits that were. */
static size_t copy_bytes(uint64_t word, size_t bits, uint8_t **into, struct output *output)
{
    unsigned done = 0;

    if (output->owed) {
        output->owed = false;
        *(*into)++ = (uint8_t)(word >> 57);
        return 7;
    }
    do {
        *(*into)++ = (uint8_t)(word >> (56 - done));
        done += 8;
    } while ((*into)[-1] != 0xFF && done < 56 && bits - done >= 8);
    output->owed = (*into)[-1] == 0xFF;
    return done;
}

/* Copies the plain bits, but for less than a byte, which begin the next ones. */
static bool copy_out(struct plain *plain, struct output *output, struct error *err)
{
    const size_t whole = (size_t)(plain->at - plain->begin), bits = 8 * whole + plain->count;
    size_t done = 0;

    if (!make_room(output, whole + whole / 15 + COPY_SLACK_BYTES, err))
        return false;
    uint8_t *const room = block_room(output->block, NULL);
    uint8_t *into = room + output->size;
    store_be64(plain->at, plain->top);
    memset(plain->at + 8, 0, 8);
    while (bits - done >= 8) {
        const uint64_t word = load_be64(plain->begin + (done >> 3)) << (done & 7); /* 57 bits */
        const uint64_t inverted = ~word | 0xFF;
        if (!output->owed && bits - done >= 56 &&
            ((inverted - 0x0101010101010101u) & ~inverted & 0x8080808080808080u) == 0) {
            store_be64(into, word); /* no FF in seven bytes */
            into += 7;
            done += 56;
        } else {
            done += copy_bytes(word, bits - done, &into, output);
        }
    }
    output->size = (size_t)(into - room);
    plain->top = load_be64(plain->begin + (done >> 3)) << (done & 7);
    plain->count = (unsigned)(bits - done);
    plain->at = plain->begin;
    return true;
}

/* The last bits, zeros behind them, and the marker (A.1: none of FF and a marker's byte in the data). */
static bool finish(struct plain *plain, struct output *output, struct error *err)
{
    if (!copy_out(plain, output, err) || !make_room(output, 1 + END_BYTES, err))
        return false;
    uint8_t *into = block_room(output->block, NULL) + output->size;
    if (output->owed)
        *into++ = (uint8_t)(plain->top >> 57);
    else if (plain->count)
        *into++ = (uint8_t)(plain->top >> 56);
    *into++ = 0xFF;
    *into++ = 0xD9;
    output->size = (size_t)(into - block_room(output->block, NULL));
    return true;
}

static void load_line(const uint8_t *from, unsigned cell_bytes, unsigned stride, int32_t maxval,
                      uint32_t width, uint16_t *line)
{
    const uint16_t mask = (uint16_t)maxval;

    if (cell_bytes == 1 && stride == 1)
        for (uint32_t x = 0; x < width; x++)
            line[x] = from[x] & mask;
    else if (cell_bytes == 1)
        for (uint32_t x = 0; x < width; x++)
            line[x] = from[(size_t)x * stride] & mask;
    else
        for (uint32_t x = 0; x < width; x++) {
            uint16_t sample;
            memcpy(&sample, from + 2 * (size_t)x * stride, 2);
            line[x] = sample & mask;
        }
}

static bool encode_scan(const struct ls_stream *stream, struct ls_model *model, unsigned cell_bytes,
                        struct bytes cells, struct plain *plain, struct output *output, struct error *err)
{
    const unsigned components = stream->components;
    const size_t row = (size_t)stream->columns * components * cell_bytes;

    for (uint32_t y = 0; y < stream->rows; y++) {
        for (unsigned i = 0; i < components; i++) {
            ls_model_next_line(model, i);
            load_line(cells.data + y * row + i * cell_bytes, cell_bytes, components, model->p.maxval,
                      stream->columns, model->line[i]);
        }
        if (components == 1)
            encode_line(plain, model);
        else
            encode_pixels(plain, model);
        if (plain->at - plain->begin >= PLAIN_BYTES && !copy_out(plain, output, err))
            return false;
    }
    return finish(plain, output, err);
}

static void drop_block(struct block **block)
{
    block_unref(*block);
}

bool ls_encode(const struct ls_stream *stream, int32_t near, unsigned cell_bytes, struct bytes cells,
               struct block **ret, struct error *err)
{
    const size_t samples = (size_t)stream->rows * stream->columns * stream->components;
    const size_t line = (size_t)stream->columns * stream->components * CODE_BYTES_MOST;
    __attribute__((cleanup(drop_block))) struct block *bits = NULL;
    struct output output = { 0 };
    struct ls_parameters parameters;
    struct ls_model model;

    assert(stream->interleave == (stream->components == 1 ? LS_PLANES : LS_SAMPLES) &&
           cells.size >= samples * cell_bytes);
    ls_parameters_default(stream->bits, near, &parameters);
    if (!block_take(PLAIN_BYTES + line + COPY_SLACK_BYTES, &bits, err) ||
        !block_take(LS_HEADERS_MOST_BYTES + samples * stream->bits / 8 / 2 + PLAIN_BYTES, &output.block,
                    err) ||
        !ls_model_init(&model, &parameters, stream->columns, stream->components, err)) {
        block_unref(output.block);
        return false;
    }
    struct plain plain = { .begin = block_room(bits, NULL), .at = block_room(bits, NULL) };
    output.size = ls_headers_write(stream, &parameters, block_room(output.block, NULL));
    const bool ok = encode_scan(stream, &model, cell_bytes, cells, &plain, &output, err);
    ls_model_done(&model);
    if (!ok) {
        block_unref(output.block);
        return false;
    }
    block_seal(output.block, output.size);
    *ret = output.block;
    return true;
}
