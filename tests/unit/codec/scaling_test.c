/* tests/unit/codec/scaling_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Smaller, larger, turned: against averages reckoned one by one.
 */
#include "codec/scaling.h"

#include <math.h>

#include "tests/support/expect.h"

static struct pixels picture(uint32_t rows, uint32_t columns, unsigned samples, unsigned bits)
{
    struct pixels made = { 0 };
    struct error err = { 0 };

    EXPECT(picture_take(rows, columns, samples, bits, &made, &err), "%s", err.detail);
    return made;
}

static double average(const uint8_t *pixels, uint32_t columns, double x0, double y0, double x1, double y1)
{
    double sum = 0;

    for (uint32_t r = (uint32_t)y0; r < y1; r++)
        for (uint32_t c = (uint32_t)x0; c < x1; c++)
            sum += pixels[r * columns + c] * (fmin(x1, c + 1.0) - fmax(x0, c)) *
                   (fmin(y1, r + 1.0) - fmax(y0, r));
    return sum / ((x1 - x0) * (y1 - y0));
}

TEST(a_smaller_picture_is_the_average_of_areas_fractions_and_all)
{
    enum { ROWS = 37, COLUMNS = 53 };
    static const struct {
        struct region region;
        uint32_t rows, columns;
    } cases[] = {
        { { 0, 0, COLUMNS, ROWS }, 10, 14 }, { { 0, 0, COLUMNS, ROWS }, 1, 1 },
        { { 0, 0, COLUMNS, ROWS }, 37, 53 }, { { 3.5, 7.25, 20, 11 }, 4, 7 },
        { { 30, 20, 23, 17 }, 16, 22 },
    };
    uint8_t from[ROWS * COLUMNS];

    for (size_t i = 0; i < sizeof(from); i++)
        from[i] = (uint8_t)(i * 31 + i / 11);
    for (size_t n = 0; n < COUNT_OF(cases); n++) {
        SCOPED(pixels) struct pixels small = picture(cases[n].rows, cases[n].columns, 1, 8);
        SCOPED(shrinker) struct shrinker *shrinker = NULL;
        struct error err = { 0 };
        const struct region *region = &cases[n].region;

        EXPECT(shrinker_new(region, COLUMNS, &small, &shrinker, &err), "%s", err.detail);
        for (uint32_t r = 0; r < ROWS; r++)
            shrinker_add(shrinker, r, from + r * COLUMNS);
        const double x = region->width / cases[n].columns, y = region->height / cases[n].rows;
        for (uint32_t r = 0; r < cases[n].rows; r++)
            for (uint32_t c = 0; c < cases[n].columns; c++) {
                const double want = average(from, COLUMNS, region->x + c * x, region->y + r * y,
                                            region->x + (c + 1) * x, region->y + (r + 1) * y);
                const double got = picture_room(&small)[r * cases[n].columns + c];
                if (!EXPECT(fabs(got - want) < 0.51, "case %zu at %u,%u: %f, want %f", n, r, c, got, want))
                    return;
            }
    }
}

TEST(a_larger_picture_keeps_constants_and_never_leaves_its_range)
{
    SCOPED(pixels) struct pixels from = picture(5, 7, 3, 8), large = picture(50, 35, 3, 8);

    for (size_t i = 0; i < 5 * 7; i++)
        memcpy(picture_room(&from) + 3 * i, (uint8_t[]){ 100, (uint8_t)(i < 14 ? 10 : 200), 7 }, 3);
    enlarge(&from, &(struct region){ 0, 0, 7, 5 }, &large);
    for (size_t i = 0; i < 50 * 35; i++) {
        const uint8_t *pixel = picture_room(&large) + 3 * i;
        if (!EXPECT(pixel[0] == 100 && pixel[1] >= 10 && pixel[1] <= 200 && pixel[2] == 7,
                    "pixel %zu: %u %u %u", i, pixel[0], pixel[1], pixel[2]))
            return;
    }
}

TEST(four_quarter_turns_and_two_flips_are_nothing)
{
    SCOPED(pixels) struct pixels first = picture(3, 4, 1, 16);
    uint16_t *samples = (uint16_t *)(void *)picture_room(&first);
    struct error err = { 0 };

    for (uint16_t i = 0; i < 12; i++)
        samples[i] = (uint16_t)(1000 * i);
    SCOPED(pixels) struct pixels once = { 0 };
    EXPECT(rotate_quarter(&first, &once, &err), "%s", err.detail);
    EXPECT(once.shape.rows == 4 && once.shape.columns == 3, "%u x %u", once.shape.columns, once.shape.rows);
    EXPECT(((uint16_t *)(void *)picture_room(&once))[0] == 8000,
           "the lower left corner becomes the upper left one");
    SCOPED(pixels) struct pixels twice = { 0 };
    EXPECT(rotate_quarter(&once, &twice, &err), "%s", err.detail);
    flip_rows(&twice);
    flip_columns(&twice);
    EXPECT(memcmp(picture_room(&twice), samples, 24) == 0, "half a turn is both flips");
}
