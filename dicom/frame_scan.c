/* dicom/frame_scan.c
 * SPDX-License-Identifier: Apache-2.0
 *
 * Builds the frame table of a file from its pixel data element (PS3.5 A.4, 8.1). Only headers are read, never
 * the pixels. All items are walked even where an offset table says where frames are: tables in the field are
 * wrong often enough (empty, stale, counted from another place, wrapped at 4 GiB), and one that does not
 * point at items is left aside. Then, in this order:
 *
 *   video, or one frame       all fragments
 *   Extended Offset Table     if every entry points at an item
 *   Basic Offset Table        the same
 *   as many fragments         one each
 *   more fragments            a frame begins where a code stream begins, or else behind where one ends
 *   fewer fragments           one each, the last frames are missing
 */
#include "dicom/frame_table.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/file.h"
#include "dicom/tag.h"

enum {
    TAG_ITEM = 0xFFFEE000,
    TAG_SEQUENCE_DELIMITER = 0xFFFEE0DD,
    ITEM_HEADER_BYTES = 8,
    START_BYTES = 64, /* enough to know an RLE header */
    END_BYTES = 4,
    NEAR_BYTES = 65536,
    FAR_BYTES = 512
};

static const uint32_t undefined_length = 0xFFFFFFFF;

/* Reads ahead where small fragments follow closely, and little where they are far apart. */
struct reader {
    int fd;
    uint64_t file_size, from;
    size_t size;
    uint8_t ahead[NEAR_BYTES];
};

/* Items as they stand in the file, and the table before them. */
struct fragments {
    uint64_t *starts; /* count + 1, see frame_table.h */
    uint32_t count, capacity;
    struct extent value, offset_table;
    bool cut;     /* the file ends within the item behind the last */
    bool unended; /* it ends behind an item, without the delimiter: all may be there, or not */
};

static bool read_ahead(struct reader *reader, uint64_t offset, size_t size, const uint8_t **ret,
                       struct error *err)
{
    assert(size <= FAR_BYTES && offset <= reader->file_size && size <= reader->file_size - offset);
    if (offset < reader->from || offset - reader->from > reader->size ||
        reader->size - (size_t)(offset - reader->from) < size) {
        const uint64_t end = reader->from + reader->size;
        const bool near = offset >= reader->from && offset <= end + NEAR_BYTES / 8;
        const uint64_t left = reader->file_size - offset;
        const size_t wanted = near ? NEAR_BYTES : FAR_BYTES;
        const size_t fetch = left < wanted ? (size_t)left : wanted;
        reader->size = 0;
        reader->from = offset;
        if (!file_read_at(reader->fd, reader->ahead, fetch, offset, err))
            return false;
        reader->size = fetch;
    }
    *ret = reader->ahead + (offset - reader->from);
    return true;
}

static uint32_t number_16(const uint8_t *at, bool big_endian)
{
    return big_endian ? (uint32_t)at[0] << 8 | at[1] : (uint32_t)at[1] << 8 | at[0];
}

static uint32_t number_32(const uint8_t *at, bool big_endian)
{
    return big_endian ? number_16(at, true) << 16 | number_16(at + 2, true)
                      : number_16(at + 2, false) << 16 | number_16(at, false);
}

static uint32_t tag_at(const uint8_t *at, bool big_endian)
{
    return number_16(at, big_endian) << 16 | number_16(at + 2, big_endian);
}

struct element {
    uint64_t value; /* offset */
    uint32_t length;
    bool bytes_vr; /* OB: never swapped */
};

static bool read_element(struct reader *reader, const struct frame_scan *scan, struct element *ret,
                         struct error *err)
{
    const uint64_t left = scan->element_offset < scan->file_size ? scan->file_size - scan->element_offset : 0;
    const uint8_t *at;

    if (left < 8)
        return error_tell(err, FAULT_NOT_DICOM,
                          "Pixel Data (7FE0,0010): the file ends in the element's header");
    if (!read_ahead(reader, scan->element_offset, left < 12 ? 8 : 12, &at, err))
        return false;
    const uint32_t tag = tag_at(at, scan->big_endian);
    if (tag != TAG_PIXEL_DATA && tag != TAG_FLOAT_PIXEL_DATA && tag != TAG_DOUBLE_FLOAT_PIXEL_DATA)
        return error_tell(err, FAULT_NOT_DICOM, "Pixel Data (7FE0,0010): tag %08" PRIX32 " there", tag);

    const bool has_vr = scan->explicit_vr && at[4] >= 'A' && at[4] <= 'Z' && at[5] >= 'A' && at[5] <= 'Z';
    *ret = (struct element){ .bytes_vr = has_vr && at[4] == 'O' && at[5] == 'B' };
    if (!has_vr) {
        ret->length = number_32(at + 4, scan->big_endian);
        ret->value = scan->element_offset + 8;
    } else if (at[4] == 'O' ||
               (at[4] == 'U' && (at[5] == 'N' || at[5] == 'C' || at[5] == 'R' || at[5] == 'T'))) {
        if (left < 12)
            return error_tell(err, FAULT_NOT_DICOM,
                              "Pixel Data (7FE0,0010): the file ends in the element's header");
        ret->length = number_32(at + 8, scan->big_endian);
        ret->value = scan->element_offset + 12;
    } else {
        ret->length = number_16(at + 6, scan->big_endian);
        ret->value = scan->element_offset + 8;
    }
    return true;
}

static bool add_fragment(struct fragments *fragments, uint64_t start, uint32_t size, struct error *err)
{
    if (fragments->count == FRAME_SCAN_FRAGMENTS)
        return error_tell(err, FAULT_TOO_LARGE, "Pixel Data has more than %d fragments.",
                          FRAME_SCAN_FRAGMENTS);
    if (fragments->count + 1 >= fragments->capacity) {
        const uint32_t capacity = fragments->capacity ? fragments->capacity * 2 : 16;
        uint64_t *const grown = realloc(fragments->starts, capacity * sizeof *grown);
        if (!grown)
            return error_set(err, FAULT_BUSY, "pixel data: no memory for %" PRIu32 " fragments", capacity);
        fragments->starts = grown;
        fragments->capacity = capacity;
    }
    fragments->starts[fragments->count] = start;
    fragments->starts[++fragments->count] = start + size + ITEM_HEADER_BYTES;
    return true;
}

/* Does it begin as a code stream of any encapsulated syntax does? */
static bool begins_stream(const uint8_t *at, size_t size)
{
    static const uint8_t jxl_box[] = { 0, 0, 0, 12, 'J', 'X', 'L', ' ' },
                         jp2_box[] = { 0, 0, 0, 12, 'j', 'P', ' ', ' ' };

    if (size >= 3 && at[0] == 0xFF && at[1] == 0xD8 && at[2] == 0xFF)
        return true;
    if (size >= 4 && at[0] == 0xFF && at[1] == 0x4F && at[2] == 0xFF && at[3] == 0x51)
        return true;
    if (size >= 2 && at[0] == 0xFF && at[1] == 0x0A)
        return true;
    if (size >= 8 && (memcmp(at, jxl_box, 8) == 0 || memcmp(at, jp2_box, 8) == 0))
        return true;
    if (size < START_BYTES) /* PS3.5 Annex G: number of segments, their offsets, zeros */
        return false;
    const uint32_t segments = number_32(at, false);
    if (segments < 1 || segments > 15 || number_32(at + 4, false) != 64)
        return false;
    for (uint32_t i = 2; i <= 15; i++) {
        const uint32_t offset = number_32(at + (size_t)4 * i, false);
        if (i <= segments ? offset <= number_32(at + (size_t)4 * (i - 1), false) : offset != 0)
            return false;
    }
    return true;
}

/* Ends as JPEG, JPEG-LS and JPEG 2000 do: FFD9, then padding or none. */
static bool ends_stream(const uint8_t *at, size_t size)
{
    for (size_t i = size; i >= 2; i--)
        if (at[i - 2] == 0xFF && at[i - 1] == 0xD9)
            return true;
    return false;
}

/* The first item is the offset table, empty or not (PS3.5 A.4); encoders that forget it begin with a code
 * stream. */
static bool is_offset_table(struct reader *reader, uint64_t start, uint32_t size, bool *ret,
                            struct error *err)
{
    const uint8_t *at;
    const size_t look = size < START_BYTES ? size : START_BYTES;

    if (!read_ahead(reader, start, look, &at, err))
        return false;
    *ret = !begins_stream(at, look);
    return true;
}

/* One item from *at on. *ret_last: the delimiter, or the end, or the break that is tolerated. */
static bool walk_item(struct reader *reader, const struct frame_scan *scan, uint64_t end, uint64_t *at,
                      bool *first, struct fragments *into, bool *ret_last, struct error *err)
{
    const uint8_t *header;
    const uint64_t left = end - *at;

    *ret_last = true;
    if (left == 0) {
        into->unended = end == scan->file_size;
        return true;
    }
    if (left < ITEM_HEADER_BYTES) {
        into->cut = true;
        return scan->tolerate_cut ||
               error_tell(err, FAULT_NOT_DICOM, "Pixel Data (7FE0,0010): the file ends in an item's header");
    }
    if (!read_ahead(reader, *at, ITEM_HEADER_BYTES, &header, err))
        return false;
    const uint32_t tag = tag_at(header, scan->big_endian), size = number_32(header + 4, scan->big_endian);
    if (tag == TAG_SEQUENCE_DELIMITER)
        return true;
    if (tag != TAG_ITEM || size == undefined_length || size > left - ITEM_HEADER_BYTES) {
        into->cut = tag == TAG_ITEM && size != undefined_length;
        return scan->tolerate_cut || error_tell(err, FAULT_NOT_DICOM,
                                                "pixel data: fragment %" PRIu32 " has tag %08" PRIX32
                                                ", %" PRIu32 " bytes of %" PRIu64,
                                                into->count, tag, size, left - ITEM_HEADER_BYTES);
    }
    const uint64_t start = *at + ITEM_HEADER_BYTES;
    bool table = *first;
    if (*first && !is_offset_table(reader, start, size, &table, err))
        return false;
    *first = false;
    if (table)
        into->offset_table = (struct extent){ start, size };
    else if (!add_fragment(into, start, size, err))
        return false;
    *at = start + size;
    *ret_last = false;
    return true;
}

static bool walk_items(struct reader *reader, const struct frame_scan *scan, uint64_t from, uint64_t end,
                       struct fragments *into, struct error *err)
{
    uint64_t at = from;
    bool first = true, last = false;

    while (!last)
        if (!walk_item(reader, scan, end, &at, &first, into, &last, err))
            return false;
    into->value = (struct extent){ from, at - from };
    return true;
}

/* Offsets of frames from the first fragment's item on, 32 or 64 bits each. */
struct offsets {
    struct bytes entries;
    unsigned width;
};

static uint64_t offset_at(const struct offsets *offsets, uint32_t index)
{
    const uint8_t *at = offsets->entries.data + (size_t)index * offsets->width;
    const uint64_t low = number_32(at, false);

    return offsets->width == 4 ? low : low | (uint64_t)number_32(at + 4, false) << 32;
}

static bool is_short(const struct fragments *fragments)
{
    return fragments->cut || fragments->unended;
}

/* Of a frame that ends where the file ends nobody knows whether it is whole, unless each frame has one
 * fragment. */
static bool last_is_short(const struct fragments *fragments, uint32_t frames)
{
    return fragments->cut || (fragments->unended && fragments->count != frames);
}

/* The table's offsets as fragment numbers. False when it does not name every frame, in order, by an item's
 * place; when the file is cut, those behind the cut are left out. */
static bool groups_by_offsets(const struct fragments *fragments, const struct offsets *offsets,
                              uint32_t frames, uint32_t *firsts, uint32_t *ret_frames)
{
    uint32_t fragment = 0;

    for (uint32_t frame = 0; frame < frames; frame++) {
        const uint64_t offset = offset_at(offsets, frame);
        if ((frame == 0) != (offset == 0) || offset > INT64_MAX - fragments->starts[0])
            return false;
        const uint64_t target = fragments->starts[0] + offset;
        while (fragment < fragments->count && fragments->starts[fragment] < target)
            fragment++;
        const bool beyond = fragment == fragments->count;
        if (beyond && is_short(fragments) && target >= fragments->starts[fragment]) {
            /* The frame before this one is whole only if its last item is. */
            const bool whole = target == fragments->starts[fragment];
            firsts[frame] = fragment;
            *ret_frames = whole ? frame : frame - 1;
            return true;
        }
        if (beyond || fragments->starts[fragment] != target || (frame > 0 && fragment <= firsts[frame - 1]))
            return false;
        firsts[frame] = fragment;
    }
    firsts[frames] = fragments->count;
    *ret_frames = frames - (last_is_short(fragments, frames) ? 1 : 0);
    return true;
}

/* PS3.3 C.7.6.3.1.8: lengths without item headers; with or without the byte that pads an odd one. */
static bool lengths_agree(const struct fragments *fragments, const struct offsets *lengths, uint32_t frames,
                          const uint32_t *firsts)
{
    for (uint32_t frame = 0; frame < frames; frame++) {
        const uint32_t from = firsts[frame], to = firsts[frame + 1];
        const uint64_t size =
            fragments->starts[to] - fragments->starts[from] - (uint64_t)ITEM_HEADER_BYTES * (to - from);
        const uint64_t said = offset_at(lengths, frame);
        if (said > size || size - said > 1)
            return false;
    }
    return true;
}

static bool groups_by_extended_table(const struct frame_scan *scan, const struct fragments *fragments,
                                     uint32_t *firsts, uint32_t *ret_frames)
{
    const struct offsets offsets = { scan->extended_offsets, 8 }, lengths = { scan->extended_lengths, 8 };

    if (offsets.entries.size != (uint64_t)scan->frames * 8 ||
        lengths.entries.size != (uint64_t)scan->frames * 8)
        return false;
    return groups_by_offsets(fragments, &offsets, scan->frames, firsts, ret_frames) &&
           lengths_agree(fragments, &lengths, *ret_frames, firsts);
}

static bool groups_by_basic_table(const struct frame_scan *scan, const struct fragments *fragments,
                                  uint32_t *firsts, uint32_t *ret_frames, bool *ret_found, struct error *err)
{
    const struct extent table = fragments->offset_table;
    struct offsets offsets = { .width = 4 };

    *ret_found = false;
    if (table.size != (uint64_t)scan->frames * 4)
        return true;
    /* One entry more than there are fragments is never looked at, so a hostile table costs no memory. */
    const size_t most = scan->frames <= fragments->count ? scan->frames : (size_t)fragments->count + 1;
    uint8_t *const entries = malloc(most * 4);
    if (!entries)
        return error_set(err, FAULT_BUSY, "pixel data: no memory for the offset table");
    const bool read = file_read_at(scan->fd, entries, most * 4, table.offset, err);
    if (read) {
        offsets.entries = bytes_of(entries, most * 4);
        *ret_found = groups_by_offsets(fragments, &offsets, scan->frames, firsts, ret_frames);
    }
    free(entries);
    return read;
}

enum border { BY_STARTS, BY_STARTS_BEHIND_ENDS, BY_ENDS };

/* Walks all fragments and begins a frame where `border` says so; true when that makes `frames` of them. */
static bool groups_by_border(struct reader *reader, const struct fragments *fragments, enum border border,
                             uint32_t frames, uint32_t *firsts, bool *ret_found, struct error *err)
{
    uint32_t found = 0;
    bool ended = true;

    *ret_found = false;
    for (uint32_t i = 0; i < fragments->count; i++) {
        const uint64_t start = fragments->starts[i],
                       size = fragments->starts[i + 1] - ITEM_HEADER_BYTES - start;
        const uint8_t *at;
        if (size == 0)
            continue;
        const size_t look = size < START_BYTES ? (size_t)size : START_BYTES;
        bool begins = ended;
        if (border != BY_ENDS) {
            if (!read_ahead(reader, start, look, &at, err))
                return false;
            begins = begins_stream(at, look) && (border == BY_STARTS || ended);
        }
        if (begins) {
            if (found == frames)
                return true;
            firsts[found++] = i;
        }
        if (found == 0)
            return true; /* something stands before the first code stream */
        if (border != BY_STARTS) {
            const size_t tail = size < END_BYTES ? (size_t)size : END_BYTES;
            if (!read_ahead(reader, start + size - tail, tail, &at, err))
                return false;
            ended = ends_stream(at, tail);
        }
    }
    firsts[found] = fragments->count;
    *ret_found = found == frames;
    return true;
}

static uint32_t fragments_with_bytes(const struct fragments *fragments)
{
    uint32_t filled = 0;

    for (uint32_t i = 0; i < fragments->count; i++)
        filled += fragments->starts[i + 1] - fragments->starts[i] > ITEM_HEADER_BYTES;
    return filled;
}

/* Frame k is the k-th fragment that holds any bytes; empty ones belong to the frame before. */
static uint32_t groups_one_each(const struct fragments *fragments, uint32_t frames, uint32_t *firsts)
{
    uint32_t found = 0;

    for (uint32_t i = 0; i < fragments->count; i++) {
        if (fragments->starts[i + 1] - fragments->starts[i] == ITEM_HEADER_BYTES)
            continue;
        if (found == frames)
            break;
        firsts[found++] = i;
    }
    firsts[found] = fragments->count;
    return found;
}

/* Fewer fragments than frames. When the file is short, several of them may belong to one frame: then some
 * begin a code stream and some do not. */
static bool may_be_one_each(struct reader *reader, const struct fragments *fragments, bool *ret,
                            struct error *err)
{
    uint32_t starts = 0;

    for (uint32_t i = 0; i < fragments->count; i++) {
        const uint64_t size = fragments->starts[i + 1] - ITEM_HEADER_BYTES - fragments->starts[i];
        const size_t look = size < START_BYTES ? (size_t)size : START_BYTES;
        const uint8_t *at;
        if (!read_ahead(reader, fragments->starts[i], look, &at, err))
            return false;
        starts += begins_stream(at, look);
    }
    *ret = starts == 0 || starts == fragments_with_bytes(fragments);
    return true;
}

static bool groups_of(struct reader *reader, const struct frame_scan *scan, const struct fragments *fragments,
                      uint32_t *firsts, uint32_t *ret_frames, struct error *err)
{
    const uint32_t filled = fragments_with_bytes(fragments);
    bool found = false;

    if (scan->video || scan->frames == 1) {
        firsts[0] = 0;
        firsts[1] = fragments->count;
        *ret_frames = filled > 0 && !fragments->cut;
        return true;
    }
    if (groups_by_extended_table(scan, fragments, firsts, ret_frames))
        return true;
    if (!groups_by_basic_table(scan, fragments, firsts, ret_frames, &found, err) || found)
        return found;
    if (filled <= scan->frames) {
        bool one_each = true;
        if (filled < scan->frames && is_short(fragments) &&
            !may_be_one_each(reader, fragments, &one_each, err))
            return false;
        *ret_frames = one_each ? groups_one_each(fragments, scan->frames, firsts) : 0;
        return true;
    }
    for (enum border border = BY_STARTS; border <= BY_ENDS && !found; border++)
        if (!groups_by_border(reader, fragments, border, scan->frames, firsts, &found, err))
            return false;
    *ret_frames = found ? scan->frames - (last_is_short(fragments, scan->frames) ? 1 : 0) : 0;
    return true;
}

static bool is_one_each(const uint32_t *firsts, uint32_t frames)
{
    for (uint32_t i = 0; i <= frames; i++)
        if (firsts[i] != i)
            return false;
    return true;
}

static bool scan_fragments(struct reader *reader, const struct frame_scan *scan, uint64_t from, uint64_t end,
                           struct frame_table **ret, struct error *err)
{
    const enum frame_kind kind = scan->video ? FRAMES_VIDEO : FRAMES_ENCAPSULATED;
    struct fragments fragments = { 0 };
    uint32_t *firsts = NULL;
    uint32_t frames = 0;
    bool good = walk_items(reader, scan, from, end, &fragments, err);

    if (good && fragments.count > 0) {
        /* More frames than fragments cannot come out, whatever Number of Frames says. */
        const uint32_t most = scan->frames < fragments.count ? scan->frames : fragments.count;
        firsts = calloc((size_t)most + 2, sizeof *firsts);
        good = firsts ? groups_of(reader, scan, &fragments, firsts, &frames, err)
                      : error_set(err, FAULT_BUSY, "pixel data: no memory for %" PRIu32 " frames", most);
    }
    if (!good) {
        free(fragments.starts);
        free(firsts);
        return false;
    }
    if (frames == 0 || is_one_each(firsts, frames)) {
        free(firsts);
        firsts = NULL;
    }
    *ret = frame_table_of_fragments(kind, fragments.value, fragments.starts, fragments.count, firsts, frames);
    return true;
}

/* Encapsulated by its structure: undefined length, or (against the rule, but it occurs) items in a defined
 * one. */
static bool holds_items(struct reader *reader, const struct frame_scan *scan, const struct element *element,
                        bool *ret, struct error *err)
{
    const uint64_t left = scan->file_size - element->value;
    const uint8_t *at;

    *ret = element->length == undefined_length;
    if (*ret || !scan->encapsulated || element->length < 2 * ITEM_HEADER_BYTES || left < ITEM_HEADER_BYTES)
        return true;
    if (!read_ahead(reader, element->value, ITEM_HEADER_BYTES, &at, err))
        return false;
    *ret = tag_at(at, scan->big_endian) == TAG_ITEM;
    return true;
}

static bool scan_element(struct reader *reader, const struct frame_scan *scan, struct frame_table **ret,
                         struct error *err)
{
    struct element element = { 0 };
    bool items;

    if (!read_element(reader, scan, &element, err) || !holds_items(reader, scan, &element, &items, err))
        return false;
    uint64_t available = scan->file_size - element.value;
    if (element.length != undefined_length) {
        if (element.length > available && !scan->tolerate_cut)
            return error_tell(err, FAULT_NOT_DICOM,
                              "Pixel Data (7FE0,0010): %" PRIu32 " bytes, the file has %" PRIu64 ".",
                              element.length, available);
        available = element.length < available ? element.length : available;
    }
    if (items)
        return scan_fragments(reader, scan, element.value, element.value + available, ret, err);
    /* Samples of 8 bits and fewer are swapped only where they lie in words (OW); wider ones always, also
     * where OB stands wrongly. Words that hold bits of two frames cannot be swapped by frame: then none is
     * given. */
    const bool swapped = scan->big_endian && (!element.bytes_vr || scan->bits_allocated > 8);
    const uint32_t frames = swapped && scan->frame_bits % 8 ? 0 : scan->frames;
    *ret = frame_table_of_native(swapped ? FRAMES_NATIVE_BIG : FRAMES_NATIVE, element.value, scan->frame_bits,
                                 frames, available);
    return true;
}

bool frame_table_scan(const struct frame_scan *scan, struct frame_table **ret, struct error *err)
{
    struct reader *const reader = malloc(sizeof *reader);
    struct frame_scan checked = *scan;

    if (!reader)
        return error_set(err, FAULT_BUSY, "pixel data: no memory to read it");
    reader->fd = scan->fd;
    reader->file_size = scan->file_size;
    reader->from = 0;
    reader->size = 0;
    checked.frames = scan->frames ? scan->frames : 1;
    const bool good = scan_element(reader, &checked, ret, err);
    free(reader);
    return good;
}
