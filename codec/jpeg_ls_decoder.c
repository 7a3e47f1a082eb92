/* codec/jpeg_ls_decoder.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * JPEG-LS, decoding (T.87 Annex F). A sample waits for the one before it: what is between the two is kept
 * short, and without branches that noise would mispredict. Every code ends within a bounded number of bits,
 * and behind the data there are zeros, which are no code: so damage cannot make it run on.
 */
#include "codec/jpeg_ls_segments.h"

enum { RST0 = 0xD0, ENSURED_BITS = 49, SHORT_ZEROS = 32 };

/* Bits of the coded data, the next one on top. Behind FF only seven bits of a byte count (A.1); FF and a byte
 * of 80 and more is a marker, where the data end. */
struct bits {
    uint64_t top;
    int32_t count;  /* that many are there; at most 7 more are the next byte's */
    int32_t beyond; /* so many of them are zeros from behind the data */
    const uint8_t *at, *end;
};

static inline uint64_t load_be64(const uint8_t *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof word);
    return __builtin_bswap64(word);
}

static inline bool has_ff(uint64_t word)
{
    const uint64_t inverted = ~word;

    return (inverted - 0x0101010101010101u) & word & 0x8080808080808080u;
}

/* One byte at a time: near FF and near the end. */
static __attribute__((noinline)) struct bits refill_slowly(struct bits bits)
{
    while (bits.count < ENSURED_BITS) {
        if (bits.at == bits.end || (*bits.at == 0xFF && (bits.end - bits.at == 1 || bits.at[1] >= 0x80))) {
            bits.count += 8;
            bits.beyond += 8;
            continue;
        }
        bits.top |= (uint64_t)*bits.at << (56 - bits.count);
        bits.count += 8;
        if (*bits.at++ == 0xFF) {
            /* Fewer than 49 and eight: at most 56 were there, so there is room. */
            bits.top |= (uint64_t)*bits.at++ << (57 - bits.count);
            bits.count += 7;
        }
    }
    return bits;
}

/* At least ENSURED_BITS are there then. */
static inline __attribute__((always_inline)) void refill(struct bits *bits)
{
    if (__builtin_expect(bits->end - bits->at >= 8, 1)) {
        const uint64_t word = load_be64(bits->at);
        if (__builtin_expect(!has_ff(word), 1)) {
            bits->top |= word >> bits->count;
            bits->at += (63 - bits->count) >> 3;
            bits->count |= 56;
            return;
        }
    }
    *bits = refill_slowly(*bits);
}

static inline void skip(struct bits *bits, unsigned count)
{
    bits->top <<= count;
    bits->count -= (int32_t)count;
}

/* 1..ENSURED_BITS of them. */
static inline uint32_t take(struct bits *bits, unsigned count)
{
    const uint32_t value = (uint32_t)(bits->top >> (64 - count));

    skip(bits, count);
    return value;
}

static inline bool is_beyond(const struct bits *bits)
{
    return bits->count < bits->beyond;
}

struct coded_error {
    struct bits bits;
    uint32_t mapped;
    bool failed;
};

/* A.5.3, however long: zeros, a one, and k bits, or as many zeros as the limit has, a one, and qbpp bits. */
static __attribute__((noinline)) struct coded_error take_long(struct bits bits, unsigned k,
                                                              unsigned most_zeros, unsigned qbpp)
{
    unsigned zeros = 0;

    for (;;) {
        refill(&bits);
        const unsigned here = (unsigned)__builtin_clzll(bits.top | 1u << 16);
        if (here < SHORT_ZEROS) {
            zeros += here;
            skip(&bits, here + 1);
            break;
        }
        zeros += SHORT_ZEROS;
        skip(&bits, SHORT_ZEROS);
        if (zeros > most_zeros)
            return (struct coded_error){ .bits = bits, .failed = true };
    }
    refill(&bits);
    const uint32_t mapped =
        zeros == most_zeros ? take(&bits, qbpp) + 1 : zeros << k | (k ? take(&bits, k) : 0);
    return (struct coded_error){ bits, mapped, zeros > most_zeros };
}

/* The mapped error of a sample in regular mode (A.5). False: damage. */
static inline __attribute__((always_inline)) bool take_mapped(struct bits *bits, unsigned k,
                                                              const struct ls_parameters *p, int least_first,
                                                              uint32_t *ret_mapped)
{
    refill(bits);
    const int first = 63 ^ __builtin_clzll(bits->top | 1); /* the one that ends the zeros */
    if (__builtin_expect(first > least_first, 1)) {
        const int rest = first - (int)k; /* ENSURED_BITS are enough: it is 15 at least */
        *ret_mapped = (uint32_t)(bits->top >> rest) + ((uint32_t)(62 - first) << k);
        bits->top <<= 64 - rest;
        bits->count += rest - 64;
    } else {
        const struct coded_error coded = take_long(*bits, k, (unsigned)p->limit - p->qbpp - 1, p->qbpp);
        *bits = coded.bits;
        *ret_mapped = coded.mapped;
        if (coded.failed)
            return false;
    }
    return true;
}

/* How many samples a run has (A.7.1), `left` at most. */
static inline uint32_t take_run(struct bits *bits, unsigned *run_index, uint32_t left)
{
    uint32_t length = 0;

    for (;;) {
        const uint32_t part = 1u << ls_run_order[*run_index];
        refill(bits);
        if (!take(bits, 1)) {
            length += part > 1 ? take(bits, ls_run_order[*run_index]) : 0;
            return length > left ? UINT32_MAX : length; /* more than a line: damage */
        }
        length += part;
        if (length > left)
            return left; /* the line's end came first */
        if (*run_index < COUNT_OF(ls_run_order) - 1)
            ++*run_index;
        if (length == left)
            return left;
    }
}

/* The error of the sample that ends a run (A.7.2). False: damage. */
static bool take_run_error(struct bits *bits, struct ls_run_context *context, int32_t type,
                           unsigned run_index, const struct ls_parameters *p, int32_t *ret_error)
{
    const unsigned k = ls_run_golomb(context, type);
    const unsigned most_zeros = (unsigned)p->limit - ls_run_order[run_index] - 1 - p->qbpp - 1;
    const struct coded_error coded = take_long(*bits, k, most_zeros, p->qbpp);

    *bits = coded.bits;
    if (coded.failed || coded.mapped >> (p->qbpp + 1) != 0)
        return false;
    const int32_t folded = (int32_t)coded.mapped + type;
    const bool odd = folded & 1;
    const int32_t size = (folded + odd) / 2;
    const int32_t error = (k != 0 || 2 * context->nn >= context->n) == odd ? -size : size;
    ls_run_learn(context, error, (int32_t)coded.mapped, type);
    *ret_error = error;
    return true;
}

/* A run from x on, and the sample that ends it. *ret_next is where the line goes on. */
static bool take_run_mode(struct bits *bits, struct ls_model *model, unsigned component, uint32_t x,
                          uint32_t *ret_next)
{
    const struct ls_parameters *p = &model->p;
    const uint16_t *above = model->above[component];
    uint16_t *line = model->line[component];
    unsigned *run_index = &model->run_index[component];
    const int32_t ra = line[(int64_t)x - 1];
    const uint32_t width = (uint32_t)model->width, length = take_run(bits, run_index, width - x);
    int32_t error;

    if (length > width - x)
        return false;
    for (uint32_t i = x; i < x + length; i++)
        line[i] = (uint16_t)ra;
    x += length;
    if (x < width) {
        const int32_t rb = above[x], type = abs(ra - rb) <= p->near;
        if (!take_run_error(bits, &model->runs[type], type, *run_index, p, &error))
            return false;
        line[x++] = (uint16_t)(type ? ls_sample(p, ra, error) : ls_sample(p, rb, ra > rb ? -error : error));
        *run_index -= *run_index > 0;
    }
    *ret_next = x;
    return true;
}

static inline __attribute__((always_inline)) bool
decode_samples(struct bits *into_bits, struct ls_model *model, unsigned component, bool lossless)
{
    const struct ls_parameters p = model->p;
    const int escape = p.limit - (int)p.qbpp - 1,
              least_first = 63 - (escape < SHORT_ZEROS ? escape : SHORT_ZEROS);
    const uint32_t most_mapped = (2u << p.qbpp) - 1;
    const int8_t *quantised = model->quantised;
    const uint16_t *above = model->above[component];
    uint16_t *line = model->line[component];
    struct ls_context *contexts = model->contexts;
    struct bits bits = *into_bits;
    const uint32_t width = (uint32_t)model->width;
    int32_t ra = line[-1], rb = above[0], rc = above[-1];

    for (uint32_t x = 0; x < width;) {
        const int32_t rd = above[x + 1];
        const int32_t q = ls_gradients(quantised, ra, rb, rc, rd);
        if (__builtin_expect(q == 0, 0)) {
            struct bits run = bits;
            if (!take_run_mode(&run, model, component, x, &x))
                return false;
            bits = run;
            ra = line[(int64_t)x - 1];
            rb = above[x];
            rc = above[(int64_t)x - 1];
            continue;
        }
        const int32_t sign = q >> 31;
        struct ls_context *context = &contexts[(q ^ sign) - sign];
        const int32_t px = ls_clamped(ls_predicted(ra, rb, rc) + ((context->c ^ sign) - sign), p.maxval);
        const int32_t flip = context->flip;
        uint32_t mapped;
        if (!take_mapped(&bits, context->k, &p, least_first, &mapped) || mapped > most_mapped)
            return false;
        const int32_t half = (int32_t)(mapped >> 1), odd = -(int32_t)(mapped & 1);
        if (lossless)
            ra = (px - sign + (half ^ (odd ^ (flip ^ sign)))) & p.maxval;
        else
            ra = ls_sample(&p, px, (half ^ odd ^ sign) - sign);
        ls_context_learn(context, half ^ odd ^ flip, lossless ? 0 : p.near);
        line[x++] = (uint16_t)ra;
        rc = rb;
        rb = rd;
    }
    *into_bits = bits;
    return !is_beyond(&bits);
}

/* One line of one component. */
static bool decode_line(struct bits *bits, struct ls_model *model, unsigned component)
{
    return model->p.near == 0 ? decode_samples(bits, model, component, true)
                              : decode_samples(bits, model, component, false);
}

/* A run of pixels, all components alike (A.7 for interleaved samples), and the pixel that ends it. */
static bool take_pixel_run(struct bits *bits, struct ls_model *model, uint32_t x, uint32_t *ret_next)
{
    const struct ls_parameters *p = &model->p;
    const uint32_t width = (uint32_t)model->width, length = take_run(bits, &model->run_index[0], width - x);
    int32_t error;

    if (length > width - x)
        return false;
    for (unsigned i = 0; i < LS_COMPONENTS; i++)
        for (uint32_t j = x; j < x + length; j++)
            model->line[i][j] = model->line[i][(int64_t)x - 1];
    x += length;
    if (x < width) {
        for (unsigned i = 0; i < LS_COMPONENTS; i++) {
            const int32_t ra = model->line[i][(int64_t)x - 1], rb = model->above[i][x];
            if (!take_run_error(bits, &model->runs[0], 0, model->run_index[0], p, &error))
                return false;
            model->line[i][x] = (uint16_t)ls_sample(p, rb, ra > rb ? -error : error);
        }
        x++;
        model->run_index[0] -= model->run_index[0] > 0;
    }
    *ret_next = x;
    return true;
}

/* One line of pixels whose samples are interleaved: a run where no component has a gradient, else each sample
 * by its own context. */
static bool decode_pixels(struct bits *into_bits, struct ls_model *model)
{
    const struct ls_parameters *p = &model->p;
    const int escape = p->limit - (int)p->qbpp - 1;
    const int least_first = 63 - (escape < SHORT_ZEROS ? escape : SHORT_ZEROS);
    const uint32_t width = (uint32_t)model->width, most_mapped = (2u << p->qbpp) - 1;
    struct bits bits = *into_bits;

    for (uint32_t x = 0; x < width;) {
        int32_t q[LS_COMPONENTS], any = 0;
        for (unsigned i = 0; i < LS_COMPONENTS; i++)
            any |= q[i] = ls_gradients(model->quantised, model->line[i][(int64_t)x - 1], model->above[i][x],
                                       model->above[i][(int64_t)x - 1], model->above[i][x + 1]);
        if (any == 0) {
            if (!take_pixel_run(&bits, model, x, &x))
                return false;
            continue;
        }
        for (unsigned i = 0; i < LS_COMPONENTS; i++) {
            uint16_t *at = model->line[i] + x;
            const uint16_t *above = model->above[i] + x;
            const int32_t sign = q[i] >> 31;
            struct ls_context *context = &model->contexts[(q[i] ^ sign) - sign];
            const int32_t corrected =
                ls_predicted(at[-1], above[0], above[-1]) + ((context->c ^ sign) - sign);
            const int32_t px = ls_clamped(corrected, p->maxval);
            uint32_t mapped;
            if (!take_mapped(&bits, context->k, p, least_first, &mapped) || mapped > most_mapped)
                return false;
            const int32_t error = (int32_t)(mapped >> 1) ^ -(int32_t)(mapped & 1) ^ context->flip;
            *at = (uint16_t)ls_sample(p, px, (error ^ sign) - sign);
            ls_context_learn(context, error, p->near);
        }
        x++;
    }
    *into_bits = bits;
    return !is_beyond(&bits);
}

/* ── a scan ── */

/* Where a scan's samples go. */
struct target {
    uint8_t *into;
    unsigned cell_bytes, stride; /* cells from one sample of a component to the next */
};

static void store_line(const uint16_t *line, uint32_t width, const struct target *target, size_t first_cell)
{
    const unsigned stride = target->stride;
    uint8_t *into = target->into + first_cell * target->cell_bytes;

    if (target->cell_bytes == 1 && stride == 1)
        for (uint32_t x = 0; x < width; x++)
            into[x] = (uint8_t)line[x];
    else if (target->cell_bytes == 1)
        for (uint32_t x = 0; x < width; x++)
            into[(size_t)x * stride] = (uint8_t)line[x];
    else if (stride == 1)
        memcpy(into, line, 2 * (size_t)width);
    else
        for (uint32_t x = 0; x < width; x++)
            memcpy(into + 2 * (size_t)x * stride, line + x, 2);
}

/* True: less than a byte is left, of zeros, before a marker or the end (A.1). */
static bool is_at_marker(struct bits *bits)
{
    refill(bits);
    const int32_t left = bits->count - bits->beyond;
    return left >= 0 && left < 8 && bits->top == 0;
}

/* Behind a restart marker all begins anew. False: it is not the one that is expected. */
static bool pass_restart(struct bits *bits, struct ls_model *model, unsigned number)
{
    if (!is_at_marker(bits) || bits->end - bits->at < 2 || bits->at[0] != 0xFF ||
        bits->at[1] != RST0 + number % 8)
        return false;
    *bits = (struct bits){ .at = bits->at + 2, .end = bits->end };
    ls_model_reset(model);
    return true;
}

static bool decode_scan(struct bytes coded, struct ls_headers *headers, struct ls_model *model,
                        const struct target *target)
{
    const struct ls_stream *stream = &headers->stream;
    const unsigned lines = stream->interleave == LS_PLANES ? 1 : stream->components;
    struct bits bits = { .at = coded.data + headers->end, .end = coded.data + coded.size };
    unsigned restarts = 0;

    for (uint32_t y = 0; y < stream->rows; y++) {
        if (y && headers->restart_lines && y % headers->restart_lines == 0 &&
            !pass_restart(&bits, model, restarts++))
            return false;
        for (unsigned i = 0; i < lines; i++)
            ls_model_next_line(model, i);
        if (stream->interleave == LS_SAMPLES && !decode_pixels(&bits, model))
            return false;
        for (unsigned i = 0; i < lines; i++) {
            if (stream->interleave != LS_SAMPLES && !decode_line(&bits, model, i))
                return false;
            store_line(model->line[i], stream->columns, target,
                       (size_t)y * stream->columns * target->stride + i);
        }
    }
    if (!is_at_marker(&bits))
        return false;
    headers->end = (size_t)(bits.at - coded.data);
    return true;
}

bool ls_decode(struct bytes coded, const struct ls_stream *stream, unsigned cell_bytes, uint8_t *into)
{
    const size_t plane = (size_t)stream->rows * stream->columns;
    struct ls_headers headers = { 0 };
    unsigned scans = 1;

    for (unsigned scan = 0; scan < scans; scan++) {
        struct ls_model model;
        struct error err = { 0 };
        if (!ls_headers_read(coded, scan, &headers) || headers.stream.interleave != stream->interleave ||
            !ls_model_init(&model, &headers.parameters, stream->columns,
                           stream->interleave == LS_PLANES ? 1 : stream->components, &err))
            return false;
        scans = stream->interleave == LS_PLANES ? stream->components : 1;
        const struct target target = { into + scan * plane * cell_bytes, cell_bytes,
                                       stream->interleave == LS_PLANES ? 1 : stream->components };
        const bool ok = decode_scan(coded, &headers, &model, &target);
        ls_model_done(&model);
        if (!ok)
            return false;
    }
    return ls_headers_ended(coded, &headers);
}
