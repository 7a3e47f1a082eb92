/* handlers/rendering_parameters.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Reads them; see rendering_parameters.h.
 */
#include "handlers/rendering_parameters.h"

#include <inttypes.h>
#include <math.h>

#include "base/number.h"
#include "http/token.h"

enum { VIEWPORT_VALUES = 6 };

static bool bad(struct error *err, const char *name, const char *rule)
{
    return error_tell(err, FAULT_MALFORMED, "The query parameter \"%s\" %s.", name, rule);
}

/* Of two values it is not known which one is meant. */
static bool check_single(const struct request *request, const char *const *names, size_t count,
                         struct error *err)
{
    for (size_t i = 0; i < count; i++)
        if (request_query_is_repeated(request, names[i]))
            return bad(err, names[i], "is there more than once");
    return true;
}

/* ── window ── */

static const struct {
    const char *name;
    enum voi_function function;
} functions[] = {
    { "linear", VOI_LINEAR },
    { "linear-exact", VOI_LINEAR_EXACT },
    { "sigmoid", VOI_SIGMOID },
};

static bool window_is_sound(const struct voi_window *window, const char *name, struct error *err)
{
    if (window->function == VOI_LINEAR && window->width < 1)
        return bad(err, name, "has a width below 1, which linear does not allow");
    return window->width > 0 || bad(err, name, "has a width that is not above 0");
}

static bool read_window(const struct request *request, struct rendering_parameters *ret, struct error *err)
{
    struct bytes text = request_query(request, "window");
    static const char rule[] =
        "is center,width,function with two decimals and one of linear, linear-exact, sigmoid";

    if (!text.data)
        return true;
    const struct bytes center = bytes_cut(&text, ','), width = bytes_cut(&text, ',');
    bool found = false;
    for (size_t i = 0; i < COUNT_OF(functions); i++)
        if (bytes_equal_text(text, functions[i].name)) {
            ret->window.function = functions[i].function;
            found = true;
        }
    if (!found || !number_parse_real(center, &ret->window.center) ||
        !number_parse_real(width, &ret->window.width))
        return bad(err, "window", rule);
    ret->has_window = true;
    return window_is_sound(&ret->window, "window", err);
}

/* ── viewport ── */

static bool read_size(struct bytes text, const char *name, uint32_t ceiling, uint32_t *ret, struct error *err)
{
    uint64_t size;

    if (!number_parse(text, 1, UINT64_MAX, &size))
        return bad(err, name, "needs whole numbers above 0 for its width and height");
    if (size > ceiling)
        return error_tell(err, FAULT_MALFORMED,
                          "The query parameter \"%s\" asks for more than %" PRIu32
                          " pixels a side (setting viewport_ceiling).",
                          name, ceiling);
    *ret = (uint32_t)size;
    return true;
}

/* Elided values keep what is there. */
static bool read_optional(struct bytes text, double *ret)
{
    return text.size == 0 || number_parse_real(text, ret);
}

static bool read_region(struct bytes values[VIEWPORT_VALUES], struct rendering_parameters *ret,
                        struct error *err)
{
    struct region region = { 0, 0, 0, 0 };

    if (!read_optional(values[2], &region.x) || !read_optional(values[3], &region.y) ||
        !read_optional(values[4], &region.width) || !read_optional(values[5], &region.height))
        return bad(err, "viewport", "has a source region whose values are not decimals");
    if ((values[4].size > 0 && region.width == 0) || (values[5].size > 0 && region.height == 0))
        return bad(err, "viewport", "has a source region without extent");
    ret->has_region = true;
    ret->flip_columns = region.width < 0;
    ret->flip_rows = region.height < 0;
    ret->region = (struct region){ fabs(region.x), fabs(region.y), fabs(region.width), fabs(region.height) };
    return true;
}

static bool read_viewport(const struct request *request, uint32_t ceiling, bool with_region,
                          struct rendering_parameters *ret, struct error *err)
{
    struct bytes text = request_query(request, "viewport"), values[VIEWPORT_VALUES] = { { NULL, 0 } };
    size_t count = 0;

    if (!text.data)
        return true;
    while (text.data && count < VIEWPORT_VALUES)
        values[count++] = bytes_cut(&text, ',');
    if (text.data || count < 2 || (count > 2 && values[count - 1].size == 0))
        return bad(err, "viewport", "is width,height and at most four values of a source region");
    if (!read_size(values[0], "viewport", ceiling, &ret->viewport_columns, err) ||
        !read_size(values[1], "viewport", ceiling, &ret->viewport_rows, err))
        return false;
    ret->has_viewport = true;
    if (count == 2)
        return true;
    if (!with_region)
        return bad(err, "viewport", "takes no source region here");
    return read_region(values, ret, err);
}

/* ── the others ── */

static bool read_quality(const struct request *request, const char *name, struct rendering_parameters *ret,
                         struct error *err)
{
    const struct bytes text = request_query(request, name);
    uint64_t quality;

    if (!text.data)
        return true;
    if (!number_parse(text, 1, 100, &quality))
        return bad(err, name, "is a whole number from 1 to 100");
    ret->quality = (unsigned)quality;
    return true;
}

static bool read_annotation(const struct request *request, const char *name, struct rendering_parameters *ret,
                            struct error *err)
{
    struct bytes text = request_query(request, name);

    if (!text.data)
        return true;
    do {
        const struct bytes value = bytes_cut(&text, ',');
        if (!token_is(value))
            return bad(err, name, "is a list of keywords: patient, technique");
        if (bytes_equal_text(value, "patient"))
            ret->annotate_patient = true;
        else if (bytes_equal_text(value, "technique"))
            ret->annotate_technique = true;
        else
            ret->unknown_annotations = arena_printf(request->arena, "%s%s%.*s",
                                                    ret->unknown_annotations ? ret->unknown_annotations : "",
                                                    ret->unknown_annotations ? "," : "", BYTES_ARG(value));
    } while (text.data);
    return true;
}

static bool read_icc(const struct request *request, struct rendering_parameters *ret, struct error *err)
{
    static const struct {
        const char *name;
        enum icc_choice choice;
    } choices[] = { { "no", ICC_NO },
                    { "yes", ICC_YES },
                    { "srgb", ICC_SRGB },
                    { "adobergb", ICC_ADOBERGB },
                    { "rommrgb", ICC_ROMMRGB } };
    const struct bytes text = request_query(request, "iccprofile");

    if (!text.data)
        return true;
    for (size_t i = 0; i < COUNT_OF(choices); i++)
        if (bytes_equal_text(text, choices[i].name)) {
            ret->icc = choices[i].choice;
            return true;
        }
    return bad(err, "iccprofile", "is one of no, yes, srgb, adobergb, rommrgb");
}

static bool read_extensions(const struct request *request, struct rendering_parameters *ret,
                            struct error *err)
{
    const struct bytes bits = request_query(request, "bits"), overlays = request_query(request, "overlays");

    if (bits.data && !bytes_equal_text(bits, "8") && !bytes_equal_text(bits, "16"))
        return bad(err, "bits", "is 8 or 16");
    if (overlays.data && !bytes_equal_text(overlays, "yes") && !bytes_equal_text(overlays, "no"))
        return bad(err, "overlays", "is yes or no");
    ret->wide = bits.data && bytes_equal_text(bits, "16");
    ret->overlays = overlays.data && bytes_equal_text(overlays, "yes");
    return true;
}

bool rendering_parameters_read(const struct request *request, uint32_t viewport_ceiling,
                               struct rendering_parameters *ret, struct error *err)
{
    static const char *const single[] = { "window",     "viewport", "quality", "annotation",
                                          "iccprofile", "bits",     "overlays" };

    *ret = (struct rendering_parameters){ 0 };
    return check_single(request, single, COUNT_OF(single), err) && read_window(request, ret, err) &&
           read_viewport(request, viewport_ceiling, true, ret, err) &&
           read_quality(request, "quality", ret, err) && read_annotation(request, "annotation", ret, err) &&
           read_icc(request, ret, err) && read_extensions(request, ret, err);
}

bool thumbnail_parameters_read(const struct request *request, uint32_t viewport_ceiling,
                               struct rendering_parameters *ret, struct error *err)
{
    static const char *const single[] = { "viewport" };

    *ret = (struct rendering_parameters){ 0 };
    return check_single(request, single, COUNT_OF(single), err) &&
           read_viewport(request, viewport_ceiling, false, ret, err);
}

/* ── WADO-URI ── */

static bool read_uri_window(const struct request *request, struct rendering_parameters *ret,
                            struct error *err)
{
    const struct bytes center = request_query(request, "windowCenter"),
                       width = request_query(request, "windowWidth");

    if (!center.data && !width.data)
        return true;
    if (!center.data || !width.data)
        return bad(err, center.data ? "windowWidth" : "windowCenter",
                   "is missing: it goes with the other one");
    if (!number_parse_real(center, &ret->window.center))
        return bad(err, "windowCenter", "is a decimal");
    if (!number_parse_real(width, &ret->window.width))
        return bad(err, "windowWidth", "is a decimal");
    ret->has_window = true;
    ret->window.function = VOI_LINEAR;
    return window_is_sound(&ret->window, "windowWidth", err);
}

static bool read_uri_size(const struct request *request, uint32_t ceiling, struct rendering_parameters *ret,
                          struct error *err)
{
    const struct bytes rows = request_query(request, "rows"), columns = request_query(request, "columns");

    ret->viewport_rows = ret->viewport_columns = UINT32_MAX;
    if ((rows.data && !read_size(rows, "rows", ceiling, &ret->viewport_rows, err)) ||
        (columns.data && !read_size(columns, "columns", ceiling, &ret->viewport_columns, err)))
        return false;
    ret->has_viewport = rows.data || columns.data;
    return true;
}

static bool read_uri_region(const struct request *request, struct rendering_parameters *ret,
                            struct error *err)
{
    static const char rule[] = "is xmin,ymin,xmax,ymax with 0 <= min < max <= 1";
    struct bytes text = request_query(request, "region");
    double values[4];

    if (!text.data)
        return true;
    for (size_t i = 0; i < 4; i++)
        if (!text.data || !number_parse_real(bytes_cut(&text, ','), &values[i]) || values[i] < 0 ||
            values[i] > 1)
            return bad(err, "region", rule);
    if (text.data || values[0] >= values[2] || values[1] >= values[3])
        return bad(err, "region", rule);
    ret->has_region = ret->region_is_shares = true;
    ret->region = (struct region){ values[0], values[1], values[2] - values[0], values[3] - values[1] };
    return true;
}

bool uri_parameters_read(const struct request *request, uint32_t viewport_ceiling,
                         struct rendering_parameters *ret, struct error *err)
{
    static const char *const single[] = {
        "windowCenter",         "windowWidth",     "rows",       "columns",     "region",
        "imageQuality",         "imageAnnotation", "annotation", "frameNumber", "presentationUID",
        "presentationSeriesUID"
    };

    *ret = (struct rendering_parameters){ 0 };
    return check_single(request, single, COUNT_OF(single), err) && read_uri_window(request, ret, err) &&
           read_uri_size(request, viewport_ceiling, ret, err) && read_uri_region(request, ret, err) &&
           read_quality(request, "imageQuality", ret, err) &&
           read_annotation(request, "annotation", ret, err) &&
           read_annotation(request, "imageAnnotation", ret, err);
}

/* ── what they mean ── */

const char *rendering_parameters_name(const struct rendering_parameters *parameters, struct arena *arena)
{
    const struct region *region = &parameters->region;
    const struct voi_window *window = &parameters->window;
    if (parameters->name)
        return parameters->name;
    const char *name = arena_printf(arena, "renderer " RENDERER_VERSION " q%u%s a%d%d i%d b%d o%d",
                                    parameters->quality, parameters->quality_is_default ? "d" : "",
                                    parameters->annotate_patient, parameters->annotate_technique,
                                    (int)parameters->icc, parameters->wide, parameters->overlays);

    if (parameters->has_window)
        name = arena_printf(arena, "%s w%.17g,%.17g,%d", name, window->center, window->width,
                            (int)window->function);
    if (parameters->has_viewport)
        name = arena_printf(arena, "%s v%" PRIu32 ",%" PRIu32, name, parameters->viewport_columns,
                            parameters->viewport_rows);
    if (parameters->has_region)
        name = arena_printf(arena, "%s r%.17g,%.17g,%.17g,%.17g,%d%d%d", name, region->x, region->y,
                            region->width, region->height, parameters->flip_columns, parameters->flip_rows,
                            parameters->region_is_shares);
    if (parameters->state)
        name = arena_printf(arena, "%s p%" PRIu64 " m%" PRIx64, name, parameters->state_generation,
                            parameters->blend_mark);
    return name;
}

static uint32_t at_least_one(double size)
{
    return size < 1.5 ? 1 : (uint32_t)(size + 0.5);
}

bool rendering_parameters_fit(const struct rendering_parameters *parameters, uint32_t rows, uint32_t columns,
                              struct region *ret_region, uint32_t *ret_rows, uint32_t *ret_columns,
                              struct error *err)
{
    struct region region = { 0, 0, columns, rows };

    if (parameters->region_is_shares) {
        region = (struct region){ parameters->region.x * columns, parameters->region.y * rows,
                                  parameters->region.width * columns, parameters->region.height * rows };
    } else if (parameters->has_region) {
        region = parameters->region;
        if (region.width == 0)
            region.width = columns - region.x;
        if (region.height == 0)
            region.height = rows - region.y;
        if (!(region.width > 0) || !(region.height > 0) || region.x + region.width > columns ||
            region.y + region.height > rows)
            return bad(err, "viewport", "has a source region that is not inside the image");
    }
    double scale = 1;
    if (parameters->has_viewport)
        scale = fmin(parameters->viewport_columns / region.width, parameters->viewport_rows / region.height);
    *ret_region = region;
    *ret_rows = at_least_one(region.height * scale);
    *ret_columns = at_least_one(region.width * scale);
    return true;
}

void rendering_parameters_warn(const struct rendering_parameters *parameters, const struct request *request,
                               struct response *response)
{
    if (parameters->unknown_annotations)
        response_header(response, request->arena, "Warning",
                        "299 %s: The following annotation values are not supported: %s", request->public_base,
                        parameters->unknown_annotations);
}
