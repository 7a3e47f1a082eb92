/* tests/unit/handlers/rendering_parameters_test.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * The query parameters of rendering, as texts in and values out.
 */
#include "handlers/rendering_parameters.h"

#include "http/uri.h"
#include "tests/support/expect.h"

static bool read_query(const char *query, bool thumbnail, struct rendering_parameters *ret,
                       struct arena *arena, struct error *err)
{
    struct request request = { .arena = arena, .query_text = bytes_of_text(query) };

    return uri_query(request.query_text, arena, &request.query, err) &&
           (thumbnail ? thumbnail_parameters_read : rendering_parameters_read)(&request, 16384, ret, err);
}

TEST(REN_23_24_25_what_of_the_image_is_shown_and_how_large)
{
    static const struct {
        const char *query;
        struct region region;
        uint32_t columns, rows;
        bool flip_columns, flip_rows;
    } cases[] = {
        { "", { 0, 0, 512, 256 }, 512, 256, false, false },
        { "viewport=100,100", { 0, 0, 512, 256 }, 100, 50, false, false },
        { "viewport=1000,1000", { 0, 0, 512, 256 }, 1000, 500, false, false },
        { "viewport=1,1000", { 0, 0, 512, 256 }, 1, 1, false, false },
        { "viewport=64,64,,,128,64", { 0, 0, 128, 64 }, 64, 32, false, false },
        { "viewport=64,64,10.5,-20.25", { 10.5, 20.25, 501.5, 235.75 }, 64, 30, false, false },
        { "viewport=64,64,0,0,-512,-256", { 0, 0, 512, 256 }, 64, 32, true, true },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct rendering_parameters parameters;
        struct arena arena = { 0 };
        struct error err = { 0 };
        struct region region;
        uint32_t rows = 0, columns = 0;

        EXPECT(read_query(cases[i].query, false, &parameters, &arena, &err) &&
                   rendering_parameters_fit(&parameters, 256, 512, &region, &rows, &columns, &err),
               "%s: %s", cases[i].query, err.detail);
        EXPECT(columns == cases[i].columns && rows == cases[i].rows, "%s: %u x %u", cases[i].query, columns,
               rows);
        EXPECT(memcmp(&region, &cases[i].region, sizeof(region)) == 0, "%s: %f,%f %f x %f", cases[i].query,
               region.x, region.y, region.width, region.height);
        EXPECT(parameters.flip_columns == cases[i].flip_columns && parameters.flip_rows == cases[i].flip_rows,
               "%s", cases[i].query);
        arena_release(&arena);
    }
}

TEST(what_gives_other_pictures_has_other_names)
{
    static const char *const queries[] = {
        "",
        "quality=50",
        "window=40,400,linear",
        "window=40,400,linear-exact",
        "window=40.5,400,linear",
        "viewport=100,100",
        "viewport=100,101",
        "viewport=100,100,1",
        "viewport=100,100,,,10,10",
        "viewport=100,100,,,-10,10",
        "viewport=100,100,,,10,-10",
        "annotation=patient",
        "annotation=technique",
        "iccprofile=yes",
        "iccprofile=srgb",
        "bits=16",
        "overlays=yes",
    };
    const char *names[COUNT_OF(queries)];
    struct arena arena = { 0 };

    for (size_t i = 0; i < COUNT_OF(queries); i++) {
        struct rendering_parameters parameters;
        struct error err = { 0 };
        EXPECT(read_query(queries[i], false, &parameters, &arena, &err), "%s: %s", queries[i], err.detail);
        names[i] = rendering_parameters_name(&parameters, &arena);
        for (size_t k = 0; k < i; k++)
            EXPECT(strcmp(names[i], names[k]) != 0, "%s and %s are both %s", queries[i], queries[k],
                   names[i]);
    }
    arena_release(&arena);
}

TEST(THU_04_thumbnails_take_a_viewport_without_a_region)
{
    struct rendering_parameters parameters;
    struct arena arena = { 0 };
    struct error err = { 0 };

    EXPECT(read_query("viewport=64,32&window=1,2,linear", true, &parameters, &arena, &err) &&
               parameters.has_viewport && !parameters.has_window,
           "%s", err.detail);
    EXPECT(!read_query("viewport=64,32,1,1", true, &parameters, &arena, &err) &&
               err.fault == FAULT_MALFORMED && strstr(err.told, "viewport"),
           "told \"%s\"", err.told);
    arena_release(&arena);
}

TEST(URI_07_08_09_the_names_of_wado_uri)
{
    static const struct {
        const char *query, *names_or_null;
    } cases[] = {
        { "rows=100", NULL },
        { "rows=100&columns=100&imageQuality=30&imageAnnotation=patient", NULL },
        { "windowCenter=40&windowWidth=400", NULL },
        { "region=0,0,1,1", NULL },
        { "region=0.25,0.5,0.75,1", NULL },
        { "windowCenter=40", "windowWidth" },
        { "windowWidth=40", "windowCenter" },
        { "windowCenter=x&windowWidth=400", "windowCenter" },
        { "windowCenter=1&windowWidth=0", "windowWidth" },
        { "rows=0", "rows" },
        { "columns=a", "columns" },
        { "columns=99999999", "columns" },
        { "region=0.5,0,0.2,1", "region" },
        { "region=0,0,1", "region" },
        { "region=0,0,1,1,1", "region" },
        { "region=0,0,1,1.5", "region" },
        { "imageQuality=0", "imageQuality" },
        { "annotation=", "annotation" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct arena arena = { 0 };
        struct error err = { 0 };
        struct rendering_parameters parameters;
        struct request request = { .arena = &arena, .query_text = bytes_of_text(cases[i].query) };

        EXPECT(uri_query(request.query_text, &arena, &request.query, &err), "%s", err.detail);
        const bool read = uri_parameters_read(&request, 16384, &parameters, &err);
        EXPECT(read == !cases[i].names_or_null, "%s: %s", cases[i].query, err.detail);
        if (cases[i].names_or_null)
            EXPECT(err.fault == FAULT_MALFORMED && strstr(err.told, cases[i].names_or_null), "%s told \"%s\"",
                   cases[i].query, err.told);
        arena_release(&arena);
    }
}
