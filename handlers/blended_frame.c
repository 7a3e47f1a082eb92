/* handlers/blended_frame.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See blended_frame.h.
 */
#include "handlers/blended_frame.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>

#include "dicom/image_planes.h"
#include "handlers/presented_frame.h"

enum { BLEND_FRAMES_MOST = 20000 };
/* A plane alone, whose thickness nobody tells, is seen so far from it (mm). */
#define REACH_ALONE 2.5

/* A frame that may lie above. */
struct above {
    uint32_t image; /* in the list of keys */
    uint32_t frame;
    struct image_plane plane;
};
struct blend_images {
    struct instance_key *keys;
    uint64_t *generations;
    const struct image_reference **references;
    uint32_t count;

    struct arena *arena;
    bool is_planned;
    struct above *frames;
    uint32_t frame_count;
    bool has_planes; /* all of them */
    struct uid frame_of_reference;
    double reach; /* mm to both sides of a plane */
};

/* ── which images ── */

bool blend_images_find(const struct service *service, const struct request *request,
                       const struct presentation_state *state, const struct uid *study,
                       struct blend_images **ret, uint64_t *ret_mark, struct error *err)
{
    const uint32_t most = state->above.images.count;
    struct blend_images *images = arena_alloc(request->arena, sizeof(*images));
    uint64_t mark = 1;

    images->arena = request->arena;
    images->keys = arena_array(request->arena, most, sizeof(*images->keys));
    images->generations = arena_array(request->arena, most, sizeof(*images->generations));
    images->references = arena_array(request->arena, most, sizeof(*images->references));
    for (uint32_t i = 0; i < most; i++) {
        const struct image_reference *reference = &state->above.images.list[i];
        const struct instance_key key = { reference->study.text[0] ? reference->study : *study,
                                          reference->series, reference->instance };
        const struct instance_record *record = NULL;

        if (!catalog_find(service->catalog, &key, MAY_WAIT, &record, err)) {
            if (err->fault != FAULT_NOT_FOUND && err->fault != FAULT_GONE)
                return false;
            error_clear(err);
            continue;
        }
        images->keys[images->count] = key;
        images->references[images->count] = reference;
        images->generations[images->count++] = record->generation;
        mark = (mark ^ record->generation) * 1099511628211u; /* FNV: to tell apart, not to resist */
        instance_record_unref(record);
    }
    if (images->count == 0)
        return error_tell(err, FAULT_NOT_FOUND,
                          "None of the images that the presentation state superimposes is stored.");
    *ret = images;
    *ret_mark = mark;
    return true;
}

/* ── where they lie ── */

static bool add_frames(const struct service *service, struct blend_images *images, uint32_t n,
                       struct error *err)
{
    const struct image_reference *reference = images->references[n];
    SCOPED(instance_record) const struct instance_record *record = NULL;
    struct image_planes planes;
    struct arena scratch = { 0 };
    char path[PATH_MAX];

    if (!catalog_find(service->catalog, &images->keys[n], MAY_WAIT, &record, err))
        return false;
    store_path(service->store, record->generation, path, sizeof(path));
    const bool read = image_planes_read(path, &scratch, &planes, err);
    const uint32_t all = record->frames ? frame_table_count(record->frames) : 0;
    const uint32_t count = reference->frame_count > 0 ? reference->frame_count : all;
    for (uint32_t i = 0; read && i < count && images->frame_count < BLEND_FRAMES_MOST; i++) {
        const uint32_t frame = reference->frame_count > 0 ? reference->frames[i] : i + 1;
        if (frame < 1 || frame > all)
            continue;
        struct above *above = &images->frames[images->frame_count++];
        *above = (struct above){ n, frame, *image_planes_of(&planes, frame) };
        images->has_planes = images->has_planes && above->plane.is_known;
    }
    if (read && n == 0) {
        images->frame_of_reference = planes.frame_of_reference;
        images->reach = planes.thickness / 2;
    }
    arena_release(&scratch);
    return read;
}

/* Half of the widest gap between neighbours, so that nothing lies between them that neither covers. */
static void find_reach(struct blend_images *images)
{
    double widest = 0;

    for (uint32_t i = 1; images->has_planes && i < images->frame_count; i++)
        widest =
            fmax(widest,
                 fabs(image_plane_distance(&images->frames[i - 1].plane, images->frames[i].plane.position)));
    images->reach = fmax(images->reach, fmin(widest / 2, 25));
    if (images->reach == 0)
        images->reach = REACH_ALONE;
}

static bool plan(const struct service *service, struct blend_images *images, struct error *err)
{
    if (images->is_planned)
        return true;
    images->frames = arena_array(images->arena, BLEND_FRAMES_MOST, sizeof(*images->frames));
    images->frame_count = 0;
    images->has_planes = true;
    for (uint32_t i = 0; i < images->count; i++)
        if (!add_frames(service, images, i, err))
            return false;
    find_reach(images);
    images->is_planned = true;
    return true;
}

/* ── which frame lies above this one, and how ── */

/* From a pixel of the underlying frame to one above: x' = a x + b y + c, y' = d x + e y + f, both from the
 * middle of the first pixel. */
struct mapping {
    double a, b, c, d, e, f;
};

static double along(const double direction[3], const double from[3], const double to[3])
{
    double sum = 0;

    for (unsigned i = 0; i < 3; i++)
        sum += direction[i] * (to[i] - from[i]);
    return sum;
}

static struct mapping map_planes(const struct image_plane *under, const struct image_plane *above)
{
    static const double origin[3] = { 0, 0, 0 };
    const double x = above->column_spacing, y = above->row_spacing;

    return (struct mapping){
        along(above->across, origin, under->across) * under->column_spacing / x,
        along(above->across, origin, under->down) * under->row_spacing / x,
        along(above->across, above->position, under->position) / x,
        along(above->down, origin, under->across) * under->column_spacing / y,
        along(above->down, origin, under->down) * under->row_spacing / y,
        along(above->down, above->position, under->position) / y,
    };
}

static const double *middle_of(const struct image_plane *plane, const struct pixel_shape *shape,
                               double ret[3])
{
    for (unsigned i = 0; i < 3; i++)
        ret[i] = plane->position[i] + plane->across[i] * plane->column_spacing * (shape->columns - 1) / 2 +
                 plane->down[i] * plane->row_spacing * (shape->rows - 1) / 2;
    return ret;
}

/* *ret stays NULL where nothing lies above. */
static bool find_by_place(const struct frame_work *work, const struct blend_images *images,
                          const struct image_planes *planes, const struct above **ret,
                          struct mapping *mapping, struct error *err)
{
    const struct image_plane *under = image_planes_of(planes, work->frame);
    double middle[3], nearest = INFINITY;

    if (planes->frame_of_reference.text[0] && images->frame_of_reference.text[0] &&
        !uid_equal(&planes->frame_of_reference, &images->frame_of_reference))
        return error_tell(
            err, FAULT_NOT_ACCEPTABLE,
            "The two sets of images that the presentation state blends lie in different frames of "
            "reference; registrations are not applied.");
    middle_of(under, &work->record->shape, middle);
    for (uint32_t i = 0; i < images->frame_count; i++) {
        const struct above *one = &images->frames[i];
        if (!image_plane_is_parallel(under, &one->plane))
            return error_tell(err, FAULT_NOT_ACCEPTABLE,
                              "The two sets of images that the presentation state blends are not parallel.");
        const double distance = fabs(image_plane_distance(&one->plane, middle));
        if (distance < nearest) {
            nearest = distance;
            *ret = one;
        }
    }
    if (nearest > images->reach + 1e-3)
        *ret = NULL;
    if (*ret)
        *mapping = map_planes(under, &(*ret)->plane);
    return true;
}

/* The number of the frame at hand among all that lie below, from 0; *ret_all: how many there are. */
static bool number_below(const struct frame_work *work, const struct presentation_state *state,
                         uint64_t *ret_number, uint64_t *ret_all, struct error *err)
{
    uint64_t all = 0, number = UINT64_MAX;

    for (uint32_t i = 0; i < state->images.count; i++) {
        const struct image_reference *reference = &state->images.list[i];
        const struct instance_key key = { reference->study.text[0] ? reference->study
                                                                   : work->record->key.study,
                                          reference->series, reference->instance };
        SCOPED(instance_record) const struct instance_record *record = NULL;

        if (!catalog_find(work->service->catalog, &key, MAY_WAIT, &record, err)) {
            if (err->fault != FAULT_NOT_FOUND && err->fault != FAULT_GONE)
                return false;
            error_clear(err);
            continue;
        }
        const uint32_t frames = record->frames ? frame_table_count(record->frames) : 0;
        const uint32_t count = reference->frame_count > 0 ? reference->frame_count : frames;
        for (uint32_t k = 0; uid_equal(&key.instance, &work->record->key.instance) && k < count; k++)
            if ((reference->frame_count > 0 ? reference->frames[k] : k + 1) == work->frame)
                number = all + k;
        all += count;
    }
    *ret_number = number;
    *ret_all = all;
    return true;
}

static bool find_by_number(const struct frame_work *work, const struct blend_images *images,
                           const struct presentation_state *state, const struct above **ret,
                           struct error *err)
{
    uint64_t number, all;

    if (!number_below(work, state, &number, &all, err))
        return false;
    if (images->frame_count != 1 && (all != images->frame_count || number >= all))
        return error_tell(err, FAULT_NOT_ACCEPTABLE,
                          "The presentation state blends %" PRIu64 " frames with %" PRIu32
                          ", and nothing says which belong together.",
                          all, images->frame_count);
    *ret = &images->frames[images->frame_count == 1 ? 0 : number];
    return true;
}

/* ── blending ── */

/* Between four neighbours; false outside the image. */
static bool sample(const struct pixels *picture, double x, double y, double *ret)
{
    const uint32_t columns = picture->shape.columns, rows = picture->shape.rows;
    const uint16_t *gray = (const uint16_t *)(const void *)block_bytes(picture->block).data;

    if (!(x > -0.5 && y > -0.5 && x < columns - 0.5 && y < rows - 0.5))
        return false;
    const double u = fmin(fmax(x, 0), columns - 1.0), v = fmin(fmax(y, 0), rows - 1.0);
    const uint32_t c = (uint32_t)u, r = (uint32_t)v;
    const uint32_t right = c + 1 < columns ? c + 1 : c, below = r + 1 < rows ? r + 1 : r;
    const double fx = u - c, fy = v - r;
    const uint16_t *upper = gray + (size_t)r * columns, *lower = gray + (size_t)below * columns;
    *ret =
        (upper[c] * (1 - fx) + upper[right] * fx) * (1 - fy) + (lower[c] * (1 - fx) + lower[right] * fx) * fy;
    return true;
}

static double share_of(const struct lut *table, double gray)
{
    const uint32_t entry = (uint32_t)(gray / 65535 * (table->count - 1) + 0.5);

    return table->values[entry] / (double)((1u << table->bits) - 1);
}

static void blend(const struct presentation_state *state, const struct pixels *under,
                  const struct pixels *above_or_null, const struct mapping *mapping,
                  const struct pixels *into)
{
    const struct lut *const tables[] = { &state->palette.red, &state->palette.green, &state->palette.blue };
    const uint16_t *gray = (const uint16_t *)(const void *)block_bytes(under->block).data;
    const double opacity = state->above.opacity;
    uint8_t *room = picture_room(into);

    for (uint32_t r = 0; r < into->shape.rows; r++)
        for (uint32_t c = 0; c < into->shape.columns; c++) {
            const size_t at = (size_t)r * into->shape.columns + c;
            const double below = gray[at] / 65535.0;
            double value = 0;
            const bool covered =
                above_or_null && sample(above_or_null, mapping->a * c + mapping->b * r + mapping->c,
                                        mapping->d * c + mapping->e * r + mapping->f, &value);
            for (unsigned k = 0; k < 3; k++) {
                const double share =
                    covered ? share_of(tables[k], value) * opacity + below * (1 - opacity) : below;
                room[3 * at + k] = (uint8_t)(share * 255 + 0.5);
            }
        }
}

static bool render_above(const struct frame_work *work, const struct presentation_state *state,
                         const struct instance_key *key, uint32_t frame, struct pixels *ret,
                         struct error *err)
{
    static const struct rendering_parameters plain = { 0 };
    SCOPED(instance_record) const struct instance_record *record = NULL;
    struct frame_work above;

    if (!catalog_find(work->service->catalog, key, MAY_WAIT, &record, err))
        return false;
    struct rendering_task task = { .region = { 0, 0, record->shape.columns, record->shape.rows },
                                   .rows = record->shape.rows,
                                   .columns = record->shape.columns };
    bool done = frame_work_open(work->service, record, frame, &plain, &above, err);
    if (done && record->shape.samples_per_pixel != 1)
        done = error_tell(err, FAULT_NOT_ACCEPTABLE, "Images in colours cannot be blended.");
    done = done && presented_frame_rule(&above, &state->above.gray, err);
    above.rule.palette_or_null = NULL;
    above.rule.wide = true;
    done = done && frame_work_render(&above, &task, ret, err);
    frame_work_close(&above);
    return done || error_while(err, "rendering what lies above");
}

static bool find_above(const struct frame_work *work, const struct rendering_parameters *parameters,
                       const struct above **ret, struct mapping *mapping, bool *ret_by_place,
                       struct error *err)
{
    struct image_planes planes;
    struct arena scratch = { 0 };
    char path[PATH_MAX];

    store_path(work->service->store, work->record->generation, path, sizeof(path));
    bool done =
        plan(work->service, parameters->blend, err) && image_planes_read(path, &scratch, &planes, err);
    if (done) {
        *ret_by_place = parameters->blend->has_planes && image_planes_of(&planes, work->frame)->is_known;
        done = *ret_by_place ? find_by_place(work, parameters->blend, &planes, ret, mapping, err)
                             : find_by_number(work, parameters->blend, parameters->state, ret, err);
    }
    arena_release(&scratch);
    return done;
}

bool blended_frame(struct frame_work *work, const struct rendering_parameters *parameters,
                   struct rendering_task *task, struct pixels *ret, struct error *err)
{
    const struct presentation_state *state = parameters->state;
    SCOPED(pixels) struct pixels under = { 0 }, above = { 0 };
    const struct above *one = NULL;
    struct mapping mapping = { 0 };
    bool by_place = false;

    if (work->record->shape.samples_per_pixel != 1 || state->palette.red.count == 0)
        return error_tell(err, FAULT_NOT_ACCEPTABLE,
                          "Blending takes gray images and a palette of the presentation state.");
    if (!find_above(work, parameters, &one, &mapping, &by_place, err))
        return false;
    work->rule.palette_or_null = NULL;
    work->rule.wide = true;
    if (!frame_work_render(work, task, &under, err) ||
        (one && !render_above(work, state, &parameters->blend->keys[one->image], one->frame, &above, err)) ||
        !picture_take(under.shape.rows, under.shape.columns, 3, 8, ret, err))
        return false;
    if (one && !by_place) { /* both cover the same */
        const double x = (double)above.shape.columns / under.shape.columns,
                     y = (double)above.shape.rows / under.shape.rows;
        mapping = (struct mapping){ x, 0, x / 2 - 0.5, 0, y, y / 2 - 0.5 };
    }
    blend(state, &under, one ? &above : NULL, &mapping, ret);
    return true;
}
