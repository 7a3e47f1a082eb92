/* tests/unit/codec/sample_map_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Samples as they are seen: each fast way against the plain reading of the rule, value by value, and the
 * loops of both processors against each other.
 */
#include "codec/sample_map.h"

#include <math.h>
#include <stdlib.h>

#include "codec/kernels.h"
#include "tests/support/expect.h"

static struct sample_rule rule_of(unsigned bits, unsigned stored, bool is_signed,
                                  const struct gray_look *look)
{
    return (struct sample_rule){ .shape = { .rows = 1,
                                            .columns = 1,
                                            .samples_per_pixel = 1,
                                            .bits_allocated = (uint16_t)bits,
                                            .bits_stored = (uint16_t)stored,
                                            .is_signed = is_signed,
                                            .photometric = MONOCHROME2 },
                                 .high_bit = stored - 1,
                                 .look = look,
                                 .range = { 10, 200 } };
}

static uint8_t mapped(const struct sample_rule *rule, uint32_t raw)
{
    SCOPED(sample_map) struct sample_map *map = NULL;
    struct error err = { 0 };
    uint8_t in[4] = { (uint8_t)raw, (uint8_t)(raw >> 8), (uint8_t)(raw >> 16), (uint8_t)(raw >> 24) },
            out = 0;

    if (!EXPECT(sample_map_new(rule, &map, &err), "%s", err.detail))
        return 0;
    sample_map_apply(map, in, 1, &out);
    return out;
}

TEST(REN_43_and_44_twenty_values_of_each_function)
{
    static const struct {
        struct voi_window window;
        double value;
        unsigned want;
    } cases[] = {
        { { 40, 400, VOI_LINEAR }, -160, 0 },       { { 40, 400, VOI_LINEAR }, -161, 0 },
        { { 40, 400, VOI_LINEAR }, 239, 255 },      { { 40, 400, VOI_LINEAR }, 240, 255 },
        { { 40, 400, VOI_LINEAR }, 40, 128 },       { { 2048, 4096, VOI_LINEAR }, 0, 0 },
        { { 2048, 4096, VOI_LINEAR }, 4095, 255 },  { { 2048, 1, VOI_LINEAR }, 2047, 0 },
        { { 2048, 1, VOI_LINEAR }, 2048, 255 },     { { 0, 100, VOI_LINEAR }, 0, 129 },
        { { 0, 100, VOI_LINEAR_EXACT }, 0, 128 },   { { 0, 100, VOI_LINEAR_EXACT }, -50, 0 },
        { { 0, 100, VOI_LINEAR_EXACT }, 50, 255 },  { { 2048, 4096, VOI_LINEAR_EXACT }, 4096, 255 },
        { { 2048, 1, VOI_LINEAR_EXACT }, 2047, 0 }, { { 2048, 1, VOI_LINEAR_EXACT }, 2049, 255 },
        { { 100, 200, VOI_SIGMOID }, 100, 128 },    { { 100, 200, VOI_SIGMOID }, 0, 30 },
        { { 100, 200, VOI_SIGMOID }, 200, 225 },    { { 100, 200, VOI_SIGMOID }, 30000, 255 },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct gray_look look = { .slope = 1, .has_window = true, .window = cases[i].window };
        const struct sample_rule rule = rule_of(16, 16, true, &look);
        const unsigned got = mapped(&rule, (uint32_t)(int32_t)cases[i].value);
        EXPECT(got == cases[i].want, "case %zu: %u, want %u", i, got, cases[i].want);
    }
}

/* Every stored value through the map, against sample_rule_gray; *ret_worst in gray levels. */
static double worst_of(const struct sample_rule *rule)
{
    SCOPED(sample_map) struct sample_map *map = NULL;
    struct error err = { 0 };
    const unsigned stored = rule->shape.bits_stored, shift = rule->high_bit + 1 - stored;
    const uint32_t count = 1u << stored;
    double worst = 0;

    if (!EXPECT(sample_map_new(rule, &map, &err), "%s", err.detail))
        return 256;
    const size_t width = sample_map_bytes_in(map);
    uint8_t *in = calloc(count, width), *out = malloc(count);
    for (uint32_t i = 0; i < count; i++)
        for (size_t k = 0; k < width; k++)
            in[i * width + k] = (uint8_t)(i << shift >> (8 * k));
    sample_map_apply(map, in, count, out);
    for (uint32_t i = 0; i < count; i++) {
        const double value = rule->shape.is_signed && i >= count / 2 ? (double)i - count : (double)i;
        const double off = fabs(out[i] - sample_rule_gray(rule, value) * 255);
        worst = off > worst ? off : worst;
    }
    free(in);
    free(out);
    return worst;
}

TEST(REN_61_every_way_is_within_half_a_level_of_the_plain_formula)
{
    static const uint16_t entries[] = { 0, 10, 200, 4000, 4095, 100 };
    const struct gray_look looks[] = {
        { .slope = 1, .has_window = true, .window = { 40, 400, VOI_LINEAR } },
        { .slope = 1, .has_window = true, .window = { 40, 400, VOI_SIGMOID } },
        { .slope = 1, .has_window = true, .window = { 100, 3, VOI_LINEAR_EXACT } },
        { .slope = 2.5,
          .intercept = -1024,
          .has_rescale = true,
          .has_window = true,
          .window = { -600, 1500, VOI_LINEAR } },
        { .slope = -1,
          .intercept = 300,
          .has_rescale = true,
          .has_window = true,
          .window = { 40, 400, VOI_LINEAR } },
        { .slope = 1 },
        { .slope = 1, .voi = { 100, COUNT_OF(entries), 12, entries } },
        { .slope = 1,
          .modality = { -2, COUNT_OF(entries), 16, entries },
          .has_window = true,
          .window = { 2000, 4000, VOI_LINEAR } },
    };
    static const struct {
        unsigned bits, stored, high_bit;
        bool is_signed;
    } kinds[] = { { 16, 12, 11, false },
                  { 16, 16, 15, true },
                  { 16, 12, 15, true },
                  { 8, 8, 7, false },
                  { 8, 6, 6, true } };

    for (size_t i = 0; i < COUNT_OF(looks); i++)
        for (size_t k = 0; k < COUNT_OF(kinds); k++)
            for (unsigned inverse = 0; inverse < 2; inverse++) {
                struct sample_rule rule =
                    rule_of(kinds[k].bits, kinds[k].stored, kinds[k].is_signed, &looks[i]);
                rule.high_bit = kinds[k].high_bit;
                rule.inverse = inverse;
                const double worst = worst_of(&rule);
                EXPECT(worst < 0.51, "look %zu, kind %zu, inverse %u: off by %f", i, k, inverse, worst);
            }
}

TEST(REN_47_padding_is_black_whatever_the_polarity)
{
    const struct gray_look look = { .slope = 1, .has_window = true, .window = { 0, 400, VOI_LINEAR } };
    const struct image_display display = { .has_padding = true, .padding_from = -2000, .padding_to = -1990 };

    for (unsigned inverse = 0; inverse < 2; inverse++) {
        struct sample_rule rule = rule_of(16, 16, true, &look);
        rule.inverse = inverse;
        rule.display_or_null = &display;
        EXPECT(mapped(&rule, (uint32_t)-2000) == 0 && mapped(&rule, (uint32_t)-1990) == 0, "inverse %u",
               inverse);
        EXPECT(mapped(&rule, (uint32_t)-1989) == (inverse ? 255 : 0), "beside it, inverse %u", inverse);
    }
}

TEST(REN_46_the_range_leaves_out_the_outermost_and_padding)
{
    const struct gray_look look = { .slope = 1 };
    struct image_display display = { .has_padding = true, .padding_from = -3000, .padding_to = -3000 };
    struct sample_rule rule = rule_of(16, 16, true, &look);
    int16_t pixels[10000];

    for (size_t i = 0; i < COUNT_OF(pixels); i++)
        pixels[i] = (int16_t)(i % 1000 - 200);
    for (size_t i = 0; i < 10; i++)
        pixels[i] = 32000; /* metal */
    for (size_t i = 5000; i < 6000; i++)
        pixels[i] = -3000;
    rule.display_or_null = &display;
    const struct sample_range range = sample_range_of(&rule, (const uint8_t *)pixels, COUNT_OF(pixels));
    EXPECT(range.from >= -200 && range.from <= -190 && range.to >= 780 && range.to <= 799, "%f to %f",
           range.from, range.to);

    for (size_t i = 0; i < COUNT_OF(pixels); i++)
        pixels[i] = 7;
    display.has_padding = false;
    const struct sample_range one = sample_range_of(&rule, (const uint8_t *)pixels, COUNT_OF(pixels));
    EXPECT(one.from == 7 && one.to > one.from, "one value alone: %f to %f", one.from, one.to);
}

TEST(both_processors_make_the_same_bytes)
{
    static const struct linear_map maps[] = {
        { .scale = 0.0623f, .offset = -3.7f, .padding_from = 1 },
        { .scale = -1.5f, .offset = 300, .up = 4, .down = 4, .padding_from = 1 },
        { .scale = 63.9f, .offset = -64000, .has_padding = true, .padding_from = 100, .padding_to = 200 },
    };
    enum { COUNT = 1037 };
    uint8_t in[2 * COUNT + 1], plain[COUNT], vector[COUNT];
    float sums[COUNT] = { 0 }, more[COUNT] = { 0 };
    const struct kernels *a = kernels_plain(), *b = kernels_avx2();

    if (!b)
        SKIP("this processor has no AVX2");
    for (size_t i = 0; i < sizeof(in); i++)
        in[i] = (uint8_t)(i * 167 + i / 7);
    for (size_t i = 0; i < COUNT_OF(maps); i++) {
        a->linear_u16(in + 1, COUNT, &maps[i], plain);
        b->linear_u16(in + 1, COUNT, &maps[i], vector);
        EXPECT(memcmp(plain, vector, COUNT) == 0, "u16, map %zu", i);
        a->linear_i16(in, COUNT, &maps[i], plain);
        b->linear_i16(in, COUNT, &maps[i], vector);
        EXPECT(memcmp(plain, vector, COUNT) == 0, "i16, map %zu", i);
        a->linear_u8(in, COUNT, &maps[i], plain);
        b->linear_u8(in, COUNT, &maps[i], vector);
        EXPECT(memcmp(plain, vector, COUNT) == 0, "u8, map %zu", i);
        a->linear_i8(in, COUNT, &maps[i], plain);
        b->linear_i8(in, COUNT, &maps[i], vector);
        EXPECT(memcmp(plain, vector, COUNT) == 0, "i8, map %zu", i);
    }
    for (size_t i = 0; i < 5; i++) {
        a->add_u8(in + i, COUNT, 0.37f, sums);
        b->add_u8(in + i, COUNT, 0.37f, more);
        a->add_u16((const uint16_t *)(const void *)in, COUNT, 0.11f, sums);
        b->add_u16((const uint16_t *)(const void *)in, COUNT, 0.11f, more);
    }
    EXPECT(memcmp(sums, more, sizeof(sums)) == 0, "sums");
}

TEST(samples_of_a_size_that_there_is_not_are_refused)
{
    const struct gray_look look = { .slope = 1 };

    for (unsigned bits = 0; bits <= 64; bits++) {
        SCOPED(sample_map) struct sample_map *map = NULL;
        struct error err = { 0 };
        const struct sample_rule rule = rule_of(bits, bits, false, &look);
        const bool made = sample_map_new(&rule, &map, &err);
        EXPECT(made == (bits == 1 || bits == 8 || bits == 16 || bits == 32), "%u bits", bits);
        EXPECT(made || err.fault == FAULT_NOT_ACCEPTABLE, "%u bits: fault %d", bits, err.fault);
    }
}
