/* dicom/image_planes.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * See image_planes.h.
 */
#include "dicom/image_planes.h"

#include <math.h>

#include "dicom/attribute_reader.h"
#include "dicom/data_set.h"

enum {
    FRAME_OF_REFERENCE = 0x00200052,
    SLICE_THICKNESS = 0x00180050,
    IMAGE_POSITION = 0x00200032,
    IMAGE_ORIENTATION = 0x00200037,
    PIXEL_SPACING = 0x00280030,
    SHARED_GROUPS = 0x52009229,
    FRAME_GROUPS = 0x52009230,
    PLANE_POSITION = 0x00209113,
    PLANE_ORIENTATION = 0x00209116,
    PIXEL_MEASURES = 0x00289110,
    FRAME_CONTENT = 0x00209111,
    DIMENSION_INDICES = 0x00209157,
    FRAMES_MOST = 1000000
};

struct found {
    bool position, orientation, spacing;
};

static bool read_reals(struct attribute_reader *reader, const struct dataset_item *item, uint32_t tag,
                       unsigned from, unsigned count, double *ret)
{
    double values[3];

    for (unsigned i = 0; i < count; i++)
        if (!attribute_real(reader, item, tag, from + i, &values[i]))
            return false;
    memcpy(ret, values, count * sizeof(*values));
    return true;
}

static double dot(const double a[3], const double b[3])
{
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

static void cross(const double a[3], const double b[3], double ret[3])
{
    for (unsigned i = 0; i < 3; i++)
        ret[i] = a[(i + 1) % 3] * b[(i + 2) % 3] - a[(i + 2) % 3] * b[(i + 1) % 3];
}

static void read_attributes(struct attribute_reader *reader, const struct dataset_item *position,
                            const struct dataset_item *orientation, const struct dataset_item *measures,
                            struct image_plane *into, struct found *found)
{
    double spacing[2];

    if (position && read_reals(reader, position, IMAGE_POSITION, 0, 3, into->position))
        found->position = true;
    if (orientation && read_reals(reader, orientation, IMAGE_ORIENTATION, 0, 3, into->across) &&
        read_reals(reader, orientation, IMAGE_ORIENTATION, 3, 3, into->down))
        found->orientation = true;
    if (measures && read_reals(reader, measures, PIXEL_SPACING, 0, 2, spacing) && spacing[0] > 0 &&
        spacing[1] > 0) {
        into->row_spacing = spacing[0];
        into->column_spacing = spacing[1];
        found->spacing = true;
    }
    /* Two directions that are none, or the same one, span no plane. */
    double normal[3];
    cross(into->across, into->down, normal);
    into->is_known = found->position && found->orientation && found->spacing && dot(normal, normal) > 0.5 &&
                     dot(normal, normal) < 2;
}

static void read_groups(struct attribute_reader *reader, const struct dataset_item *groups,
                        struct image_plane *into, struct found *found)
{
    const struct dataset_item *content = attribute_item(groups, FRAME_CONTENT);
    uint32_t count = 0;

    read_attributes(reader, attribute_item(groups, PLANE_POSITION), attribute_item(groups, PLANE_ORIENTATION),
                    attribute_item(groups, PIXEL_MEASURES), into, found);
    if (!content)
        return;
    const uint32_t *indices =
        attribute_counts(reader, content, DIMENSION_INDICES, IMAGE_PLANES_DIMENSIONS, &count);
    for (uint32_t i = 0; i < count; i++)
        into->dimensions[i] = indices[i];
}

static void read_frames(struct attribute_reader *reader, const struct dataset_item *root,
                        const struct found *shared, struct image_planes *into)
{
    struct dataset_element element;
    const struct dataset_item *item = NULL;
    uint32_t count = 0, n = 0;

    if (!dataset_find(root, FRAME_GROUPS, &element) || !element.is_sequence)
        return;
    while (count < FRAMES_MOST && (item = dataset_next_item(&element, item)) != NULL)
        count++;
    struct image_plane *frames = attribute_room(reader, count, sizeof(*frames));
    if (!frames)
        return;
    item = NULL;
    while (n < count && (item = dataset_next_item(&element, item)) != NULL) {
        struct found found = *shared;
        frames[n] = into->whole;
        read_groups(reader, item, &frames[n++], &found);
    }
    into->frames = frames;
    into->frame_count = n;
}

bool image_planes_read(const char *path, struct arena *arena, struct image_planes *ret, struct error *err)
{
    struct data_set file = { .fd = -1 };
    SCOPED(data_set) struct data_set *data_set = &file;
    struct attribute_reader reader = { .arena = arena, .budget = IMAGE_DISPLAY_CEILING };
    struct error ignored = { 0 };
    struct found found = { 0 };

    *ret = (struct image_planes){ 0 };
    if (!data_set_open(path, data_set, err))
        return error_while(err, "reading where an image lies");
    const struct dataset_item *root = dataset_root(data_set->elements);
    if (!uid_parse(attribute_text(&reader, root, FRAME_OF_REFERENCE), &ret->frame_of_reference, &ignored))
        ret->frame_of_reference = (struct uid){ 0 };
    if (!attribute_real(&reader, root, SLICE_THICKNESS, 0, &ret->thickness) || ret->thickness < 0)
        ret->thickness = 0;
    read_attributes(&reader, root, root, root, &ret->whole, &found);
    const struct dataset_item *shared = attribute_item(root, SHARED_GROUPS);
    if (shared)
        read_groups(&reader, shared, &ret->whole, &found);
    read_frames(&reader, root, &found, ret);
    return true;
}

const struct image_plane *image_planes_of(const struct image_planes *planes, uint32_t frame)
{
    return frame >= 1 && frame <= planes->frame_count ? &planes->frames[frame - 1] : &planes->whole;
}

double image_plane_distance(const struct image_plane *plane, const double point[3])
{
    double normal[3];

    cross(plane->across, plane->down, normal);
    return (dot(normal, point) - dot(normal, plane->position)) / sqrt(dot(normal, normal));
}

bool image_plane_is_parallel(const struct image_plane *one, const struct image_plane *other)
{
    double a[3], b[3];

    if (!one->is_known || !other->is_known)
        return false;
    cross(one->across, one->down, a);
    cross(other->across, other->down, b);
    return fabs(dot(a, b)) >= 0.99985 * sqrt(dot(a, a) * dot(b, b));
}
