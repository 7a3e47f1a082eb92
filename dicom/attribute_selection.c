/* dicom/attribute_selection.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * One pass over an object beside the sorted list of what is wanted; see attribute_selection.h.
 */
#include "dicom/attribute_selection.h"

#include "dicom/dictionary.h"
#include "dicom/json_scan.h"
#include "dicom/tag.h"

/* The place of `tag`, or where it would go. */
static size_t place_of(const struct attribute_selection *selection, uint32_t tag)
{
    size_t from = 0, to = selection->count;

    while (from < to) {
        const size_t middle = from + (to - from) / 2;
        if (selection->tags[middle] < tag)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static bool is_chosen(const struct attribute_selection *selection, uint32_t tag)
{
    const size_t at = place_of(selection, tag);

    return at < selection->count && selection->tags[at] == tag;
}

static bool choose(struct attribute_selection *selection, uint32_t tag, struct error *err)
{
    const size_t at = place_of(selection, tag);

    if (at < selection->count && selection->tags[at] == tag)
        return true;
    if (selection->count == ATTRIBUTE_SELECTION_MOST)
        return error_tell(err, FAULT_MALFORMED, "includefield names more than %d attributes.",
                          ATTRIBUTE_SELECTION_MOST);
    memmove(selection->tags + at + 1, selection->tags + at, (selection->count - at) * sizeof(uint32_t));
    selection->tags[at] = tag;
    selection->count++;
    return true;
}

void attribute_selection_begin(struct attribute_selection *selection)
{
    static const uint32_t always[] = { TAG_SPECIFIC_CHARACTER_SET, TAG_SOP_CLASS_UID,
                                       TAG_SOP_INSTANCE_UID,       TAG_STUDY_INSTANCE_UID,
                                       TAG_SERIES_INSTANCE_UID,    TAG_INSTANCE_NUMBER };

    *selection = (struct attribute_selection){ .count = COUNT_OF(always) };
    memcpy(selection->tags, always, sizeof always);
}

static bool is_private(uint32_t tag)
{
    return tag >> 16 & 1;
}

/* The creator of the block that a private element is in. */
static uint32_t creator_of(uint32_t tag)
{
    return (tag & 0xFFFF0000) | (tag >> 8 & 0xFF);
}

bool attribute_selection_add(struct attribute_selection *selection, struct bytes list, struct error *err)
{
    while (list.data) {
        struct bytes path = bytes_trim(bytes_cut(&list, ','));
        const struct bytes name = bytes_cut(&path, '.');
        uint32_t tag;

        if (bytes_equal_text(name, "all")) {
            selection->all = true;
        } else if (name.size > 0 && dictionary_tag(name, &tag)) {
            if (!choose(selection, tag, err) ||
                (is_private(tag) && (tag & 0xFFFF) >= 0x1000 && !choose(selection, creator_of(tag), err)))
                return false;
        }
    }
    return true;
}

void attribute_selection_write(const struct attribute_selection *selection, struct bytes object,
                               struct buffer *into)
{
    struct json_member member;
    bool any = false;
    uint32_t tag;

    if (selection->all) {
        buffer_append(into, object);
        return;
    }
    buffer_append_byte(into, '{');
    for (size_t at = 0; json_object_next(object, &at, &member);) {
        if (!json_attribute_tag(member.name, &tag) || !is_chosen(selection, tag))
            continue;
        if (any)
            buffer_append_byte(into, ',');
        any = true;
        buffer_append(into, member.whole);
    }
    buffer_append_byte(into, '}');
}
