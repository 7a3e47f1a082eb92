/* dicom/bulk_value.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Finds an element by its path; see bulk_value.h.
 */
#include "dicom/bulk_value.h"

#include "base/number.h"
#include "dicom/data_set.h"
#include "dicom/resolve_vr.h"
#include "dicom/tag.h"
#include "dicom/vr.h"

/* A tag, or sequence and item number before it, and so on. */
static bool next_tag(struct bytes *path, uint32_t *ret, struct error *err)
{
    const struct bytes text = bytes_cut(path, '/');
    uint64_t tag;

    if (text.size != 8 || !number_parse_hex(text, UINT32_MAX, &tag))
        return error_tell(err, FAULT_MALFORMED, "A bulk data path has tags of eight hexadecimal digits.");
    *ret = (uint32_t)tag;
    return true;
}

static bool next_number(struct bytes *path, uint64_t *ret, struct error *err)
{
    if (!number_parse(bytes_cut(path, '/'), 1, UINT32_MAX, ret))
        return error_tell(err, FAULT_MALFORMED, "A bulk data path counts items from 1.");
    return true;
}

static bool check_path(struct bytes path, struct error *err)
{
    uint32_t tag;
    uint64_t number;

    for (unsigned depth = 0; depth <= ELEMENT_SCAN_DEPTH; depth++) {
        if (!next_tag(&path, &tag, err))
            return false;
        if (!path.data)
            return true;
        if (!next_number(&path, &number, err))
            return false;
        if (!path.data)
            return error_tell(err, FAULT_MALFORMED, "A bulk data path ends with a tag.");
    }
    return error_tell(err, FAULT_MALFORMED, "The bulk data path is too long.");
}

static bool read_element(struct resolve_level *level, const struct dataset_element *element,
                         struct bulk_value *ret, struct error *err)
{
    struct block *block = NULL;
    char vr[3];

    if (element->is_sequence)
        return error_set(err, FAULT_NOT_FOUND, "bulk data: a sequence");
    resolve_vr(level, element, vr);
    if (element->size > SIZE_MAX || !block_take((size_t)element->size, &block, err))
        return error_while(err, "taking a bulk data value");
    if (!dataset_value(element, block_room(block, NULL), err)) {
        block_unref(block);
        return false;
    }
    block_seal(block, (size_t)element->size);
    memcpy(ret->vr, vr_info(vr)->name, 3);
    ret->block = block;
    ret->is_encapsulated = element->is_encapsulated;
    return true;
}

/* One step per call, so depth is the path's, which is bounded. */
static bool find(struct resolve_level *level, struct bytes path, struct bulk_value *ret, struct error *err)
{
    struct dataset_element element;
    uint32_t tag;
    uint64_t number;

    if (!next_tag(&path, &tag, err))
        return false;
    if (!dataset_find(level->item, tag, &element))
        return error_set(err, FAULT_NOT_FOUND, "bulk data: no such element");
    if (!path.data)
        return read_element(level, &element, ret, err);
    if (!next_number(&path, &number, err))
        return false;
    const struct dataset_item *item = NULL;
    do
        item = dataset_next_item(&element, item);
    while (item && --number > 0);
    if (!item)
        return error_set(err, FAULT_NOT_FOUND, "bulk data: no such item");
    return find(&(struct resolve_level){ .item = item, .parent = level }, path, ret, err);
}

bool bulk_value_read(const char *file, struct bytes path, struct bulk_value *ret, struct error *err)
{
    struct data_set state;
    SCOPED(data_set) struct data_set *data_set = &state;
    struct bytes rest = path;
    uint32_t first;

    state = (struct data_set){ .fd = -1 };
    if (!check_path(path, err) || !next_tag(&rest, &first, err))
        return false;
    if (!data_set_open(file, data_set, err))
        return error_while(err, "reading bulk data");

    const struct element_skeleton *skeleton = &data_set->skeleton;
    if (skeleton->has_pixel_data && first == skeleton->pixel_tag)
        return error_set(err, FAULT_NOT_FOUND, "bulk data: top-level pixel data is not read so");
    const struct dataset *elements = data_set->elements;
    if (skeleton->has_pixel_data && first > skeleton->pixel_tag) {
        struct dataset_element unused;
        if (!dataset_find(dataset_root(elements), first, &unused)) {
            data_set_read_tail(data_set, 0);
            elements = data_set->tail ? data_set->tail : elements;
        }
    }
    return find(&(struct resolve_level){ .item = dataset_root(elements) }, path, ret, err);
}
